"""What a reviewer asks: how much changed in which artifact, and what to look at twice."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from artlock.model.diff import Change, ChangeKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from artlock.model.lock import LockedObject
    from artlock.model.tokens import Tokens


class ArtifactReview(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one artifact.

    Attributes:
        changes: Its declaration first, then its rows by path. Empty for an artifact that
            only lost rows to others.
        left: Rows that are in another artifact now, under the names they had here.
    """

    name: str
    changes: tuple[Change, ...] = ()
    left: tuple[Change, ...] = ()

    @property
    def whole(self) -> Change | None:
        """What became of the artifact as a whole, or of its declaration."""
        return next((c for c in self.changes if not c.path), None)

    @property
    def rows(self) -> tuple[Change, ...]:
        """The changes of rows."""
        return tuple(c for c in self.changes if c.path)

    def counts(self) -> dict[ChangeKind, int]:
        """Return how many rows changed in each way that occurs."""
        return dict(Counter(change.kind for change in self.rows))

    @property
    def objects_delta(self) -> int:
        """How many objects more there are."""
        before = sum(1 for c in self.rows if c.old is not None and not self._came(c))
        after = sum(1 for c in self.rows if c.new is not None)
        return after - before - len(self.left)

    @property
    def bytes_delta(self) -> int:
        """How many bytes more there are."""
        own = sum(_new_size(c) if self._came(c) else c.bytes_delta for c in self.rows)
        return own - sum(change.old.size for change in self.left if change.old)

    def _came(self, change: Change) -> bool:
        """Tell whether a row was in another artifact before."""
        return change.old_artifact not in (None, self.name)


class Doubt(StrEnum):
    """Why a change deserves a second look.

    ``ALTERED`` is a row that says something else of the very state that it named before,
    by its version or etag, which no store ever does; ``WEAKER`` is one whose strongest
    token proves less than that before.
    """

    ALTERED = "altered"
    WEAKER = "weaker"


def by_artifact(changes: Iterable[Change]) -> tuple[ArtifactReview, ...]:
    """Return what became of each artifact that changed, sorted by name."""
    own: dict[str, list[Change]] = {}
    left: dict[str, list[Change]] = {}
    for change in changes:
        own.setdefault(change.artifact, []).append(change)
        if change.old_artifact not in (None, change.artifact):
            left.setdefault(str(change.old_artifact), []).append(change)
    return tuple(
        ArtifactReview(
            name=name, changes=tuple(own.get(name, ())), left=tuple(left.get(name, ()))
        )
        for name in sorted(own.keys() | left.keys())
    )


def doubts(changes: Sequence[Change]) -> dict[Doubt, tuple[Change, ...]]:
    """Return the changes to look at twice, by why; only the reasons that occur."""
    moved = {c.artifact for c in changes if not c.path and "uri" in c.keys}
    altered = tuple(
        change
        for change in changes
        if change.kind is not ChangeKind.RENAMED
        and change.artifact not in moved
        and change.old
        and change.new
        and says_otherwise(change.old, change.new)
    )
    weaker = tuple(
        change
        for change in changes
        if change.old and change.new and not change.new.trust.reaches(change.old.trust)
    )
    found = {Doubt.ALTERED: altered, Doubt.WEAKER: weaker}
    return {doubt: told for doubt, told in found.items() if told}


def says_otherwise(old: LockedObject, new: LockedObject) -> bool:
    """Tell whether two rows of one URI contradict each other about one state of it.

    A store never changes a state: its size, digest, checksum and etag stay. So if one row
    is true, the other was not written by ``resolve``. That goes for tokens that cannot be
    compared, too: ``resolve`` adds some, and puts none in the place of others.
    """
    if not _same_state(old, new):
        return False
    was, now = old.tokens, new.tokens
    etags = (was.etag, now.etag)
    return (
        old.size != new.size
        or was.contradicts(now)
        or (None not in etags and was.etag != now.etag)
        or _are_replaced(was, now)
    )


def states_of(row: LockedObject) -> tuple[str, ...]:
    """Return the names that the store has for the state that was locked, as texts.

    Its version, and its etag beside its size; no weak etag, which stays where bytes change
    (RFC 9110 §8.8.1). Rows of one URI that say something of one state have one in common.
    """
    etag = _etag_text(row)
    names = (f"version {row.version}" if row.version else "", etag)
    return tuple(name for name in names if name)


def _same_state(old: LockedObject, new: LockedObject) -> bool:
    if old.version and new.version:
        return old.version == new.version
    etag = _etag_text(old)
    return bool(etag) and etag == _etag_text(new)


def _etag_text(row: LockedObject) -> str:
    """Return the etag with the size, without parsing the other tokens; empty for none."""
    etag = f" {row.checksum}".rpartition(" etag:")[2] if "etag:" in row.checksum else ""
    return f"etag {etag} {row.size}" if etag and not etag.startswith("W/") else ""


def _are_replaced(was: Tokens, now: Tokens) -> bool:
    """Tell whether other algorithms stand where the digests, or all tokens, were."""
    digests = {digest.algorithm for digest in was.digests}
    if digests and now.digests:
        return digests.isdisjoint(digest.algorithm for digest in now.digests)
    if (
        not _has_content(now)
        or was.agrees(now)
        or not {*was.unknown}.isdisjoint(now.unknown)
    ):
        return False
    return _has_content(was) or (was.etag is not None and now.etag is None)


def _has_content(tokens: Tokens) -> bool:
    """Tell whether anything but an etag is known of the bytes."""
    return bool(tokens.digests or tokens.checksums or tokens.unknown)


def _new_size(change: Change) -> int:
    return change.new.size if change.new else 0
