import builtins
import errno
import hashlib
import io
import os
import resource
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from artlock.cache.ranges import RANGE_LENGTH, PartialFile
from artlock.errors import (
    AccessDeniedError,
    CacheError,
    ConfigError,
    ConflictError,
    IntegrityError,
    ManyErrors,
    ObjectChangedError,
    ObjectNotFoundError,
    PolicyError,
    StaleLockfileError,
    StoreUnavailableError,
)
from artlock.fs.newfolders import NewFolders
from artlock.fs.root import Root
from artlock.fs.space import Space
from artlock.fs.staging import Staged
from artlock.model.settings import LinkMode
from artlock.ops import fetch as fetching
from artlock.ops import space
from artlock.ops.sync import SyncOptions, settled_report
from artlock.ops.sync_values import Download
from testbed.faults import Fault, access_denied
from testbed.http_server import HttpServer
from testbed.proxy import Proxy, Toxics
from tests.defaults import set_default
from tests.invariants import texts_below
from tests.unit.ops.conftest import MakeRemote
from tests.unit.ops.remotes import Remote, reading
from tests.unit.ops.workbench import Notices, Workbench, targets, write


def locked_files(bench: Workbench, **files: str) -> None:
    bench.put(**files)
    bench.declare_files()
    bench.update()


# Requests.


def test_a_sync_reads_each_object_once_and_describes_none(
    bench: Workbench, remote: Remote
) -> None:
    names = [f"{number:02}" for number in range(20)]
    for name in names:
        remote.put(name, f"text of {name}")
    bench.declare(data=remote.uri)
    bench.resolve()
    remote.forwarder.clear()
    report = bench.sync()
    assert sorted(remote.reads()) == names
    assert remote.asked("HEAD") == 0
    assert len(remote.forwarder.requests) == 20
    assert (report.fetched, report.fetched_size) == (20, 20 * 10)


def test_equal_content_is_read_once_whoever_wants_it(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "same")
    remote.put("b", "same")
    bench.declare(one=remote.uri, two=remote.uri)
    bench.resolve(digest_all=True)
    bench.forget_cache()
    remote.forwarder.clear()
    bench.sync()
    assert len(remote.reads()) == 1
    assert len(bench.workspace()) == 4


def test_a_second_sync_asks_nothing_and_opens_no_file(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "1")
    bench.put(b="2")
    bench.declare(far=remote.uri, near=bench.files_uri)
    bench.resolve()
    bench.sync()
    remote.forwarder.clear()
    tries = 0
    while True:
        with opened_below(bench.root / "data") as opened:
            assert bench.sync().plan.is_empty
            assert bench.status().is_clean
        assert remote.forwarder.requests == ()
        # Where the clock of a busy machine lags, what was written just now is read again.
        tries += 1
        if not opened:
            break
        assert tries < 5


