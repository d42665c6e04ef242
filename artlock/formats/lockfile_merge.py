"""A merge as text: a lockfile, with git's conflict markers where two sides differ.

The text without ``theirs`` is a lockfile, and so is the one without ``ours``: ``artlock
resolve`` reads both.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.formats.lockfile_parts import frame_text
from artlock.formats.lockfile_write import encode_rows, format_lockfile
from artlock.model.lock import LockedObject, Lockfile
from artlock.model.merge import ArtifactConflict, RowConflict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from artlock.formats.lockfile_parts import Part
    from artlock.model.lock import LockedArtifact
    from artlock.model.merge import Merge, MergedArtifact

_NOTHING = format_lockfile(Lockfile())
_END = b"]\n"
"""Ends the rows of an artifact."""


class Markers(msgspec.Struct, frozen=True, kw_only=True):
    """How conflicts are marked, as git asks its merge drivers to.

    Attributes:
        size: How often each marker's character is repeated.
        ours: Names one side.
        theirs: Names the other.
    """

    size: int = 7
    ours: str = "ours"
    theirs: str = "theirs"

    def around(self, ours: bytes, theirs: bytes) -> bytes:
        """Return both texts with markers; each is empty or ends in a newline."""
        return b"".join(
            (
                f"{'<' * self.size} {self.ours}\n".encode(),
                ours,
                f"{'=' * self.size}\n".encode(),
                theirs,
                f"{'>' * self.size} {self.theirs}\n".encode(),
            )
        )


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact of which at least one side has parts.

    Attributes:
        ours: The artifact there, without rows if it has parts; ``None`` if it is not there.
        theirs: Likewise.
        our_parts: Empty if the rows are in the frame.
        their_parts: Likewise.
        merged: What git makes of both; ``None`` if that is a conflict, or not the rows that
            the artifact is to have.
    """

    ours: LockedArtifact | None
    theirs: LockedArtifact | None
    our_parts: tuple[Part, ...]
    their_parts: tuple[Part, ...]
    merged: tuple[Part, ...] | None


def format_merge(
    merge: Merge, markers: Markers, in_parts: Mapping[str, Parts] = MappingProxyType({})
) -> bytes:
    """Return the text of a merge: a canonical lockfile if nothing is in conflict.

    Args:
        merge: What came of it.
        markers: How conflicts are marked.
        in_parts: Artifacts with parts. One that is in conflict is so as a whole: its rows
            are elsewhere.
    """
    pieces = [format_lockfile(merge.top)]
    for item in merge.artifacts:
        parts = in_parts.get(item.name)
        if parts is not None and (is_in_conflict(item) or parts.merged is None):
            sides = (
                _block(parts.ours, parts.our_parts),
                _block(parts.theirs, parts.their_parts),
            )
            pieces.append(markers.around(*sides))
        elif isinstance(item, ArtifactConflict):
            pieces.append(markers.around(_block(item.ours), _block(item.theirs)))
        elif parts is not None and parts.merged:
            pieces.append(_block(replace(item.artifact, objects=()), parts.merged))
        else:
            pieces += _with_conflicts(item, markers)
    return b"".join(pieces)


def is_in_conflict(item: MergedArtifact | ArtifactConflict) -> bool:
    """Tell whether anything of an artifact is in conflict."""
    return isinstance(item, ArtifactConflict) or bool(item.conflicts)


def _block(artifact: LockedArtifact | None, parts: Sequence[Part] = ()) -> bytes:
    """Return the lines of one artifact, with the blank line above."""
    if artifact is None:
        return b""
    in_parts = {artifact.name: parts} if parts else {}
    return frame_text(Lockfile(artifacts=(artifact,)), in_parts).removeprefix(_NOTHING)


def _with_conflicts(merged: MergedArtifact, markers: Markers) -> Iterator[bytes]:
    if not merged.conflicts:
        yield _block(merged.artifact)
        return
    yield _block(replace(merged.artifact, objects=())).removesuffix(_END)
    yield from format_rows(merged.artifact.objects, merged.conflicts, markers)
    yield _END


def format_rows(
    rows: Sequence[LockedObject], conflicts: Sequence[RowConflict], markers: Markers
) -> Iterator[bytes]:
    """Yield the lines of rows, with markers where both sides changed one."""
    both: Sequence[LockedObject | RowConflict] = sorted(
        (*rows, *conflicts), key=attrgetter("path")
    )
    for kind, items in groupby(both, key=type):
        if kind is LockedObject:
            yield encode_rows([i for i in items if isinstance(i, LockedObject)])
        else:
            some = [i for i in items if isinstance(i, RowConflict)]
            yield markers.around(
                encode_rows([c.ours for c in some if c.ours]),
                encode_rows([c.theirs for c in some if c.theirs]),
            )
