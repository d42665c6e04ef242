"""Names, versions and labels, as queries; transactions are the caller's."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from sqlalchemy import Boolean, and_, func, select, type_coerce, update
from sqlalchemy.types import NullType

from artlock.model.registration import Labels, Provenance, TrackerVersion
from artlock.model.tokens import Trust
from artlock.tracking.registry.failures import damaged
from artlock.tracking.registry.rows import rows_of, value_of
from artlock.tracking.registry.tables import ALIASES, ARTIFACTS, METAS, TAGS, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Select, Table

    from artlock.model.registration import Registration
    from artlock.tracking.registry.database import Database


def artifact_of(connection: Connection, name: str) -> int | None:
    """Return the key of a name, or ``None``."""
    query = select(ARTIFACTS.c.id).where(ARTIFACTS.c.name == name)
    return value_of(connection, query, int)


def held_artifact(database: Database, connection: Connection, name: str) -> int:
    """Return the key of a name, which is there then, and hold the mutex on its row.

    Whoever gives a number to a version holds it to the end of the transaction, so numbers
    are given one after another. SQLite has one writer anyway.
    """
    database.insert_new(connection, ARTIFACTS, [{"name": name}])
    query = select(ARTIFACTS.c.id).where(ARTIFACTS.c.name == name).with_for_update()
    found = value_of(connection, query, int)
    if found is None:
        raise damaged(database.url, f"the name `{name}`", "a row", "nothing")
    return found


def names_with_versions(connection: Connection) -> list[str]:
    """Return the names that have a version, in no order."""
    query = select(ARTIFACTS.c.name).where(
        select(VERSIONS.c.number).where(VERSIONS.c.artifact == ARTIFACTS.c.id).exists()
    )
    return [name for (name,) in rows_of(connection, query, tuple[str])]


def newest_number(connection: Connection, artifact: int) -> int | None:
    """Return the number of the newest version, or ``None`` if there is none."""
    query = select(func.max(VERSIONS.c.number)).where(VERSIONS.c.artifact == artifact)
    ((found,),) = rows_of(connection, query, tuple[int | None])
    return found


def newest_digest(connection: Connection, name: str) -> str | None:
    """Return the digest of the newest version of a name, or ``None``."""
    query = (
        select(VERSIONS.c.digest)
        .join(ARTIFACTS, ARTIFACTS.c.id == VERSIONS.c.artifact)
        .where(ARTIFACTS.c.name == name)
        .order_by(VERSIONS.c.number.desc())
        .limit(1)
    )
    return value_of(connection, query, str)


def number_of_digest(connection: Connection, artifact: int, digest: str) -> int | None:
    """Return the number under which a lock is registered, or ``None``."""
    query = select(VERSIONS.c.number).where(
        VERSIONS.c.artifact == artifact, VERSIONS.c.digest == digest
    )
    return value_of(connection, query, int)


def number_of_alias(connection: Connection, artifact: int, alias: str) -> int | None:
    """Return the number that an alias points to, or ``None``."""
    query = select(ALIASES.c.number).where(
        ALIASES.c.artifact == artifact, ALIASES.c.alias == alias
    )
    return value_of(connection, query, int)


def version_of(
    database: Database, connection: Connection, artifact: int, name: str, number: int
) -> TrackerVersion | None:
    """Return a version with its labels, or ``None`` if there is no such number."""
    found = _versions(
        database.url, connection, artifact, name, VERSIONS.c.number == number, limit=2
    )
    return found[0] if found else None


def versions_of(
    database: Database,
    connection: Connection,
    artifact: int,
    name: str,
    limit: int | None,
) -> list[TrackerVersion]:
    """Return the versions of a name with their labels, the newest first."""
    return _versions(
        database.url, connection, artifact, name, VERSIONS.c.number > 0, limit=limit
    )


def insert_version(
    connection: Connection, artifact: int, number: int, registration: Registration
) -> None:
    """Insert a version; its snapshot is there."""
    provenance = registration.provenance
    connection.execute(
        VERSIONS.insert().values(
            artifact=artifact,
            number=number,
            digest=registration.digest,
            each=registration.each,
            parent=number - 1 or None,
            objects=registration.lock.count(),
            size=registration.lock.size,
            trust=registration.trust.value,
            time=provenance.time,
            git_commit=provenance.commit,
            git_dirty=provenance.dirty,
            git_remote=provenance.remote,
            author=provenance.author,
        )
    )


def attach(
    database: Database, connection: Connection, artifact: int, number: int, labels: Labels
) -> None:
    """Attach labels to a version; aliases leave the versions that they pointed to.

    A key of the metadata that is there gets the new text.
    """
    key = {"artifact": artifact, "number": number}
    _put(
        database,
        connection,
        ALIASES,
        [{"artifact": artifact, "alias": alias} for alias in labels.aliases],
        [{"number": number}] * len(labels.aliases),
    )
    database.insert_new(connection, TAGS, [{**key, "tag": tag} for tag in labels.tags])
    _put(
        database,
        connection,
        METAS,
        [{**key, "name": name} for name, _ in labels.meta],
        [{"value": value} for _, value in labels.meta],
    )


def has_labels(version: TrackerVersion, labels: Labels) -> bool:
    """Tell whether attaching labels to a version would change nothing."""
    there = version.labels
    return (
        set(labels.aliases) <= set(there.aliases)
        and set(labels.tags) <= set(there.tags)
        and set(labels.meta) <= set(there.meta)
    )


def _put(
    database: Database,
    connection: Connection,
    table: Table,
    keys: Sequence[dict[str, object]],
    values: Sequence[dict[str, object]],
) -> None:
    """Write rows, whether or not their keys are there."""
    for key, value in zip(keys, values, strict=True):
        database.insert_new(connection, table, [{**key, **value}])
        same = and_(*(table.c[column] == found for column, found in key.items()))
        connection.execute(update(table).where(same).values(**value))


def _versions(
    url: str,
    connection: Connection,
    artifact: int,
    name: str,
    which: ColumnElement[bool],
    *,
    limit: int | None,
) -> list[TrackerVersion]:
    query = (
        # Yes and no as they are stored: any text would be a yes.
        select(
            *(
                type_coerce(column, NullType())
                if isinstance(column.type, Boolean)
                else column
                for column in VERSIONS.c
            )
        )
        .where(VERSIONS.c.artifact == artifact, which)
        .order_by(VERSIONS.c.number.desc())
        .limit(limit)
    )
    rows = rows_of(connection, query, _Row)
    if not rows:
        return []
    numbers = [row.number for row in rows]
    if any(newer <= older for newer, older in pairwise(numbers)):
        raise damaged(url, f"the versions of `{name}`", "one of each number", "two")
    # The rows are of successive numbers, so their labels are found by the ends.
    labels = _labels(connection, artifact, min(numbers), max(numbers))
    return [_version(row, name, labels.get(row.number, Labels())) for row in rows]


def _labels(
    connection: Connection, artifact: int, first: int, last: int
) -> dict[int, Labels]:
    def found(table: Table, *columns: str) -> Select[Any]:
        query = select(table.c.number, *(table.c[column] for column in columns))
        return query.where(
            table.c.artifact == artifact, table.c.number.between(first, last)
        )

    aliases: defaultdict[int, list[str]] = defaultdict(list)
    tags: defaultdict[int, list[str]] = defaultdict(list)
    metas: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for number, alias in rows_of(connection, found(ALIASES, "alias"), tuple[int, str]):
        aliases[number].append(alias)
    for number, tag in rows_of(connection, found(TAGS, "tag"), tuple[int, str]):
        tags[number].append(tag)
    query = found(METAS, "name", "value")
    for number, key, value in rows_of(connection, query, tuple[int, str, str]):
        metas[number].append((key, value))
    return {
        number: Labels(
            aliases=tuple(sorted(aliases[number])),
            tags=tuple(sorted(tags[number])),
            meta=tuple(sorted(metas[number])),
        )
        for number in {*aliases, *tags, *metas}
    }


_Bit = bool | Annotated[int, msgspec.Meta(ge=0, le=1)]
"""PostgreSQL has yes and no; SQLite has 1 and 0."""


class _Row(msgspec.Struct, frozen=True, array_like=True):
    """A row of versions, with the columns in the order of the table."""

    artifact: int
    number: int
    digest: str
    each: _Bit
    parent: int | None
    objects: int
    size: int
    trust: Trust
    time: str
    git_commit: str | None
    git_dirty: _Bit
    git_remote: str | None
    author: str | None


def _version(row: _Row, name: str, labels: Labels) -> TrackerVersion:
    return TrackerVersion(
        name=name,
        number=row.number,
        digest=row.digest,
        each=bool(row.each),
        objects=row.objects,
        size=row.size,
        trust=row.trust,
        provenance=Provenance(
            time=row.time,
            commit=row.git_commit,
            dirty=bool(row.git_dirty),
            remote=row.git_remote,
            author=row.author,
        ),
        labels=labels,
        parent=row.parent,
    )
