"""Which blobs were hashed in which state: a linked one need not be read each time."""

from __future__ import annotations

import os
import struct
import threading
from typing import TYPE_CHECKING, Self

import msgspec

from artlock.model.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from sqlite3 import Connection

    from artlock.cache.database import Database

_LAYOUT = struct.Struct("<QQqq")
_SECOND_NS = 1_000_000_000
_FINE_NS = 20_000_000
_COARSE_NS = 2_100_000_000
_HELD = 10_000


class Stamp(msgspec.Struct, frozen=True):
    """What a file looks like from outside; another state has another stamp.

    The device is left out: it changes between mounts (hazard 2.29).
    """

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> Self:
        """Take the stamp of a file."""
        return cls(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    @property
    def is_settled(self) -> bool:
        """Whether every later change of the bytes gives another stamp.

        The clock has moved since the last write by more than it can fail to show, so that a
        later write cannot have the time of that one (hazard 2.28).
        """
        is_fine = self.mtime_ns % _SECOND_NS or self.ctime_ns % _SECOND_NS
        return self.ctime_ns - self.mtime_ns >= (_FINE_NS if is_fine else _COARSE_NS)

    def is_but_linked(self, later: Stamp) -> bool:
        """Tell whether ``later`` differs by no more than a link or rename explains."""
        mine = (self.inode, self.size, self.mtime_ns)
        return mine == (later.inode, later.size, later.mtime_ns)


class BlobRecords:
    """Stamps of blobs that were hashed and found intact; a memory only.

    Safe to use from several threads. New ones reach the database by ``flush``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mutex = threading.Lock()
        self._new: dict[Digest, Stamp] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def get(self, digest: Digest) -> Stamp | None:
        """Return the stamp of the blob when it was hashed, or ``None``."""
        with self._mutex:
            if digest in self._new:
                return self._new[digest]
        key = bytes.fromhex(digest.hex)

        def work(connection: Connection) -> Stamp | None:
            query = "select stamp, proof from hashed where digest = ?"
            row = connection.execute(query, (key,)).fetchone()
            if row is None or self._database.seal(key, row[0]) != row[1]:
                return None
            return Stamp(*_LAYOUT.unpack(row[0]))

        return self._database.run(work, otherwise=None)

    def put(self, digest: Digest, stamp: Stamp) -> None:
        """Remember that the blob was hashed with this stamp before and after."""
        with self._mutex:
            self._new[digest] = stamp
            is_much = len(self._new) >= _HELD
        if is_much:
            self.flush()

    def forget(self, digests: Iterable[Digest]) -> None:
        """Forget blobs that are gone."""
        keys = [(bytes.fromhex(digest.hex),) for digest in digests]
        self.flush()

        def work(connection: Connection) -> None:
            connection.executemany("delete from hashed where digest = ?", keys)

        if keys:
            self._database.run(work, otherwise=None)

    def flush(self) -> None:
        """Write what is new to the database."""
        with self._mutex:
            new, self._new = self._new, {}
        records = []
        for digest, stamp in new.items():
            key = bytes.fromhex(digest.hex)
            packed = _LAYOUT.pack(stamp.inode, stamp.size, stamp.mtime_ns, stamp.ctime_ns)
            records.append((key, packed, self._database.seal(key, packed)))

        def work(connection: Connection) -> None:
            connection.executemany(
                "insert or replace into hashed values (?, ?, ?)", records
            )

        if records:
            self._database.run(work, otherwise=None)
