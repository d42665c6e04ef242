"""The protocol that every store keeps, and the values that cross it.

``tests/contract`` holds each store to what is promised here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from artlock.errors import BucketNotFoundError
from artlock.model.manifest import Access
from artlock.model.objects import ObjectInfo, VersionId
from artlock.model.retention import Retention
from artlock.model.uri import Uri
from artlock.model.verification import Buffer

Notice = Callable[[str], None]
"""Called with one sentence that a person should see but that is no error."""


def no_notice(_text: str) -> None:
    """Drop a notice."""


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """One state of one object, as a lockfile names it.

    A read of a pin answers with that state or fails: a store asks by ``version`` where
    there is one, else conditionally by ``etag``, and compares what the answer says of
    itself.

    Attributes:
        size: In bytes; ``None`` only before an object was ever read (HTTP at resolve).
        etag: Without quotes; a weak one keeps its ``W/`` and is never sent as a condition.
    """

    uri: Uri
    size: int | None
    version: VersionId | None = None
    etag: str | None = None


class Span(msgspec.Struct, frozen=True):
    """A range of bytes: ``length`` bytes from ``start``, both >= 0, length >= 1."""

    start: int
    length: int


class StoreContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a store needs from where it is opened.

    Attributes:
        access: Settings of the source that are in force (trusted, or the user's own).
        project: The folder that relative URIs are below.
        notice: Where remarks go.
        may_connect: Whether a host may be connected to although its address is loopback,
            link-local or private: the user's own configuration or trust says so
            (hazard 5.6). Asked for HTTP sources only; ``host`` is lower case without port.
        cross_check: Whether a version listing of a store that is not AWS is compared with a
            plain listing (hazard 1.11).
        connections: How many reads will run at once, for the size of connection pools.
    """

    access: Access = msgspec.field(default_factory=Access)
    project: Path = msgspec.field(default_factory=Path)
    notice: Notice = no_notice
    may_connect: Callable[[str], bool] = lambda _host: False
    cross_check: bool = True
    connections: int = 16


class Store(Protocol):
    """A place that holds objects; safe to use from several threads.

    Every method raises only ``StoreError``, ``PolicyError`` and their subclasses, whatever
    the client library below raises. Errors of iterators rise while they are iterated.
    """

    @property
    def identity(self) -> str:
        """Which service answers here: the same text means the same keys and bytes.

        It has the endpoint where that is not the provider's own, because bytes learnt from
        one endpoint must never answer for another (``cache/seen.py``). No secrets.
        """

    def scan(self, prefix: Uri, *, as_of: datetime | None = None) -> Iterator[ObjectInfo]:
        """Yield every live object whose key starts with ``prefix.key``, in any order.

        A complete answer or an error: a listing that is cut, loops or contradicts itself
        raises. ``prefix`` ends in ``/`` or is a whole bucket, so a sibling that only shares
        text is never met. Keys that end in ``/`` are yielded like any other.

        Args:
            prefix: What to list.
            as_of: The state at that moment (UTC) instead of now, from kept versions.

        Raises:
            BucketNotFoundError: There is no such bucket.
            AccessDeniedError: Listing is refused; the hint names the permission.
            StoreUnavailableError: The store did not answer; try again.
            StoreError: The listing is not to be believed, or the store keeps no versions
                and ``as_of`` was asked for.
        """

    def head(self, uri: Uri, version: VersionId | None = None) -> ObjectInfo:
        """Describe one object, or one version of it, without its bytes.

        Raises:
            ObjectNotFoundError: There is no such object or version.
            AccessDeniedError: Refused; where a store answers so for missing objects too,
                the message says both.
            StoreUnavailableError: The store did not answer; try again.
        """

    def read(self, pin: Pin, span: Span | None = None) -> Iterator[Buffer]:
        """Yield the bytes of one state of an object, stored form, in order.

        What is yielded is not verified here: the gate of the cache judges it. But an answer
        that says it is another state, and a body that is shorter than it was announced or
        asked for, raise.

        Args:
            pin: The state.
            span: Only this range; an answer that is not this range raises.

        Raises:
            ObjectNotFoundError: The object or version is gone.
            ObjectChangedError: The object is there in another state.
            ObjectArchivedError: It must be restored first.
            AccessDeniedError: Refused.
            StoreUnavailableError: Cut, reset, throttled or timed out; try again.
        """

    def close(self) -> None:
        """Give back connections; the store is not used afterwards. May be called twice."""


