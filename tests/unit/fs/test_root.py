import errno
import os
import resource
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from artlock.errors import ConflictError, WorkspaceError
from artlock.fs import rename
from artlock.fs.folders import Folder, Folders
from artlock.fs.link import Cloner
from artlock.fs.rename import Renamer
from artlock.fs.root import Root
from artlock.fs.staging import STAGING, Staged
from artlock.fs.temporary import Names

LONG_AGO = 10.0**9


WAYS = {
    "descriptors": {"descriptors": True, "extended": True},
    "old renames": {"descriptors": True, "extended": False},
    "paths": {"descriptors": False, "extended": True},
}


@pytest.fixture(params=list(WAYS))
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Root]:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "canary").write_bytes(b"precious")
    with Root(tmp_path / "root", open_folders=3, **WAYS[request.param]) as opened:
        yield opened
    outside = tmp_path / "outside"
    assert [path.name for path in outside.iterdir()] == ["canary"]
    assert (outside / "canary").read_bytes() == b"precious"


def write(root: Root, path: str, data: bytes, before: os.stat_result | None = None) -> None:
    staged, fd = root.staging.file(path)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
    try:
        root.place(staged, path, before)
    except ConflictError:
        root.staging.abandon(staged)
        raise


def test_a_staged_file_appears_under_its_name_only(root: Root) -> None:
    staged, fd = root.staging.file("a/b/c")
    os.write(fd, b"text")
    os.close(fd)
    assert root.lstat("a/b/c") is None
    assert staged.folder == STAGING
    root.place(staged, "a/b/c")
    assert (root.path / "a/b/c").read_bytes() == b"text"
    assert list((root.path / STAGING).iterdir()) == []


