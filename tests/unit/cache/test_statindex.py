import os
import stat
from pathlib import Path

import msgspec
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from artlock.cache.statindex import _MAGIC, Entry, WorkspaceIndex
from artlock.fs.clock import read_clock, settle
from artlock.fs.root import Root
from artlock.fs.walk import stat_many

SECRET = bytes(range(32))

NUMBERS = st.integers(0, 2**63 - 1)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    return Entry(
        path=draw(st.text(alphabet="ab/é", min_size=1, max_size=3)),
        size=draw(NUMBERS),
        mtime_ns=draw(st.integers(-(10**9), 2**62)),
        ctime_ns=draw(NUMBERS),
        inode=draw(st.integers(0, 2**64 - 1)),
        digest=draw(st.binary(min_size=32, max_size=32)),
        pin=draw(st.binary(min_size=16, max_size=16)),
        artifact=draw(st.sampled_from(["a", "b", "c"])),
        trusted_before_ns=draw(NUMBERS),
    )


LISTS = st.lists(entries(), max_size=8, unique_by=lambda entry: entry.path)
STAMPS = st.dictionaries(st.sampled_from("abc"), st.binary(max_size=4))


def described(path: Path, name: str, horizon: int) -> Entry:
    found = path.lstat()
    return Entry(
        path=name,
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        inode=found.st_ino,
        digest=blake3(path.read_bytes()).digest(),
        pin=b"p" * 16,
        artifact="a",
        trusted_before_ns=horizon,
    )


@given(LISTS, STAMPS)
def test_an_index_survives_its_file(
    tmp_path_factory: pytest.TempPathFactory, found: list[Entry], stamps: dict[str, bytes]
) -> None:
    path = tmp_path_factory.mktemp("index") / "index"
    WorkspaceIndex(found, stamps=stamps).save(path, secret=SECRET)
    loaded = WorkspaceIndex.load(path, secret=SECRET)
    assert list(loaded.entries()) == sorted(found, key=lambda entry: entry.path)
    assert loaded.stamps == stamps
    assert len(loaded) == len(found)
    assert loaded.paths == sorted(entry.path for entry in found)
    for entry in found:
        assert loaded.get(entry.path) == entry
    assert loaded.get("none") is None
    assert [p.name for p in path.parent.iterdir()] == ["index"]


@given(LISTS, LISTS, st.sets(st.text(alphabet="ab/é", min_size=1, max_size=3), max_size=3))
def test_an_update_is_what_a_dictionary_would_be(
    old: list[Entry], new: list[Entry], removed: set[str]
) -> None:
    model = {e.path: e for e in old if e.path not in removed} | {e.path: e for e in new}
    index = WorkspaceIndex(old).updated(new, removed=removed, stamps={"a": b"1"})
    assert list(index.entries()) == [model[path] for path in sorted(model)]
    assert index.stamps == {"a": b"1"}
    again = index.updated([])
    assert list(again.entries()) == list(index.entries())
    assert again.stamps == {}


def test_an_absent_index_is_empty(tmp_path: Path) -> None:
    assert len(WorkspaceIndex.load(tmp_path / "none", secret=SECRET)) == 0
    assert len(WorkspaceIndex.load(tmp_path, secret=SECRET)) == 0


@pytest.mark.parametrize(
    "spoil", ["magic", "hash", "bit", "cut", "empty", "columns", "type", "name"]
)
def test_3_25_a_damaged_index_is_empty(tmp_path: Path, spoil: str) -> None:
    (tmp_path / "f").write_bytes(b"text")
    path = tmp_path / "index"
    WorkspaceIndex([described(tmp_path / "f", "f", 5)]).save(path, secret=SECRET)
    data = bytearray(path.read_bytes())
    payload = msgspec.msgpack.decode(data[len(_MAGIC) + 32 :])
    if spoil == "magic":
        data[8] ^= 1
    elif spoil == "hash":
        data[len(_MAGIC)] ^= 1
    elif spoil == "bit":
        data[-1] ^= 1
    elif spoil == "cut":
        del data[-1]
    elif spoil == "empty":
        data.clear()
    else:
        if spoil == "name":
            payload[7] = []
        else:
            payload[1] = payload[1] * 2 if spoil == "columns" else 5
        other = msgspec.msgpack.encode(payload)
        data = bytearray(_MAGIC + blake3(other, key=SECRET).digest() + other)
    path.write_bytes(data)
    assert len(WorkspaceIndex.load(path, secret=SECRET)) == 0


@pytest.mark.parametrize("column", [1, 2, 3, 4, 5, 6, 8, 9])
def test_3_25_columns_of_other_lengths_are_an_empty_index(
    tmp_path: Path, column: int
) -> None:
    (tmp_path / "f").write_bytes(b"text")
    path = tmp_path / "index"
    WorkspaceIndex([described(tmp_path / "f", "f", 5)]).save(path, secret=SECRET)
    payload = msgspec.msgpack.decode(path.read_bytes()[len(_MAGIC) + 32 :])
    payload[column] = payload[column][:-1]
    other = msgspec.msgpack.encode(payload)
    path.write_bytes(_MAGIC + blake3(other, key=SECRET).digest() + other)
    assert len(WorkspaceIndex.load(path, secret=SECRET)) == 0


