import errno
import fcntl
import os
import stat
import time
from itertools import chain
from pathlib import Path

import pytest

from artlock.errors import CacheError, WorkspaceError
from artlock.fs.clock import read_clock, settle
from artlock.fs.link import Cloner
from artlock.fs.problems import hint, raising
from artlock.fs.root import Root
from artlock.fs.space import Space, free_space
from artlock.fs.temporary import Names, is_abandoned, is_of_dead_process
from artlock.fs.walk import is_regular, stat_batches, stat_many, walk

HOUR = 3600.0


@pytest.mark.parametrize("descriptors", [True, False])
def test_a_walk_meets_everything_and_follows_nothing(
    tmp_path: Path, *, descriptors: bool
) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/f").write_bytes(b"text")
    (tmp_path / "a/empty").mkdir()
    (tmp_path / "link").symlink_to("a")
    os.mkfifo(tmp_path / "a/fifo")
    with Root(tmp_path, descriptors=descriptors) as root:
        found = dict(walk(root))
        assert sorted(walk(root, "a/b")) == [("a/b/f", found["a/b/f"])]
        assert list(walk(root, "none")) == []
        with pytest.raises(WorkspaceError):
            list(walk(root, "link"))
    assert sorted(found) == ["a/b/f", "a/fifo", "link"]
    assert found["a/b/f"].st_size == 4
    assert stat.S_ISLNK(found["link"].st_mode)
    assert stat.S_ISFIFO(found["a/fifo"].st_mode)
    assert not is_regular(found["link"])
    assert is_regular(found["a/b/f"])
    assert not is_regular(None)