def test_2_13_2_14_a_file_has_the_permissions_that_the_umask_leaves(root: Root) -> None:
    before = os.umask(0o022)
    try:
        write(root, "f", b"text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((root.path / "f").stat().st_mode) == 0o644


def test_placing_replaces_a_file(root: Root) -> None:
    write(root, "f", b"old")
    write(root, "f", b"new", root.lstat("f"))
    assert (root.path / "f").read_bytes() == b"new"
    assert list((root.path / STAGING).iterdir()) == []


def test_2_17_names_of_one_file_are_replaced_one_after_the_other(root: Root) -> None:
    (root.path / "blob").write_bytes(b"text")
    for name in ("f", "g", "h"):
        root.place(root.staging.hardlink(root.path / "blob", name), name)
    before = {name: root.lstat(name) for name in ("f", "g", "h")}
    write(root, "f", b"new", before["f"])
    write(root, "g", b"new", before["g"])
    root.remove("h", before["h"])
    assert (root.path / "blob").stat().st_nlink == 1


def save(path: Path, data: bytes) -> None:
    """Save as an editor does."""
    saving = path.with_name("saving")
    saving.write_bytes(data)
    saving.replace(path)


EDITS: dict[str, Callable[[Path], object]] = {
    "saved": lambda path: save(path, b"mine"),
    "rewritten": lambda path: path.write_bytes(b"mine"),
    "cut": lambda path: os.truncate(path, 2),
    "touched": lambda path: os.utime(path, ns=(0, 0)),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_2_20_a_file_that_was_changed_since_it_was_looked_at_is_not_replaced(
    root: Root, edit: Callable[[Path], object]
) -> None:
    write(root, "f", b"text")
    before = root.lstat("f")
    edit(root.path / "f")
    mine = (root.path / "f").read_bytes()
    for deed in (
        lambda: write(root, "f", b"new", before),
        lambda: root.remove("f", before),
    ):
        with pytest.raises(ConflictError, match="`f` was changed"):
            deed()
        assert (root.path / "f").read_bytes() == mine


def test_2_20_a_file_that_appeared_is_neither_replaced_nor_removed(root: Root) -> None:
    (root.path / "f").write_bytes(b"mine")
    with pytest.raises(ConflictError):
        write(root, "f", b"new")
    with pytest.raises(ConflictError):
        root.remove("f", None)
    assert (root.path / "f").read_bytes() == b"mine"


@pytest.mark.parametrize("saves", [1, 2])
def test_2_20_a_file_saved_right_before_its_name_changes_hands_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saves: int
) -> None:
    path = tmp_path / "f"
    exchange = Renamer.exchange
    left = saves

    def saved_before(
        self: Renamer, old: str, new: str, old_fd: int | None, new_fd: int | None
    ) -> bool:
        nonlocal left
        if left:
            save(path, b"mine %d" % left)
            left -= 1
        return exchange(self, old, new, old_fd, new_fd)

    with Root(tmp_path) as root:
        write(root, "f", b"old")
        before = root.lstat("f")
        monkeypatch.setattr(Renamer, "exchange", saved_before)
        with pytest.raises(ConflictError):
            write(root, "f", b"new", before)
    assert path.read_bytes() == b"mine 1"


@pytest.mark.parametrize("again", [False, True])
def test_2_20_a_file_saved_right_before_it_is_removed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, again: bool
) -> None:
    path = tmp_path / "f"
    rename = os.rename

    def saved_before(
        old: str, new: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None:
        if old == "f":
            save(path, b"mine")
        rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        if again:
            path.write_bytes(b"mine too")

    with Root(tmp_path) as root:
        write(root, "f", b"old")
        before = root.lstat("f")
        monkeypatch.setattr(os, "rename", saved_before)
        if again:
            assert root.remove("f", before)
        else:
            with pytest.raises(ConflictError):
                root.remove("f", before)
    assert path.read_bytes() == (b"mine too" if again else b"mine")


def test_2_24_a_folder_that_appears_at_the_last_moment_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    exchange = Renamer.exchange

    def folder_before(
        self: Renamer, old: str, new: str, old_fd: int | None, new_fd: int | None
    ) -> bool:
        if path.read_bytes() == b"old":
            path.unlink()
            path.mkdir()
            (path / "mine").write_bytes(b"mine")
        monkeypatch.setattr(Renamer, "exchange", exchange)
        return exchange(self, old, new, old_fd, new_fd)

    with Root(tmp_path) as root:
        write(root, "f", b"old")
        before = root.lstat("f")
        monkeypatch.setattr(Renamer, "exchange", folder_before)
        with pytest.raises((ConflictError, WorkspaceError)):
            write(root, "f", b"new", before)
    assert (path / "mine").read_bytes() == b"mine"


def test_2_11_placing_replaces_a_link_and_not_what_it_leads_to(root: Root) -> None:
    (root.path / "f").symlink_to("../outside/canary")
    write(root, "f", b"new")
    assert not (root.path / "f").is_symlink()


@pytest.mark.parametrize("where", ["a", "a/b", "a/b/c"])
def test_2_11_no_step_goes_through_a_link(root: Root, where: str) -> None:
    link = root.path / where
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(root.path.parent / "outside")
    for deed in (
        root.staging.file,
        root.lstat,
        root.read_link,
        lambda p: root.remove(p, None),
    ):
        with pytest.raises(WorkspaceError, match=f"`{where}` is in the way"):
            deed("a/b/c/canary")
    with pytest.raises(WorkspaceError), root.open_file("a/b/c/canary"):
        pass
    with pytest.raises(WorkspaceError):
        root.discard("a/b/c/canary", ".artlock/trash")
    assert root.obstruction("a/b/c") == where
    assert root.obstruction("x/y") is None


def test_2_24_a_file_where_a_folder_is_needed_is_in_the_way(root: Root) -> None:
    write(root, "a", b"text")
    with pytest.raises(WorkspaceError, match="`a` is in the way"):
        root.staging.file("a/b/c")
    assert root.obstruction("a/b") == "a"
    assert root.obstruction("") is None
    assert (root.path / "a").read_bytes() == b"text"


def test_2_28_what_has_the_name_is_told_as_it_is_right_after(root: Root) -> None:
    for _ in range(2):
        before = root.lstat("f")
        staged, fd = root.staging.file("f")
        os.close(fd)
        assert root.place(staged, "f", before) == root.lstat("f")


def test_2_24_a_folder_where_a_file_is_to_be_is_refused(root: Root) -> None:
    (root.path / "a").mkdir()
    staged, fd = root.staging.file("a")
    os.close(fd)
    with pytest.raises(WorkspaceError, match="`a` is a folder"):
        root.place(staged, "a")
    with pytest.raises(WorkspaceError, match="`a` is a folder"):
        root.remove("a", None)
    root.staging.abandon(staged)
    root.staging.abandon(staged)
    assert list((root.path / STAGING).iterdir()) == []


@pytest.mark.parametrize(
    "path", ["", "..", "../f", "a/../f", "a//f", "./f", "/f", "a/", "a\0b"]
)
def test_2_1_a_path_that_is_none_is_refused(root: Root, path: str) -> None:
    for deed in (
        root.staging.file,
        root.lstat,
        root.read_link,
        lambda p: root.remove(p, None),
    ):
        with pytest.raises(WorkspaceError, match="not a path below"):
            deed(path)


def test_2_12_a_folder_that_becomes_a_link_leads_nowhere(root: Root) -> None:
    staged, fd = root.staging.file("a/f")
    os.close(fd)
    (root.path / "a").rename(root.path / "b")
    (root.path / "a").symlink_to("../outside")
    try:
        root.place(staged, "a/f")
    except WorkspaceError:
        return
    # With descriptors it may still go where the folder went.
    assert (root.path / "b" / "f").exists()


def test_2_11_a_racer_that_swaps_folder_and_link_gains_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "root/data").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    done = threading.Event()

    def swap() -> None:
        data, away = tmp_path / "root/data", tmp_path / "root/away"
        while not done.is_set():
            # Meanwhile a folder may have been made where there was none.
            with suppress(OSError):
                data.rename(away)
                data.symlink_to(tmp_path / "outside")
            with suppress(OSError):
                data.unlink()
            with suppress(OSError):
                away.rename(data)

    racer = threading.Thread(target=swap)
    racer.start()
    try:
        for number in range(400):
            with Root(tmp_path / "root") as root:
                try:
                    write(root, f"data/{number}", b"text")
                except (WorkspaceError, OSError):
                    continue
    finally:
        done.set()
        racer.join()
    assert list((tmp_path / "outside").iterdir()) == []


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with Root(tmp_path / "link") as root:
        write(root, "f", b"text")
    assert (tmp_path / "real" / "f").read_bytes() == b"text"


