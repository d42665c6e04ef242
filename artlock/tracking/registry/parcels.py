"""What waits to be sent to other trackers, as values."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from artlock.model.registration import Labels, Provenance, Run


class ParcelKind(StrEnum):
    """What is to be told to a tracker."""

    PUSH = "push"
    INPUT = "input"


class ParcelState(StrEnum):
    """Where a parcel is: it waits, somebody sends it, it arrived, or it never will."""

    PENDING = "pending"
    SENDING = "sending"
    DONE = "done"
    DEAD = "dead"


class LastError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a parcel was not taken, the last time.

    Attributes:
        code: Of the ``ArtlockError``, such as ``tracker-unavailable``.
        message: Its message; what looks like a credential is taken out when it is stored.
        status: The HTTP status that the tracker answered, or ``None``.
    """

    code: str
    message: str
    status: int | None = None


class NewParcel(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be sent; the same target, kind, name, digest and run are one parcel.

    Attributes:
        created: When it was asked for: RFC 3339 in UTC.
        target: URL of the tracker, without credentials.
        name: Under which the lock is registered.
        digest: The lock digest, ``blake3:<64 hex>``.
        each: As in ``Registration``.
        run: What made the version, or for an input what used it, which then is there.
        labels: For a push.
        number: Of the version, for an input.
    """

    created: str
    target: str
    kind: ParcelKind
    name: str
    digest: str
    each: bool
    provenance: Provenance
    labels: Labels
    run: Run | None = None
    number: int | None = None


class Parcel(NewParcel, frozen=True, kw_only=True):
    """A parcel as the outbox holds it.

    Attributes:
        id: Given once, growing; parcels of one target and name are sent in its order.
        attempts: How often somebody took it to send it.
        next_try: When it may be sent again, in seconds since the epoch; 0 for at once.
        last_error: What the last attempt ended with, or ``None``.
        native: What the tracker called the version, once it arrived; else empty.
        owner: Who sends it or did last; empty if nobody has.
        revision: Grows when the same is asked for again, so that labels which come while
            it is being sent are sent too.
    """

    id: int
    state: ParcelState
    attempts: int
    next_try: float
    last_error: LastError | None = None
    native: str = ""
    owner: str = ""
    revision: int = 0