def test_2_12_a_folder_that_becomes_a_link_during_a_walk_is_left_out(
    tmp_path: Path,
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").touch()
    with Root(tmp_path) as root:
        walking = walk(root)
        first = next(walking)[0][0]
        other = "b" if first == "a" else "a"
        (tmp_path / other / "f").unlink()
        (tmp_path / other).rmdir()
        (tmp_path / other).symlink_to(first)
        assert list(walking) == []


@pytest.mark.parametrize("descriptors", [True, False])
def test_many_files_are_described_in_the_order_asked_for(
    tmp_path: Path, *, descriptors: bool
) -> None:
    for name in ("a/f", "a/g", "b/f"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "top").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("a")
    asked = ["a/f", "a/g", "a/none", "b/f", "link/f", "none/f", "link", "top", "top/f"]
    with Root(tmp_path, descriptors=descriptors) as root:
        found = stat_many(root, asked)
        assert stat_many(root, []) == []
    kinds = [None if s is None else stat.S_IFMT(s.st_mode) for s in found]
    regular = stat.S_IFREG
    assert kinds == [
        regular,
        regular,
        None,
        regular,
        None,
        None,
        stat.S_IFLNK,
        regular,
        None,
    ]
    assert found[0] == (tmp_path / "a/f").lstat()


def test_a_missing_file_among_many_is_the_only_one_not_described(tmp_path: Path) -> None:
    names = [f"d/f{number:04}" for number in range(700)]
    (tmp_path / "d").mkdir()
    for name in names:
        (tmp_path / name).touch()
    gone = {names[0], names[255], names[256], names[600]}
    for name in gone:
        (tmp_path / name).unlink()
    with Root(tmp_path) as root:
        found = stat_many(root, names)
        batches = list(stat_batches(root, names))
    inodes = [None if n in gone else (tmp_path / n).stat().st_ino for n in names]
    assert [s and s.st_ino for s in found] == inodes
    assert 1 < len(batches) < 10
    assert list(chain.from_iterable(batches)) == found


def test_free_space_is_told_for_what_is_not_there_yet(tmp_path: Path) -> None:
    space = free_space(tmp_path / "a/b/c")
    assert space.size > 0
    assert space.inodes is None or space.inodes > 0


def test_3_7_both_bytes_and_inodes_must_suffice() -> None:
    assert Space(size=10, inodes=2).suffices(size=10, files=2)
    assert not Space(size=10, inodes=2).suffices(size=11, files=2)
    assert not Space(size=10, inodes=2).suffices(size=10, files=3)
    assert Space(size=10, inodes=None).suffices(size=10, files=10**9)


def test_names_never_repeat_and_stay_short() -> None:
    one, two = Names(), Names()
    found = [one.next() for _ in range(1000)] + [two.next() for _ in range(1000)]
    assert len(set(found)) == 2000
    assert max(map(len, found)) <= 40


def name_of_an_ended_process() -> str:
    name = Names().next()
    machine, _, run, count = name.split("-")
    child = os.fork()
    if not child:  # pragma: no cover - the child
        os._exit(0)
    os.waitpid(child, 0)
    return f"{machine}-{child:x}-{run}-{count}"


def test_3_8_what_a_living_process_made_is_never_abandoned() -> None:
    assert not is_abandoned(Names().next(), 1000 * HOUR)
    assert not is_of_dead_process(Names().next())


def test_3_8_what_an_ended_process_made_is_abandoned_after_an_hour() -> None:
    name = name_of_an_ended_process()
    assert not is_abandoned(name, 0.9 * HOUR)
    assert is_abandoned(name, 1.1 * HOUR)
    assert not is_abandoned(name, 1.1 * HOUR, grace_s=2 * HOUR)
    assert is_of_dead_process(name)


@pytest.mark.parametrize("name", ["00000000-1-abcdef-0", "README", "..", ""])
def test_what_cannot_be_judged_from_here_waits_for_a_day(name: str) -> None:
    assert not is_abandoned(name, 23 * HOUR)
    assert is_abandoned(name, 25 * HOUR)
    assert not is_of_dead_process(name)


def test_a_process_of_an_impossible_number_counts_as_alive() -> None:
    machine, _, run, count = Names().next().split("-")
    assert not is_abandoned(f"{machine}-{'f' * 30}-{run}-{count}", 100 * HOUR)


def test_2_28_the_clock_is_that_of_the_file_system(tmp_path: Path) -> None:
    tick = read_clock(tmp_path)
    path = tmp_path / "f"
    time.sleep(0.05)
    path.touch()
    assert 0 < path.stat().st_mtime_ns - tick.now_ns < 10**10
    assert tick.window_ns in {20_000_000, 2_100_000_000}
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_2_28_settling_waits_until_the_youngest_file_is_older(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"text")
    found = (tmp_path / "f").stat()
    newest = max(found.st_mtime_ns, found.st_ctime_ns)
    if read_clock(tmp_path).window_ns > 50_000_000:  # pragma: no cover - coarse stamps
        pytest.skip("this file system has coarse time stamps")
    assert settle(tmp_path, newest) > newest


def test_2_28_settling_does_not_wait_for_the_future(tmp_path: Path) -> None:
    now = read_clock(tmp_path).now_ns
    started = time.monotonic()
    assert settle(tmp_path, now + 10**10) < now + 10**10
    assert time.monotonic() - started < 8


def test_2_28_coarse_stamps_get_a_wide_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whole_second(fd: int) -> None:
        real_utime(fd, ns=(5 * 10**9, 5 * 10**9))

    real_utime = os.utime
    monkeypatch.setattr(os, "utime", whole_second)
    monkeypatch.setattr(os, "supports_fd", {whole_second})
    tick = read_clock(tmp_path)
    assert (tick.now_ns, tick.window_ns) == (5 * 10**9, 2_100_000_000)
    assert settle(tmp_path, 5 * 10**9) == 5 * 10**9 - 2_100_000_000


def test_an_error_of_the_system_becomes_ours_with_a_way_out() -> None:
    with (
        pytest.raises(CacheError, match="cannot write: no space left on device") as caught,
        raising(CacheError, "cannot write", needed=5, option="--cache-dir"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.hint == "free 5 bytes, or set `--cache-dir`"


def test_hints_fit_their_errors() -> None:
    assert hint(OSError(errno.EDQUOT, "x")) == "free some space"
    assert "--jobs" in str(hint(OSError(errno.EMFILE, "x")))
    assert hint(OSError("without a number")) is None


def test_2_18_a_clone_is_made_or_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"text")
    fd = os.open(tmp_path, os.O_RDONLY)
    source = os.open(tmp_path / "source", os.O_RDONLY)
    try:
        made = Cloner().clone(source, "clone", dir_fd=fd)
        assert Cloner().clone(source, str(tmp_path / "again"), dir_fd=None) == made
        with pytest.raises(FileExistsError):
            Cloner().clone(source, "source", dir_fd=fd)
    finally:
        os.close(fd)
        os.close(source)
    expected = ["again", "clone", "source"] if made else ["source"]
    assert sorted(path.name for path in tmp_path.iterdir()) == expected


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EIO, 0])
def test_2_18_file_systems_that_cannot_clone_are_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    asked = 0

    def answer(_fd: int, _call: int, _source: int) -> None:
        nonlocal asked
        asked += 1
        if number:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "ioctl", answer)
    (tmp_path / "source").write_bytes(b"text")
    cloner = Cloner()
    with open(tmp_path / "source", "rb") as source:
        for name in ("one", "two"):
            target = str(tmp_path / name)
            if number == errno.EIO:
                with pytest.raises(OSError, match="Input"):
                    cloner.clone(source.fileno(), target, dir_fd=None)
            else:
                assert cloner.clone(source.fileno(), target, dir_fd=None) == (not number)
    assert asked == (1 if number == errno.EOPNOTSUPP else 2)
    assert (tmp_path / "one").exists() == (not number)
