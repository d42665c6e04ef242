"""Which schema a registry has, and the way from an earlier one to this.

Alembic makes every step, all of them in one transaction; but it takes 0.15 s to import, so
whether there is anything to do is looked at without it.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from artlock.errors import LaterRegistryError, TrackingError
from artlock.tracking.registry.failures import damaged

if TYPE_CHECKING:
    from sqlalchemy import Connection

REVISIONS = ("0001", "0002")
"""All that there ever were, oldest first; this artlock reads and writes the last."""
VERSION_TABLE = "artlock_version"
_one_at_a_time = threading.Lock()
"""Alembic keeps what it works on in its modules."""


def revision_of(connection: Connection, url: str) -> str | None:
    """Return the revision of the schema, or ``None`` if there are no tables of ours.

    Raises:
        LaterRegistryError: A later artlock made it; nothing was changed.
        TrackingError: It is a SQLite database of another program.
        IntegrityError: It has what runs by itself, or stands in the place of a table.
    """
    if connection.dialect.name == "sqlite":
        there = (
            "select count(*), count(*) filter (where name = ?), count(*) filter (where type"
            " not in ('table', 'index') or sql like 'create virtual%') from sqlite_master"
        )
        tables, ours, odd = connection.exec_driver_sql(there, (VERSION_TABLE,)).one()
        if tables and not ours:
            message = f"`{url}` is no registry: it is the database of another program"
            raise TrackingError(message, tracker=url, hint="choose another file")
        if odd:  # what runs when it is read or written: no artlock made it
            raise damaged(url, "the schema", "tables", "views, triggers or virtual tables")
    else:
        there = "select count(to_regclass(%s))"
        ours = connection.exec_driver_sql(there, (VERSION_TABLE,)).scalar()
    if not ours:
        return None
    query = f"select version_num from {VERSION_TABLE}"  # noqa: S608 - a constant
    found = connection.exec_driver_sql(query).scalar()
    if found is not None and found not in REVISIONS:
        message = f"the registry `{url}` is of a later artlock: schema {str(found)[:40]!r}"
        raise LaterRegistryError(message, hint="use that artlock, or another registry")
    return found


def upgrade(connection: Connection) -> None:
    """Bring the schema up to date; the transaction is the caller's, who holds the mutex."""
    import alembic.command  # noqa: PLC0415 - it takes 0.15 s, and is needed once
    import alembic.config  # noqa: PLC0415 - as above

    config = alembic.config.Config()
    folder = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    with _one_at_a_time:
        alembic.command.upgrade(config, "head")
