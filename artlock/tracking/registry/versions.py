"""Names, versions and labels, as queries; transactions are the caller's."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select, update

from artlock.model.registration import Labels, Provenance, TrackerVersion
from artlock.model.tokens import Trust
from artlock.tracking.registry.tables import ALIASES, ARTIFACTS, METAS, TAGS, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Table

    from artlock.model.registration import Registration
    from artlock.tracking.registry.database import Database


def artifact_of(connection: Connection, name: str) -> int | None:
    """Return the key of a name, or ``None``."""
    query = select(ARTIFACTS.c.id).where(ARTIFACTS.c.name == name)
    found = connection.execute(query).scalar()
    return None if found is None else int(found)


def held_artifact(database: Database, connection: Connection, name: str) -> int:
    """Return the key of a name, which is there then, and hold the mutex on its row.

    Whoever gives a number to a version holds it to the end of the transaction, so numbers
    are given one after another. SQLite has one writer anyway.
    """
    database.insert_new(connection, ARTIFACTS, [{"name": name}])
    query = select(ARTIFACTS.c.id).where(ARTIFACTS.c.name == name).with_for_update()
    return int(connection.execute(query).scalar_one())


def names_with_versions(connection: Connection) -> list[str]:
    """Return the names that have a version, in no order."""
    query = select(ARTIFACTS.c.name).where(
        select(VERSIONS.c.number).where(VERSIONS.c.artifact == ARTIFACTS.c.id).exists()
    )
    return list(connection.execute(query).scalars())


def newest_number(connection: Connection, artifact: int) -> int | None:
    """Return the number of the newest version, or ``None`` if there is none."""
    query = select(func.max(VERSIONS.c.number)).where(VERSIONS.c.artifact == artifact)
    return connection.execute(query).scalar()


def newest_digest(connection: Connection, name: str) -> str | None:
    """Return the digest of the newest version of a name, or ``None``."""
    query = (
        select(VERSIONS.c.digest)
        .join(ARTIFACTS, ARTIFACTS.c.id == VERSIONS.c.artifact)
        .where(ARTIFACTS.c.name == name)
        .order_by(VERSIONS.c.number.desc())
        .limit(1)
    )
    return connection.execute(query).scalar()


def number_of_digest(connection: Connection, artifact: int, digest: str) -> int | None:
    """Return the number under which a lock is registered, or ``None``."""
    query = select(VERSIONS.c.number).where(
        VERSIONS.c.artifact == artifact, VERSIONS.c.digest == digest
    )
    return connection.execute(query).scalar()


def number_of_alias(connection: Connection, artifact: int, alias: str) -> int | None:
    """Return the number that an alias points to, or ``None``."""
    query = select(ALIASES.c.number).where(
        ALIASES.c.artifact == artifact, ALIASES.c.alias == alias
    )
    return connection.execute(query).scalar()


def version_of(
    connection: Connection, artifact: int, name: str, number: int
) -> TrackerVersion | None:
    """Return a version with its labels, or ``None`` if there is no such number."""
    found = _versions(connection, artifact, name, VERSIONS.c.number == number, limit=1)
    return found[0] if found else None


def versions_of(
    connection: Connection, artifact: int, name: str, limit: int | None
) -> list[TrackerVersion]:
    """Return the versions of a name with their labels, the newest first."""
    return _versions(connection, artifact, name, VERSIONS.c.number > 0, limit=limit)


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
    connection: Connection,
    artifact: int,
    name: str,
    which: ColumnElement[bool],
    *,
    limit: int | None,
) -> list[TrackerVersion]:
    query = (
        select(VERSIONS)
        .where(VERSIONS.c.artifact == artifact, which)
        .order_by(VERSIONS.c.number.desc())
        .limit(limit)
    )
    rows = connection.execute(query).all()
    if not rows:
        return []
    # The rows are of successive numbers, so their labels are found by the ends.
    numbers = [int(row._mapping["number"]) for row in rows]  # noqa: SLF001 - documented
    labels = _labels(connection, artifact, min(numbers), max(numbers))
    return [_version(row, name, labels[n]) for row, n in zip(rows, numbers, strict=True)]


def _labels(
    connection: Connection, artifact: int, first: int, last: int
) -> dict[int, Labels]:
    def found(table: Table, *columns: str) -> list[tuple[Any, ...]]:
        query = select(table.c.number, *(table.c[column] for column in columns))
        query = query.where(
            table.c.artifact == artifact, table.c.number.between(first, last)
        )
        return [tuple(row) for row in connection.execute(query)]

    aliases: defaultdict[int, list[str]] = defaultdict(list)
    tags: defaultdict[int, list[str]] = defaultdict(list)
    metas: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for number, alias in found(ALIASES, "alias"):
        aliases[number].append(alias)
    for number, tag in found(TAGS, "tag"):
        tags[number].append(tag)
    for number, key, value in found(METAS, "name", "value"):
        metas[number].append((key, value))
    return {
        number: Labels(
            aliases=tuple(sorted(aliases[number])),
            tags=tuple(sorted(tags[number])),
            meta=tuple(sorted(metas[number])),
        )
        for number in range(first, last + 1)
    }


def _version(row: Row[tuple[object, ...]], name: str, labels: Labels) -> TrackerVersion:
    fields = row._mapping  # noqa: SLF001 - the documented way to the columns by name
    return TrackerVersion(
        name=name,
        number=fields["number"],
        digest=fields["digest"],
        each=fields["each"],
        objects=fields["objects"],
        size=fields["size"],
        trust=Trust(fields["trust"]),
        provenance=Provenance(
            time=fields["time"],
            commit=fields["git_commit"],
            dirty=fields["git_dirty"],
            remote=fields["git_remote"],
            author=fields["author"],
        ),
        labels=labels,
        parent=fields["parent"],
    )
