"""Locks in the registry: what versions cost, and what becomes of damage."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from artlock.errors import IntegrityError
from artlock.model.lock import LockedObject
from artlock.model.refs import Ref
from artlock.model.registration import Labels, Registration
from artlock.tracking.registry import NewParcel, ParcelKind, Registry, pieces, snapshots
from tests.registrations import PROVENANCE, lockfile, registration, row, simple_lock, tree
from tests.unit.tracking.registry.conftest import OpenRegistry

pytestmark = pytest.mark.usefixtures("made")
ROWS = 20_000


class History:
    """A lock of many rows that changes from version to version."""

    def __init__(self, count: int = ROWS) -> None:
        self._random = random.Random(7)  # noqa: S311 - made-up data
        self._rows = [self._row(number) for number in range(count)]

    def registration(self) -> Registration:
        return registration(lockfile(tree("val", *self._rows)))

    def change(self, share: float) -> None:
        """Change that share of the rows, here and there."""
        chosen = self._random.sample(range(len(self._rows)), int(share * len(self._rows)))
        for number in chosen:
            self._rows[number] = self._row(number)

    def _row(self, number: int) -> LockedObject:
        tokens = f"blake3:{self._hex(32)} etag:{self._hex(16)}"
        return row(f"d/{number:06d}.bin", number, tokens=tokens, version=self._hex(12))

    def _hex(self, count: int) -> str:
        return self._random.randbytes(count).hex()


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("registry.db*"))


def test_a_version_with_one_row_of_a_hundred_changed_costs_little(
    tmp_path: Path, open_sqlite: Callable[[], Registry]
) -> None:
    history = History()
    sizes = []
    sent = []
    for _ in range(10):  # more than the depth of a chain
        sent.append(history.registration())
        registry = open_sqlite()
        registry.register(sent[-1])
        registry.close()
        sizes.append(size_of(tmp_path))
        history.change(0.01)
    assert sizes[1] - sizes[0] < 0.05 * sizes[0]
    assert sizes[-1] - sizes[0] < 0.8 * sizes[0]
    registry = open_sqlite()
    for number, one in enumerate(sent, 1):
        assert registry.fetch(registry.find(Ref(name="data", number=number))) == one.text


def test_what_moves_and_comes_back_is_read_back(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many small pieces, rows that come and go, and an older lock again."""
    monkeypatch.setattr(pieces, "LEAST", 500)
    monkeypatch.setattr(pieces, "MOST", 4000)
    monkeypatch.setattr(pieces, "_HIT", 1 << 29)
    made = random.Random(3)  # noqa: S311 - made-up data
    kept = {f"{number:04d}": number for number in range(300)}
    sent = []
    for _ in range(11):
        for _ in range(20):
            kept[f"{made.randrange(9999):04d}"] = made.randrange(9999)
            del kept[made.choice(sorted(kept))]
        rows = [row(path, size) for path, size in sorted(kept.items())]
        sent.append(registration(lockfile(tree("val", *rows), tree("x", *rows[:50]))))
        registry.register(sent[-1])
    assert registry.verify() == []
    for number, one in enumerate(sent, 1):
        assert registry.fetch(registry.find(Ref(name="data", number=number))) == one.text


def test_a_lock_is_kept_once_under_all_names(
    tmp_path: Path, open_sqlite: Callable[[], Registry]
) -> None:
    sent = History(2000).registration()
    registry = open_sqlite()
    registry.register(sent)
    with closing(sqlite3.connect(tmp_path / "registry.db")) as there:
        before = there.execute("select count(*) from artlock_pieces").fetchone()
        registry.register(registration(sent.lock, "other"))
        assert there.execute("select count(*) from artlock_pieces").fetchone() == before
        assert there.execute("select count(*) from artlock_snapshots").fetchone() == (1,)


def test_more_pieces_than_one_query_takes(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "LEAST", 64)
    monkeypatch.setattr(pieces, "MOST", 100)
    monkeypatch.setattr(snapshots, "_AT_ONCE", 7)
    sent = History(30).registration()
    version = registry.register(sent).version
    assert version is not None
    assert registry.fetch(version) == sent.text


STATEMENTS = {
    "a byte": "update artlock_pieces set data ="
    " cast(substr(data, 1, 30) || x'00' || substr(data, 32) as blob)",
    "text": "update artlock_pieces set data = 'text'",
    "a text for a number": "update artlock_pieces set size = 'many'",
    "a short piece": "update artlock_pieces set data = substr(data, 1, length(data) - 1)",
    "no data": "update artlock_pieces set data = x''",
    "another piece": "update artlock_snapshot_pieces set piece = (select max(id) from"
    " artlock_pieces)",
    "another size": "update artlock_pieces set size = size + 1",
    "a huge size": "update artlock_pieces set size = 2000000000",
    "a gap": "update artlock_snapshot_pieces set position = position + 1",
    "no pieces": "delete from artlock_snapshot_pieces",
    "a ring": "update artlock_pieces set base = id",
    "a huge snapshot": "update artlock_snapshots set size = 1 << 40",
}


@pytest.mark.parametrize("damage", STATEMENTS)
def test_damage_is_said_and_never_wrong_text(
    tmp_path: Path, open_sqlite: Callable[[], Registry], damage: str
) -> None:
    registry = open_sqlite()
    version = registry.register(registration(simple_lock("v-1"))).version
    registry.register(registration(lockfile(tree("other", row("z"))), "other"))
    assert version is not None
    assert registry.verify() == []
    registry.close()
    with closing(sqlite3.connect(tmp_path / "registry.db")) as there, there:
        there.execute(STATEMENTS[damage])
    registry = open_sqlite()
    with pytest.raises(IntegrityError) as caught:
        registry.fetch(version)
    assert "registry.db" in caught.value.message
    assert any(version.digest in problem for problem in registry.verify())


