import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from artlock.model.registration import Labels
from artlock.tracking.registry import Registry
from tests.registrations import registration, simple_lock
from tests.unit.tracking.registry.test_outbox import parcel

pytestmark = pytest.mark.usefixtures("made")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("delete from artlock_versions where number = 2", "`data:v2` is missing"),
        ("update artlock_versions set parent = 1 where number = 3", "has the parent 1"),
        ("update artlock_versions set number = 9 where number = 3", "`data:v3` is missing"),
        ("update artlock_aliases set number = 7", "`data@prod` points to no version"),
        ("delete from artlock_snapshots where id = 2", "is registered, but not there"),
        ("delete from artlock_pieces where id = 1", "cannot be read"),
        ("update artlock_pieces set data = x'28b52ffd' where id = 1", "cannot be read"),
        ("update artlock_outbox set digest = 'blake3:0'", "is in the outbox, but not"),
        ("update artlock_outbox set labels = '{'", "of the outbox cannot be read"),
        ("update artlock_artifacts set name = x'00'", "a row is"),
    ],
)
def test_what_is_not_as_it_should_be_is_said(
    tmp_path: Path, open_sqlite: Callable[[], Registry], damage: str, problem: str
) -> None:
    registry = open_sqlite()
    for version in ("v-1", "v-2", "v-3"):
        labels = Labels(aliases=("prod",))
        registry.register(registration(simple_lock(version), labels=labels))
    registry.outbox.add([parcel("v-1")], {})
    assert list(registry.verify()) == []
    registry.close()
    with closing(sqlite3.connect(tmp_path / "registry.db")) as there, there:
        there.execute(damage)
    assert any(problem in found for found in open_sqlite().verify())
