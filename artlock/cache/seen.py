"""Which blob a row gave: so a row without a digest is fetched only once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sqlite3 import Connection

from artlock.cache.database import Database

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
        return self._get_many(keys, is_sealed=True)

    def claims(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return digests that somebody else says of keys, to be proven (hazard 3.20).

        A cache that came from another machine has such records; or a damaged one.
        """
        return self._get_many(keys, is_sealed=False)

    def _get_many(self, keys: Iterable[bytes], *, is_sealed: bool) -> dict[bytes, bytes]:
        wanted = sorted(set(keys))

        def work(connection: Connection) -> dict[bytes, bytes]:
            found: dict[bytes, bytes] = {}
            for start in range(0, len(wanted), _ASKED_AT_ONCE):
                rows = _ask(connection, wanted[start : start + _ASKED_AT_ONCE])
                for key, digest, proven in rows:
                    holds = self._database.seal(key, digest) == proven
                    if holds is is_sealed and _is_digest(digest):
                        found[key] = digest
            return found

        return self._database.run(work, otherwise={})

    def put_many(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Remember the digests of keys, in place of what was known of them."""
        records = sorted(
            (key, digest, self._database.seal(key, digest)) for key, digest in items
        )  # in the order of the table, which is several times as fast

        def work(connection: Connection) -> None:
            connection.executemany("insert or replace into seen values (?, ?, ?)", records)

        if records:
            self._database.run(work, otherwise=None)


def _ask(
    connection: Connection, keys: Sequence[bytes]
) -> Iterable[tuple[bytes, bytes, object]]:
    marks = ",".join("?" * len(keys))
    query = f"select key, digest, proof from seen where key in ({marks})"  # noqa: S608 - only question marks are put in; the keys are bound
    return connection.execute(query, keys)


def _is_digest(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == _DIGEST_LENGTH