def test_the_lock_of_another_version_is_not_taken_for_it(
    tmp_path: Path, open_sqlite: Callable[[], Registry]
) -> None:
    registry = open_sqlite()
    for version in ("v-1", "v-2"):  # of the same length
        registry.register(registration(simple_lock(version)))
    registry.close()
    with closing(sqlite3.connect(tmp_path / "registry.db")) as there, there:
        there.execute("update artlock_snapshot_pieces set snapshot = -snapshot")
        there.execute("update artlock_snapshot_pieces set snapshot = 3 + snapshot")
    registry = open_sqlite()
    for found in registry.versions("data"):
        with pytest.raises(IntegrityError) as caught:
            registry.fetch(found)
        assert caught.value.expected == found.digest


def damage_pieces(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "registry.db")) as there, there:
        there.execute(statement)


@pytest.mark.parametrize("damage", ["a byte", "a text for a number"])
def test_a_new_version_is_not_built_on_damage_and_can_be_read(
    tmp_path: Path, open_sqlite: Callable[[], Registry], damage: str
) -> None:
    history = History(500)
    registry = open_sqlite()
    registry.register(history.registration())
    registry.close()
    damage_pieces(tmp_path, STATEMENTS[damage])
    history.change(0.1)
    sent = history.registration()
    registry = open_sqlite()
    outcome = registry.register(sent)
    assert outcome.created
    assert outcome.version is not None
    assert registry.fetch(outcome.version) == sent.text
    assert len(registry.verify()) == 1  # the first is as damaged as it was


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        ("a byte", "data"),
        ("a byte", "other"),
        ("a text for a number", "data"),
        ("a ring", "other"),
        ("no data", "other"),
    ],
)
def test_what_is_damaged_is_mended_by_the_next_push_of_the_same(
    tmp_path: Path, open_sqlite: Callable[[], Registry], damage: str, name: str
) -> None:
    sent = History(500).registration()
    registry = open_sqlite()
    registry.register(sent)
    registry.close()
    damage_pieces(tmp_path, STATEMENTS[damage])
    registry = open_sqlite()
    assert registry.verify() != []
    outcome = registry.register(registration(sent.lock, name))
    assert outcome.created == (name == "other")
    assert outcome.version is not None
    assert registry.fetch(outcome.version) == sent.text
    assert registry.verify() == []


@pytest.mark.parametrize(
    ("registry_url", "damage"),
    [("sqlite", "a byte"), ("sqlite", "a wrong base"), ("postgresql", "a wrong base")],
    indirect=["registry_url"],
)
def test_a_piece_that_a_new_lock_shares_is_read_before_it_counts(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(pieces, "LEAST", 500)
    monkeypatch.setattr(pieces, "MOST", 4000)
    monkeypatch.setattr(pieces, "_HIT", 1 << 29)
    history = History(200)
    sent = []
    for _ in range(3):
        sent.append(history.registration())
        registry.register(sent[-1])
        history.change(0.03)
    statement = (
        "update artlock_pieces set data = base.data from artlock_pieces as base"
        " where artlock_pieces.base = base.id"
        if damage == "a wrong base"
        else "update artlock_pieces set data = (select data from artlock_pieces limit 1)"
    )
    with registry._database.writing() as connection:
        connection.exec_driver_sql(statement)
    last = history.registration()
    outcome = registry.register(last)
    assert outcome.created
    assert outcome.version is not None
    assert registry.fetch(outcome.version) == last.text
    # The others are mended by their own texts, all pieces of theirs.
    for one in sent:
        assert not registry.register(one).created
    assert registry.verify() == []


def test_damage_that_storing_again_does_not_mend_is_said(
    tmp_path: Path, open_sqlite: Callable[[], Registry]
) -> None:
    sent = History(500).registration()
    registry = open_sqlite()
    registry.register(sent)
    registry.close()
    damage_pieces(tmp_path, STATEMENTS["a gap"])
    registry = open_sqlite()
    for name in ("data", "other"):
        with pytest.raises(IntegrityError):
            registry.register(registration(sent.lock, name))
    assert list(registry.names()) == ["data"]


def test_an_outbox_takes_a_lock_that_is_like_a_damaged_one(
    tmp_path: Path, open_sqlite: Callable[[], Registry]
) -> None:
    history = History(500)
    registry = open_sqlite()
    registry.register(history.registration())
    registry.close()
    damage_pieces(tmp_path, STATEMENTS["a byte"])
    history.change(0.1)
    sent = history.registration()
    new = NewParcel(
        created=PROVENANCE.time,
        target="comet://team/vision",
        kind=ParcelKind.PUSH,
        name="data",
        digest=sent.digest,
        each=False,
        provenance=PROVENANCE,
        labels=Labels(),
    )
    outbox = open_sqlite().outbox
    outbox.add([new], {sent.digest: sent.text})
    assert outbox.text(sent.digest) == sent.text


def test_two_that_store_the_same_pieces_at_once_store_them_once(
    open_again: OpenRegistry,
) -> None:
    sent = History(300).registration()
    one, two = open_again(), open_again()
    one.register(sent)
    outcome = two.register(registration(sent.lock, "other"))
    assert outcome.created
    assert two.verify() == []
