"""Whether what a store shows of an object is what a row says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import IntegrityError
from artlock.model.verification import Verification
from artlock.ops.pins import pin_of
from artlock.stores.base import Store, reading

if TYPE_CHECKING:
    from artlock.model.lock import LockedObject
    from artlock.model.objects import ObjectInfo
    from artlock.model.tokens import Tokens

_LOCAL = frozenset({"file", ""})


def same_content(locked: Tokens, now: Tokens) -> bool:
    """Tell whether nothing shows a difference: an equal etag will do, a weak one too."""
    if locked.contradicts(now):
        return False
    return locked.agrees(now) or (locked.etag is not None and locked.etag == now.etag)


def holds_the_same(row: LockedObject, info: ObjectInfo, store: Store) -> bool:
    """Tell whether an object that has no version still is what was locked, by all it shows.

    Objects in shared storage have nothing but their bytes, so those of equal size are read.

    Raises:
        StoreError: They cannot be read.
    """
    if info.size not in {None, row.size}:
        return False
    if needs_reading(row, info):
        return _reads_the_same(row, info, store)
    if info.tokens.etag is None and row.tokens.etag is None:
        return not row.tokens.contradicts(info.tokens)
    return same_content(row.tokens, info.tokens)


def needs_reading(row: LockedObject, info: ObjectInfo) -> bool:
    """Tell whether only the bytes say if an object without a version is as locked."""
    has_etag = info.tokens.etag is not None or row.tokens.etag is not None
    return info.uri.scheme in _LOCAL and not has_etag


def _reads_the_same(row: LockedObject, info: ObjectInfo, store: Store) -> bool:
    check = Verification(row.tokens, size=row.size, subject=str(info.uri))
    try:
        with reading(store, pin_of(row, info.uri)) as chunks:
            for chunk in chunks:
                check.update(chunk)
        check.finish()
    except IntegrityError:
        return False
    return True
