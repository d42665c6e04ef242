import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.cache.database import Database, proof
from artlock.cache.pins import KEY_LENGTH, pin_key
from artlock.cache.records import BlobRecords, Stamp
from artlock.cache.seen import SeenIndex
from artlock.model.digest import Digest
from artlock.model.lock import LockedObject

ROW = LockedObject("a", 1, "etag:x", "v")
PAIRS = [(bytes([n]) * KEY_LENGTH, bytes([255 - n]) * 32) for n in range(20)]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "index.sqlite", wait_s=0.05) as database:
        yield database


@given(st.data())
def test_a_pin_key_depends_on_everything(data: st.DataObject) -> None:
    text = st.text(alphabet='ab,"]\\\0', max_size=3)
    pins = st.tuples(
        text, text, st.builds(LockedObject, text, st.integers(0, 3), text, text)
    )
    one, two = data.draw(pins), data.draw(pins)
    assert (pin_key(*one) == pin_key(*two)) == (one == two)
    assert len(pin_key(*one)) == KEY_LENGTH


def test_what_was_put_is_known(database: Database) -> None:
    seen = SeenIndex(database)
    assert seen.get_many(key for key, _ in PAIRS) == {}
    seen.put_many(PAIRS)
    assert seen.get_many([key for key, _ in PAIRS] + [b"x" * 16]) == dict(PAIRS)
    seen.put_many([(PAIRS[0][0], PAIRS[1][1])])
    assert seen.get_many([PAIRS[0][0]]) == {PAIRS[0][0]: PAIRS[1][1]}
    seen.put_many([])
    assert seen.get_many([]) == {}


def test_what_was_put_is_known_to_later_processes(tmp_path: Path) -> None:
    many = [(os.urandom(16), os.urandom(32)) for _ in range(2000)]
    with Database(tmp_path / "i") as database:
        SeenIndex(database).put_many(many)
    with Database(tmp_path / "i") as database:
        assert SeenIndex(database).get_many(key for key, _ in many) == dict(many)


@pytest.mark.parametrize("how", ["swap", "cut", "text", "null"])
def test_3_25_a_record_that_is_not_whole_is_not_believed(
    database: Database, how: str
) -> None:
    seen = SeenIndex(database)
    seen.put_many(PAIRS)
    value = {"swap": PAIRS[1][1], "cut": b"x", "text": "text", "null": 0}[how]

    def spoil(connection: sqlite3.Connection) -> None:
        connection.execute("update seen set digest = ? where key = ?", (value, PAIRS[0][0]))

    database.run(spoil, otherwise=None)
    found = seen.get_many(key for key, _ in PAIRS)
    assert found == dict(PAIRS[1:])


def test_3_25_a_blob_record_that_is_not_whole_is_not_believed(database: Database) -> None:
    records = BlobRecords(database)
    digest = Digest.blake3(b"d" * 32)
    records.put(digest, Stamp(inode=1, size=2, mtime_ns=3, ctime_ns=4))
    records.flush()
    assert records.get(digest) is not None

    def spoil(connection: sqlite3.Connection) -> None:
        connection.execute("update hashed set stamp = ?", (b"0" * 32,))

    database.run(spoil, otherwise=None)
    assert records.get(digest) is None
    assert proof(b"x", 1, key=bytes(32)) is None


@pytest.mark.parametrize("damage", ["zeros", "text", "cut", "flipped", "table"])
def test_3_25_a_damaged_database_is_put_aside_and_begun_anew(
    tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "index.sqlite"
    with Database(path) as database:
        SeenIndex(database).put_many((os.urandom(16), os.urandom(32)) for _ in range(3000))
        SeenIndex(database).put_many(PAIRS)
    good = path.read_bytes()
    if damage == "table":
        with sqlite3.connect(path) as connection:
            connection.execute("drop table seen")
        connection.close()
    else:
        bad = {
            "zeros": bytes(len(good)),
            "text": b"no database at all\n" * 1000,
            "cut": good[: len(good) // 2],
            "flipped": good[:4096] + bytes(b ^ 255 for b in good[4096:]),
        }[damage]
        path.write_bytes(bad)
    with Database(path) as database:
        seen = SeenIndex(database)
        for key, digest in seen.get_many(key for key, _ in PAIRS).items():
            assert dict(PAIRS)[key] == digest
        seen.put_many(PAIRS)
        assert seen.get_many(key for key, _ in PAIRS) == dict(PAIRS)


def test_3_25_a_database_that_another_process_holds_is_done_without(
    database: Database, tmp_path: Path
) -> None:
    seen = SeenIndex(database)
    seen.put_many(PAIRS)
    other = sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)
    other.execute("begin exclusive")
    assert seen.get_many([PAIRS[0][0]]) == {}
    seen.put_many([(b"y" * 16, b"z" * 32)])
    other.execute("commit")
    other.close()
    assert seen.get_many([PAIRS[0][0]]) == dict(PAIRS[:1])


def test_3_25_without_its_folder_nothing_is_known(tmp_path: Path) -> None:
    with Database(tmp_path / "none" / "i") as database:
        seen = SeenIndex(database)
        seen.put_many(PAIRS)
        assert seen.get_many([PAIRS[0][0]]) == {}


def test_3_25_a_folder_in_its_place_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "i").mkdir()
    with Database(tmp_path / "i") as database:
        SeenIndex(database).put_many(PAIRS)
        assert SeenIndex(database).get_many([PAIRS[0][0]]) == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_3_25_a_database_that_cannot_be_written_still_answers(tmp_path: Path) -> None:
    with Database(tmp_path / "i") as database:
        SeenIndex(database).put_many(PAIRS)
    (tmp_path / "i").chmod(0o400)
    tmp_path.chmod(0o500)
    with Database(tmp_path / "i") as database:
        SeenIndex(database).put_many([(b"y" * 16, b"z" * 32)])
        assert SeenIndex(database).get_many([PAIRS[0][0]]) == dict(PAIRS[:1])
    tmp_path.chmod(0o700)
