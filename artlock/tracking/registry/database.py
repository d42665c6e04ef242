"""One connection to the database of a registry, and its transactions.

SQLite: write-ahead log, ``synchronous=FULL``, foreign keys, and ``BEGIN IMMEDIATE`` for
whoever will write, so that two wait for each other at the beginning and not in the middle.
PostgreSQL: readers see one state (repeatable read), writers use mutexes on rows.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from artlock.errors import ConfigError, TrackerDeniedError, TrackingError
from artlock.fs.network import network_file_system
from artlock.fs.problems import reason
from artlock.model.secrets import secrets_of
from artlock.tracking.registry.failures import translating
from artlock.tracking.registry.rows import URL
from artlock.tracking.registry.schema import REVISIONS, revision_of, upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from psycopg import Connection as PostgreSQLConnection
    from sqlalchemy import Connection, Engine, Table

    from artlock.tracking.base import TrackerContext
    from artlock.tracking.registry.places import Place

_MOST_WAIT_S = 60.0
"""How long another writer is waited for; it may be storing a lock of millions of rows."""
_POLL_S = 0.02
SCHEMA_MUTEX = 0x6172746C6F636B
"""What whoever changes the schema holds on PostgreSQL: ``artlock`` as a number."""
OUTBOX_MUTEX = SCHEMA_MUTEX + 1
"""What whoever changes the outbox holds there."""
_NEW = os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Database:
    """The database at a place; connects when it is first used, for one thread at a time.

    Args:
        place: Where it is.
        context: Of the run.

    Attributes:
        url: Of the registry, for messages.
        secrets: What must not stand in what is stored or told.
    """

    def __init__(self, place: Place, context: TrackerContext) -> None:
        self.url = place.url
        self.secrets = secrets_of(context.environ)
        self._place = place
        self._environ = context.environ
        self._deadline_s = context.deadline_s
        self._notice = context.notice
        self._told: set[str] = set()
        self._engine: Engine | None = None
        self._connection: Connection | None = None

    @property
    def is_absent(self) -> bool:
        """Whether it is a file that is not there, so that nothing can be found in it."""
        path = self._place.path
        try:
            return path is not None and path.stat().st_size == 0
        except FileNotFoundError:
            return True
        except OSError:
            return False  # opening it will say what is wrong

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend the connection to read one state of the database; makes what is not there.

        Raises:
            TrackingError: It cannot be reached or read.
            LaterRegistryError: It is of a later artlock.
            ConfigError: The driver is not installed.
        """
        with self._transaction(
            sqlite="begin",
            postgresql="set transaction isolation level repeatable read, read only",
        ) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Lend the connection for one transaction, which ends with the block.

        If the block raises, nothing of it is there.

        Raises:
            TrackingError: As ``reading``; also where it cannot be written. Nothing was.
            LaterRegistryError, ConfigError: As ``reading``.
        """
        with self._transaction(sqlite="begin immediate", postgresql=None) as connection:
            yield connection

    def hold(self, connection: Connection, mutex: int) -> None:
        """Hold a mutex to the end of a writer's transaction; SQLite has one writer anyway.

        Args:
            connection: In the transaction.
            mutex: One of the numbers ``*_MUTEX``.
        """
        if self._place.path is None:
            query = text("select pg_advisory_xact_lock(:mutex)")
            connection.execute(query, {"mutex": mutex})

    def insert_new(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]
    ) -> None:
        """Insert rows, but for those that break a unique constraint: they are there."""
        if not rows:
            return
        module = sqlite if connection.dialect.name == "sqlite" else postgresql
        connection.execute(module.insert(table).on_conflict_do_nothing(), list(rows))

    def tell(self, remark: str) -> None:
        """Tell the person something, once."""
        if remark not in self._told:
            self._told.add(remark)
            self._notice(remark)

    def close(self) -> None:
        """Give back the connection; may be called twice, and it connects again if used."""
        connection, self._connection = self._connection, None
        engine, self._engine = self._engine, None
        if connection is not None:
            connection.close()
        if engine is not None:
            engine.dispose()

    @contextmanager
    def _transaction(self, *, sqlite: str, postgresql: str | None) -> Iterator[Connection]:
        with translating(self.url, self.secrets):
            connection = self._connected()
            begin = sqlite if self._place.path is not None else postgresql
            try:
                with connection.begin():
                    if begin is not None:
                        connection.exec_driver_sql(begin)
                    yield connection
            finally:
                if connection.invalidated:  # the server is gone: the next one connects anew
                    self.close()

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._create_engine().connect()
            connection.info[URL] = self.url
            try:
                self._bring_up_to_date(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _create_engine(self) -> Engine:
        if self._engine is None:
            if self._place.path is not None:
                self._engine = create_engine(
                    "sqlite://", creator=self._open_file, poolclass=NullPool
                )
            else:
                self._require_psycopg()
                self._engine = create_engine(
                    "postgresql+psycopg://", creator=self._open_server, poolclass=NullPool
                )
        return self._engine

    def _bring_up_to_date(self, connection: Connection) -> None:
        with connection.begin():
            revision = revision_of(connection, self.url)
        if self._place.path is not None:
            self._use_log(connection)
        if revision == REVISIONS[-1]:
            return
        with connection.begin():
            if self._place.path is not None:
                connection.exec_driver_sql("begin immediate")
            self.hold(connection, SCHEMA_MUTEX)
            # Again, now that nobody else can change it.
            if revision_of(connection, self.url) != REVISIONS[-1]:
                upgrade(connection)

    def _use_log(self, connection: Connection) -> None:
        """Switch to the write-ahead log; asking for it again changes nothing."""
        deadline = time.monotonic() + self._wait_s
        mode = None
        while mode is None:
            try:
                with connection.begin():
                    mode = connection.exec_driver_sql("pragma journal_mode=wal").scalar()
            except OperationalError as error:
                code = getattr(error.orig, "sqlite_errorcode", 0)
                # SQLite does not wait here where another process switches at this moment.
                if code != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_S)
        if mode != "wal":
            message = f"`{self.url}` is on a file system without shared memory"
            raise TrackingError(message, tracker=self.url, hint=_LOCAL_DISK)

    @property
    def _wait_s(self) -> float:
        return min(self._deadline_s, _MOST_WAIT_S)

    # SQLite.

    def _open_file(self) -> sqlite3.Connection:
        path = self._place.path
        assert path is not None  # noqa: S101 - for the type checker; see `_create_engine`
        self._prepare_file(path)
        connection = sqlite3.connect(
            path,
            timeout=self._wait_s,
            isolation_level=None,  # transactions begin where `_transaction` says it
            check_same_thread=False,  # compression takes pieces in threads, one at a time
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"pragma {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare_file(self, path: Path) -> None:
        """Make the file, private from its first moment, and folders that are not there."""
        try:
            kind = None
            for folder in (path.parent, *path.parent.parents):
                if folder.is_dir():
                    kind = network_file_system(folder)
                    break
            if kind is not None:
                message = f"`{self.url}` is on a network file system ({kind})"
                raise TrackingError(message, tracker=self.url, hint=_LOCAL_DISK)
            _make_folder(path.parent)
            os.close(os.open(path, _NEW, 0o600))
        except OSError as error:
            message = f"the registry `{self.url}` cannot be opened: {reason(error)}"
            raise TrackerDeniedError(
                message, tracker=self.url, hint="choose a file that you can write"
            ) from error

    # PostgreSQL.

    def _require_psycopg(self) -> None:
        try:
            import psycopg  # noqa: F401, PLC0415 - an extra, and slow to load
        except ImportError as error:
            message = f"`{self.url}` needs psycopg, which is not installed"
            hint = "install `artlock[postgresql]`"
            raise ConfigError(message, hint=hint) from error

    def _open_server(self) -> PostgreSQLConnection[tuple[Any, ...]]:
        import psycopg  # noqa: PLC0415 - an extra, and slow to load
        from psycopg.pq import Conninfo  # noqa: PLC0415 - as above

        chosen: dict[str, Any] = dict(_REACH)
        # libpq reads this process's environment; what the run's says otherwise comes first.
        for option in Conninfo.get_defaults():
            name = (option.envvar or b"").decode()
            value = self._environ.get(name)
            if name and value is not None and value != os.environ.get(name):
                chosen[option.keyword.decode()] = value
        chosen |= dict(self._place.parameters)
        # A proxy before the server may give every transaction another of its connections.
        connection = psycopg.connect(prepare_threshold=None, **chosen)
        limit_ms = int(self._deadline_s * 1000)
        try:
            connection.execute(f"set statement_timeout = {limit_ms}")
            connection.execute(f"set lock_timeout = {int(self._wait_s * 1000)}")
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection


_LOCAL_DISK = (
    "put it on a local disk; a registry that machines share is one on PostgreSQL: "
    "`postgresql://HOST/DATABASE`"
)
_PRAGMAS = (
    "synchronous=full",  # what was told to be registered survives a power cut
    "foreign_keys=on",
    "trusted_schema=off",  # the file may have come from elsewhere
    "journal_size_limit=16777216",
)
_REACH = {
    "application_name": "artlock",
    "connect_timeout": "10",
    # A server that is gone without a word is noticed after half a minute.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
}


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it that are not there, all of them private."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
