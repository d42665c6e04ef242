"""Three lockfiles to one: by artifact and path, never by line.

The side that changed against the base counts; what both changed alike is no conflict, and
what both changed in different ways is one. So two branches that add neighbouring rows do
not meet, as they do where git merges lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec.structs import replace

from artlock.errors import LockfileError, PolicyError, UnsafePathError
from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.safety import check_artifact

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

T = TypeVar("T")


class RowConflict(msgspec.Struct, frozen=True):
    """A row that both sides changed, each in its own way; ``None`` where one deleted it."""

    path: str
    ours: LockedObject | None
    theirs: LockedObject | None


class ArtifactConflict(msgspec.Struct, frozen=True):
    """An artifact that cannot be put together row by row; ``None`` where it was deleted."""

    name: str
    ours: LockedArtifact | None
    theirs: LockedArtifact | None


class MergedArtifact(msgspec.Struct, frozen=True):
    """An artifact of both sides.

    Attributes:
        artifact: With the rows that are not in conflict.
        conflicts: Sorted by path.
    """

    artifact: LockedArtifact
    conflicts: tuple[RowConflict, ...] = ()

    @property
    def name(self) -> str:
        """The artifact's name."""
        return self.artifact.name


class Merge(msgspec.Struct, frozen=True):
    """What became of three lockfiles.

    Attributes:
        top: Revision and further keys, without artifacts.
        artifacts: Sorted by name.
    """

    top: Lockfile
    artifacts: tuple[MergedArtifact | ArtifactConflict, ...]

    @property
    def conflicts(self) -> dict[str, int]:
        """How many rows are in conflict, by artifact; 0 is the artifact as a whole."""
        found = {}
        for item in self.artifacts:
            if isinstance(item, ArtifactConflict):
                found[item.name] = 0
            elif item.conflicts:
                found[item.name] = len(item.conflicts)
        return found


def merge(
    base: Lockfile,
    ours: Lockfile,
    theirs: Lockfile,
    *,
    atomic: Collection[str] = (),
    unknown: Collection[str] = (),
) -> Merge:
    """Merge two lockfiles that began as one.

    Args:
        base: What both began as; an empty one if they have no common past.
        ours: One side.
        theirs: The other.
        atomic: Artifacts of which no version may have rows of both sides.
        unknown: Artifacts of which nobody knows how they began: they are alike on both
            sides, or in conflict.

    Raises:
        LockfileError: Both changed a key that this version does not know, in different
            ways.
    """
    found: list[MergedArtifact | ArtifactConflict] = []
    for name in sorted({a.name for lock in (ours, theirs) for a in lock.artifacts}):
        sides = ours.get(name), theirs.get(name)
        if name in unknown and sides[0] != sides[1]:
            found.append(ArtifactConflict(name, *sides))
            continue
        merged = _artifact(name, base.get(name), *sides, is_atomic=name in atomic)
        if merged is not None:
            found.append(merged)
    return Merge(_top(base, ours, theirs), tuple(found))


def _top(base: Lockfile, ours: Lockfile, theirs: Lockfile) -> Lockfile:
    before, mine, other = (dict(lock.extra) for lock in (base, ours, theirs))
    extra: dict[str, object] = {}
    for key in sorted(mine.keys() | other.keys()):
        sides = before.get(key), mine.get(key), other.get(key)
        is_one_sided, value = _chosen(*sides)
        if not is_one_sided:
            message = f"both sides changed `{key}`, which this artlock does not know"
            raise LockfileError(message, hint="upgrade artlock")
        if value is not None:
            extra[key] = value
    revision = max(ours.revision, theirs.revision)
    return Lockfile(revision=revision, extra=tuple(extra.items()))


def _chosen(base: T, ours: T, theirs: T) -> tuple[bool, T]:
    """Return whether at most one side changed, or both alike, and what is right then."""
    if ours in (theirs, base):
        return True, theirs
    return theirs == base, ours


def _artifact(
    name: str,
    base: LockedArtifact | None,
    ours: LockedArtifact | None,
    theirs: LockedArtifact | None,
    *,
    is_atomic: bool,
) -> MergedArtifact | ArtifactConflict | None:
    is_one_sided, chosen = _chosen(base, ours, theirs)
    if is_one_sided:
        return None if chosen is None else MergedArtifact(chosen)
    conflict = ArtifactConflict(name, ours, theirs)
    if ours is None or theirs is None or is_atomic:
        return conflict
    head = _head(base, ours, theirs)
    if head is None:
        return conflict
    rows, conflicts = merge_rows(base.objects if base else (), ours.objects, theirs.objects)
    if not all(_is_allowed(head, side) for side in _sides(rows, conflicts)):
        return conflict  # each side is right, and both together are not
    return MergedArtifact(replace(head, objects=rows), conflicts)


def _sides(
    rows: Sequence[LockedObject], conflicts: Sequence[RowConflict]
) -> Iterator[list[LockedObject]]:
    """Yield the rows that there would be if one side, then the other, were right."""
    for chosen in ([c.ours for c in conflicts], [c.theirs for c in conflicts]):
        yield sorted((*rows, *filter(None, chosen)), key=_path)


def _is_allowed(head: LockedArtifact, rows: Sequence[LockedObject]) -> bool:
    try:
        check_artifact(replace(head, objects=tuple(rows)))
    except (PolicyError, UnsafePathError):
        return False
    return True


def _head(
    base: LockedArtifact | None, ours: LockedArtifact, theirs: LockedArtifact
) -> LockedArtifact | None:
    """Return the head under which rows of both sides may stand; ``None`` for none.

    Rows say what was found at one place, at one time and with one policy: under another
    URI, version, moment or checksum policy they would say what nobody has seen. Only
    what chooses among rows may differ, and then the rows are held to what was chosen.
    """
    before = None if base is None else replace(base, objects=())
    mine, other = replace(ours, objects=()), replace(theirs, objects=())
    is_one_sided, head = _chosen(before, mine, other)
    if not is_one_sided or head is None or head.kind is not Kind.TREE:
        return None
    return head if _meaning(mine) == _meaning(other) else None


def _meaning(head: LockedArtifact) -> LockedArtifact:
    """Return a head without what chooses among rows."""
    declared = replace(head.declared, include=(), exclude=(), portable=True)
    return replace(head, declared=declared)


def merge_rows(
    base: Sequence[LockedObject],
    ours: Sequence[LockedObject],
    theirs: Sequence[LockedObject],
) -> tuple[tuple[LockedObject, ...], tuple[RowConflict, ...]]:
    """Merge rows by their paths; return those that are right, and the conflicts, sorted."""
    before, mine, other = ({row.path: row for row in rows} for rows in (base, ours, theirs))
    rows: list[LockedObject] = []
    conflicts: list[RowConflict] = []
    for path in sorted(mine.keys() | other.keys()):
        sides = mine.get(path), other.get(path)
        is_one_sided, row = _chosen(before.get(path), *sides)
        if not is_one_sided:
            conflicts.append(RowConflict(path, *sides))
        elif row is not None:
            rows.append(row)
    return tuple(rows), tuple(conflicts)


def _path(row: LockedObject) -> str:
    return row.path