def test_a_closed_root_does_nothing(tmp_path: Path) -> None:
    root = Root(tmp_path)
    with root.folder("", create=True):
        pass
    root.close()
    root.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        root.lstat("f")


def test_a_missing_root_is_an_error(tmp_path: Path) -> None:
    for descriptors in (True, False):
        with pytest.raises(FileNotFoundError):
            Root(tmp_path / "none", descriptors=descriptors)


def test_a_folder_that_somebody_removed_is_made_again(root: Root) -> None:
    staged, fd = root.staging.file("a/b/f")
    os.close(fd)
    (root.path / "a/b").rmdir()
    root.place(staged, "a/b/f")
    assert (root.path / "a/b/f").exists()


def test_a_file_is_read_by_descriptor(root: Root) -> None:
    write(root, "a/f", b"text")
    with root.open_file("a/f") as fd:
        assert os.read(fd, 10) == b"text"
    with pytest.raises(FileNotFoundError), root.open_file("a/none"):
        pass


@pytest.mark.timeout(5)
@pytest.mark.parametrize("kind", ["fifo", "folder", "link"])
def test_2_25_what_is_no_regular_file_is_not_opened(root: Root, kind: str) -> None:
    path = root.path / "f"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("../outside/canary")
    with pytest.raises(WorkspaceError, match="not a regular file"), root.open_file("f"):
        pass


def test_removing_tells_whether_it_was_there(root: Root) -> None:
    write(root, "a/f", b"text")
    assert root.remove("a/f", root.lstat("a/f"))
    assert not root.remove("a/f", None)
    assert not root.remove("b/f", None)
    assert list((root.path / STAGING).iterdir()) == []


def test_removing_a_link_leaves_what_it_leads_to(root: Root) -> None:
    (root.path / "f").symlink_to("../outside/canary")
    assert root.remove("f", None)


