"""Workspaces and caches on other file systems, and on mounts within."""

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from artlock.cache.layout import CacheLayout
from artlock.cache.records import Stamp
from artlock.errors import ConfigError, ConflictError, WorkspaceError
from artlock.fs import durability
from artlock.model.settings import LinkMode
from artlock.model.verification import Verification, Verified
from artlock.ops.materialize import Materializer
from artlock.ops.sync import SyncOptions, settled_report
from testbed.mounts import bound, mounted, problem
from tests.invariants import false_names
from tests.unit.ops.workbench import Workbench

KINDS = ["ext2", "ext4", "xfs", "btrfs", "tmpfs", "overlay"]
SHARES_BLOCKS = {"xfs", "btrfs"}
RACES = 200
TRIALS = 20


def needs(kind: str) -> pytest.MarkDecorator:
    reason = problem(kind)
    return pytest.mark.skipif(reason is not None, reason=str(reason))


@pytest.fixture(params=[pytest.param(kind, marks=needs(kind)) for kind in KINDS])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def place(kind: str, tmp_path: Path) -> Iterator[Path]:
    with mounted(kind, tmp_path) as mount:
        yield mount


@pytest.mark.parametrize("mode", list(LinkMode))
def test_2_18_every_link_mode_brings_the_bytes_wherever_it_is_possible(
    place: Path, kind: str, mode: LinkMode
) -> None:
    bench = Workbench(place / "bench")
    texts = {"a": "", "b": "1", "d/e": "x" * 5000, "f": "y" * (3 << 20)}
    for path, text in texts.items():
        bench.put_at(path, text)
    bench.declare_files()
    bench.resolve()
    options = SyncOptions(link_mode=mode)
    if mode is LinkMode.REFLINK and kind not in SHARES_BLOCKS:
        with pytest.raises(ConfigError, match="no reflinks"):
            bench.sync(options=options)
        assert bench.data() == {}
        return
    bench.sync(options=options)
    assert bench.data() == texts
    assert bench.status().is_clean
    assert false_names(CacheLayout(bench.cache)) == []
    # A file that shares blocks is a file of its own.
    if mode in {LinkMode.AUTO, LinkMode.COPY, LinkMode.REFLINK}:
        (bench.root / "data/data/f").write_text("mine")
        assert false_names(CacheLayout(bench.cache)) == []


