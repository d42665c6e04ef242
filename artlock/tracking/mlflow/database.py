"""An SQLite file as MLflow's database: made whole, and none that is somebody else's."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from sqlalchemy.exc import SADeprecationWarning

from artlock.errors import TrackerUnavailableError, TrackingError

_SQLITE = b"SQLite format 3\x00"
_TABLES = frozenset({"alembic_version", "experiments", "runs"})
"""What every version of MLflow has; no other tool has all of them."""
_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What a file system says that has no hard links."""
_OLD_S = 3600.0
"""Making a database takes seconds: what is older was left by one that was killed."""
_WAIT_S = 5.0


@contextmanager
def _its_own_warnings_ignored() -> Iterator[None]:
    """Ignore what SQLAlchemy says of MLflow's tables; nobody but MLflow can mend it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The ``noload`` loader", SADeprecationWarning)
        yield


def artifacts_beside(database: Path) -> Path:
    """Return the folder for the files of a database's runs."""
    return database.with_name(f"{database.stem}-artifacts")


def uri_of(database: Path) -> str:
    """Return what MLflow calls a file; SQLAlchemy undoes percent-encoding there."""
    return f"sqlite:///{_encoded(database)}"


def _encoded(database: Path) -> str:
    return str(database).replace("%", "%25").replace("?", "%3F")


@contextmanager
def opening(database: Path) -> Iterator[None]:
    """Let MLflow open a file in this block, without a warning, and leave no folder behind.

    It makes the folder of what ``uri_of`` says, before anybody undoes its encoding.
    """
    named = Path(_encoded(database))
    strays = [f for f in named.parents if not f.exists()] if named != database else []
    try:
        with _its_own_warnings_ignored():
            yield
    finally:
        for stray in strays:
            with suppress(OSError):  # it was not made, or somebody has put something there
                stray.rmdir()


def make_database(path: Path, url: str) -> None:
    """Make a database of MLflow's at ``path``, whole or not at all.

    MLflow makes its tables in many steps, and a file in which it was stopped between two
    of them is of no more use. So they are made aside, and the file gets its name last; the
    first of several keeps it. What others left who were killed is removed.

    Args:
        path: Its folder is made too.
        url: Of the tracker, for messages.

    Raises:
        TrackingError: Folder or file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        if path.exists():
            return  # somebody was faster
    except OSError as error:
        message = f"the folder of `{path}` cannot be made: {error.strerror}"
        raise TrackingError(message, tracker=url) from error
    aside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        # The folder is that of MLflow's experiment `Default`: without it, `./mlruns`.
        root = artifacts_beside(path).as_uri()
        with opening(aside):
            from mlflow.store.tracking.sqlalchemy_store import (  # noqa: PLC0415 - half a second
                SqlAlchemyStore,
            )

            store = SqlAlchemyStore(uri_of(aside), root)
        store._dispose_engine()  # noqa: SLF001 - before the file is given away
        give_name(aside, path)
    except OSError as error:
        message = f"`{path}` cannot be made: {error.strerror}"
        raise TrackingError(message, tracker=url) from error
    finally:
        for name in (aside.name, f"{aside.name}-journal", f"{aside.name}-wal"):
            aside.with_name(name).unlink(missing_ok=True)


def give_name(aside: Path, path: Path) -> None:
    """Let a finished file have a name, unless another has it already.

    Where there are no hard links it is renamed after a look: two that make one database
    there in the same moment may lose the first's, which then has to push again.
    """
    try:
        os.link(aside, path)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if not path.exists():
            aside.rename(path)


def _sweep(path: Path) -> None:
    """Remove what makers of this database left who were killed, if it is old."""
    oldest = time.time() - _OLD_S
    prefix = f".{path.name}."
    for found in path.parent.iterdir():
        rest = found.name.removeprefix(prefix)
        if rest == found.name or not _is_hex(rest.partition("-")[0]):
            continue
        with suppress(FileNotFoundError):  # another sweeps too
            if found.lstat().st_mtime < oldest:
                found.unlink()


def _is_hex(text: str) -> bool:
    return len(text) == len(uuid4().hex) and set(text) <= set("0123456789abcdef")


def refuse_others(path: Path, url: str) -> None:
    """Refuse what is no database, and one of somebody else.

    SQLAlchemy would try for minutes to open the first, and MLflow would make its tables in
    the second: in artlock's own registry, say.

    Raises:
        TrackingError: It cannot be read, or is not MLflow's.
        TrackerUnavailableError: Somebody holds it.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_SQLITE))
    except OSError as error:
        message = f"`{path}` cannot be read: {error.strerror}"
        raise TrackingError(message, tracker=url) from error
    if start != _SQLITE:
        message = f"`{path}` is not an SQLite database"
        raise TrackingError(message, tracker=url)
    try:
        with closing(
            sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_WAIT_S)
        ) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {str(name) for (name,) in rows}
    except sqlite3.OperationalError as error:
        message = f"the database of `{url}` cannot be read now: {error}"
        raise TrackerUnavailableError(message, tracker=url) from error
    except sqlite3.DatabaseError as error:
        message = f"`{path}` is not a whole SQLite database: {error}"
        raise TrackingError(message, tracker=url) from error
    if not tables >= _TABLES:
        message = f"`{path}` is a database, and not one of MLflow"
        hint = "name a file that is not there yet, or one that MLflow has made"
        raise TrackingError(message, tracker=url, hint=hint)