def test_2_24_folders_that_hold_nothing_but_folders_are_removed(root: Root) -> None:
    (root.path / "a/b/c").mkdir(parents=True)
    (root.path / "a/d").mkdir()
    root.remove_empty_tree("a")
    assert not (root.path / "a").exists()
    (root.path / "a/b/c").mkdir(parents=True)
    (root.path / "a/f").write_bytes(b"mine")
    root.remove_empty_tree("a")
    assert [p.name for p in (root.path / "a").iterdir()] == ["f"]


def test_the_text_of_a_link_is_read(root: Root) -> None:
    (root.path / "f").symlink_to("../outside/canary")
    assert root.read_link("f") == "../outside/canary"
    with pytest.raises(FileNotFoundError):
        root.read_link("none")


def test_empty_folders_go_upwards_until_one_is_not_empty(root: Root) -> None:
    write(root, "a/b/c/d/f", b"")
    write(root, "a/g", b"")
    root.remove("a/b/c/d/f", root.lstat("a/b/c/d/f"))
    root.remove_empty_folders("a/b/c/d")
    assert sorted(p.name for p in (root.path / "a").iterdir()) == ["g"]
    write(root, "a/b/c/f", b"")  # whatever was open of them is forgotten


def test_empty_folders_go_no_further_than_the_top(root: Root) -> None:
    write(root, "a/b/c/f", b"")
    root.remove("a/b/c/f", root.lstat("a/b/c/f"))
    root.remove_empty_folders("a/b/c", top="a")
    assert (root.path / "a").is_dir()
    assert not (root.path / "a/b").exists()
    root.remove_empty_folders("a/b/c")
    assert not (root.path / "a").exists()


def test_a_folder_that_cannot_be_removed_is_an_error(root: Root) -> None:
    write(root, "a/f", b"")
    with pytest.raises(NotADirectoryError):
        root.remove_empty_folders("a/f")


def test_2_20_what_is_discarded_lies_in_the_trash(root: Root) -> None:
    write(root, "a/f", b"one")
    assert root.discard("a/f", "trash/run") == "trash/run/a/f"
    write(root, "a/f", b"two")
    assert root.discard("a/f", "trash/run") == "trash/run~1/a/f"
    write(root, "a/f", b"three")
    assert root.discard("a", "trash/run") == "trash/run~2/a"
    found = {p.read_bytes() for p in (root.path / "trash").rglob("*") if p.is_file()}
    assert found == {b"one", b"two", b"three"}
    assert root.discard("a/f", "trash/run") is None


def test_2_20_a_file_is_no_obstacle_to_what_is_discarded_after_it(root: Root) -> None:
    write(root, "a", b"one")
    assert root.discard("a", "trash") == "trash/a"
    write(root, "a/b", b"two")
    assert root.discard("a/b", "trash") == "trash~1/a/b"


def test_2_9_a_name_of_255_bytes_can_be_discarded_twice(root: Root) -> None:
    name = "x" * 255
    for _ in range(2):
        write(root, name, b"text")
        assert root.discard(name, "trash")
    assert len(list(root.path.glob("trash*/*"))) == 2


def test_a_hard_link_is_staged_and_leaves_nothing_behind(root: Root) -> None:
    source = root.path / "blob"
    source.write_bytes(b"text")
    for _ in range(2):  # the second rename is between two names of one file
        staged = root.staging.hardlink(source, "a/f")
        root.place(staged, "a/f", root.lstat("a/f"))
    assert (root.path / "a/f").samefile(source)
    assert source.stat().st_nlink == 2
    assert list((root.path / STAGING).iterdir()) == []


def test_a_symbolic_link_is_staged(root: Root) -> None:
    root.place(root.staging.symlink("../blob", "a/f"), "a/f")
    assert str((root.path / "a/f").readlink()) == "../blob"


