"""A merge as text: a lockfile, with git's conflict markers where two sides differ.

The text without ``theirs`` is a lockfile, and so is the one without ``ours``: ``artlock
resolve`` reads both.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.formats.lockfile_write import encode_rows, format_lockfile
from artlock.model.lock import LockedObject, Lockfile
from artlock.model.merge import ArtifactConflict, RowConflict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


def format_merge(merge: Merge, markers: Markers) -> bytes:
    """Return the text of a merge: a canonical lockfile if nothing is in conflict."""
    parts = [format_lockfile(merge.top)]
    for item in merge.artifacts:
        if isinstance(item, ArtifactConflict):
            parts.append(markers.around(_block(item.ours), _block(item.theirs)))
        else:
            parts += _with_conflicts(item, markers)
    return b"".join(parts)


def _block(artifact: LockedArtifact | None) -> bytes:
    """Return the lines of one artifact, with the blank line above."""
    if artifact is None:
        return b""
    return format_lockfile(Lockfile(artifacts=(artifact,))).removeprefix(_NOTHING)


def _with_conflicts(merged: MergedArtifact, markers: Markers) -> Iterator[bytes]:
    if not merged.conflicts:
        yield _block(merged.artifact)
        return
    yield _block(replace(merged.artifact, objects=())).removesuffix(_END)
    both: Sequence[LockedObject | RowConflict] = sorted(
        (*merged.artifact.objects, *merged.conflicts), key=attrgetter("path")
    )
    for kind, items in groupby(both, key=type):
        if kind is LockedObject:
            yield encode_rows([i for i in items if isinstance(i, LockedObject)])
        else:
            conflicts = [i for i in items if isinstance(i, RowConflict)]
            yield markers.around(
                encode_rows([c.ours for c in conflicts if c.ours]),
                encode_rows([c.theirs for c in conflicts if c.theirs]),
            )
    yield _END
