"""Where the rows of a large artifact are cut into parts, and what the parts are called.

Both are decided by the paths at the cuts alone, so that the same rows give the same parts
whatever was there before, and a row that comes, goes or changes touches one part. A part is
named after the row that the part before it ends with: that row stays where it is when rows
are put before or behind it, and so the name stays too (decision record 0025).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from blake3 import blake3

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST = 2 << 20
"""Bytes that every part has, but for the last of an artifact."""
MOST = 8 << 20
"""Bytes that no part exceeds, unless a single row does."""
_HIT = 1 << 18
"""A row ends a part if the CRC-32 of its key is less: one of 16,384 rows, some 2.5 MiB."""
FIRST = "first"
"""The name of the part that no cut precedes."""
_NAME_BYTES = 16


def cut_parts(data: bytes, block: slice) -> Iterator[slice]:
    """Yield the parts of canonical rows, in their order.

    Args:
        data: The text that they are in.
        block: Where they are; the end of it is the end of a row.
    """
    start = block.start
    while start < block.stop:
        end = end_of_part(data, start, block.stop)
        yield slice(start, end)
        start = end


def end_of_part(data: bytes, start: int, stop: int) -> int:
    """Return where the part ends that begins at ``start``.

    Of the rows with which it has at least ``LEAST`` and at most ``MOST`` bytes, that is the
    first whose CRC-32 is a hit; without a hit the one of the lowest CRC-32, the first of
    equals. What remains at the end of the rows and is no longer than ``MOST`` is not cut
    without a hit.

    Args:
        data: The text.
        start: Where a row begins.
        stop: Where the last row of the artifact ends.
    """
    if stop - start <= LEAST:
        return stop
    row = data.rfind(b"\n", start, start + LEAST - 1) + 1 or start
    limit = start + MOST
    end, lowest = 0, 1 << 32
    while row < stop:
        after = data.find(b"\n", row, stop) + 1
        if after > limit and end:
            return end
        value = crc32(data[row : data.find(b'",', row, after)])
        if value < _HIT:
            return after
        if value < lowest:
            end, lowest = after, value
        row = after
    return stop


def name_of_part(data: bytes, start: int, *, is_first: bool) -> str:
    """Return the name of the part that begins at ``start``.

    Args:
        data: The text.
        start: Where the part begins; above it is the row that its name is made of.
        is_first: Whether it has the artifact's first row.
    """
    if is_first:
        return FIRST
    row = data.rfind(b"\n", 0, start - 1) + 1
    # Up to the first quote and comma: all of the path, or as much of one that has both.
    key = data[row : data.find(b'",', row, start)]
    return blake3(key).hexdigest(length=_NAME_BYTES)
