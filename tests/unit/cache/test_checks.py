import sqlite3
from collections.abc import Iterator

import pytest

from artlock.cache.checks import Checks
from artlock.cache.database import Database
from artlock.cache.layout import CacheLayout
from artlock.cache.records import BlobRecords, Stamp
from artlock.model.digest import Digest

ONE, TWO = (Digest.blake3(bytes([number]) * 32) for number in (1, 2))


@pytest.fixture
def database(layout: CacheLayout) -> Iterator[Database]:
    with Database(layout.index) as database:
        yield database


def test_moments_are_kept(database: Database) -> None:
    checks = Checks(database)
    assert checks.moments() == {}
    checks.put(ONE, 1.5)
    checks.put(TWO, 2.5)
    checks.put(ONE, 3.5)
    assert checks.moments() == {ONE: 3.5, TWO: 2.5}
    assert Checks(database).moments() == {ONE: 3.5, TWO: 2.5}
    checks.forget([])
    checks.forget([ONE])
    assert Checks(database).moments() == {TWO: 2.5}


def test_3_15_many_reach_the_database_by_themselves(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artlock.cache.checks._HELD", 2)
    checks = Checks(database)
    checks.put(ONE, 1.0)
    assert Checks(database).moments() == {}
    checks.put(TWO, 2.0)
    assert Checks(database).moments() == {ONE: 1.0, TWO: 2.0}


def test_3_25_a_moment_that_was_damaged_is_none(
    database: Database, layout: CacheLayout
) -> None:
    checks = Checks(database)
    checks.put(ONE, 1.0)
    checks.put(TWO, 2.0)
    checks.flush()
    database.close()
    with sqlite3.connect(layout.index) as connection:
        connection.execute(
            "update checked set moment = x'00' where digest = ?", (b"\x01" * 32,)
        )
    connection.close()
    assert checks.moments() == {TWO: 2.0}


def test_3_26_a_database_of_before_gets_the_table_and_keeps_what_it_has(
    database: Database, layout: CacheLayout
) -> None:
    stamp = Stamp(inode=1, size=2, mtime_ns=3, ctime_ns=4)
    with BlobRecords(database) as records:
        records.put(ONE, stamp)
    database.close()
    with sqlite3.connect(layout.index) as connection:
        connection.executescript("drop table checked; pragma user_version = 1")
    connection.close()
    checks = Checks(database)
    checks.put(ONE, 1.0)
    assert checks.moments() == {ONE: 1.0}
    assert BlobRecords(database).get(ONE) == stamp


def test_records_of_what_is_gone_are_forgotten(database: Database) -> None:
    records = BlobRecords(database)
    stamp = Stamp(inode=1, size=2, mtime_ns=3, ctime_ns=4)
    records.put(ONE, stamp)
    records.put(TWO, stamp)
    records.forget([])
    records.forget([ONE])
    assert (records.get(ONE), records.get(TWO)) == (None, stamp)
