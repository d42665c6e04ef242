"""Files that came from anybody: any value in any column, and no constraints."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from artlock.errors import ArtlockError, IntegrityError
from artlock.model.refs import Ref
from artlock.model.registration import Labels, Run, TrackerVersion
from artlock.tracking.registry import Registry, open_registry
from artlock.tracking.registry.tables import METADATA
from tests.registrations import registration, simple_lock
from tests.unit.tracking.registry.conftest import context_at
from tests.unit.tracking.registry.test_outbox import DOWN, parcel, texts

LABELS = Labels(aliases=("prod",), tags=("a", "b"), meta=(("k", "v"),))
RUN = Run(id="train", service="comet")
COLUMNS = [
    (table.name, column.name) for table in METADATA.sorted_tables for column in table.c
]
VALUES = (
    *("x'ff00'", "cast(x'ff' as text)", "'text'", "-1", "9223372036854775807", "1.5"),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file that has something in each of its tables, and no constraints."""
    folder = tmp_path_factory.mktemp("whole")
    registry = open_registry(folder / "made.db", context_at(folder))
    for version in ("v-1", "v-2", "v-3"):
        sent = registration(simple_lock(version), labels=LABELS, run=RUN)
        outcome = registry.register(sent)
        assert outcome.version is not None
        registry.record_input(outcome.version, RUN)
    registry.outbox.add([parcel("v-1", aliases=["prod"]), parcel("v-2")], {})
    registry.close()
    path = folder / "registry.db"
    with (
        closing(sqlite3.connect(folder / "made.db")) as made,
        closing(sqlite3.connect(path)) as there,
        there,
    ):
        names = made.execute("select name from sqlite_master where type = 'table'")
        for (name,) in names.fetchall():
            if name.startswith("artlock_"):
                rows = made.execute(f'select * from "{name}"').fetchall()  # noqa: S608 - our tables
                columns = made.execute(f'pragma table_info("{name}")').fetchall()
                # An id is what SQLite makes of it, as in the true tables.
                kinds = [
                    f'"{c[1]}"{" integer primary key" * (c[1] == "id")}' for c in columns
                ]
                there.execute(f'create table "{name}" ({", ".join(kinds)})')
                marks = ", ".join("?" * len(columns))
                there.executemany(f'insert into "{name}" values ({marks})', rows)  # noqa: S608 - as above
    return path


def works(registry: Registry, version: TrackerVersion) -> Iterator[Callable[[], object]]:
    outbox = registry.outbox
    yield registry.names
    yield lambda: registry.versions("data")
    yield lambda: registry.versions("data", limit=1)
    yield lambda: registry.find(Ref(name="data", alias="prod"))
    yield lambda: registry.find(Ref(name="data", number=2))
    yield lambda: registry.fetch(version)
    yield lambda: registry.lineage(version)
    yield registry.verify
    yield outbox.waiting
    yield lambda: registry.register(
        registration(simple_lock("v-2"), labels=LABELS, run=RUN)
    )
    yield lambda: registry.record_input(version, Run(id="eval"))
    yield lambda: registry.register(registration(simple_lock("v-9"), labels=LABELS))
    yield lambda: outbox.add([parcel("v-1", aliases=["prod"])], texts("v-1"))
    yield lambda: _send(registry)
    yield lambda: outbox.drop(1)


def _send(registry: Registry) -> None:
    taken = registry.outbox.claim(now_s=1.0, lease_s=60.0, owner="me")
    if taken is not None:
        registry.outbox.postpone(taken, error=DOWN, next_try_s=2.0)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("value", "step"),
    [("x'ff00'", 11), *(pytest.param(v, 1, marks=pytest.mark.slow) for v in VALUES)],
)
def test_any_value_in_any_column_is_an_error_of_ours_or_right(
    whole: Path, tmp_path: Path, value: str, step: int
) -> None:
    made = open_registry(whole.with_name("made.db"), context_at(tmp_path))
    version = made.find(Ref(name="data", number=2))
    text = made.fetch(version)
    made.close()
    path = tmp_path / "registry.db"
    for table, column in COLUMNS[::step]:
        for log in tmp_path.glob("registry.db*"):
            log.unlink()
        shutil.copyfile(whole, path)
        with closing(sqlite3.connect(path)) as there:
            there.execute("pragma synchronous=off")
            with there, suppress(sqlite3.Error):  # an id is a number, or is left
                there.execute(f'update "{table}" set "{column}" = {value}')  # noqa: S608 - ours
        registry = open_registry(path, context_at(tmp_path))
        for work in works(registry, version):
            with suppress(ArtlockError):
                found = work()
                if isinstance(found, bytes):
                    assert found == text
        registry.close()


@pytest.mark.parametrize(
    ("statement", "work"),
    [
        ("update artlock_versions set trust = 'bogus'", "find"),
        ("update artlock_aliases set alias = x'00'", "versions"),
        ("update artlock_tags set tag = 7", "find"),
        ("update artlock_artifacts set name = x'00' where id = 1", "names"),
        ("update artlock_runs set run = x'00'", "lineage"),
        ("update artlock_versions set number = 2", "versions"),
        ("update artlock_versions set each = 'perhaps'", "find"),
        ("insert into artlock_versions select * from artlock_versions", "find"),
        ("insert into artlock_aliases select * from artlock_aliases", "alias"),
        ("insert into artlock_artifacts (name) values ('data')", "find"),
        ("insert into artlock_snapshots (digest, size) select digest, size"
         " from artlock_snapshots", "fetch"),
        ("insert into artlock_snapshot_pieces select * from artlock_snapshot_pieces",
         "fetch"),
        ("update artlock_pieces set size = -1", "fetch"),
        ("update artlock_snapshots set size = -1", "fetch"),
        ("update artlock_artifacts set name = cast(x'ff' as text) where id = 1", "names"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_damage_and_names_the_registry(
    whole: Path, tmp_path: Path, statement: str, work: str
) -> None:
    path = tmp_path / "registry.db"
    shutil.copyfile(whole, path)
    registry = open_registry(path, context_at(tmp_path))
    version = registry.find(Ref(name="data", number=2))
    registry.close()
    with closing(sqlite3.connect(path)) as there, there:
        there.execute(statement)
    calls: dict[str, Callable[[], object]] = {
        "find": lambda: registry.find(Ref(name="data", number=2)),
        "alias": lambda: registry.find(Ref(name="data", alias="prod")),
        "versions": lambda: registry.versions("data"),
        "names": registry.names,
        "lineage": lambda: registry.lineage(version),
        "fetch": lambda: registry.fetch(version),
    }
    with pytest.raises(IntegrityError) as caught:
        calls[work]()
    assert "registry.db" in caught.value.message
    registry.close()


def test_labels_of_numbers_far_apart_take_no_time(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    shutil.copyfile(whole, path)
    with closing(sqlite3.connect(path)) as there, there:
        there.execute("update artlock_versions set number = 1 << 60 where number = 3")
    registry = open_registry(path, context_at(tmp_path))
    assert [v.number for v in registry.versions("data")] == [1 << 60, 2, 1]
    registry.close()
