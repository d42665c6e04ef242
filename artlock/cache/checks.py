"""When each blob was last read whole: so that an interrupted check goes on."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from artlock.model.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from sqlite3 import Connection

    from artlock.cache.database import Database

_MOMENT = struct.Struct("<d")
_HELD = 200
"""How many are lost if the process is killed: they are read once more."""


class Checks:
    """Moments in which blobs were read and found intact; a memory only.

    Args:
        database: New ones reach it by ``flush``, and every now and then.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._new: dict[Digest, float] = {}

    def moments(self) -> dict[Digest, float]:
        """Return when each blob was checked, in seconds since the epoch."""
        self.flush()

        def work(connection: Connection) -> dict[Digest, float]:
            rows = connection.execute("select digest, moment, proof from checked")
            return {
                Digest.blake3(key): _MOMENT.unpack(moment)[0]
                for key, moment, proven in rows
                if self._database.seal(key, moment) == proven
            }

        return self._database.run(work, otherwise={})

    def put(self, digest: Digest, moment_s: float) -> None:
        """Remember that a blob was intact; not for use by several threads."""
        self._new[digest] = moment_s
        if len(self._new) >= _HELD:
            self.flush()

    def forget(self, digests: Iterable[Digest]) -> None:
        """Forget blobs that are gone: others of their names may come."""
        self.flush()
        keys = [(bytes.fromhex(digest.hex),) for digest in digests]

        def work(connection: Connection) -> None:
            connection.executemany("delete from checked where digest = ?", keys)

        if keys:
            self._database.run(work, otherwise=None)

    def flush(self) -> None:
        """Write what is new to the database."""
        new, self._new = self._new, {}
        records = []
        for digest, moment_s in new.items():
            key, moment = bytes.fromhex(digest.hex), _MOMENT.pack(moment_s)
            records.append((key, moment, self._database.seal(key, moment)))

        def work(connection: Connection) -> None:
            connection.executemany(
                "insert or replace into checked values (?, ?, ?)", records
            )

        if records:
            self._database.run(work, otherwise=None)
