"""From what was observed to rows: which locked rows stay, which are made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.model.lock import LockedObject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artlock.model.objects import ObjectInfo
    from artlock.ops.observe import Observed

UNKNOWN_SIZE = -1
"""Of a row whose object is read next, because its server did not say how long it is."""


def row_of(observed: Observed) -> LockedObject:
    """Return the row that an observation gives by itself."""
    info = observed.info
    return LockedObject(
        path=observed.path,
        size=UNKNOWN_SIZE if info.size is None else info.size,
        checksum=str(info.tokens),
        version=info.version or "",
    )


def same_state(row: LockedObject, info: ObjectInfo) -> bool:
    """Tell whether a store shows the very state that was locked.

    With a version on both sides it decides. Without one, equal size and an equal etag or
    checksum do. Where a store says nothing of the content the answer is no: equal size and
    time are no proof (hazard 4.19).
    """
    if info.size is not None and row.size != info.size:
        return False
    if row.version or info.version:
        return row.version == info.version
    locked = row.tokens
    if locked.contradicts(info.tokens):
        return False
    if locked.etag is not None and info.tokens.etag is not None:
        return locked.etag == info.tokens.etag
    return locked.agrees(info.tokens)


def refreshed(
    observed: tuple[Observed, ...],
    locked: Mapping[str, LockedObject],
    *,
    keep_pins: bool,
) -> list[LockedObject]:
    """Return the rows of an artifact, sorted by path.

    A row whose state did not change stays as it is, with the digest that reading it gave.

    Args:
        observed: What the source holds, sorted by path.
        locked: The rows that were locked, by path.
        keep_pins: Keep locked rows although the source has moved on (``resolve``), or move
            them (``update``).
    """
    rows = []
    for item in observed:
        old = locked.get(item.path)
        keeps = old is not None and (keep_pins or same_state(old, item.info))
        rows.append(old if old is not None and keeps else row_of(item))
    return rows
