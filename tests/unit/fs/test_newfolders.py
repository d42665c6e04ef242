"""Folders that do not exist are filled elsewhere and named in one step."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artlock.errors import WorkspaceError
from artlock.fs.rename import Renamer
from artlock.fs.root import Root
from artlock.fs.staging import STAGING, Staged
from artlock.fs.temporary import NEW_FOLDER, Names

LONG_AGO = 10.0**9
HOURS = 3600.0


@pytest.fixture(params=[True, False], ids=["new renames", "old renames"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Root]:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "canary").write_bytes(b"precious")
    with Root(tmp_path / "root", extended=request.param) as opened:
        yield opened
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["canary"]
    assert (tmp_path / "outside" / "canary").read_bytes() == b"precious"


def stage(root: Root, *paths: str) -> dict[str, Staged]:
    """Stage files whose text is their path."""
    root.new_folders.begin(path.rpartition("/")[0] for path in paths)
    staged = {}
    for path in paths:
        staged[path], fd = root.staging.file(path)
        os.write(fd, path.encode())
        os.close(fd)
    return staged


def place(root: Root, staged: dict[str, Staged]) -> None:
    """Place new folders, then the rest."""
    for top, inside in root.new_folders.tops(staged.items()).items():
        if root.new_folders.place(top):
            for path in inside:
                del staged[path]
    for path, file in staged.items():
        root.place(file, path)
    root.new_folders.abandon()


def files(root: Root) -> dict[str, str]:
    """Return the text of every file, temporary ones too."""
    found = (path for path in root.path.rglob("*") if not path.is_dir())
    return {p.relative_to(root.path).as_posix(): p.read_text() for p in found}


def waiting(root: Root) -> list[str]:
    return [path.name for path in (root.path / STAGING).iterdir()]


PATHS = ("data/a", "data/x/b", "data/x/y/z/c", "data/w/d", "other/e")


def test_files_of_new_folders_appear_at_once_and_as_they_were(root: Root) -> None:
    staged = stage(root, *PATHS)
    assert [path.name for path in root.path.iterdir()] == [".artlock"]
    assert len(waiting(root)) == 2
    before = {path: root.staging.stat(file) for path, file in staged.items()}
    assert root.new_folders.place("data")
    assert sorted(path for path in files(root) if path.startswith("data")) == sorted(
        PATHS[:4]
    )
    assert root.new_folders.place("other")
    assert files(root) == {path: path for path in PATHS}
    assert {path: root.lstat(path) for path in PATHS} == before
    assert waiting(root) == []


def test_2_13_folders_have_the_permissions_that_the_umask_leaves(root: Root) -> None:
    old = os.umask(0o027)
    try:
        place(root, stage(root, "data/x/a"))
    finally:
        os.umask(old)
    for path, mode in (("data", 0o750), ("data/x", 0o750), ("data/x/a", 0o640)):
        assert stat.S_IMODE((root.path / path).stat().st_mode) == mode


def test_what_exists_is_not_made_anew(root: Root) -> None:
    (root.path / "data/x").mkdir(parents=True)
    staged = stage(root, "a", "data/b", "data/x/c", "data/x/y/d", "data/z/e")
    assert staged["a"].folder == staged["data/b"].folder == STAGING
    assert set(root.new_folders.tops(staged.items())) == {"data/x/y", "data/z"}
    place(root, staged)
    assert set(files(root)) == {"a", "data/b", "data/x/c", "data/x/y/d", "data/z/e"}
    assert waiting(root) == []


def test_what_is_staged_later_joins_the_folder_that_waits(root: Root) -> None:
    staged = stage(root, "data/x/a")
    staged |= stage(root, "data/b", "data/x/c")
    assert len(waiting(root)) == 1
    place(root, staged)
    assert set(files(root)) == {"data/x/a", "data/b", "data/x/c"}


def test_2_20_a_folder_that_somebody_makes_meanwhile_is_theirs(root: Root) -> None:
    staged = stage(root, "data/a", "data/x/b")
    (root.path / "data").mkdir()
    (root.path / "data/mine").write_text("mine")
    assert not root.new_folders.place("data")
    place(root, staged)
    assert files(root) == {"data/a": "data/a", "data/x/b": "data/x/b", "data/mine": "mine"}
    assert waiting(root) == []


def test_2_11_a_link_that_somebody_makes_meanwhile_leads_nowhere(root: Root) -> None:
    staged = stage(root, "data/a")
    (root.path / "data").symlink_to("../outside")
    assert not root.new_folders.place("data")
    with pytest.raises(WorkspaceError, match="in the way"):
        root.place(staged["data/a"], "data/a")
    root.new_folders.abandon()
    assert waiting(root) == []


def test_a_folder_above_that_somebody_removes_meanwhile_is_made_again(root: Root) -> None:
    (root.path / "data").mkdir()
    staged = stage(root, "data/x/a")
    (root.path / "data").rmdir()
    place(root, staged)
    assert files(root) == {"data/x/a": "data/x/a"}


def test_a_file_in_the_way_is_told_before_anything_is_made(root: Root) -> None:
    (root.path / "data").write_text("mine")
    with pytest.raises(WorkspaceError, match="in the way"):
        stage(root, "data/x/a")
    assert files(root) == {"data": "mine"}


def test_3_2_what_nobody_knows_of_gets_no_name(root: Root) -> None:
    root.new_folders.begin(["data"])
    (left,) = (root.path / STAGING).iterdir()
    (left / "a").write_text("half of i")  # by a fork that was killed
    staged = stage(root, "data/a", "data/b")
    assert root.new_folders.tops(staged.items()) == {}
    place(root, staged)
    assert files(root) == {"data/a": "data/a", "data/b": "data/b"}
    assert waiting(root) == []


def test_what_is_not_placed_is_removed(root: Root) -> None:
    stage(root, *PATHS)
    root.new_folders.abandon()
    assert waiting(root) == []
    assert files(root) == {}
    place(root, stage(root, *PATHS))
    assert set(files(root)) == set(PATHS)


def test_an_interruption_after_the_rename_takes_nothing_back(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = stage(root, *PATHS)
    give = Renamer.give

    def interrupted(renamer: Renamer, *names: str, **how: int | None) -> None:
        give(renamer, *names, **how)  # type: ignore[arg-type] # what it was called with
        raise KeyboardInterrupt

    monkeypatch.setattr(Renamer, "give", interrupted)
    with pytest.raises(KeyboardInterrupt):
        root.new_folders.place("data")
    # As whoever staged them does in the end.
    for file in staged.values():
        root.staging.abandon(file)
    root.new_folders.abandon()
    assert files(root) == {path: path for path in PATHS if path.startswith("data")}
    assert waiting(root) == []


def test_an_interruption_while_a_folder_is_made_leaves_none(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    with root.folder(STAGING, create=True):
        pass
    make = os.mkdir

    def interrupted(path: str, *, dir_fd: int | None) -> None:
        make(path, dir_fd=dir_fd)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", interrupted)
        with pytest.raises(KeyboardInterrupt):
            root.new_folders.begin(["data"])
    assert len(waiting(root)) == 1
    root.new_folders.abandon()
    assert waiting(root) == []


def _mount(root: Root, folder: str) -> None:
    with root.folder(folder) as lent:
        lent.device += 1  # as if something were mounted there


def _shared(root: Root, folder: str) -> None:
    (root.path / folder).chmod(0o2775)


@pytest.mark.parametrize("prepare", [_mount, _shared])
def test_2_18_a_new_folder_waits_where_it_takes_after_its_own(
    root: Root, prepare: Callable[[Root, str], None]
) -> None:
    (root.path / "there").mkdir()
    prepare(root, "there")
    mode = (root.path / "there").stat().st_mode
    staged = stage(root, "there/data/a")
    assert waiting(root) == []
    (left,) = (root.path / "there").iterdir()
    assert left.name.startswith(".artlock-")
    place(root, staged)
    assert files(root) == {"there/data/a": "there/data/a"}
    assert (root.path / "there/data").stat().st_mode & stat.S_ISGID == mode & stat.S_ISGID


def test_2_27_a_folder_that_nobody_may_write_is_told_before_anything_is_staged(
    root: Root,
) -> None:
    (root.path / "there").mkdir(mode=0o555)
    with root.folder(STAGING, create=True):
        (root.path / STAGING).chmod(0o777)
    child = os.fork()
    if not child:  # pragma: no cover - the child
        os.seteuid(os.geteuid() or 65534)  # root may write anywhere
        try:
            stage(root, "there/data/a")
        except PermissionError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert waiting(root) == []


def test_without_descriptors_files_wait_one_by_one(tmp_path: Path) -> None:
    with Root(tmp_path, descriptors=False) as root:
        staged = stage(root, *PATHS)
        assert root.new_folders.tops(staged.items()) == {}
        assert list(root.new_folders.descriptors()) == []
        place(root, staged)
        assert files(root) == {path: path for path in PATHS}


def test_every_folder_that_waits_can_be_pressed_to_the_disk(root: Root) -> None:
    stage(root, *PATHS)
    root.new_folders.begin(["data/none"])  # whose blobs were missing
    found = sorted(os.fstat(fd).st_ino for fd in root.new_folders.descriptors())
    below = (root.path / STAGING).rglob("*")
    assert found == sorted(path.stat().st_ino for path in below if path.is_dir())


@pytest.fixture
def left_behind(root: Root) -> Path:
    """Return what a process left that was killed while it filled a new folder."""
    child = os.fork()
    if not child:  # pragma: no cover - the child
        os._exit(0)
    os.waitpid(child, 0)
    name = Names().next().replace(f"-{os.getpid():x}-", f"-{child:x}-")
    return _filled(root.path / STAGING / (name + NEW_FOLDER))


def _filled(folder: Path) -> Path:
    (folder / "x/y").mkdir(parents=True)
    (folder / "x/a").write_text("a")
    (folder / "x/y/out").symlink_to(folder.parents[3] / "outside")
    os.utime(folder, (LONG_AGO, LONG_AGO))
    return folder


def test_3_8_a_folder_of_a_process_that_ended_is_swept_whole(
    root: Root, left_behind: Path
) -> None:
    ours = _filled(root.path / STAGING / (Names().next() + NEW_FOLDER))
    beside = _filled(root.path / f".artlock-{left_behind.name}")
    assert root.staging.sweep(LONG_AGO + 0.9 * HOURS) == []
    assert left_behind.exists()
    assert root.staging.sweep(LONG_AGO + 2 * HOURS) == []
    assert not left_behind.exists()
    assert not beside.exists()
    assert (ours / "x/a").read_text() == "a"  # its process still runs


@pytest.mark.parametrize("mark", [".none", ".2a-5-18b3f2d60e1c2a00"])
def test_2_20_a_folder_of_a_person_is_never_swept(
    root: Root, left_behind: Path, mark: str
) -> None:
    # Made under a name that was changing hands when the process was killed.
    persons = left_behind.with_name(left_behind.name.replace(NEW_FOLDER, mark))
    left_behind.rename(persons)
    now_s = persons.stat().st_ctime + 1
    assert root.staging.sweep(now_s) == [f"{STAGING}/{persons.name}"]
    assert root.staging.sweep(now_s + 48 * HOURS) == [f"{STAGING}/{persons.name}"]
    assert (persons / "x/a").read_text() == "a"
