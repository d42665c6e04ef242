"""What an error of the database means to a person, and which way is out.

Sources: SQLite "Result and Error Codes"; PostgreSQL "Error Codes" (SQLSTATE). A connection
that is refused has no SQLSTATE in libpq, only text; where that is not known, because the
server speaks another language, the server counts as not there.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    MultipleResultsFound,
    NoResultFound,
    SQLAlchemyError,
)

from artlock.errors import (
    ArtlockError,
    ConfigError,
    IntegrityError,
    RegistrationRefusedError,
    TrackerDeniedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.model.secrets import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_RESTORE = "restore it from a backup; what git has can be pushed again into a new one"
_ACCESS = "give this user the right to read and write it and its folder"
_LOGIN = "set `PGUSER` and `PGPASSWORD`, or write `~/.pgpass`"
_REFUSED = re.compile(
    r"authentication failed|no password supplied|pg_hba\.conf|role \".*\" does not exist"
    r"|is not permitted to log in|permission denied|SCRAM|certificate",
    re.IGNORECASE,
)
_NO_DATABASE = re.compile(r"database \".*\" does not exist")
_NOT_VALID = re.compile(
    r"invalid (?:port number|integer value|connection option|URI|\w+ value)"
    r"|bad value for|definition of service|service file|missing \"=\" after"
)
"""What libpq says of a parameter, before it has asked any server."""
_CANNOT_KEEP = frozenset({"22001", "22021", "22P05", "54000"})
"""Too long, not of the encoding, or more than an index takes: never, however often."""
_AGAIN = frozenset({"40001", "40P01", "23505"})
"""Serialization failure, deadlock, unique violation: another was quicker."""
_PRIMARY = 0xFF
"""What is common to the extended codes of SQLite."""


class OvertakenError(TrackerUnavailableError):
    """Another process wrote the same at this moment; trying again at once is right."""


@contextmanager
def translating(url: str, secrets: Sequence[str]) -> Iterator[None]:
    """Turn an error of SQLAlchemy or a driver that leaves the block into ours.

    Args:
        url: Of the registry.
        secrets: What is taken out of its words.

    Raises:
        TrackingError: As ``TrackerUnavailableError``, ``TrackerDeniedError`` or itself.
        RegistrationRefusedError: It is text that the database cannot keep.
        ConfigError: A parameter of the connection is not valid.
        IntegrityError: A row is not what it should be.
    """
    try:
        yield
    except (NoResultFound, MultipleResultsFound) as error:
        raise damaged(url, "a row", "one", str(error)) from error
    except OverflowError as error:  # what callers give is looked at before
        raise damaged(url, "a row", "a number", "one beyond all") from error
    except UnicodeDecodeError as error:
        raise damaged(url, "a row", "text in UTF-8", str(error)) from error
    except UnicodeEncodeError as error:
        raise _refused(url, str(error)) from error
    except SQLAlchemyError as error:
        raise translate(error, url, secrets) from error
    except msgspec.MsgspecError as error:  # SQLite keeps any value in any column
        raise damaged(url, "a row", "values of its columns", str(error)) from error


def translate(error: SQLAlchemyError, url: str, secrets: Sequence[str]) -> ArtlockError:
    """Return what an error of SQLAlchemy means for the registry at ``url``."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(cause, url)
    words = redact(" ".join(str(cause or error).split()), secrets)
    state = getattr(cause, "sqlstate", None)
    if isinstance(error, DataError) and not state:
        return _refused(url, words)  # the driver itself, of what it was given
    is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return _of_postgresql(words, state if isinstance(state, str) else "", url, lost=is_lost)


def damaged(url: str, subject: str, expected: str, actual: str) -> IntegrityError:
    """Return the error for what the registry at ``url`` holds and cannot be right."""
    hint = f"the registry is damaged: {_RESTORE}"
    return IntegrityError(
        subject=subject, expected=expected, actual=actual, record=url, hint=hint
    )


def _refused(url: str, reason: str) -> RegistrationRefusedError:
    return RegistrationRefusedError(
        f"the registry `{url}` cannot keep this: {reason}", tracker=url
    )


def _of_sqlite(error: sqlite3.Error, url: str) -> ArtlockError:
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    words = str(error)
    if "decode to UTF-8" in words:  # of Python's module, without a code
        return damaged(url, "a row", "text in UTF-8", "other bytes")
    if code == sqlite3.SQLITE_INTERRUPT:
        return TrackerUnavailableError(
            f"the registry `{url}` did not answer in time", tracker=url, hint="try again"
        )
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}:
        return TrackerUnavailableError(
            f"the registry `{url}` is held by another process",
            tracker=url,
            hint="try again when that has ended",
        )
    if code == sqlite3.SQLITE_NOTADB:
        return TrackingError(
            f"`{url}` is no registry: the file is no SQLite database",
            tracker=url,
            hint="choose another file, or move this one aside",
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return TrackingError(
            f"the registry `{url}` is damaged: {words}", tracker=url, hint=_RESTORE
        )
    if code in {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
    }:
        return TrackerDeniedError(
            f"the registry `{url}` cannot be opened for writing: {words}",
            tracker=url,
            hint=_ACCESS,
        )
    if code == sqlite3.SQLITE_FULL:
        return TrackingError(
            f"there is no space for the registry `{url}`; nothing was registered",
            tracker=url,
            hint="free some space and try again",
        )
    return TrackingError(f"the registry `{url}` failed: {words}", tracker=url)


def _of_postgresql(words: str, state: str, url: str, *, lost: bool) -> ArtlockError:
    if not state and _NOT_VALID.search(words):
        return ConfigError(
            f"`{url}` cannot be connected to as it is set: {words}",
            hint="look at the URL, the variables `PG…` and the service file",
        )
    if state in _CANNOT_KEEP:
        return _refused(url, words)
    if state in _AGAIN:
        return OvertakenError(
            f"the registry `{url}` is being written by others: {words}",
            tracker=url,
            hint="try again",
        )
    if state == "53100":
        return TrackingError(
            f"the server of `{url}` has no space left; nothing was registered",
            tracker=url,
            hint="free some space there and try again",
        )
    if state == "3D000" or (not state and _NO_DATABASE.search(words)):
        return TrackingError(
            f"there is no such database: `{url}`",
            tracker=url,
            hint="make it first, with PostgreSQL's `createdb`",
        )
    if state[:2] == "28" or (not state and _REFUSED.search(words)):
        return TrackerDeniedError(
            f"the server of `{url}` refuses the login: {words}", tracker=url, hint=_LOGIN
        )
    if state in {"42501", "25006", "3F000"}:
        return TrackerDeniedError(
            f"the registry `{url}` may not be written: {words}",
            tracker=url,
            hint="ask its owner for `create` on the schema, or for its tables",
        )
    if lost or not state or state[:2] in {"08", "53", "55", "57"}:
        return TrackerUnavailableError(
            f"the server of `{url}` does not answer: {words}",
            tracker=url,
            hint="look whether it runs and can be reached from here, and try again",
        )
    return TrackingError(f"the registry `{url}` failed: {words}", tracker=url)