@contextmanager
def reading(store: Store, pin: Pin, span: Span | None = None) -> Iterator[Iterator[Buffer]]:
    """Lend what ``Store.read`` yields, and end the read with the block, whatever ends that.

    A read that nobody ends keeps a connection, and others from their turn: an error that
    was raised between two of its chunks would hold it for as long as somebody tells of it.
    """
    chunks = store.read(pin, span)
    try:
        yield chunks
    finally:
        if isinstance(chunks, Generator):
            chunks.close()


@runtime_checkable
class TellsEtag(Protocol):
    """A store that may know whether an etag is the MD5 of the bytes (hazards 1.1, 1.2)."""

    def etag_is_md5(self, pin: Pin) -> bool | None:
        """Tell it for the etag of ``pin``; ``None`` where it cannot be known.

        May ask the store, once. ``True`` makes an etag that is not the MD5 of the bytes
        that came a reason to refuse them.

        Raises:
            StoreError: The object cannot be described.
        """


@runtime_checkable
class TellsRetention(Protocol):
    """A store whose buckets have settings that decide how long an object stays."""

    def retention(self, uri: Uri) -> Retention | None:
        """Return the settings of the bucket of ``uri``; ``None`` where there are none.

        A few requests for a bucket, however much lies in it. A setting that may not be
        read is among ``Retention.unread``, and the others are told.

        Raises:
            BucketNotFoundError: There is no such bucket.
            AccessDeniedError: There are no credentials, or they are not valid.
            StoreUnavailableError: The store did not answer; try again.
            StoreError: An answer cannot be believed.
        """


@runtime_checkable
class Reconnects(Protocol):
    """A store that can begin afresh on other connections (hazards 4.5, 4.6)."""

    def reconnect(self) -> None:
        """Use none of the connections so far for reads that begin from now on.

        Reads that are under way go on. Never fails, asks nobody.
        """


LONGEST_ANSWER = 64 << 20
"""Bytes of a page of a listing, or of a description: ten times what a store sends."""
LONGEST_REFUSAL = 1 << 20
"""Bytes of an answer that is an error, of which the status says most."""
ANSWER_TIMEOUT_S = 300.0
"""How long an answer may take, however it trickles (hazard 4.15)."""
REFUSAL_TIMEOUT_S = 10.0
_PIECE = 1 << 16


class EndlessAnswerError(ValueError):
    """An answer is longer than any of a store; adapters translate it."""


def bounded(read: Callable[[int], bytes]) -> bytes:
    """Return the whole of an answer that has to fit in memory (hazard 5.12).

    Args:
        read: Gives at most so many of the next bytes, as they come; none at the end.

    Raises:
        EndlessAnswerError: It is longer than ``LONGEST_ANSWER``; no more of it is taken.
        TimeoutError: It has not ended after ``ANSWER_TIMEOUT_S``.
    """
    found = bytearray()
    until = time.monotonic() + ANSWER_TIMEOUT_S
    while chunk := read(_PIECE):
        found += chunk
        if len(found) > LONGEST_ANSWER:
            reason = f"the store sent more than {LONGEST_ANSWER:,} bytes in one answer"
            raise EndlessAnswerError(reason)
        if time.monotonic() > until:
            reason = f"the answer did not end within {ANSWER_TIMEOUT_S:.0f} seconds"
            raise TimeoutError(reason)
    return bytes(found)


def refusal(read: Callable[[int], bytes]) -> bytes:
    """Return the beginning of an answer that is an error, whole if it is a usual one.

    What an error says is read as far as it can be; that it is one, the status says.
    """
    found = bytearray()
    until = time.monotonic() + REFUSAL_TIMEOUT_S
    while len(found) < LONGEST_REFUSAL and time.monotonic() < until:
        chunk = read(_PIECE)
        if not chunk:
            break
        found += chunk
    return bytes(found)


def missing_bucket(uri: Uri) -> BucketNotFoundError:
    """Return the error of a bucket that does not exist."""
    message = f"there is no bucket `{uri.authority}`"
    hint = (
        "look for a typing error in its name; `artlock doctor` tells which service is asked"
    )
    return BucketNotFoundError(message, uri=str(uri), hint=hint)
