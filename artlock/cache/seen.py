"""Which blob a row gave: so a row without a digest is fetched only once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sqlite3 import Connection

from artlock.cache.database import Database
from artlock.cache.records import proof

_DIGEST_LENGTH = 32
_ASKED_AT_ONCE = 500


class SeenIndex:
    """Pin keys and the blobs that were verified against their rows; a memory only.

    Digests go in and out as their 32 raw bytes: there may be a million.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the digests of those keys that are known."""
        wanted = sorted(set(keys))

        def work(connection: Connection) -> dict[bytes, bytes]:
            found: dict[bytes, bytes] = {}
            for start in range(0, len(wanted), _ASKED_AT_ONCE):
                found.update(_ask(connection, wanted[start : start + _ASKED_AT_ONCE]))
            return found

        return self._database.run(work, otherwise={})

    def put_many(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Remember the digests of keys, in place of what was known of them."""
        records = sorted(
            (key, digest, proof(key, digest)) for key, digest in items
        )  # in the order of the table, which is several times as fast

        def work(connection: Connection) -> None:
            connection.executemany("insert or replace into seen values (?, ?, ?)", records)

        if records:
            self._database.run(work, otherwise=None)


def _ask(connection: Connection, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    marks = ",".join("?" * len(keys))
    query = f"select key, digest, proof from seen where key in ({marks})"  # noqa: S608 - only question marks are put in; the keys are bound
    return {
        key: digest
        for key, digest, proven in connection.execute(query, keys)
        if proof(key, digest) == proven and len(digest) == _DIGEST_LENGTH
    }
