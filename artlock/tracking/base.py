"""What artlock asks of a tracker, and in which words it is told of failures.

One adapter a tracker. ``tests/contract`` holds each of them to what stands here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from artlock.model.lock import Lockfile
    from artlock.model.refs import Ref
    from artlock.model.registration import (
        Lineage,
        Outcome,
        Registration,
        Run,
        TrackerVersion,
    )
    from artlock.model.uri import Uri


class TrackerContext(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter gets from the machine it runs on.

    Attributes:
        environ: The environment variables that count; credentials come from here and from
            the service's own files, never from a URL.
        base: What a relative path in a URL is relative to; absolute.
        scratch: A folder of this run for what a client library wants to write; private,
            there, and removed by whoever made it.
        deadline_s: How long one call of ``Tracker`` may take, in seconds.
        notice: Takes a remark for the person.
    """

    environ: Mapping[str, str]
    base: Path
    scratch: Path
    deadline_s: float = 120.0
    notice: Callable[[str], None] = lambda _: None


@runtime_checkable
class Tracker(Protocol):
    """A service that registers locks under a name, as version 1, 2 and so on.

    An instance is used by one thread. Every method raises ``TrackingError`` and its
    subclasses, or ``ConfigError`` where something must be set or installed first, and
    nothing else, whatever the library below raises; no message has a credential.
    A method may be repeated after any failure and after a kill: it finds what is there.
    """

    def register(self, registration: Registration) -> Outcome:
        """Register a lock, or find that it is registered; attach its labels to it.

        In this order: check limits, find by digest, create, send, finish, read back. Two
        that register the same digest at once leave one version, two digests two.

        Raises:
            RegistrationRefusedError: It cannot be registered as it is, now or later: a
                limit, a name, data that the tracker will not take. Nothing was sent, or
                what was sent is not finished and counts for nothing.
        """
        ...

    def names(self) -> Sequence[str]:
        """Return the names that have a finished version, sorted."""
        ...

    def versions(self, name: str, *, limit: int | None = None) -> Sequence[TrackerVersion]:
        """Return the finished versions of a name, the newest first.

        Args:
            name: Of which.
            limit: At most so many.

        Raises:
            RefNotFoundError: There is no such name.
        """
        ...

    def find(self, ref: Ref) -> TrackerVersion:
        """Return the version that a ref names; ``ref.tracker`` does not matter here.

        Raises:
            RefNotFoundError: There is no such name, version or alias.
        """
        ...

    def fetch(self, version: TrackerVersion) -> bytes | Lockfile:
        """Return the lock: its text, or its values where the tracker keeps rows.

        Whoever calls holds it against ``version.digest`` and judges it as a lockfile that
        may come from anybody.
        """
        ...

    def record_input(self, version: TrackerVersion, run: Run) -> None:
        """Record that a run used a version; a second time changes nothing."""
        ...

    def lineage(self, version: TrackerVersion) -> Lineage:
        """Return who made and who used a version, as far as the tracker knows."""
        ...

    def close(self) -> None:
        """Give back connections; may be called twice."""
        ...


class TrackerScheme(Protocol):
    """What a module of a tracker offers to ``schemes.py``."""

    def problem_with(self, url: Uri) -> str | None:
        """Return why ``url`` does not address such a tracker, or ``None``; no network."""
        ...

    def open_tracker(self, url: Uri, context: TrackerContext) -> Tracker:
        """Return the tracker at ``url``; connects when it is first asked something.

        Raises:
            ConfigError: The client library is not installed; names the extra.
        """
        ...
