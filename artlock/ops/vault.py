"""The cache, opened: its blobs, and what it remembers of rows and blobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from artlock.cache.blobs import BlobCache
from artlock.cache.database import Database
from artlock.cache.layout import CacheLayout
from artlock.cache.records import BlobRecords
from artlock.cache.seen import SeenIndex

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Vault:
    """One cache in use; a context manager that writes down what was learnt.

    Attributes:
        blobs: Verified bytes by digest.
        seen: Which blob satisfied which row.
    """

    layout: CacheLayout
    blobs: BlobCache
    seen: SeenIndex
    _records: BlobRecords
    _database: Database

    @classmethod
    def open(cls, root: Path) -> Self:
        """Open the cache at ``root``, making it where it is missing.

        Raises:
            CacheError: It cannot be made, or others could change what is in it.
        """
        layout = CacheLayout(root)
        layout.prepare()
        database = Database(layout.index)
        records = BlobRecords(database)
        blobs = BlobCache(layout, records=records)
        return cls(layout, blobs, SeenIndex(database), records, database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._records.flush()
        self._database.close()
