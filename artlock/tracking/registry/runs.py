"""Which runs made versions and which used them, as queries."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import select

from artlock.model.registration import Run
from artlock.tracking.registry.rows import rows_of, value_of
from artlock.tracking.registry.tables import EDGES, RUNS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from artlock.tracking.registry.database import Database


class Role(StrEnum):
    """What a run did with a version."""

    PRODUCED = "produced"
    CONSUMED = "consumed"


def record_edge(
    database: Database,
    connection: Connection,
    *,
    artifact: int,
    number: int,
    role: Role,
    run: Run,
    time: str,
) -> None:
    """Record what a run did with a version; a second time changes nothing.

    Args:
        database: Of the connection.
        connection: In the transaction of the caller.
        artifact: Key of the name.
        number: Of the version, which is there.
        role: What it did.
        run: Who.
        time: When: RFC 3339 in UTC.
    """
    key = {"service": run.service, "run": run.id}
    database.insert_new(connection, RUNS, [key])
    query = select(RUNS.c.id).where(RUNS.c.service == run.service, RUNS.c.run == run.id)
    edge = {
        "artifact": artifact,
        "number": number,
        "role": role.value,
        "run": value_of(connection, query, int),
        "time": time,
    }
    database.insert_new(connection, EDGES, [edge])


def runs_of(
    connection: Connection, artifact: int, number: int, role: Role
) -> tuple[Run, ...]:
    """Return the runs that did something with a version, oldest first."""
    query = (
        select(RUNS.c.run, RUNS.c.service)
        .join(EDGES, EDGES.c.run == RUNS.c.id)
        .where(
            EDGES.c.artifact == artifact,
            EDGES.c.number == number,
            EDGES.c.role == role.value,
        )
        .order_by(EDGES.c.id)
    )
    found = rows_of(connection, query, tuple[str, str])
    return tuple(Run(id=run, service=service) for run, service in found)
