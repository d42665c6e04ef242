"""The database of the cache: a memory that may be lost at any time.

Whatever is wrong with it, work goes on as if it knew nothing: a damaged file is renamed
aside and begun anew, one that cannot be read or written is done without (hazard 3.25). It
uses no write-ahead log, which network file systems cannot share. Every record has a check
value, so that a torn page is never taken for a record; it is keyed, so that a record of
somebody else is not either.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar, cast

from blake3 import blake3

_Answer = TypeVar("_Answer")
_FORMAT = 2
"""Of the tables; one that lacks some gets them, and keeps what it has."""
_SCHEMA = """
create table if not exists seen (
    key blob primary key, digest blob not null, proof blob not null
) without rowid;
create table if not exists hashed (
    digest blob primary key, stamp blob not null, proof blob not null
) without rowid;
create table if not exists checked (
    digest blob primary key, moment blob not null, proof blob not null
) without rowid;
"""
_DAMAGED = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_ERROR,  # a table is not as it should be
    }
)
_WAIT_S = 5.0
_NO_SECRET = bytes(32)


class Database:
    """The database at a path; safe to use from several threads and by several processes.

    It is opened when it is first used.

    Args:
        path: The file; made if its folder is there.
        secret: 32 bytes that only this user has, so that a database that came from
            elsewhere does not say what is believed (hazard 3.20); without them records are
            only held against damage.
        wait_s: How long to wait for another process that writes.
    """

    def __init__(
        self, path: Path, *, secret: bytes = _NO_SECRET, wait_s: float = _WAIT_S
    ) -> None:
        self._path = path
        self._secret = secret
        self._wait_s = wait_s
        self._mutex = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; may be called twice, and it opens again when it is used."""
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def seal(self, *parts: object) -> bytes | None:
        """Return the check value of a record of this user; see ``proof``."""
        return proof(*parts, key=self._secret)

    def run(
        self, work: Callable[[sqlite3.Connection], _Answer], *, otherwise: _Answer
    ) -> _Answer:
        """Do some work in one transaction.

        Args:
            work: May run twice, the second time on an empty database.
            otherwise: The answer where the database cannot give one.
        """
        with self._mutex:
            for _ in range(2):
                try:
                    return self._transaction(work)
                except sqlite3.Error as error:
                    if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                        break  # locked, read-only, no folder: nothing that we could mend
                    self._begin_anew()
            return otherwise

    def _transaction(self, work: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        if self._connection is None:
            self._connection = self._open()
        with self._connection:
            return work(self._connection)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=self._wait_s, check_same_thread=False
        )
        try:
            if connection.execute("pragma user_version").fetchone() != (_FORMAT,):
                connection.executescript(
                    f"begin immediate; {_SCHEMA} pragma user_version={_FORMAT}; commit"
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin_anew(self) -> None:
        self.close()
        # The journal first: it must not be rolled back into the new file.
        for suffix in ("-journal", ""):
            path = self._path.with_name(self._path.name + suffix)
            with suppress(OSError):  # then it is done without
                path.replace(path.with_name(path.name + ".damaged"))


def proof(*parts: object, key: bytes) -> bytes | None:
    """Return the check value of a record, or ``None`` if its parts are not even bytes.

    Args:
        parts: Of the record.
        key: 32 bytes; whoever does not have them cannot make a record.
    """
    if not all(isinstance(part, bytes) for part in parts):
        return None
    return blake3(b"".join(cast("tuple[bytes, ...]", parts)), key=key).digest(length=8)
