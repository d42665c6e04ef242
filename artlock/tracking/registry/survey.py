"""Whether a registry is what it should be: read all of it, and say what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from artlock.errors import IntegrityError
from artlock.tracking.registry.snapshots import read_snapshot
from artlock.tracking.registry.tables import ALIASES, ARTIFACTS, SNAPSHOTS, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


def problems_of(connection: Connection, url: str) -> Iterator[str]:
    """Yield one phrase for each thing that is wrong.

    Numbers begin at 1 and have no gap, a parent is the number before, aliases point to
    versions, and each lock, of versions and of the outbox, is read back with its digest.
    """
    if connection.dialect.name == "sqlite":
        for row in connection.exec_driver_sql("pragma quick_check"):
            if row[0] != "ok":
                yield f"the file is damaged: {row[0]}"
        for row in connection.exec_driver_sql("pragma foreign_key_check"):
            yield f"a row of `{row[0]}` names one of `{row[2]}` that is not there"
    yield from _problems_with_numbers(connection)
    yield from _problems_with_aliases(connection)
    digests = connection.execute(select(SNAPSHOTS.c.digest).order_by(SNAPSHOTS.c.id))
    held = list(digests.scalars())
    for digest in held:
        try:
            read_snapshot(connection, url=url, digest=digest)
        except IntegrityError as error:
            yield f"`{digest}` cannot be read: {error.subject} is {error.actual}"
    for digest in connection.execute(select(VERSIONS.c.digest).distinct()).scalars():
        if digest not in set(held):
            yield f"`{digest}` is registered, but not there"


def _problems_with_numbers(connection: Connection) -> Iterator[str]:
    query = (
        select(ARTIFACTS.c.name, VERSIONS.c.number, VERSIONS.c.parent)
        .join(VERSIONS, VERSIONS.c.artifact == ARTIFACTS.c.id)
        .order_by(ARTIFACTS.c.id, VERSIONS.c.number)
    )
    last: dict[str, int] = {}
    for name, number, parent in connection.execute(query):
        expected = last.get(name, 0) + 1
        if number != expected:
            yield f"`{name}:v{expected}` is missing"
        if parent != (number - 1 or None):
            yield f"`{name}:v{number}` has the parent {parent}"
        last[name] = number


def _problems_with_aliases(connection: Connection) -> Iterator[str]:
    lost = (
        select(ARTIFACTS.c.name, ALIASES.c.alias)
        .join(ARTIFACTS, ARTIFACTS.c.id == ALIASES.c.artifact)
        .outerjoin(
            VERSIONS,
            (VERSIONS.c.artifact == ALIASES.c.artifact)
            & (VERSIONS.c.number == ALIASES.c.number),
        )
        .where(VERSIONS.c.number.is_(None))
        .group_by(ARTIFACTS.c.name, ALIASES.c.alias)
        .having(func.count() > 0)
    )
    for name, alias in connection.execute(lost):
        yield f"`{name}@{alias}` points to no version"
