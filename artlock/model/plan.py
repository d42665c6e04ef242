"""What ``sync`` would do, decided from values alone."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from artlock.model.digest import Digest
    from artlock.model.lock import LockedObject


class Placement(msgspec.Struct, frozen=True):
    """A row and where it lands.

    Attributes:
        target: Relative to the project.
        artifact: The artifact's name.
        row: What was locked.
    """

    target: str
    artifact: str
    row: LockedObject


class FileState(StrEnum):
    """What stands at a target.

    ``CURRENT`` is what the row locks; ``OURS`` other bytes that artlock wrote and nobody
    touched; ``KEPT_ELSEWHERE`` other bytes of which the cache has a copy; ``FOREIGN`` bytes
    that only exist here; ``BLOCKED`` something that is no regular file.
    """

    ABSENT = "absent"
    CURRENT = "current"
    OURS = "ours"
    KEPT_ELSEWHERE = "kept-elsewhere"
    FOREIGN = "foreign"
    BLOCKED = "blocked"


class SyncPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, in the order in which it is done.

    Attributes:
        fetch: Placements whose bytes the cache lacks; a subset of ``write``.
        write: Placements to materialize.
        remove: Targets that artlock wrote, nobody touched, and no row wants any more.
        left: Targets that artlock wrote and no row wants, but that a person changed.
        current: How many placements need nothing.
        conflicts: Targets whose bytes would be lost, sorted.
    """

    fetch: tuple[Placement, ...]
    write: tuple[Placement, ...]
    remove: tuple[str, ...]
    left: tuple[str, ...]
    current: int
    conflicts: tuple[str, ...]

    @classmethod
    def nothing_for(cls, current: int) -> Self:
        """Return the plan of a workspace in which ``current`` files need nothing."""
        return cls(fetch=(), write=(), remove=(), left=(), current=current, conflicts=())

    @property
    def is_empty(self) -> bool:
        """Whether the workspace already is what the lockfile says."""
        return not (self.write or self.remove or self.conflicts)

    @property
    def fetch_size(self) -> int:
        """Bytes to fetch; the same content counts once for each row."""
        return sum(p.row.size for p in self.fetch)

    @property
    def write_size(self) -> int:
        """Bytes to materialize."""
        return sum(p.row.size for p in self.write)


def plan_sync(
    placements: Iterable[Placement],
    states: Mapping[str, FileState],
    *,
    leftovers: Mapping[str, FileState],
    blob_of: Callable[[Placement], Digest | None],
) -> SyncPlan:
    """Decide what to do.

    Args:
        placements: Everything the lockfile wants in the workspace; targets are unique.
        states: What stands at each target; a target that is not in it is absent.
        leftovers: Targets that artlock wrote before and nothing wants now.
        blob_of: The blob of the cache that satisfies a placement, or ``None``; asked only
            for what must be written.
    """
    fetch: list[Placement] = []
    write: list[Placement] = []
    conflicts: list[str] = []
    current = 0
    for placement in placements:
        state = states.get(placement.target, FileState.ABSENT)
        if state is FileState.CURRENT:
            current += 1
            continue
        if state in {FileState.FOREIGN, FileState.BLOCKED}:
            conflicts.append(placement.target)
        write.append(placement)
        if blob_of(placement) is None:
            fetch.append(placement)
    untouched = {FileState.OURS, FileState.CURRENT}
    return SyncPlan(
        fetch=tuple(fetch),
        write=tuple(write),
        remove=tuple(t for t, state in leftovers.items() if state in untouched),
        left=tuple(
            t
            for t, state in leftovers.items()
            if state not in untouched and state is not FileState.ABSENT
        ),
        current=current,
        conflicts=tuple(sorted(conflicts)),
    )
