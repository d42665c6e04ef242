"""One connection to the database of a registry, and its transactions.

SQLite: write-ahead log, ``synchronous=FULL``, foreign keys, and ``BEGIN IMMEDIATE`` for
whoever will write, so that two wait for each other at the beginning and not in the middle.
PostgreSQL: readers see one state (repeatable read), writers see what was written by whom
they waited for (read committed), and use mutexes on rows.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError
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
    from sqlalchemy import Connection, Engine, RootTransaction, Table

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
_NO_WRITING = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_STEPS = 100_000
"""Instructions of SQLite's machine, some milliseconds, between two looks at the clock."""
_WRITERS = "set transaction isolation level read committed"
"""Also where the server or the role has another as its default: numbers are given after
waiting, and what the other wrote must be seen then."""


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
        self._ends_at = float("inf")
        self._is_read_only = False
        self._engine: Engine | None = None
        self._connection: Connection | None = None

    @property
    def is_absent(self) -> bool:
        """Whether it is a file that is not there, so that nothing can be found in it."""
        path = self._place.path
        try:
            found = None if path is None else path.stat()
            return found is not None and stat.S_ISREG(found.st_mode) and not found.st_size
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
        with self._transaction(sqlite="begin immediate", postgresql=_WRITERS) as connection:
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
    def _transaction(self, *, sqlite: str, postgresql: str) -> Iterator[Connection]:
        with translating(self.url, self.secrets):
            connection, transaction = self._begun(
                sqlite if self._place.path is not None else postgresql
            )
            try:
                with transaction:
                    yield connection
            finally:
                if connection.invalidated:  # the server is gone: the next one connects anew
                    self.close()

    def _begun(self, begin: str) -> tuple[Connection, RootTransaction]:
        """Begin a transaction; if the connection was lost since the last one, connect anew.

        Nothing of the transaction was done yet, so once more is always right.
        """
        is_first_use = self._connection is None
        connection = self._connected()
        transaction = connection.begin()
        try:
            connection.exec_driver_sql(begin)
        except BaseException as error:
            transaction.close()
            if not connection.invalidated:
                raise
            self.close()
            if is_first_use or not isinstance(error, DBAPIError):
                raise
            return self._begun(begin)
        return connection, transaction

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
                event.listen(self._engine, "before_cursor_execute", self._begin_statement)
            else:
                self._require_psycopg()
                self._engine = create_engine(
                    "postgresql+psycopg://", creator=self._open_server, poolclass=NullPool
                )
        return self._engine

    def _bring_up_to_date(self, connection: Connection) -> None:
        with connection.begin():
            revision = revision_of(connection, self.url)
        if self._place.path is not None and not self._is_read_only:
            self._use_log(connection)
        if revision == REVISIONS[-1]:
            return
        with connection.begin():
            is_file = self._place.path is not None
            connection.exec_driver_sql("begin immediate" if is_file else _WRITERS)
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
        self._is_read_only = not self._prepare_file(path)
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=ro&immutable=1" if self._is_read_only else path,
            uri=self._is_read_only,
            timeout=self._wait_s,
            isolation_level=None,  # transactions begin where `_transaction` says it
            check_same_thread=False,  # compression takes pieces in threads, one at a time
        )
        try:
            self._begin_statement()
            connection.set_progress_handler(self._is_late, _STEPS)
            for pragma in _PRAGMAS:
                connection.execute(f"pragma {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin_statement(self, *_: object) -> None:
        self._ends_at = time.monotonic() + self._deadline_s

    def _is_late(self) -> bool:
        """Tell SQLite to stop: a file that came from anybody hangs nobody."""
        return time.monotonic() > self._ends_at

    def _prepare_file(self, path: Path) -> bool:
        """Make the file, private from its first moment, and folders that are not there.

        Returns:
            Whether it can be written. If it cannot, it is there, and nobody else writes it.
        """
        try:
            _refuse_other_kinds(path, self.url)
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
            _refuse_other_kinds(path, self.url)
        except OSError as error:
            if error.errno in _NO_WRITING and _can_only_be_read(path):
                return False
            message = f"the registry `{self.url}` cannot be opened: {reason(error)}"
            raise TrackerDeniedError(
                message, tracker=self.url, hint="choose a file that you can write"
            ) from error
        return True

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

        chosen: dict[str, Any] = self._reach()
        # libpq reads this process's environment; what the run's says otherwise comes first.
        for option in Conninfo.get_defaults():
            name = (option.envvar or b"").decode()
            value = self._environ.get(name)
            if name and value is not None and value != os.environ.get(name):
                chosen[option.keyword.decode()] = value
        chosen |= {**dict(self._place.parameters), "client_encoding": "UTF8"}
        # A proxy before the server may give every transaction another of its connections.
        connection = psycopg.connect(prepare_threshold=None, **chosen)
        limit_ms = int(self._deadline_s * 1000)
        try:
            encoding = connection.info.parameter_status("server_encoding")
            _refuse_other_encodings(encoding, self.url)
            connection.execute(f"set statement_timeout = {limit_ms}")
            connection.execute(f"set lock_timeout = {int(self._wait_s * 1000)}")
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    def _reach(self) -> dict[str, Any]:
        """Return our settings for what nobody else has set.

        Parameters of a connection win over those of the environment and of a service; so
        ours are none of a service that is named, which says all that it wants.
        """
        found: dict[str, Any] = {"fallback_application_name": "artlock"}
        named = {self._environ.get("PGSERVICE"), os.environ.get("PGSERVICE")} - {None, ""}
        if named or "service" in dict(self._place.parameters):
            return found
        if "PGCONNECT_TIMEOUT" not in {**os.environ, **self._environ}:
            found["connect_timeout"] = "10"
        return {**found, **_KEEPALIVES}


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
_KEEPALIVES = {
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


def _refuse_other_kinds(path: Path, url: str) -> None:
    """Refuse a folder, a device, a pipe; what is not there may be made."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        message = f"`{url}` is not an ordinary file"
        raise ConfigError(message, hint="choose another path for the registry")


def _can_only_be_read(path: Path) -> bool:
    """Tell whether a file that cannot be written can be read as it is, without its log."""
    log = path.with_name(f"{path.name}-wal")
    try:
        return path.stat().st_size > 0 and os.access(path, os.R_OK) and not log.exists()
    except OSError:
        return False  # whoever asks says what is wrong


def _refuse_other_encodings(encoding: str | None, url: str) -> None:
    """Refuse a database that cannot keep all text, or does not say which it keeps."""
    if encoding != "UTF8":
        message = f"the database of `{url}` keeps text as {encoding}, not as UTF-8"
        hint = "make one with `createdb --encoding UTF8 --template template0`"
        raise ConfigError(message, hint=hint)