def test_a_clone_is_made_where_blocks_can_be_shared(root: Root) -> None:
    (root.path / "blob").write_bytes(b"text")
    cloner = Cloner()
    with root.open_file("blob") as fd:
        staged = root.staging.clone(fd, "a/f", cloner)
        if staged is None:
            assert root.staging.clone(fd, "a/f", cloner) is None
            assert list((root.path / STAGING).iterdir()) == []
            return
    root.place(staged, "a/f")
    assert (root.path / "a/f").read_bytes() == b"text"


def test_3_18_a_file_for_another_file_system_waits_there(tmp_path: Path) -> None:
    root = Root(tmp_path)
    with root.folder("mount", create=True) as folder:
        folder.device += 1  # as if something were mounted there
        staged, fd = root.staging.file("mount/f")
        os.close(fd)
    assert staged.folder == "mount"
    root.place(staged, "mount/f")
    assert [path.name for path in (root.path / "mount").iterdir()] == ["f"]
    root.close()


def test_3_8_staged_files_of_ended_processes_are_swept(root: Root) -> None:
    staged, fd = root.staging.file("f")
    os.close(fd)
    child = os.fork()
    if not child:  # pragma: no cover - the child
        (root.path / STAGING / Names().next()).touch()
        os._exit(0)
    os.waitpid(child, 0)
    for path in (root.path / STAGING).iterdir():
        os.utime(path, (LONG_AGO, LONG_AGO))
    root.staging.sweep(LONG_AGO + 60)
    assert len(list((root.path / STAGING).iterdir())) == 2
    assert root.staging.sweep(LONG_AGO + 2 * 3600) == []
    assert [p.name for p in (root.path / STAGING).iterdir()] == [staged.name]


