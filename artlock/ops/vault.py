"""The cache, opened: its blobs, and what it remembers of rows and blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import msgspec

from artlock.cache.blobs import BlobCache
from artlock.cache.checks import Checks
from artlock.cache.database import Database
from artlock.cache.layout import CacheLayout
from artlock.cache.records import BlobRecords
from artlock.cache.seen import SeenIndex
from artlock.ops.memory import index_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from artlock.model.digest import Digest
    from artlock.ops.runtime import Runtime


class Vault(msgspec.Struct, frozen=True):
    """One cache in use; a context manager that writes down what was learnt.

    Attributes:
        blobs: Verified bytes by digest.
        seen: Which blob satisfied which row.
        checks: When each blob was last read whole, to see whether it still holds.
    """

    layout: CacheLayout
    blobs: BlobCache
    seen: SeenIndex
    checks: Checks
    _records: BlobRecords
    _database: Database

    @classmethod
    def open(cls, runtime: Runtime) -> Self:
        """Open the cache of this machine's user, making it where it is missing.

        Raises:
            CacheError: It cannot be made, or others could change what is in it.
        """
        layout = CacheLayout(runtime.cache_root)
        layout.prepare()
        database = Database(layout.index, secret=index_secret(runtime.environ))
        records = BlobRecords(database)
        blobs = BlobCache(layout, records=records)
        checks = Checks(database)
        return cls(layout, blobs, SeenIndex(database), checks, records, database)

    def __enter__(self) -> Self:
        return self

    def forget(self, digests: Iterable[Digest]) -> None:
        """Forget what was remembered of blobs that are gone."""
        gone = list(digests)
        self._records.forget(gone)
        self.checks.forget(gone)

    def __exit__(self, *_: object) -> None:
        self.checks.flush()
        self._records.flush()
        self._database.close()