@contextmanager
def opened_below(folder: Path) -> Iterator[list[str]]:
    """Collect what is opened for reading below ``folder``, by path or by name in it."""
    opened: list[str] = []
    names = {path.name for path in folder.rglob("*") if path.is_file()}

    def noting(open_: Callable[..., Any]) -> Callable[..., Any]:
        def noted(path: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - handed on
            text = "" if isinstance(path, int) else os.fsdecode(path)
            if text in names or text.startswith(f"{folder}/"):
                opened.append(text)
            return open_(path, *arguments, **named)

        return noted

    with pytest.MonkeyPatch.context() as patch:
        for module in (os, io, builtins):
            patch.setattr(module, "open", noting(module.open))
        yield opened


def test_the_collector_of_opened_files_sees_one(bench: Workbench) -> None:
    locked_files(bench, a="1")
    bench.sync()
    bench.write("data/data/a", "2")
    with opened_below(bench.root / "data") as opened:
        bench.status()
    assert opened == ["a"]


# What is written.


def test_versions_that_were_overwritten_and_deleted_come_as_they_were_locked(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "old a")
    remote.put("b", "old b")
    bench.declare(data=remote.uri)
    bench.resolve()
    remote.put("a", "new a")
    remote.delete("b")
    bench.sync()
    assert bench.data() == {"a": "old a", "b": "old b"}


def test_1_13_an_overwrite_without_versions_is_never_delivered(
    bench: Workbench, unversioned: Remote
) -> None:
    unversioned.put("a", "locked")
    bench.declare(data=unversioned.uri)
    bench.resolve()
    unversioned.put("a", "other!")
    with pytest.raises(ObjectChangedError) as caught:
        bench.sync()
    assert caught.value.exit_code == 4
    assert "artlock update" in str(caught.value.hint)
    assert bench.workspace() == {}
    assert bench.cached() == set()


def test_4_17_one_failure_leaves_the_workspace_and_keeps_the_rest(
    bench: Workbench, remote: Remote
) -> None:
    for name in "abcd":
        remote.put(name, f"text {name}")
    bench.declare(data=remote.uri)
    bench.resolve()
    remote.forwarder.inject(access_denied(matches=reading("/c")))
    with pytest.raises(AccessDeniedError, match="/c"):
        bench.sync()
    assert bench.workspace() == {}
    assert bench.cached() == {"text a", "text b", "text d"}
    remote.forwarder.heal()
    remote.forwarder.clear()
    bench.sync()
    assert remote.reads() == ["c"]


def test_several_failures_are_told_together(bench: Workbench, remote: Remote) -> None:
    for name in "abc":
        remote.put(name, f"text {name}")
    bench.declare(data=remote.uri)
    bench.resolve()
    remote.forwarder.inject(Fault(kind="corrupt", matches=reading("/a")))
    remote.forwarder.inject(access_denied(matches=reading("/b")))
    remote.forwarder.inject(access_denied(matches=reading("/c")))
    with pytest.raises(ManyErrors) as caught:
        bench.sync()
    assert len(caught.value.errors) == 2
    assert caught.value.exit_code == 3


def test_a_stale_lockfile_is_refused_and_frozen_takes_it_as_it_is(
    bench: Workbench,
) -> None:
    locked_files(bench, a="1")
    bench.declare_files('exclude = ["b"]')
    with pytest.raises(StaleLockfileError, match="declared with another `exclude`"):
        bench.sync()
    assert bench.workspace() == {}
    bench.sync(options=SyncOptions(frozen=True))
    assert bench.data() == {"a": "1"}


def test_names_and_groups_choose_artifacts(bench: Workbench) -> None:
    bench.put(a="1")
    bench.declare('groups = ["train", "serve"]', one=bench.files_uri, two=bench.files_uri)
    bench.resolve()
    bench.sync(options=SyncOptions(groups=("train",)))
    assert list(bench.workspace()) == ["data/two/a"]
    bench.sync("one")
    assert sorted(bench.workspace()) == ["data/one/a", "data/two/a"]
    for options, names in ((SyncOptions(groups=("none",)), ()), (SyncOptions(), ("none",))):
        with pytest.raises(ConfigError, match="`none`"):
            bench.sync(*names, options=options)


def test_a_chosen_artifact_does_not_remove_what_others_left(bench: Workbench) -> None:
    bench.put(a="1", b="2")
    bench.declare(one=bench.files_uri, two=bench.files_uri)
    bench.resolve()
    bench.sync()
    (bench.source / "b").unlink()
    bench.update()
    bench.sync("one")
    assert sorted(bench.workspace()) == ["data/one/a", "data/two/a", "data/two/b"]


def test_a_dry_run_writes_nothing(bench: Workbench) -> None:
    locked_files(bench, a="1")
    report = bench.sync(options=SyncOptions(write=False))
    assert targets(report.plan.write) == ["data/data/a"]
    assert bench.workspace() == {}


# What people did.


def test_2_20_a_file_that_a_person_wrote_stops_everything(bench: Workbench) -> None:
    locked_files(bench, a="1", b="2")
    bench.write("data/data/a", "mine")
    with pytest.raises(ConflictError) as caught:
        bench.sync()
    assert caught.value.paths == ("data/data/a",)
    assert bench.data() == {"a": "mine"}
    report = bench.force()
    assert len(report.trashed) == 1
    assert bench.trash() == {"mine"}
    assert bench.data() == {"a": "1", "b": "2"}


def test_a_file_whose_bytes_are_locked_is_adopted(bench: Workbench) -> None:
    locked_files(bench, a="1")
    bench.write("data/data/a", "1")
    report = bench.sync()
    assert (report.plan.current, report.plan.is_empty) == (1, True)


def test_bytes_of_which_the_cache_has_a_copy_may_be_replaced(bench: Workbench) -> None:
    locked_files(bench, a="1")
    bench.sync()
    bench.put(a="2")
    bench.update()
    bench.sync()
    bench.write("data/data/a", "1")
    bench.sync()
    assert bench.data() == {"a": "2"}
    assert "1" in bench.cached()


def test_2_22_what_a_person_changed_stays_though_it_is_locked_no_more(
    bench: Workbench,
) -> None:
    locked_files(bench, a="1", b="2", c="3")
    bench.sync()
    for name in ("b", "c"):
        (bench.source / name).unlink()
    bench.update(allow_shrink=True)
    bench.write("data/data/b", "mine")
    report = bench.sync()
    assert report.plan.left == ("data/data/b",)
    assert bench.data() == {"a": "1", "b": "mine"}
    assert bench.sync().plan.is_empty


def test_2_22_unknown_files_stay_unless_exact_moves_them_away(bench: Workbench) -> None:
    locked_files(bench, a="1")
    bench.sync()
    bench.write("data/data/notes", "mine")
    bench.write("data/other", "not in an artifact's folder")
    bench.sync()
    assert bench.data() == {"a": "1", "notes": "mine"}
    bench.sync(options=SyncOptions(exact=True))
    assert bench.data() == {"a": "1"}
    assert bench.trash() == {"mine"}
    assert (bench.root / "data/other").exists()


def test_an_artifact_that_is_declared_no_more_leaves_the_workspace(
    bench: Workbench,
) -> None:
    bench.put(a="1")
    bench.declare(one=bench.files_uri, two=bench.files_uri)
    bench.resolve()
    bench.sync()
    bench.declare(one=bench.files_uri)
    bench.resolve()
    bench.sync()
    assert list(bench.workspace()) == ["data/one/a"]
    assert not (bench.root / "data/two").exists()


def test_another_path_moves_the_files(bench: Workbench) -> None:
    locked_files(bench, a="1")
    bench.sync()
    bench.declare_files('path = "elsewhere"')
    bench.sync()
    assert bench.workspace() == {"elsewhere/a": "1"}


@pytest.mark.parametrize("person", ["folder", "folders"])
def test_2_24_an_empty_folder_where_a_file_is_to_be_gives_way(
    bench: Workbench, person: str
) -> None:
    locked_files(bench, x="1")
    empty = bench.root / "data/data/x" / ("" if person == "folder" else "y/z")
    empty.mkdir(parents=True)
    bench.sync()
    assert bench.data() == {"x": "1"}
    assert bench.sync().plan.is_empty


def test_2_20_two_forced_syncs_within_a_second_lose_nothing(bench: Workbench) -> None:
    locked_files(bench, x__y="1")
    bench.write("data/data/x", "mine 1")
    bench.force()
    for number in (2, 3):
        bench.write("data/data/x/y", f"mine {number}")
        bench.force()
    assert bench.trash() == {"mine 1", "mine 2", "mine 3"}


def test_2_20_an_interrupted_run_remembers_what_it_wrote(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked_files(bench, a="1", b="2")
    bench.make_folder()
    place = Root.place

    def saved_before(
        self: Root, staged: Staged, path: str, before: os.stat_result | None = None
    ) -> os.stat_result | None:
        if path.endswith("/b"):
            bench.write(path, "mine")
        return place(self, staged, path, before)

    monkeypatch.setattr(Root, "place", saved_before)
    with pytest.raises(ConflictError):
        bench.sync()
    monkeypatch.setattr(Root, "place", place)
    assert bench.data() == {"a": "1", "b": "mine"}
    (bench.source / "a").unlink()
    bench.update()
    with pytest.raises(ConflictError):
        bench.sync()
    bench.force()
    assert bench.data() == {"b": "2"}, "a was not known to be artlock's own"


def killed(bench: Workbench, monkeypatch: pytest.MonkeyPatch, *, names: int) -> None:
    """Sync, and end without a word when so many files have got their names."""
    bench.make_folder()
    place = Root.place
    left = [names]

    def kill(*arguments: object) -> os.stat_result | None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return place(*arguments)  # type: ignore[arg-type] # what it was called with

    with monkeypatch.context() as patch:
        patch.setattr(Root, "place", kill)
        patch.setattr("artlock.ops.sync_run.SyncRun._remember", kill)
        with pytest.raises(KeyboardInterrupt):
            bench.sync()


@pytest.mark.parametrize("mode", [LinkMode.COPY, LinkMode.HARDLINK, LinkMode.SYMLINK])
@pytest.mark.parametrize("names", [1, 2])
def test_3_8_what_a_killed_run_placed_is_artlocks_own(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, names: int, mode: LinkMode
) -> None:
    settings = Path(os.environ["XDG_CONFIG_HOME"]) / "artlock" / "config.toml"
    write(settings, f'link-mode = "{mode}"\n')
    locked_files(bench, a="1", b="2")
    killed(bench, monkeypatch, names=names)
    assert len(bench.data()) == names
    (bench.source / "a").unlink()
    bench.put(b="3")
    bench.update(allow_shrink=True)
    if mode is not LinkMode.SYMLINK:
        bench.forget_cache()
    assert bench.status().plan.conflicts == ()
    bench.sync()
    assert bench.data() == {"b": "3"}
    assert not (bench.root / ".artlock" / "placing").exists()
    assert bench.status().is_clean


@pytest.mark.parametrize("mode", [LinkMode.COPY, LinkMode.HARDLINK, LinkMode.SYMLINK])
@pytest.mark.parametrize("is_named", [False, True])
def test_3_8_a_new_folder_of_a_killed_run_is_artlocks_own(
    bench: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    mode: LinkMode,
    is_named: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    locked_files(bench, a="1", d__b="2")
    place = NewFolders.place

    def kill(folders: NewFolders, top: str) -> bool:
        if is_named:
            assert place(folders, top)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(NewFolders, "place", kill)
        patch.setattr("artlock.ops.sync_run.SyncRun._remember", kill)
        with pytest.raises(KeyboardInterrupt):
            bench.sync(options=SyncOptions(link_mode=mode))
    assert bench.data() == ({"a": "1", "d/b": "2"} if is_named else {})
    assert list((bench.root / ".artlock/tmp").iterdir()) == []
    (bench.source / "a").unlink()
    bench.put(d__b="3")
    bench.update(allow_shrink=True)
    if mode is not LinkMode.SYMLINK:
        bench.forget_cache()
    bench.sync()
    assert bench.data() == {"d/b": "3"}
    assert bench.status().is_clean


def test_2_20_a_file_that_a_person_saves_as_its_folder_gets_its_name_stays(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked_files(bench, a="1", d__b="2")
    place = NewFolders.place

    def saved_before(folders: NewFolders, top: str) -> bool:
        bench.write("data/data/d/b", "mine")
        return place(folders, top)

    with monkeypatch.context() as patch:
        patch.setattr(NewFolders, "place", saved_before)
        with pytest.raises(ConflictError):
            bench.sync()
    assert bench.data() == {"a": "1", "d/b": "mine"}
    bench.force()
    assert bench.data() == {"a": "1", "d/b": "2"}
    assert bench.trash() == {"mine"}


def test_3_8_what_a_killed_run_replaced_is_artlocks_own(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked_files(bench, a="1", b="2")
    bench.sync()
    bench.put(a="3", b="4")
    bench.update()
    killed(bench, monkeypatch, names=1)
    assert bench.data() == {"a": "3", "b": "2"}
    bench.put(a="5", b="6")
    bench.update()
    bench.forget_cache()
    bench.sync()
    assert bench.data() == {"a": "5", "b": "6"}


def test_6c_3_a_persons_file_where_a_killed_run_was_about_to_write_stays_theirs(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked_files(bench, a="1", b="2")
    killed(bench, monkeypatch, names=1)
    bench.write("data/data/b", "2")
    bench.write("data/data/a", "1")
    bench.put(a="3", b="4")
    bench.update()
    bench.forget_cache()
    with pytest.raises(ConflictError) as caught:
        bench.sync()
    assert list(caught.value.paths) == ["data/data/a", "data/data/b"]
    assert bench.data() == {"a": "1", "b": "2"}


@pytest.mark.parametrize("how", ["file-to-folder", "folder-to-file"])
def test_2_24_a_file_becomes_a_folder_and_back(bench: Workbench, how: str) -> None:
    shapes = [{"x": "file"}, {"x__y": "below", "x__z__w": "deeper"}]
    first, second = shapes if how == "file-to-folder" else reversed(shapes)
    locked_files(bench, keep="1", **first)
    bench.sync()
    for path in bench.source.iterdir():
        if path.name != "keep":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    bench.put(**second)
    bench.update()
    bench.sync()
    wanted = {name.replace("__", "/"): text for name, text in second.items()}
    assert bench.data() == {"keep": "1", **wanted}
    assert bench.sync().plan.is_empty


def test_2_24_a_folder_with_a_persons_file_is_not_replaced_by_a_file(
    bench: Workbench,
) -> None:
    locked_files(bench, x__y="below")
    bench.sync()
    bench.write("data/data/x/mine", "mine")
    shutil.rmtree(bench.source / "x")
    bench.put(x="file")
    bench.update()
    with pytest.raises(ConflictError):
        bench.sync()
    assert bench.data() == {"x/y": "below", "x/mine": "mine"}
    bench.force()
    assert bench.data() == {"x": "file"}
    assert "mine" in bench.trash()


def test_2_24_a_persons_file_where_a_folder_is_needed_goes_to_the_trash(
    bench: Workbench,
) -> None:
    locked_files(bench, x__y="1", x__z="2")
    bench.write("data/data/x", "mine")
    with pytest.raises(ConflictError) as caught:
        bench.sync()
    assert caught.value.paths == ("data/data/x/y", "data/data/x/z")
    bench.force()
    assert bench.data() == {"x/y": "1", "x/z": "2"}
    assert bench.trash() == {"mine"}


HERE: dict[str, Callable[[Path, Path], object]] = {
    "file": lambda path, _: path.write_text("mine"),
    "folder": lambda path, _: write(path / "mine", "mine"),
    "link to a file": lambda path, outside: path.symlink_to(outside / "canary"),
    "link to a folder": lambda path, outside: path.symlink_to(outside),
    "link to nothing": lambda path, _: path.symlink_to("no/such"),
    "link to itself": lambda path, _: path.symlink_to(path.name),
}
WANTED = {"file": {"x": "1"}, "folder": {"x__y": "1", "x__z__w": "2"}, "nothing": {}}


@pytest.mark.parametrize("locked_before", [True, False])
@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize("here", HERE)
def test_2_24_whatever_stands_there_is_kept_or_moved_and_never_followed(
    bench: Workbench, here: str, wanted: str, *, locked_before: bool
) -> None:
    outside = bench.folder / "outside"
    outside.mkdir()
    (outside / "canary").write_text("outside")
    locked_files(bench, keep="1", **({"x": "old"} if locked_before else {}))
    if locked_before:
        bench.sync()
        (bench.root / "data/data/x").unlink()
        (bench.source / "x").unlink()
    bench.put(**WANTED[wanted])
    bench.update(allow_shrink=True)
    place = bench.root / "data/data"
    place.mkdir(parents=True, exist_ok=True)
    HERE[here](place / "x", outside)
    before = texts_below(place)
    if wanted == "nothing":
        bench.sync()
        assert texts_below(place) == {**before, "keep": b"1"}
    elif wanted == here == "folder":
        bench.sync()
        assert bench.data() == {"keep": "1", "x/mine": "mine", "x/y": "1", "x/z/w": "2"}
    else:
        with pytest.raises(ConflictError):
            bench.sync()
        assert texts_below(place) == before
        bench.force()
        texts = {name.replace("__", "/"): text for name, text in WANTED[wanted].items()}
        assert bench.data() == {"keep": "1", **texts}
        trash = texts_below(bench.root / ".artlock/trash")
        assert len(trash) == 1
        assert [t for t in trash.values() if not t.startswith(b"link")] == (
            [b"mine"] if here in {"file", "folder"} else []
        )
        assert bench.sync().plan.is_empty
    assert texts_below(outside) == {"canary": b"outside"}


def bind_socket(path: Path) -> None:
    # By its name: the paths of sockets are short.
    with chdir(path.parent), socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path.name)


SPECIAL: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "socket": bind_socket,
    "device": lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 7)),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("path", ["x", "d", "unknown"])
def test_2_25_what_is_no_file_is_neither_opened_nor_lost(
    bench: Workbench, kind: str, path: str
) -> None:
    if kind == "device" and os.geteuid() != 0:
        pytest.skip("needs root to make a device")
    locked_files(bench, x="1", d__e="2")
    place = bench.root / "data/data"
    place.mkdir(parents=True)
    SPECIAL[kind](place / path)
    mode = (place / path).lstat().st_mode
    if path == "unknown":
        bench.sync()
        bench.sync(options=SyncOptions(exact=True))
    else:
        assert not bench.status().is_clean
        with pytest.raises(ConflictError):
            bench.sync()
        assert (place / path).lstat().st_mode == mode
        bench.force()
    assert bench.data() == {"x": "1", "d/e": "2"}
    (moved,) = (bench.root / ".artlock/trash").rglob(path)
    assert moved.lstat().st_mode == mode


def test_2_11_a_link_in_the_way_is_never_followed(bench: Workbench) -> None:
    locked_files(bench, x__y="1")
    outside = bench.folder / "outside"
    outside.mkdir()
    (bench.root / "data/data").mkdir(parents=True)
    (bench.root / "data/data/x").symlink_to(outside)
    with pytest.raises(ConflictError):
        bench.sync()
    bench.force()
    assert list(outside.iterdir()) == []
    assert (bench.root / "data/data/x/y").read_text() == "1"


def test_2_25_a_fifo_is_not_opened(bench: Workbench) -> None:
    locked_files(bench, a="1")
    (bench.root / "data/data").mkdir(parents=True)
    os.mkfifo(bench.root / "data/data/a")
    with pytest.raises(ConflictError):
        bench.sync()
    bench.force()
    assert bench.data() == {"a": "1"}


def test_an_empty_lockfile_does_not_empty_the_workspace_of_what_people_made(
    bench: Workbench,
) -> None:
    locked_files(bench, a="1")
    bench.write("data/data/mine", "mine")
    bench.sync()
    bench.declare()
    bench.resolve()
    bench.sync()
    assert bench.workspace() == {"data/data/mine": "mine"}


# The stat index.


def test_2_28_an_edit_of_equal_size_at_once_after_a_sync_is_noticed(
    bench: Workbench,
) -> None:
    locked_files(bench, a="1")
    bench.sync()
    path = bench.root / "data/data/a"
    then = path.stat()
    path.write_text("2")
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert bench.status().paths() == [("modified", "data/data/a")]


@pytest.mark.parametrize("path", ["a", "b", "c", "d"])
def test_a_change_in_any_piece_of_a_large_workspace_is_noticed(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("artlock.ops.memory._WORTH_A_FORK", 2)
    monkeypatch.setattr("artlock.ops.memory._PIECE", 1)
    locked_files(bench, a="1", b="2", c="3", d="4")
    bench.sync()
    assert bench.status().is_clean
    assert settled_report(bench.project()) is not None, "each row was looked at"
    target = bench.root / "data/data" / path
    target.write_text("other")
    assert bench.status().paths() == [("modified", f"data/data/{path}")]
    target.unlink()
    assert bench.status().paths() == [("missing", f"data/data/{path}")]


@pytest.mark.parametrize("damage", ["missing", "cut", "nonsense"])
def test_3_25_a_lost_index_costs_time_and_nothing_else(
    bench: Workbench, damage: str
) -> None:
    locked_files(bench, a="1")
    bench.sync()
    index = bench.root / ".artlock/index"
    if damage == "missing":
        index.unlink()
    else:
        index.write_bytes(index.read_bytes()[:20] if damage == "cut" else b"\0" * 300)
    assert bench.sync().plan.current == 1
    assert bench.status().is_clean


def test_3_25_an_index_that_cannot_be_read_once_makes_files_a_persons(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The safe side: nothing goes that artlock might not have written."""
    locked_files(bench, a="1", b="2")
    bench.sync()
    (bench.source / "a").unlink()
    bench.put(b="3")
    bench.update(allow_shrink=True)
    bench.forget_cache()
    real = Path.read_bytes

    def read(path: Path) -> bytes:
        if path.name == "index":
            raise OSError(errno.EIO, "input/output error")
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read)
        with pytest.raises(ConflictError) as caught:
            bench.sync()
    assert list(caught.value.paths) == ["data/data/b"]
    assert bench.data() == {"a": "1", "b": "2"}
    # Nothing was written, so it is known again once it can be read.
    bench.sync()
    assert bench.data() == {"b": "3"}


def test_2_23_an_index_that_points_elsewhere_removes_nothing(bench: Workbench) -> None:
    locked_files(bench, a="1", b="2")
    bench.sync()
    index = bench.root / ".artlock/index"
    (bench.source / "b").unlink()
    bench.update(allow_shrink=True)
    canary = bench.folder / "b"
    canary.write_text("2")
    pointing_out = index.read_bytes().replace(b"data/data/b", b"../../../b/"[:11])
    assert pointing_out != index.read_bytes()
    index.write_bytes(pointing_out)
    bench.sync()
    assert canary.exists()
    assert bench.data() == {"a": "1", "b": "2"}  # no longer known to be artlock's own


# The cache.


def test_2_15_a_damaged_blob_is_put_aside_and_fetched_again(bench: Workbench) -> None:
    locked_files(bench, a="right")
    (blob,) = bench.blobs()
    blob.chmod(0o644)
    blob.write_text("wrong")
    bench.sync()
    assert bench.data() == {"a": "right"}
    assert bench.cached() == {"right"}
    quarantine = list((bench.cache / "v1/quarantine").iterdir())
    assert [p.read_text() for p in quarantine] == ["wrong"]


def test_an_overwritten_source_is_replaced_by_the_cache(
    bench: Workbench, unversioned: Remote
) -> None:
    unversioned.put("a", "locked")
    bench.declare(data=unversioned.uri)
    bench.resolve()
    bench.sync()
    unversioned.put("a", "other!")
    shutil.rmtree(bench.root / "data")
    bench.sync()
    assert bench.data() == {"a": "locked"}


@pytest.mark.parametrize("mode", [LinkMode.COPY, LinkMode.HARDLINK, LinkMode.SYMLINK])
def test_every_link_mode_gives_the_same_bytes_and_a_clean_status(
    bench: Workbench, mode: LinkMode
) -> None:
    locked_files(bench, a="1", b__c="2")
    options = SyncOptions(link_mode=mode)
    bench.sync(options=options)
    assert bench.data() == {"a": "1", "b/c": "2"}
    path = bench.root / "data/data/a"
    assert path.is_symlink() == (mode is LinkMode.SYMLINK)
    assert (path.stat().st_nlink > 1) == (mode is LinkMode.HARDLINK)
    assert bench.status().is_clean
    assert bench.sync(options=options).plan.is_empty
    # Another version replaces links, and writes through none.
    bench.put(a="3")
    bench.update()
    bench.sync(options=options)
    assert bench.data()["a"] == "3"
    assert {"1", "2", "3"} <= bench.cached()


@pytest.mark.parametrize("mode", [LinkMode.COPY, LinkMode.HARDLINK])
def test_2_7_a_file_that_is_spelled_anew_gets_its_new_name(
    bench: Workbench, mode: LinkMode
) -> None:
    options = SyncOptions(link_mode=mode)
    locked_files(bench, a="1", b="2")
    bench.sync(options=options)
    (bench.source / "a").unlink()
    bench.put(A="1")
    bench.update()
    (bench.root / "data/data/A").hardlink_to(bench.root / "data/data/a")
    bench.sync(options=options)
    assert bench.data() == {"A": "1", "b": "2"}
    assert bench.status().is_clean


def test_2_15_an_edit_through_a_symlink_is_seen_and_kept(bench: Workbench) -> None:
    locked_files(bench, a="right", b="other")
    options = SyncOptions(link_mode=LinkMode.SYMLINK)
    bench.sync(options=options)
    for name in ("a", "b"):
        (bench.root / "data/data" / name).chmod(0o644)
        (bench.root / "data/data" / name).write_text("wrong")
    before = sorted(bench.cache.rglob("*"))
    assert targets(bench.status().plan.fetch) == ["data/data/a", "data/data/b"]
    # Only looked at: their files are still where they know them.
    assert bench.data() == {"a": "wrong", "b": "wrong"}
    assert sorted(bench.cache.rglob("*")) == before
    (bench.source / "b").unlink()
    bench.update(allow_shrink=True)
    bench.sync(options=options)
    assert bench.data() == {"a": "right"}
    quarantine = [p.read_text() for p in (bench.cache / "v1/quarantine").iterdir()]
    assert quarantine == ["wrong", "wrong"]


@pytest.mark.parametrize("mode", [LinkMode.COPY, LinkMode.HARDLINK])
@pytest.mark.parametrize("is_new", [False, True])
def test_2_28_an_edit_after_the_names_were_given_shows_by_the_inode_alone(
    bench: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    mode: LinkMode,
    is_new: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    locked_files(bench, a="right", b="right", c="other")
    place, place_folder = Root.place, NewFolders.place

    def edit() -> None:
        edited = bench.root / "data/data/a"
        then = edited.stat()
        time.sleep(0.02)  # a tick of the clock
        edited.chmod(0o644)
        edited.write_text("wrong")
        os.utime(edited, ns=(then.st_atime_ns, then.st_mtime_ns))

    def edited_after(
        self: Root, staged: Staged, path: str, before: os.stat_result | None = None
    ) -> os.stat_result | None:
        now = place(self, staged, path, before)
        if path.endswith("/c"):
            edit()
        return now

    def edited_after_all(self: NewFolders, top: str) -> bool:
        assert place_folder(self, top)
        edit()
        return True

    if not is_new:
        bench.make_folder()
    with monkeypatch.context() as patch:
        patch.setattr(Root, "place", edited_after)
        patch.setattr(NewFolders, "place", edited_after_all)
        bench.sync(options=SyncOptions(link_mode=mode))
    assert ("modified", "data/data/a") in bench.status().paths()
    bench.force()
    assert bench.data() == {"a": "right", "b": "right", "c": "other"}


def test_2_17_no_mode_reaches_a_blob_through_a_hard_link(bench: Workbench) -> None:
    def modes() -> set[int]:
        return {stat.S_IMODE(blob.stat().st_mode) for blob in bench.blobs()}

    hard = SyncOptions(link_mode=LinkMode.HARDLINK)
    locked_files(bench, a="1", b="2")
    bench.sync(options=hard)
    links = {path: path.stat().st_ino for path in (bench.root / "data/data").iterdir()}
    assert set(links.values()) == {blob.stat().st_ino for blob in bench.blobs()}
    # Names come and go, and files that are no links have modes of their own.
    bench.put(a="3")
    (bench.source / "b").unlink()
    bench.update(allow_shrink=True)
    bench.sync(options=SyncOptions(link_mode=LinkMode.COPY))
    (bench.root / "data/data/a").chmod(0o755)
    assert bench.data() == {"a": "3"}
    assert modes() == {0o444}


def test_2_17_a_person_who_makes_a_link_writable_changes_no_bytes_elsewhere(
    bench: Workbench,
) -> None:
    hard = SyncOptions(link_mode=LinkMode.HARDLINK)
    locked_files(bench, a="1")
    bench.sync(options=hard)
    path = bench.root / "data/data/a"
    path.chmod(0o644)
    path.write_text("2")
    (bench.root / "data/data/a").rename(bench.root / "mine")
    bench.sync(options=hard)
    assert bench.data() == {"a": "1"}
    assert (bench.root / "mine").read_text() == "2"
    (blob,) = bench.blobs()
    assert stat.S_IMODE(blob.stat().st_mode) == 0o444


def test_2_29_a_file_that_got_the_inode_of_another_is_not_taken_for_it(
    bench: Workbench,
) -> None:
    locked_files(bench, a="aaaa", b="bbbb")
    bench.sync()
    path = bench.root / "data/data/a"
    reused = 0
    for number in range(50):
        then = path.stat()
        path.unlink()
        path.write_text(f"{number:04}")
        os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
        now = path.stat()
        reused += now.st_ino == then.st_ino
        assert (now.st_size, now.st_mtime_ns) == (then.st_size, then.st_mtime_ns)
        assert bench.status().paths() == [("modified", "data/data/a")]
        bench.force()
    assert bench.data() == {"a": "aaaa", "b": "bbbb"}
    if not reused:
        pytest.skip("this file system gives no inode again so soon")


def test_2_15_names_of_one_blob_are_artlocks_own(bench: Workbench) -> None:
    locked_files(bench, a="1", b="1", c="1", d="2")
    bench.sync(options=SyncOptions(link_mode=LinkMode.HARDLINK))
    for name in ("a", "b", "c"):
        (bench.source / name).unlink()
    bench.put(a="3")
    bench.update(allow_shrink=True)
    bench.sync()
    assert bench.data() == {"a": "3", "d": "2"}


def test_2_15_an_edit_while_a_link_is_made_is_not_delivered(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked_files(bench, a="right")
    link = os.link

    def edited_after(
        source: Path, target: str, *, dst_dir_fd: int, follow_symlinks: bool
    ) -> None:
        link(source, target, dst_dir_fd=dst_dir_fd, follow_symlinks=follow_symlinks)
        source.chmod(0o644)
        source.write_text("wrong")
        monkeypatch.setattr(os, "link", link)

    monkeypatch.setattr(os, "link", edited_after)
    bench.sync(options=SyncOptions(link_mode=LinkMode.HARDLINK))
    assert bench.data() == {"a": "right"}
    assert bench.status().is_clean


def test_2_15_an_edit_through_a_hardlink_is_not_delivered_elsewhere(
    bench: Workbench, tmp_path: Path
) -> None:
    locked_files(bench, a="right")
    bench.sync(options=SyncOptions(link_mode=LinkMode.HARDLINK))
    path = bench.root / "data/data/a"
    path.chmod(0o644)
    path.write_text("wrong")
    other = Workbench(tmp_path / "other")
    shutil.copytree(bench.root, other.root, dirs_exist_ok=True)
    shutil.rmtree(other.root / "data")
    shutil.rmtree(other.root / ".artlock")
    shutil.rmtree(other.cache, ignore_errors=True)
    other.cache.symlink_to(bench.cache)
    other.sync()
    assert other.data() == {"a": "right"}


# Where else the bytes may be.


def _lose_what_is_in_a_mirror(
    bench: Workbench, remote: Remote, mirror: Remote, mirrored: str
) -> None:
    version = remote.put("a", "locked")
    mirror.put("a", mirrored)
    bench.declare(f'mirrors = ["{mirror.uri}"]', data=remote.uri)
    bench.resolve(digest_all=True)
    bench.forget_cache()
    remote.delete("a", version)


def test_a_lost_version_is_found_in_a_mirror(
    bench: Workbench, remote: Remote, make_remote: MakeRemote
) -> None:
    _lose_what_is_in_a_mirror(bench, remote, make_remote("unversioned"), "locked")
    bench.sync()
    assert bench.data() == {"a": "locked"}


def test_1_31_a_mirror_with_other_bytes_is_not_believed(
    bench: Workbench, remote: Remote, make_remote: MakeRemote
) -> None:
    _lose_what_is_in_a_mirror(bench, remote, make_remote("unversioned"), "other!")
    with pytest.raises(ObjectNotFoundError, match="/a"):
        bench.sync()
    assert bench.workspace() == {}
    assert bench.cached() == set()


def test_a_lost_version_is_found_in_another_row_and_as_the_live_object(
    bench: Workbench, remote: Remote
) -> None:
    lost = remote.put("a", "same bytes")
    remote.put("b", "same bytes")
    bench.declare(data=remote.uri)
    bench.resolve(digest_all=True)
    bench.forget_cache()
    remote.delete("a", lost)
    remote.forwarder.clear()
    bench.sync()
    assert bench.data() == {"a": "same bytes", "b": "same bytes"}
    # Uploaded again: another version with the same bytes.
    bench.forget_cache()
    shutil.rmtree(bench.root / "data")
    bench.declare('include = ["a"]', data=remote.uri)
    remote.put("a", "same bytes")
    bench.sync(options=SyncOptions(frozen=True))
    assert bench.data()["a"] == "same bytes"


def test_without_a_digest_a_lost_version_is_lost(bench: Workbench, remote: Remote) -> None:
    lost = remote.put("a", "locked")
    bench.declare(data=remote.uri)
    bench.resolve()
    remote.delete("a", lost)
    remote.put("a", "locked")
    with pytest.raises(ObjectNotFoundError) as caught:
        bench.sync()
    assert lost in str(caught.value)


# Bodies that come wrong.


def test_4_5_damage_on_the_way_is_read_once_more(
    bench: Workbench, unversioned: Remote
) -> None:
    unversioned.put("a", "right bytes")
    bench.declare(data=unversioned.uri)
    bench.resolve(digest_all=True)
    bench.forget_cache()
    unversioned.forwarder.clear()
    unversioned.forwarder.inject(Fault(kind="corrupt", matches=reading("/a"), times=1))
    bench.sync()
    assert bench.data() == {"a": "right bytes"}
    assert unversioned.reads() == ["a", "a"]


def test_4_5_damage_that_stays_stops_with_both_digests(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "right bytes")
    bench.declare(data=remote.uri)
    bench.resolve(digest_all=True)
    bench.forget_cache()
    remote.forwarder.clear()
    remote.forwarder.inject(Fault(kind="corrupt", matches=reading("/a")))
    with pytest.raises(IntegrityError) as caught:
        bench.sync()
    assert caught.value.expected == bench.row("a")[0].split()[0]
    assert caught.value.actual.startswith("blake3:")
    assert "artlock verify --remote data" in str(caught.value.hint)
    assert caught.value.kept is not None
    assert Path(caught.value.kept).read_bytes() == b"\x8dight bytes"
    assert remote.asked("GET") <= 4  # never a blind retry: the place, then the live object
    assert bench.workspace() == {}
    assert bench.cached() == set()


def test_1_2_an_etag_that_is_no_md5_is_accepted_when_two_readings_agree(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "1")
    remote.put("b", "2")

    opaque = {text: hashlib.md5(text.encode()).hexdigest()[::-1] for text in "12"}  # noqa: S324 - what an etag is

    def other_etags(body: bytes) -> bytes:
        for etag in opaque.values():
            body = body.replace(etag[::-1].encode(), etag.encode())
        return body

    def is_listing(method: str, _path: str, query: str) -> bool:
        return method == "GET" and ("versions" in query or "list" in query)

    remote.forwarder.inject(
        Fault(kind="rewrite", matches=is_listing, rewrite=other_etags),
        *(
            Fault(
                kind="headers",
                matches=reading(f"/{name}"),
                headers={"ETag": f'"{opaque[text]}"'},
            )
            for name, text in (("a", "1"), ("b", "2"))
        ),
    )
    bench.declare(data=remote.uri)
    bench.resolve()
    bench.jobs = 1
    remote.forwarder.clear()
    bench.sync()
    assert bench.data() == {"a": "1", "b": "2"}
    # Once is enough to learn it of a store.
    assert remote.reads() == ["a", "a", "b"]


def test_1_1_two_readings_that_differ_are_no_opaque_etag(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "right bytes")
    bench.declare(data=remote.uri)
    bench.resolve()
    for offset in range(4):
        fault = Fault(kind="corrupt", matches=reading("/a"), times=1, offset=offset)
        remote.forwarder.inject(fault)
    with pytest.raises(IntegrityError):
        bench.sync()
    assert bench.workspace() == {}


def test_4_4_a_body_that_is_always_cut_is_incomplete(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "right bytes")
    bench.declare(data=remote.uri)
    bench.resolve()
    remote.forwarder.inject(Fault(kind="truncate", matches=reading("/a"), after=0))
    with pytest.raises(StoreUnavailableError):
        bench.sync()
    assert bench.workspace() == {}
    assert bench.cached() == set()


# Large objects.


@pytest.fixture
def _small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "LARGE", 1 << 20)
    set_default(monkeypatch, PartialFile, "range_length", 1 << 20)


LARGE_TEXT = "0123456789abcdef" * (3 * 2**16)


@pytest.mark.usefixtures("_small_ranges")
def test_a_large_object_is_read_in_ranges_and_goes_on_where_it_broke_off(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("big", LARGE_TEXT)
    bench.declare(data=remote.uri)
    bench.resolve()
    bench.jobs = 1
    remote.forwarder.clear()
    seen = 0

    def third_read(method: str, path: str, _query: str) -> bool:
        nonlocal seen
        seen += method == "GET" and path.endswith("/big")
        return seen > 2

    remote.forwarder.inject(
        Fault(kind="status", matches=third_read, status=403, body=b"<Error/>")
    )
    with pytest.raises(AccessDeniedError, match="was refused"):
        bench.sync()
    assert len(remote.reads()) >= 3
    assert bench.workspace() == {}
    remote.forwarder.heal()
    remote.forwarder.clear()
    bench.sync()
    assert bench.data() == {"big": LARGE_TEXT}
    moved = sum(r.response_bytes for r in remote.forwarder.requests)
    assert moved == 1 << 20


@pytest.mark.usefixtures("_small_ranges")
def test_4_5_a_large_object_that_stays_damaged_is_kept_as_it_came_last(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("big", LARGE_TEXT)
    bench.declare(data=remote.uri)
    bench.resolve(digest_all=True)
    bench.forget_cache()
    remote.forwarder.clear()
    remote.forwarder.inject(Fault(kind="corrupt", matches=reading("/big"), offset=5))
    with pytest.raises(IntegrityError) as caught:
        bench.sync()
    assert caught.value.kept is not None
    wrong = Path(caught.value.kept).read_bytes()
    assert (wrong[:5], wrong[6:]) == (LARGE_TEXT[:5].encode(), LARGE_TEXT[6:].encode())
    # Its ranges, once more in one piece, and then twice the live object.
    moved = sum(r.response_bytes for r in remote.forwarder.requests if r.method == "GET")
    assert moved <= 4 * len(LARGE_TEXT)
    assert bench.workspace() == {}


def test_4_5_the_second_reading_takes_another_connection(
    bench: Workbench, http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine in between may spoil all that passes on one connection."""
    monkeypatch.setenv("ARTLOCK_TRUST", "127.0.0.1")
    body = "0123456789abcdef" * 1000
    for name in ("f", "g"):
        http_server.put(f"/{name}", (body + name).encode(), etag=f'"{name}"')
    spoiled: list[bool] = []

    def choice(_luck: Random) -> Toxics:
        spoiled.append(not spoiled)
        return Toxics(flip_every=1000 if spoiled[-1] else None)

    with Proxy(http_server.endpoint) as proxy:
        bench.declare(f=f"{proxy.endpoint}/f", g=f"{proxy.endpoint}/g")
        bench.resolve()
        bench.forget_cache()
        bench.jobs = 1
        proxy.begin(1, choice)
        bench.sync()
    assert spoiled == [True, False]
    assert bench.workspace() == {"data/f/f": body + "f", "data/g/g": body + "g"}


@pytest.mark.usefixtures("_small_ranges")
def test_4_5_a_large_object_with_a_damaged_range_is_read_again_as_a_whole(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("big", LARGE_TEXT)
    bench.declare(data=remote.uri)
    bench.resolve(digest_all=True)
    bench.forget_cache()
    fault = Fault(kind="corrupt", matches=reading("/big"), times=1)
    remote.forwarder.inject(fault)
    bench.sync()
    assert bench.data() == {"big": LARGE_TEXT}


# What it would cost.


@pytest.mark.usefixtures("_small_ranges")
def test_4_20_a_dry_run_tells_objects_bytes_and_requests(
    bench: Workbench, remote: Remote
) -> None:
    texts = {"a": "1", "b": "22", "copy": "1"}
    for path, text in texts.items():
        remote.put(path, text)
    bench.declare(data=remote.uri)
    bench.resolve(digest_all=True)
    bench.forget_cache()
    remote.forwarder.clear()
    dry = SyncOptions(write=False)
    todo = bench.sync(options=dry).download
    assert (todo.objects, todo.size, todo.requests) == (2, 3, 2)
    assert remote.forwarder.requests == ()
    bench.sync()
    assert len(remote.forwarder.requests) == todo.requests
    assert bench.sync(options=dry).download == Download()


def test_3_7_equal_content_needs_room_once(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked_files(bench, **{f"f{number}": "0123456789" for number in range(10)})
    bench.forget_cache()

    def free(path: Path) -> Space:
        # A cache on a small disk, beside a workspace on a large one.
        return Space(size=50 if path == bench.cache else 10**9, inodes=None)

    monkeypatch.setattr(space, "free_space", free)
    monkeypatch.setattr(space, "_device", str)
    assert bench.sync().fetched == 1
    bench.put(other="x" * 60)
    bench.update()
    bench.forget_cache()
    with pytest.raises(CacheError, match="has no room: 60 bytes in 1 file"):
        bench.sync()


def test_4_20_large_objects_take_a_request_for_each_range() -> None:
    assert [fetching.reads_of(size) for size in (0, 1, fetching.LARGE - 1)] == [1, 1, 1]
    assert fetching.reads_of(fetching.LARGE) == fetching.LARGE // RANGE_LENGTH
    assert fetching.reads_of(fetching.LARGE + 1) == fetching.LARGE // RANGE_LENGTH + 1


# Few open files.


def test_4_18_few_open_files_suffice_for_a_sync(bench: Workbench, remote: Remote) -> None:
    for number in range(60):
        remote.put(f"d{number}/f", f"text {number}")
    bench.declare(data=remote.uri)
    bench.resolve()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}

    def sync(*, limit: tuple[int, int], jobs: int) -> subprocess.CompletedProcess[str]:
        # Of its own: what this process has open must not count.
        own = ["-j", str(jobs), "--cache-dir", str(bench.cache)]
        return subprocess.run(
            [sys.executable, "-m", "artlock", *own, "sync"],
            cwd=bench.root,
            env=environment,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit),
            capture_output=True,
            text=True,
            check=False,
        )

    # So few that not even the work begins: told, with a way out, and nothing is written.
    done = sync(limit=(26, 26), jobs=16)
    assert done.returncode == 3, done.stderr
    assert "too many open files" in done.stderr
    assert bench.workspace() == {}
    done = sync(limit=(64, 64), jobs=16)
    assert done.returncode == 0, done.stderr
    assert len(bench.data()) == 60
    shutil.rmtree(bench.root / "data")
    bench.forget_cache()
    # As many as one may have are taken.
    done = sync(limit=(24, 1024), jobs=16)
    assert done.returncode == 0, done.stderr


# Interruptions.


class _Impatient(Notices):
    """Interrupts the run when the second object has come."""

    def __init__(self) -> None:
        super().__init__()
        self.objects = 0

    def advance(self, *, objects: int = 0, size: int = 0) -> None:
        del size
        self.objects += objects
        if self.objects == 2:
            raise KeyboardInterrupt


def test_3_24_what_came_before_an_interruption_is_not_read_again(
    bench: Workbench, remote: Remote
) -> None:
    for name in "abcdef":
        remote.put(name, f"text {name}")
    bench.declare(data=remote.uri)
    bench.resolve()
    bench.jobs = 1
    patient, bench.notices = bench.notices, _Impatient()
    with pytest.raises(KeyboardInterrupt):
        bench.sync()
    assert bench.workspace() == {}
    bench.notices = patient
    kept = len(bench.cached())
    assert kept >= 1
    remote.forwarder.clear()
    bench.sync()
    # Rows without a digest, too: what was learnt of them is kept.
    assert len(remote.reads()) <= 5
    assert len(bench.data()) == 6


# Trust and policy.


def test_5_4_an_endpoint_of_the_repository_is_not_asked_before_it_is_trusted(
    bench: Workbench, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.put("a", "1")
    endpoint = remote.forwarder.endpoint
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    bench.declare(f'endpoint = "{endpoint}"', data=remote.uri)
    with pytest.raises(PolicyError, match="`endpoint` of `data` is not trusted"):
        bench.resolve()
    assert remote.forwarder.requests == ()
    monkeypatch.setenv("ARTLOCK_TRUST", "127.0.0.1")
    bench.resolve()
    bench.sync()
    assert bench.data() == {"a": "1"}


def test_5_5_an_untrusted_profile_means_that_no_credentials_are_sent(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "1")
    bench.declare('profile = "prod-admin"', data=remote.uri)
    with pytest.raises(AccessDeniedError, match="refused"):
        bench.resolve()
    assert remote.forwarder.requests
    assert all(r.header("Authorization") is None for r in remote.forwarder.requests)
    assert "profile in `artifacts.toml` is not trusted" in bench.notices.texts[0]


def test_5_1_a_lockfile_from_before_a_policy_is_not_synced(bench: Workbench) -> None:
    locked_files(bench, a="1")
    bench.declare_files('\n[policy]\nallow = ["s3://elsewhere/"]')
    with pytest.raises(PolicyError):
        bench.sync()
    assert bench.workspace() == {}


def test_offline_what_is_cached_is_synced_and_the_rest_is_told(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "1")
    bench.declare(data=remote.uri)
    bench.resolve(digest_all=True)
    bench.offline = True
    bench.sync()
    assert bench.data() == {"a": "1"}
    bench.forget_cache()
    shutil.rmtree(bench.root / "data")
    with pytest.raises(StoreUnavailableError, match="--offline"):
        bench.sync()
