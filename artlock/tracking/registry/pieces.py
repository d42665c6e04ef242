"""Locks in pieces: where the text is cut, and how a piece is stored.

The cuts depend on the lines at the cuts alone, so that two locks that share most rows share
most pieces; those that differ begin at the same places, and are stored as what differs. A
piece is one zstd frame: by itself, or with its predecessor as the dictionary, which need
not be of the same length. Nothing here knows of databases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import msgspec
import zstandard
from blake3 import blake3

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST = 1 << 19
"""Bytes that every piece has, but for the last of a text."""
MOST = 1 << 22
"""Bytes that no piece exceeds."""
MAX_DEPTH = 8
"""Of chains: a piece that is stored by what differs needs so many others at most."""
_HIT = 1 << 20
"""A line ends a piece if the CRC-32 of its key is less: one of 4,096, some 640 kB."""
_LEVEL = 1
"""Digests and version IDs do not compress by matches: higher levels only take longer."""
_SMALLEST_TABLE, _LARGEST_TABLE = 10, 22
_DOUBLE_FAST = 2
"""zstd's strategy that keeps places of the dictionary by long and by short matches."""
_WINDOW = 1 << 24
"""Bytes that a frame may ask to be kept at most; it covers a base and a piece."""
_PLACE = 8
_CHEAP = 4
"""A delta is taken at once if it is no longer than a fourth of the piece; rows in full take
half of it, as digests do not compress."""


class Cut(msgspec.Struct, frozen=True, gc=False):
    """One piece of a text.

    Attributes:
        text: Its bytes.
        place: What it is called among the pieces of the text: made of the line above it, so
            that it stays when rows are put before or behind. Mostly no two are equal.
    """

    text: bytes
    place: bytes


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A piece in the form in which it is stored.

    Attributes:
        data: A zstd frame that says its size.
        base: Which of the two bases it needs: 1 the near one, 2 the root, 0 none.
    """

    data: bytes
    base: int


def cut(text: bytes) -> Iterator[Cut]:
    """Cut a text; the pieces together are the text again, and an empty text has none."""
    start, place = 0, bytes(_PLACE)
    while start < len(text):
        end = _end(text, start)
        yield Cut(text[start:end], place)
        line = text.rfind(b"\n", start, end - 1) + 1 or start
        place = blake3(_key(text, line, end)).digest(length=_PLACE)
        start = end


def compress(piece: bytes, base: bytes | None = None, root: bytes | None = None) -> Stored:
    """Return the shortest form of a piece that is not much dearer to read.

    Args:
        piece: At most ``MOST`` bytes.
        base: The piece that was at its place before, if its chain may grow.
        root: The piece that the predecessor's chain begins with, if it may not.
    """
    like, number = (base, 1) if base is not None else (root, 2)
    if like is None:
        return Stored(_plain(piece), 0)
    delta = _compressor(like, len(piece)).compress(piece)
    if len(delta) * _CHEAP <= len(piece):
        return Stored(delta, number)
    plain = _plain(piece)
    return Stored(delta, number) if 2 * len(delta) <= len(plain) else Stored(plain, 0)


def decompress(data: bytes, base: bytes | None, size: int) -> bytes:
    """Return the piece that ``compress`` was given.

    Args:
        data: As it was stored; may come from anybody.
        base: The piece that it needs, whole.
        size: Of the piece, in bytes.

    Raises:
        ValueError: It cannot be, or not with this base, or has another size.
    """
    try:
        # Looked at first: nobody makes us reserve more than a piece has.
        # A frame that does not say its size has -1.
        if not 0 <= size <= MOST or zstandard.frame_content_size(data) != size:
            raise ValueError(size)
        likeness = None if base is None else _dictionary(base)
        reader = zstandard.ZstdDecompressor(dict_data=likeness, max_window_size=_WINDOW)
        text = reader.decompress(data, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
    if len(text) != size:
        raise ValueError(len(text))
    return text


def _end(text: bytes, start: int) -> int:
    """Return where the piece ends that begins at ``start``.

    Of the lines with which it has from ``LEAST`` to ``MOST`` bytes, behind the first that
    is a hit, else behind that of the lowest CRC-32; a longer line is cut anywhere.
    """
    stop = len(text)
    if stop - start <= LEAST:
        return stop
    limit = start + MOST
    line = text.rfind(b"\n", start, start + LEAST - 1) + 1 or start
    end, lowest = 0, 1 << 32
    while line < stop:
        after = text.find(b"\n", line, limit) + 1
        if not after:
            if stop <= limit:
                return stop  # what is left has no hit and is not too long
            return end or limit
        value = crc32(_key(text, line, after))
        if value < _HIT:
            return after
        if value < lowest:
            end, lowest = after, value
        line = after
    return stop


def _key(text: bytes, line: int, after: int) -> bytes:
    """Return what tells a line from others, whatever its tokens are: a row's path."""
    quote = text.find(b'",', line, after)
    return text[line : quote if quote >= 0 else after]


def _plain(piece: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(piece)


def _compressor(base: bytes, size: int) -> zstandard.ZstdCompressor:
    # The window covers the base and the piece, and the tables all of the base: with those
    # of a level most of its rows would not be found (a delta of 20 % in place of 0.6 %).
    table = min(max(len(base).bit_length() - 1, _SMALLEST_TABLE), _LARGEST_TABLE)
    parameters = zstandard.ZstdCompressionParameters(
        window_log=max(10, (len(base) + size).bit_length()),
        hash_log=table,
        chain_log=table,
        search_log=1,
        min_match=5,
        strategy=_DOUBLE_FAST,
    )
    return zstandard.ZstdCompressor(
        dict_data=_dictionary(base), compression_params=parameters
    )


def _dictionary(base: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
