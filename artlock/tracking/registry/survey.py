"""Whether a registry is what it should be: read all of it, and say what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import func, select

from artlock.errors import IntegrityError
from artlock.tracking.registry.outbox import problems_with_parcels
from artlock.tracking.registry.parcels import ParcelKind
from artlock.tracking.registry.rows import rows_of
from artlock.tracking.registry.snapshots import Snapshots
from artlock.tracking.registry.tables import (
    ALIASES,
    ARTIFACTS,
    OUTBOX,
    SNAPSHOTS,
    VERSIONS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


class _Numbered(msgspec.Struct, frozen=True, array_like=True):
    """A version's name and number, and that of the one before."""

    name: str
    number: int
    parent: int | None


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
    for look in (_problems_with_numbers, _problems_with_aliases, _problems_with_locks):
        try:
            yield from look(connection, url)
        except IntegrityError as error:
            yield f"{error.subject} is {error.actual}"


def _problems_with_locks(connection: Connection, url: str) -> Iterator[str]:
    query = select(SNAPSHOTS.c.digest).order_by(SNAPSHOTS.c.id)
    held = [digest for (digest,) in rows_of(connection, query, tuple[str])]
    snapshots = Snapshots(connection, url)
    for digest in held:
        try:
            snapshots.text(digest)
        except IntegrityError as error:
            yield f"`{digest}` cannot be read: {error.subject} is {error.actual}"
    registered = select(VERSIONS.c.digest).distinct()
    # What arrived is not sent again, but may be asked for again, without its text.
    kept = select(OUTBOX.c.digest).where(OUTBOX.c.kind == ParcelKind.PUSH.value).distinct()
    for query, where in ((registered, "registered"), (kept, "in the outbox")):
        digests = {digest for (digest,) in rows_of(connection, query, tuple[str])}
        for digest in sorted(digests - set(held)):
            yield f"`{digest}` is {where}, but not there"
    yield from problems_with_parcels(connection)


def _problems_with_numbers(connection: Connection, _: str) -> Iterator[str]:
    query = (
        select(ARTIFACTS.c.name, VERSIONS.c.number, VERSIONS.c.parent)
        .join(VERSIONS, VERSIONS.c.artifact == ARTIFACTS.c.id)
        .order_by(ARTIFACTS.c.id, VERSIONS.c.number)
    )
    last: dict[str, int] = {}
    for row in rows_of(connection, query, _Numbered):
        name, number, parent = row.name, row.number, row.parent
        expected = last.get(name, 0) + 1
        if number != expected:
            yield f"`{name}:v{expected}` is missing"
        if parent != (number - 1 or None):
            yield f"`{name}:v{number}` has the parent {parent}"
        last[name] = number


def _problems_with_aliases(connection: Connection, _: str) -> Iterator[str]:
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
    for name, alias in rows_of(connection, lost, tuple[str, str]):
        yield f"`{name}@{alias}` points to no version"
