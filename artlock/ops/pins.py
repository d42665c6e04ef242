"""From a row to the request that reads exactly its state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.model.objects import VersionId
from artlock.ops.rows import UNKNOWN_SIZE
from artlock.stores.base import Pin

if TYPE_CHECKING:
    from artlock.model.lock import LockedObject
    from artlock.model.tokens import Tokens
    from artlock.model.uri import Uri


def pin_of(row: LockedObject, uri: Uri, tokens: Tokens | None = None) -> Pin:
    """Return what a store is asked for to read ``row``, whose object is at ``uri``.

    Args:
        row: What was locked.
        uri: Where.
        tokens: Those of the row, if they are parsed already.
    """
    return Pin(
        uri=uri,
        size=None if row.size == UNKNOWN_SIZE else row.size,
        version=VersionId(row.version) if row.version else None,
        etag=(tokens or row.tokens).etag,
    )
