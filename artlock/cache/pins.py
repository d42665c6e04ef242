"""Short keys for everything that a row says and where it says it of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

if TYPE_CHECKING:
    from artlock.model.lock import LockedObject

KEY_LENGTH = 16
"""Bytes of a key."""
_encode = msgspec.json.Encoder().encode


def pin_key(identity: str, uri: str, row: LockedObject) -> bytes:
    """Return what stands for a row at a place: two that differ in anything differ here.

    Args:
        identity: ``Store.identity``: what one service answered is no answer of another.
        uri: Of the object.
        row: All of its columns count.
    """
    # It may hold text of the environment, which need not be UTF-8.
    encodable = identity.encode("utf-8", "surrogatepass").decode("latin-1")
    return blake3(_encode((encodable, uri, row))).digest(length=KEY_LENGTH)


def place_key(uri: str, row: LockedObject) -> bytes:
    """Return what stands for a row at a place, whoever answers for it there.

    Good for keeping what was learnt, never for believing it.

    Args:
        uri: Of the object.
        row: All of its columns count.
    """
    return blake3(_encode((uri, row))).digest(length=KEY_LENGTH)
