"""One short key for everything that a row says and where it says it of."""

from __future__ import annotations

import msgspec
from blake3 import blake3

from artlock.model.lock import LockedObject

KEY_LENGTH = 16
"""Bytes of a pin key."""
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
