"""The merge of parts: each as a file of its own, and what that makes of a lockfile.

Git merges files apart, and gives the driver no way to add one. So the driver merges the
rows of a part for git, and foresees for the frame what git will make of all parts: the
frame gets their digests if together they are exactly the rows that the merge is to have,
and a conflict if not (decision record 0027).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blake3 import blake3
from msgspec.structs import replace

from artlock.errors import ArtlockError, LockfileError
from artlock.formats.lockfile_faults import Spot
from artlock.formats.lockfile_merge import Markers, Parts, format_rows, is_in_conflict
from artlock.formats.lockfile_parts import Part
from artlock.formats.lockfile_pieces import decode_rows
from artlock.formats.lockfile_rows import check_part_of_rows
from artlock.formats.lockfile_write import encode_rows
from artlock.model.merge import MergedArtifact, merge_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from artlock.formats.lockfile_parts import LockText
    from artlock.model.lock import LockedArtifact, LockedObject, Lockfile
    from artlock.model.merge import Merge

_Bytes = dict[str, bytes]
"""Parts of an artifact by their names."""


def merge_part(
    base: bytes, ours: bytes, theirs: bytes, markers: Markers
) -> tuple[bytes, int]:
    """Merge two versions of a part by path.

    Returns:
        The rows, with markers where both sides changed one; and how many of those.

    Raises:
        LockfileError: One of the three is not rows as artlock writes them.
    """
    rows, conflicts = merge_rows(*map(_rows_of, (base, ours, theirs)))
    return b"".join(format_rows(rows, conflicts, markers)), len(conflicts)


def parts_of_merge(
    merge: Merge,
    base: LockText,
    ours: tuple[LockText, Lockfile],
    theirs: tuple[LockText, Lockfile],
    *,
    has_driver: Callable[[Sequence[str]], bool],
) -> dict[str, Parts]:
    """Foresee what git makes of the parts of every artifact that has some.

    Args:
        merge: What the lockfile is to be.
        base: What both began as.
        ours: One side, as text and as values.
        theirs: The other.
        has_driver: Tells whether git is to merge all of some parts with this driver; their
            paths are from the folder of parts.
    """
    found = {}
    sides = (base, ours[0], theirs[0])
    listed = [_by_artifact(text) for text in sides]
    for item in merge.artifacts:
        parts = [side.get(item.name, ()) for side in listed]
        if not any(parts):
            continue
        merged = None
        if isinstance(item, MergedArtifact) and not is_in_conflict(item):
            contents = [_contents(text, item.name) for text in sides]
            merged = _foreseen(item, contents, has_driver)
        mine, other = (
            _without_rows(lock, item.name, side)
            for (_, lock), side in zip((ours, theirs), parts[1:], strict=True)
        )
        found[item.name] = Parts(
            ours=mine,
            theirs=other,
            our_parts=parts[1],
            their_parts=parts[2],
            merged=merged,
        )
    return found


def conflicts_of(merge: Merge, in_parts: Mapping[str, Parts]) -> dict[str, int]:
    """Return how many rows are in conflict, by artifact; 0 is the artifact as a whole.

    An artifact whose parts git cannot merge is one of those.
    """
    found = {name: 0 for name, parts in in_parts.items() if parts.merged is None}
    found |= merge.conflicts
    return {item.name: found[item.name] for item in merge.artifacts if item.name in found}


def _foreseen(
    item: MergedArtifact,
    contents: Sequence[_Bytes],
    has_driver: Callable[[Sequence[str]], bool],
) -> tuple[Part, ...] | None:
    """Return the parts that git leaves, if they have the rows that they are to have."""
    base, ours, theirs = contents
    merged: _Bytes = {}
    both_changed = []
    for name in sorted(base.keys() | ours.keys() | theirs.keys()):
        before, mine, other = base.get(name), ours.get(name), theirs.get(name)
        if mine in (other, before):
            result = other
        elif other == before:
            result = mine
        elif mine is None or other is None:
            return None  # changed here, removed there: a conflict for git
        else:
            both_changed.append(name)
            result = _merged_by_driver(before or b"", mine, other)
            if not result:
                return None
        if result is not None:
            merged[name] = result
    if both_changed and not has_driver([f"{item.name}/{n}.rows" for n in both_changed]):
        return None
    in_order = sorted(merged.items(), key=lambda pair: _first_path(pair[1]))
    rows = b"".join(data for _, data in in_order)
    if merged and rows != encode_rows(item.artifact.objects):
        return None
    return tuple(
        Part(item.name, name, f"blake3:{blake3(data).hexdigest()}")
        for name, data in in_order
    )


def _merged_by_driver(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """Return what the driver makes of a part; nothing for a conflict."""
    try:
        data, conflicts = merge_part(base, ours, theirs, Markers())
    except ArtlockError:
        return b""
    return b"" if conflicts else data


def _by_artifact(text: LockText) -> dict[str, tuple[Part, ...]]:
    blocks = (tuple(part for part, _ in block) for block in text.blocks)
    return {block[0].artifact: block for block in blocks}


def _contents(text: LockText, artifact: str) -> _Bytes:
    return {
        part.name: text.data[place]
        for block in text.blocks
        for part, place in block
        if part.artifact == artifact
    }


def _without_rows(
    lock: Lockfile, name: str, parts: Sequence[Part]
) -> LockedArtifact | None:
    artifact = lock.get(name)
    return replace(artifact, objects=()) if artifact is not None and parts else artifact


def _rows_of(data: bytes) -> Sequence[LockedObject]:
    rows = decode_rows(data) if data else []
    if rows is None:
        message = "a part to be merged is not rows as artlock writes them"
        raise LockfileError(message)
    check_part_of_rows(rows, Spot("a part to be merged"))
    return rows


def _first_path(data: bytes) -> str:
    rows = decode_rows(data[: data.find(b"\n") + 1])
    return rows[0].path if rows else ""
