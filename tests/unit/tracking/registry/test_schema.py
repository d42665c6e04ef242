"""From nothing, from an earlier schema, and what a later one gets."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import alembic.command
import alembic.config
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from artlock.errors import LaterRegistryError
from artlock.model.registration import TrackerVersion
from artlock.model.uri import Uri
from artlock.tracking.registry import NewParcel, ParcelKind, Registry, open_registry, schema
from artlock.tracking.registry.database import Database
from artlock.tracking.registry.places import place_of
from artlock.tracking.registry.schema import REVISIONS, VERSION_TABLE
from artlock.tracking.registry.tables import METADATA
from tests.registrations import PROVENANCE, registration, simple_lock
from tests.unit.tracking.registry.conftest import OpenRegistry, context_at


def database_at(url: str, folder: Path) -> Database:
    return Database(place_of(Uri.parse(url), folder), context_at(folder))


def test_the_steps_make_the_tables_that_queries_name(
    registry_url: str, tmp_path: Path
) -> None:
    database = database_at(registry_url, tmp_path)
    with database.reading() as connection:
        # Without the table in which Alembic itself keeps the number.
        options = {"include_name": lambda name, *_: name != VERSION_TABLE}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, METADATA) == []
        found = inspect(connection)
        for name, table in METADATA.tables.items():
            made = {
                found.get_pk_constraint(name)["name"],
                *(one["name"] for one in found.get_unique_constraints(name)),
                *(one["name"] for one in found.get_check_constraints(name)),
                *(one["name"] for one in found.get_foreign_keys(name)),
            }
            wanted = {one.name for one in table.constraints}
            if name == "artlock_outbox" and connection.dialect.name == "sqlite":
                # A key whose numbers are not given again has no name there.
                made, wanted = made - {None}, wanted - {"artlock_outbox_key"}
            assert made == wanted
    database.close()


def test_the_revisions_are_those_of_the_steps() -> None:
    folder = Path(schema.__file__).with_name("migrations")
    config = alembic.config.Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "newline")
    steps = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(step.revision for step in steps) == REVISIONS[::-1]


def make_earlier(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a registry as the first artlock did, with a version."""
    with monkeypatch.context() as patch:
        real = alembic.command.upgrade
        patch.setattr(
            alembic.command, "upgrade", lambda config, _: real(config, REVISIONS[0])
        )
        patch.setattr("artlock.tracking.registry.database.REVISIONS", REVISIONS[:1])
        registry = Registry(database)
        registry.register(registration(simple_lock()))
        with database.reading() as connection:
            assert not inspect(connection).has_table("artlock_outbox")
        registry.close()


def test_an_earlier_registry_is_brought_up_to_date_and_keeps_what_it_has(
    registry_url: str,
    tmp_path: Path,
    open_again: OpenRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_earlier(database_at(registry_url, tmp_path), monkeypatch)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(_versions_of, [open_again() for _ in range(4)]))
    assert [[v.number for v in versions] for versions in found] == [[1]] * 4
    registry = open_again()
    assert registry.verify() == []
    new = NewParcel(
        created=PROVENANCE.time,
        target="comet://team/vision",
        kind=ParcelKind.PUSH,
        name="data",
        digest=found[0][0].digest,
        each=False,
        provenance=PROVENANCE,
        labels=found[0][0].labels,
    )
    assert len(registry.outbox.add([new], {})) == 1


def _versions_of(registry: Registry) -> list[TrackerVersion]:
    return list(registry.versions("data"))


def test_a_step_that_fails_leaves_the_earlier_registry(
    registry_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = database_at(registry_url, tmp_path)
    make_earlier(database, monkeypatch)
    real = alembic.command.upgrade

    def fail(config: alembic.config.Config, revision: str) -> None:
        real(config, revision)
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(alembic.command, "upgrade", fail)
        with pytest.raises(InterruptedError), database.reading():
            pass
        patch.setattr("artlock.tracking.registry.database.REVISIONS", REVISIONS[:1])
        with database.reading() as connection:
            assert not inspect(connection).has_table("artlock_outbox")
        database.close()
    assert len(Registry(database).versions("data")) == 1
    database.close()


def test_a_later_registry_is_left_alone(
    registry_url: str, tmp_path: Path, open_again: OpenRegistry
) -> None:
    open_again().register(registration(simple_lock()))
    database = database_at(registry_url, tmp_path)
    with database.writing() as connection:
        connection.exec_driver_sql(f"update {VERSION_TABLE} set version_num = '9999'")  # noqa: S608 - a constant
    database.close()
    registry = open_again()
    for work in (
        lambda: registry.register(registration(simple_lock("v-2"))),
        registry.names,
        registry.outbox.waiting,
    ):
        with pytest.raises(LaterRegistryError, match="9999") as caught:
            work()
        assert caught.value.exit_code == 2


def test_a_later_file_is_not_written_at_all(tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    with closing(sqlite3.connect(path)) as there, there:
        there.execute(f"create table {VERSION_TABLE} (version_num text)")
        there.execute(f"insert into {VERSION_TABLE} values ('9999')")  # noqa: S608 - a constant
    before = path.read_bytes()
    registry = open_registry(path, context_at(tmp_path))
    with pytest.raises(LaterRegistryError):
        registry.register(registration(simple_lock()))
    registry.close()
    assert path.read_bytes() == before
