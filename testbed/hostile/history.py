"""What a bucket holds and held: the states of its objects, and how they came about."""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from testbed.hostile.uploads import Upload, etag_of

Versioning: TypeAlias = Literal["Enabled", "Suspended"] | None
Service: TypeAlias = Literal["s3", "gcs"]
NULL = "null"
"""S3's name of the one state that has no version of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One state of one object, or the marker of its deletion.

    Attributes:
        version: As the service names it; S3's ``null`` included.
        number: Grows with every write to the bucket.
        etag: Without quotes.
        upload: How it was written.
        archive: Its archive tier in S3's words, where its class does not tell; or empty.
        restored: Whether an archived object can be read for the time being.
        headers: Further headers of its answers.
    """

    key: str
    version: str
    number: int
    modified: datetime
    body: bytes = b""
    etag: str = ""
    is_marker: bool = False
    upload: Upload = field(default_factory=Upload)
    archive: str = ""
    restored: bool = False
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """How a listing is cut into pages, and how it goes wrong.

    Attributes:
        size: The most entries of a page, whatever is asked for.
        lost: Keys that are left out.
        shuffled: Keys come in an order that this number chooses; ``None`` is by bytes.
        ends_after: After so many pages it says that this was all.
        repeats: Each page begins with the last entry of the one before.
        loops: The second page names itself as the next one; where the service's markers
            are opaque, under a new name each time.
        empty: Without an entry, so many pages come before the first one; -1 is for ever.
        is_mute: Whether it leaves out if there is more.
        is_plain: Whether it ignores ``encoding-type`` and sends keys as they are.
        ignores: A parameter that it does not know.
    """

    size: int = 1000
    lost: frozenset[str] = frozenset()
    shuffled: int | None = None
    ends_after: int | None = None
    repeats: bool = False
    loops: bool = False
    empty: int = 0
    is_mute: bool = False
    is_plain: bool = False
    ignores: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Who may do what with a bucket, and what it asks for.

    Attributes:
        denied: Permissions that nobody has, in the words of the service:
            ``s3:GetObjectVersion``, ``storage.objects.list``.
        requester_pays: Whether each request must name who pays.
        refuses_signed: Whether a request with credentials is refused.
        refuses_unsigned: Whether one without is.
        owner: The account; a request that expects another one is refused.
        conditions: What ``If-Match`` does: it is kept, ignored, or answered with 501.
    """

    denied: frozenset[str] = frozenset()
    requester_pays: bool = False
    refuses_signed: bool = False
    refuses_unsigned: bool = False
    owner: str = "111122223333"
    conditions: Literal["kept", "ignored", "refused"] = "kept"


class Bucket:
    """A bucket with its whole history; thread-safe.

    Its rules are attributes that a test sets at any time.

    Attributes:
        versioning: ``None`` never kept versions.
        policy: Who may do what.
        version_pages: The listing of versions; in GCS any listing.
        plain_pages: The listing of live objects alone.
        answers: Documents by S3's name of a sub-resource, for example ``lifecycle``.
        metadata: Fields of the resource that GCS describes the bucket with.
        keeps_deleted: Whether GCS keeps what was overwritten for a while (soft delete).
    """

    def __init__(
        self, name: str, *, service: Service = "s3", versioning: Versioning = "Enabled"
    ) -> None:
        """Describe an empty bucket."""
        self.name = name
        self.service = service
        self.versioning: Versioning = versioning
        self.policy = Policy()
        self.version_pages = Pages()
        self.plain_pages = Pages()
        self.region = "us-east-1"
        self.answers: dict[str, bytes] = {}
        self.metadata: dict[str, Any] = {}
        self.keeps_deleted = False
        self._mutex = threading.RLock()
        self._states: dict[str, list[State]] = {}  # the newest first
        self._soft_deleted: list[State] = []
        self._numbers: dict[tuple[str, str], int] = {}
        self._count = 0
        self._last = datetime.now(UTC)

    def put(self, key: str, body: bytes, upload: Upload | None = None) -> State:
        """Write an object; what becomes of the state before depends on ``versioning``."""
        how = upload or Upload()
        with self._mutex:
            return self._add(key, body=body, etag=etag_of(body, how), upload=how)

    def delete(self, key: str) -> None:
        """Delete an object as its users do; a marker or an old version may stay."""
        with self._mutex:
            if self.versioning is None:
                self._keep_softly(self._states.pop(key, []))
            elif self.service == "s3" or self.live(key) is not None:
                self._add(key, is_marker=True)

    def forget(self, key: str, version: str) -> None:
        """Delete one version for good, as a lifecycle rule does."""
        with self._mutex:
            kept = [s for s in self._states.get(key, ()) if s.version != version]
            self._states[key] = kept
            if not any(not state.is_marker for state in kept) and self.service == "gcs":
                kept.clear()  # there a marker is only the moment of a deletion
            if not kept:
                del self._states[key]

    def amend(self, key: str, version: str, **changes: Any) -> State:  # noqa: ANN401 - fields of State
        """Change what is told of one version, for example its archive tier."""
        with self._mutex:
            states = self._states[key]
            index = next(i for i, s in enumerate(states) if s.version == version)
            states[index] = replace(states[index], **changes)
            return states[index]

    def history(self, key: str) -> tuple[State, ...]:
        """Return the states of an object that are kept, the newest first."""
        with self._mutex:
            return tuple(self._states.get(key, ()))

    def live(self, key: str) -> State | None:
        """Return the state that a request without a version gets, if there is one."""
        newest = next(iter(self.history(key)), None)
        return None if newest is None or newest.is_marker else newest

    def state(self, key: str, version: str) -> State | None:
        """Return one state, which may be a marker."""
        return next((s for s in self.history(key) if s.version == version), None)

    def histories(self) -> dict[str, tuple[State, ...]]:
        """Return the history of each key, as it is now."""
        with self._mutex:
            return {key: tuple(states) for key, states in self._states.items()}

    def contents(self) -> dict[str, bytes]:
        """Return what is live now."""
        return {
            key: states[0].body
            for key, states in self.histories().items()
            if not states[0].is_marker
        }

    def soft_deleted(self) -> tuple[State, ...]:
        """Return what is only kept to be restored."""
        with self._mutex:
            return tuple(self._soft_deleted)

    def number_of(self, key: str, version: str) -> int | None:
        """Return when a version was written, also if it has gone since."""
        with self._mutex:
            return self._numbers.get((key, version))

    def _add(self, key: str, **facts: Any) -> State:  # noqa: ANN401 - fields of State
        self._count += 1
        # No two moments are equal, so that the past has one order.
        self._last = max(datetime.now(UTC), self._last + timedelta(microseconds=1))
        state = State(
            key=key,
            version=self._version(),
            number=self._count,
            modified=self._last,
            **facts,
        )
        before = self._states.get(key, [])
        if self.versioning is None:
            self._keep_softly(before)
            before = []
        elif self.versioning == "Suspended":
            # S3: a write overwrites the null version in place, wherever it stands.
            before = [s for s in before if s.version != NULL]
        self._states[key] = [state, *before]
        self._numbers[key, state.version] = state.number
        return state

    def _version(self) -> str:
        if self.service == "gcs":
            return str(int(self._last.timestamp() * 1e6))
        if self.versioning != "Enabled":
            return NULL
        return secrets.token_urlsafe(24)

    def _keep_softly(self, states: list[State]) -> None:
        if self.keeps_deleted:
            self._soft_deleted += [s for s in states if not s.is_marker]
