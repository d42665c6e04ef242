"""The digest of a file, with no more than a piece of it in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blake3 import blake3

if TYPE_CHECKING:
    from io import RawIOBase

_PIECE = 1 << 20


def hasher_of(file: RawIOBase) -> blake3:
    """Return BLAKE3 of a file from where it stands to its end.

    Raises:
        OSError: It cannot be read.
    """
    hasher = blake3()
    piece = memoryview(bytearray(_PIECE))
    while size := file.readinto(piece):
        hasher.update(piece[:size])
    return hasher