@pytest.fixture
def ended_name() -> str:
    """Return a name that a process made that has ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover - the child
        os.write(writing, Names().next().encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    name = os.read(reading, 100).decode()
    os.close(reading)
    # A fork works for the process that began it: its number is put in place of ours.
    maker, gone = f"-{os.getpid():x}-", f"-{child:x}-"
    return name.replace(maker, gone)


def put_long_ago(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


@pytest.mark.parametrize("folder", ["", ".artlock"])
def test_3_8_what_waited_beside_its_name_is_swept(
    root: Root, folder: str, ended_name: str
) -> None:
    left = put_long_ago(root.path / folder / f".artlock-{ended_name}")
    persons = put_long_ago(root.path / folder / ".artlock-notes")
    root.staging.sweep(LONG_AGO + 60)
    assert left.exists()
    assert root.staging.sweep(LONG_AGO + 48 * 3600) == []
    assert not left.exists()
    assert persons.exists()


def test_3_8_3_18_a_folder_on_another_file_system_is_swept_when_it_is_used(
    tmp_path: Path, ended_name: str
) -> None:
    left = put_long_ago(tmp_path / "mount" / f".artlock-{ended_name}")
    with Root(tmp_path) as root:
        root.staging.sweep(LONG_AGO + 48 * 3600)
        assert left.exists()
        with root.folder("mount") as folder:
            folder.device += 1  # as if something were mounted there
            os.close(root.staging.file("mount/f")[1])
    assert not left.exists()


def replace_file(root: Root, path: str) -> None:
    write(root, path, b"new", root.lstat(path))


def remove_file(root: Root, path: str) -> None:
    root.remove(path, root.lstat(path))


def killed_before_the_second_look(
    path: Path, deed: Callable[[Root, str], None], saved: bytes | None
) -> None:
    """Do something to the file ``f`` in a process that dies in the middle.

    Args:
        path: The root's; the file is made here.
        deed: What looks at the file, moves it away, and looks once more.
        saved: What a person makes of the file right after the first look.
    """
    (path / "f").write_bytes(b"old")
    child = os.fork()
    if not child:  # pragma: no cover - the child
        looks = 0

        def is_other(before: os.stat_result, now: os.stat_result, **how: bool) -> bool:
            nonlocal looks
            looks += 1
            if looks > 1:
                os._exit(0)
            if saved is not None:
                (path / "f").write_bytes(saved)
            return rename.is_other(before, now, **how)

        with suppress(BaseException), pytest.MonkeyPatch.context() as patch:
            patch.setattr("artlock.fs.root.is_other", is_other)
            deed(Root(path), "f")
        os._exit(1)  # it looked but once
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("deed", [replace_file, remove_file])
def test_2_20_3_8_what_was_saved_just_before_a_kill_is_kept(
    tmp_path: Path, deed: Callable[[Root, str], None]
) -> None:
    with Root(tmp_path) as root:
        # With a mark for what a person saved no day need pass, and none changes anything.
        killed_before_the_second_look(tmp_path, deed, b"of a person")
        (kept,) = root.staging.sweep(time.time())
        assert root.staging.sweep(time.time() + 48 * 3600) == [kept]
        assert (tmp_path / kept).read_bytes() == b"of a person"
        assert root.discard(kept, "trash") == f"trash/{kept}"
        assert root.staging.sweep(time.time() + 48 * 3600) == []


@pytest.mark.parametrize("deed", [replace_file, remove_file])
def test_3_8_what_was_about_to_go_before_a_kill_goes(
    tmp_path: Path, deed: Callable[[Root, str], None]
) -> None:
    with Root(tmp_path) as root:
        killed_before_the_second_look(tmp_path, deed, None)
        assert root.staging.sweep(time.time()) == []
        assert len(list((tmp_path / STAGING).iterdir())) == 1
        assert root.staging.sweep(time.time() + 2 * 3600) == []
        assert list((tmp_path / STAGING).iterdir()) == []


def test_a_root_without_staging_is_swept_too(root: Root) -> None:
    assert root.staging.sweep(LONG_AGO) == []


def test_4_18_few_descriptors_suffice(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 16, hard))
    try:
        with Root(tmp_path, open_folders=1000) as root:
            for number in range(60):  # far more folders than descriptors
                write(root, f"d{number}/f", b"text")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(list(tmp_path.glob("d*/f"))) == 60


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = open_descriptors()
    with Root(tmp_path, open_folders=2) as root:
        for number in range(10):
            write(root, f"a/b{number}/f", b"text")
        with root.folder("a/b0") as held:
            root.remove("a/b0/f", root.lstat("a/b0/f"))
            (tmp_path / "a/b0").rmdir()
            root.remove_empty_folders("a/b0")
            assert held.fd is not None
            os.fstat(held.fd)  # still open for who uses it
    assert open_descriptors() == before


def test_many_threads_share_a_root(root: Root) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for count in range(40):
                write(root, f"d{count % 7}/e/{number}-{count}", b"text")
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(list(root.path.glob("d*/e/*"))) == 320


def test_a_staged_file_that_is_gone_cannot_be_placed(root: Root) -> None:
    with pytest.raises(FileNotFoundError):
        root.place(Staged(STAGING, "none"), "f")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_an_error(root: Root) -> None:
    root.path.chmod(0o500)
    with pytest.raises(PermissionError):
        root.staging.file("f")


def test_another_failure_of_a_folder_is_an_error(root: Root) -> None:
    with pytest.raises(OSError, match="too long") as caught:
        root.lstat("x" * 300 + "/f")
    assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.parametrize("descriptors", [True, False])
def test_2_11_a_path_of_thousands_of_folders_is_no_defect(
    tmp_path: Path,
    descriptors: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    path = "/".join(["a"] * 1500)
    folders = Folders(tmp_path, descriptors=descriptors, limit=8)
    with pytest.raises(FileNotFoundError), folders.lend(path):
        pass
    with folders.lend("a/b/c", create=True) as folder:
        assert folder.path == "a/b/c"
    with folders.lend("a/b/d/e", create=True) as folder:
        assert folder.path == "a/b/d/e"
    assert (tmp_path / "a/b/d/e").is_dir()
    folders.close()


def test_an_interruption_while_a_file_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Root(tmp_path) as root:
        folders = root._folders
        make = folders.open

        def interrupted(at: str, flags: int, folder: Folder) -> int:
            fd = make(at, flags, folder)
            if flags & os.O_CREAT:
                os.close(fd)
                raise KeyboardInterrupt
            return fd

        monkeypatch.setattr(folders, "open", interrupted)
        with pytest.raises(KeyboardInterrupt):
            root.staging.file("data/a")
        assert list((tmp_path / STAGING).iterdir()) == []