def test_2_20_a_file_saved_during_the_sync_is_kept_on_every_file_system(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Workbench(place / "bench")
    bench.put(a="1", b="2", c="3")
    bench.declare_files()
    bench.resolve()
    bench.sync()
    bench.put(a="4", b="5")
    (bench.source / "c").unlink()
    bench.update()
    flush = "artlock.ops.materialize.Barrier.flush"

    def saved(_barrier: object) -> None:
        bench.write("data/data/b", "mine")

    with monkeypatch.context() as patch:
        patch.setattr(flush, saved)
        with pytest.raises(ConflictError):
            bench.sync()
    assert bench.data()["b"] == "mine"
    bench.force()
    assert bench.data() == {"a": "4", "b": "5"}
    assert bench.trash() == {"mine"}


@pytest.mark.parametrize("path", ["", "d/"])
@pytest.mark.parametrize("mode", [LinkMode.AUTO, LinkMode.SYMLINK, LinkMode.HARDLINK])
@needs("tmpfs")
def test_2_18_2_27_a_folder_of_the_workspace_may_be_a_mount(
    bench: Workbench, tmp_path: Path, path: str, mode: LinkMode
) -> None:
    place = tmp_path / "own"
    place.mkdir()
    bench.put_at(f"{path}a", "1")
    bench.put_at(f"{path}b", "2")
    bench.put_at("other", "3")
    bench.declare_files()
    bench.resolve()
    options = SyncOptions(link_mode=mode)
    with mounted("tmpfs", place) as mount:
        target = bench.root / "data/data" / path
        target.mkdir(parents=True)
        with bound(mount, target):
            if mode is LinkMode.HARDLINK:
                with pytest.raises(WorkspaceError, match="cross-device"):
                    bench.sync(options=options)
                assert bench.data() == {}
                return
            bench.sync(options=options)
            assert bench.data() == {f"{path}a": "1", f"{path}b": "2", "other": "3"}
            assert bench.status().is_clean
            # What may be removed and replaced is so there as well.
            bench.put_at(f"{path}a", "4")
            (bench.source / path / "b").unlink()
            bench.update()
            bench.sync(options=options)
            assert bench.data() == {f"{path}a": "4", "other": "3"}
            bench.write(f"data/data/{path}a", "mine")
            with pytest.raises(WorkspaceError, match="another file system"):
                bench.force()
            assert bench.data()[f"{path}a"] == "mine"
            assert not [p for p in mount.rglob("*") if p.name.startswith(".artlock")]


@needs("tmpfs")
def test_3_1_3_2_a_mount_in_the_workspace_is_pressed_to_its_disk_too(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first name is given there, and after the last."""
    place = tmp_path / "own"
    place.mkdir()
    bench.put_at("d/e/a", "1")
    bench.put_at("other", "2")
    bench.declare_files()
    bench.resolve()
    with mounted("tmpfs", place) as mount:
        target = bench.root / "data/data/d"
        target.mkdir(parents=True)
        with bound(mount, target):
            own, there = bench.root.stat().st_dev, target.stat().st_dev
            synced: list[tuple[int, bool]] = []

            def sync(fd: int) -> None:
                is_named = (target / "e/a").exists()
                synced.append((os.fstat(fd).st_dev, is_named))

            monkeypatch.setattr(durability, "sync_filesystem", sync)
            bench.sync()
    before = {device for device, is_named in synced if not is_named}
    after = {device for device, is_named in synced if is_named}
    assert {own, there} <= before
    assert {own, there} <= after


@needs("bind")
def test_2_18_a_folder_of_the_same_file_system_may_be_mounted_too(
    bench: Workbench, tmp_path: Path
) -> None:
    below = tmp_path / "below"
    below.mkdir()
    bench.put(d__a="1", d__b="2", other="3")
    bench.declare_files()
    bench.resolve()
    (bench.root / "data/data/d").mkdir(parents=True)
    with bound(below, bench.root / "data/data/d"):
        bench.sync()
        assert bench.data() == {"d/a": "1", "d/b": "2", "other": "3"}
        bench.put(d__a="4")
        shutil.rmtree(bench.source / "d")
        bench.put(d__a="4")
        bench.update()
        bench.sync()
        assert bench.data() == {"d/a": "4", "other": "3"}
        assert [p.name for p in below.iterdir()] == ["a"]


@needs("bind")
def test_2_27_a_read_only_workspace_is_told_and_nothing_is_fetched(
    bench: Workbench, tmp_path: Path
) -> None:
    bench.put(a="1")
    bench.declare_files()
    bench.resolve()
    bench.forget_cache()
    mount = tmp_path / "mount"
    mount.mkdir()
    with bound(bench.root, mount, read_only=True):
        other = Workbench.__new__(Workbench)
        shutil.copytree(bench.source, tmp_path / "source", dirs_exist_ok=True)
        for name in ("offline", "jobs", "notices"):
            setattr(other, name, getattr(bench, name))
        other.folder = tmp_path / "elsewhere"
        other.folder.mkdir()
        (other.folder / "project").symlink_to(mount)
        with pytest.raises(WorkspaceError, match="read-only file system"):
            other.sync()
        assert other.blobs() == []


@needs("bind")
def test_2_27_a_read_only_folder_of_the_workspace_leaves_all_as_it_was(
    bench: Workbench, tmp_path: Path
) -> None:
    bench.put(a="1", d__b="2")
    bench.declare_files()
    bench.resolve()
    bench.sync()
    bench.put(a="3", d__b="4")
    bench.update()
    below = tmp_path / "below"
    shutil.copytree(bench.root / "data/data/d", below)
    with bound(below, bench.root / "data/data/d", read_only=True):
        with pytest.raises((WorkspaceError, ConflictError)):
            bench.force()
        assert bench.data() == {"a": "1", "d/b": "2"}
    bench.sync()
    assert bench.data() == {"a": "3", "d/b": "4"}


@pytest.fixture
def coarse(tmp_path: Path) -> Iterator[Workbench]:
    """A project on a file system whose clock ticks slowly."""
    with mounted("ext2", tmp_path) as mount:
        path = mount / "f"
        unseen = 0
        for _ in range(RACES):
            path.write_text("aaaa")
            before = path.lstat()
            path.write_text("bbbb")
            unseen += Stamp.of(before) == Stamp.of(path.lstat())
        if not unseen:  # pragma: no cover - a later kernel
            pytest.skip("this kernel gives every edit a time of its own")
        yield Workbench(mount / "bench")


@needs("ext2")
def test_2_28_an_edit_within_the_tick_of_a_file_that_was_written_is_noticed(
    coarse: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    coarse.put(a="aaaa")
    coarse.declare_files()
    coarse.resolve()
    path = coarse.root / "data/data/a"
    place = Materializer.place

    def edited(
        self: Materializer, targets: Iterable[str], before: Mapping[str, os.stat_result]
    ) -> None:
        place(self, targets, before)
        path.write_text("MINE")

    for _ in range(TRIALS):
        path.unlink(missing_ok=True)
        monkeypatch.setattr(Materializer, "place", edited)
        coarse.sync()
        monkeypatch.setattr(Materializer, "place", place)
        assert not coarse.status().is_clean


@needs("ext2")
def test_2_28_an_edit_within_the_tick_of_a_file_that_was_read_is_noticed(
    coarse: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    coarse.put(a="aaaa")
    coarse.declare_files()
    coarse.resolve()
    read = Verification.finish

    def edited(self: Verification) -> Verified:
        verified = read(self)
        path.write_text("MINE")
        return verified

    path = coarse.write("data/data/a", "aaaa")
    for _ in range(TRIALS):
        path.write_text("aaaa")
        monkeypatch.setattr(Verification, "finish", edited)
        coarse.sync()
        monkeypatch.setattr(Verification, "finish", read)
        assert not coarse.status().is_clean


@needs("ext2")
def test_2_28_a_file_that_nobody_edits_is_believed(coarse: Workbench) -> None:
    coarse.put(a="aaaa")
    coarse.declare_files()
    coarse.resolve()
    coarse.sync()
    assert settled_report(coarse.project()) is not None


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_2_13_2_14_files_are_those_of_the_umask_and_the_cache_is_ours(
    bench: Workbench, mask: int
) -> None:
    bench.put(a="1", d__b="2")
    for path in bench.source.rglob("*"):
        path.chmod(0o4777 if path.is_file() else 0o777)
    bench.declare_files()
    before = os.umask(mask)
    try:
        bench.resolve()
        bench.sync()
    finally:
        os.umask(before)
    for path in (bench.root / "data").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o777 if path.is_dir() else 0o666) & ~mask
    found = [bench.cache, *bench.cache.rglob("*")]
    assert [p for p in found if p.lstat().st_mode & 0o022] == []
    assert {p.stat().st_mode & 0o777 for p in bench.blobs()} == {0o444 & ~mask}
