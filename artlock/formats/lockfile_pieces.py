"""Canonical rows, read and judged piece by piece.

Each step over a million rows at once would fetch all of them into the processor's cache
again. A piece stays there while it is decoded, encoded, compared and judged, and nothing
but a piece is ever copied: so a million rows take 2.3 s of CPU time and 600 MB, where at
once they took 5.2 s and 1,150 MB.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.errors import ArtlockError
from artlock.formats.lockfile_faults import Spot
from artlock.formats.lockfile_rows import check_count, check_part_of_rows
from artlock.formats.lockfile_write import encode_rows
from artlock.model.lock import LockedObject
from artlock.model.paths import Span
from artlock.model.safety import check_part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from artlock.model.lock import LockedArtifact

PIECE = 1 << 16
"""Bytes of text in a piece: some hundred rows. Buffers of larger ones would go back to the
system each time, which takes a million rows half a second of page faults."""
_DECODER = msgspec.json.Decoder(list[LockedObject])
_NOWHERE = Spot("")
"""Of faults that are not told: whoever looks at all rows tells them."""


class Proof(msgspec.Struct, frozen=True, array_like=True):
    """That nothing is wrong in a piece, but for where it stands, and for collisions.

    Attributes:
        first: The path of its first row.
        last: The path of its last row.
        span: What collisions are told by; ``None`` where that takes all paths.
    """

    first: str
    last: str
    span: Span | None


def cut_rows(block: slice, data: bytes) -> Iterator[slice]:
    """Yield the pieces of a block of rows; each ends at the end of a line."""
    start = block.start
    while start < block.stop:
        end = data.find(b"\n", min(start + PIECE, block.stop) - 1, block.stop) + 1
        yield slice(start, end)
        start = end


def decode_rows(text: bytes) -> list[LockedObject] | None:
    """Return the rows of canonical text, or ``None`` for other text."""
    # The rows without the last comma, in brackets, are one JSON array: line ends and all.
    array = b"[%b]" % text.removesuffix(b",\n")
    try:
        rows = _DECODER.decode(array)
        return rows if encode_rows(rows) == text else None
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return None


def proof_of(rows: Sequence[LockedObject], artifact: LockedArtifact) -> Proof | None:
    """Judge the rows of a piece; ``None`` if something is wrong.

    Args:
        rows: At least one.
        artifact: Whose rows; those that it has itself do not count.
    """
    try:
        check_part_of_rows(rows, _NOWHERE)
        span = check_part(replace(artifact, objects=tuple(rows)))
    except ArtlockError:
        return None
    return Proof(rows[0].path, rows[-1].path, span)


def are_proven(
    proofs: Sequence[Proof | None], artifact: LockedArtifact, count: int
) -> bool:
    """Tell whether an artifact is what ``lockfile_read`` accepts, but for collisions.

    Args:
        proofs: Of all its pieces, in their order.
        artifact: Without its rows.
        count: How many rows it has.
    """
    try:
        check_count(count, artifact.kind, _NOWHERE)
    except ArtlockError:
        return False
    good = [proof for proof in proofs if proof is not None]
    in_order = all(one.last < other.first for one, other in pairwise(good))
    return len(good) == len(proofs) and in_order


def are_apart(proofs: Sequence[Proof | None]) -> bool:
    """Tell whether there certainly is no collision; else ``collisions`` has to tell."""
    spans = [proof.span for proof in proofs if proof is not None]
    known = [span for span in spans if span is not None]
    in_order = all(one.is_before(other) for one, other in pairwise(known))
    return len(known) == len(proofs) and in_order