def test_a_failed_save_leaves_the_old_index(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "x").touch()
    with pytest.raises(OSError, match="directory"):
        WorkspaceIndex().save(tmp_path / "index", secret=SECRET)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_unchanged_files_are_not_doubtful_and_changed_ones_are(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d", "e", "f", "g"]
    for name in names:
        (tmp_path / name).write_bytes(b"text")
    newest = max((tmp_path / n).stat().st_ctime_ns for n in names)
    horizon = settle(tmp_path, newest)
    index = WorkspaceIndex(described(tmp_path / n, n, horizon) for n in names)
    with Root(tmp_path) as root:
        assert index.doubtful(stat_many(root, index.paths)) == []
        (tmp_path / "b").write_bytes(b"longer text")
        times = (tmp_path / "c").stat()
        (tmp_path / "c").write_bytes(b"tttt")
        os.utime(tmp_path / "c", ns=(times.st_atime_ns, times.st_mtime_ns))
        (tmp_path / "d").unlink()
        (tmp_path / "e").unlink()
        (tmp_path / "e").symlink_to("a")
        (tmp_path / "f").rename(tmp_path / "x")
        (tmp_path / "f").write_bytes(b"text")
        found = stat_many(root, index.paths)
    assert [index.paths[n] for n in index.doubtful(found)] == ["b", "c", "d", "e", "f"]
    for entry, now in zip(index.entries(), found, strict=True):
        assert (now is not None and entry.matches(now)) == (entry.path in {"a", "g"})


def test_2_28_a_file_as_young_as_its_record_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"text")
    tick = read_clock(tmp_path)
    entry = described(tmp_path / "f", "f", tick.now_ns - tick.window_ns)
    found = (tmp_path / "f").stat()
    assert not entry.matches(found)
    assert WorkspaceIndex([entry]).doubtful([found]) == [0]
    later = described(tmp_path / "f", "f", max(found.st_mtime_ns, found.st_ctime_ns) + 1)
    assert later.matches(found)
    assert WorkspaceIndex([later]).doubtful([found]) == []


@pytest.mark.parametrize("which", ["mtime_ns", "ctime_ns"])
def test_2_28_both_times_must_be_older_than_the_horizon(which: str) -> None:
    times = {"mtime_ns": 4, "ctime_ns": 4, which: 5}
    values = {"size": 1, "inode": 1, **times}
    entry = Entry(
        path="f", digest=b"", pin=b"", artifact="a", trusted_before_ns=5, **values
    )
    found = os.stat_result(
        (stat.S_IFREG, 1, 0, 1, 0, 0, 1, 0, 0, 0),
        {"st_mtime_ns": times["mtime_ns"], "st_ctime_ns": times["ctime_ns"]},
    )
    assert (found.st_mtime_ns, found.st_ctime_ns) == (times["mtime_ns"], times["ctime_ns"])
    assert not entry.matches(found)
    assert WorkspaceIndex([entry]).doubtful([found]) == [0]


def test_other_rows_are_found_by_their_pins(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()
    index = WorkspaceIndex(described(tmp_path / n, n, 0) for n in ("a", "b"))
    assert index.differing_pins([b"p" * 16, b"p" * 16]) == []
    assert index.differing_pins([b"p" * 16, b"q" * 16]) == [1]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, stat.S_IFLNK),
        (0, stat.S_IFIFO),
        (1, 8),
        (6, 8),
        ("st_mtime_ns", 8),
        ("st_ctime_ns", 8),
    ],
)
def test_a_file_that_differs_in_anything_is_doubtful(place: int | str, value: int) -> None:
    entry = Entry(
        path="f",
        size=7,
        mtime_ns=7,
        ctime_ns=7,
        inode=7,
        digest=b"",
        pin=b"",
        artifact="a",
        trusted_before_ns=9,
    )
    fields = [stat.S_IFREG, 7, 0, 1, 0, 0, 7, 0, 0, 0]
    times = {"st_mtime_ns": 7, "st_ctime_ns": 7}
    same = os.stat_result(fields, times)
    assert entry.matches(same)
    assert WorkspaceIndex([entry]).doubtful([same]) == []
    if isinstance(place, int):
        fields[place] = value
    else:
        times[place] = value
    other = os.stat_result(fields, times)
    assert not entry.matches(other)
    assert WorkspaceIndex([entry]).doubtful([other]) == [0]


def test_2_23_an_index_of_somebody_elses_making_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "index"
    (tmp_path / "f").write_bytes(b"x")
    WorkspaceIndex([described(tmp_path / "f", "f", 5)]).save(path, secret=bytes(32))
    assert len(WorkspaceIndex.load(path, secret=bytes(32))) == 1
    assert len(WorkspaceIndex.load(path, secret=SECRET)) == 0
