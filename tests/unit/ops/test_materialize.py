"""Files of the workspace are staged, and told of, once each."""

from __future__ import annotations

import errno
import itertools
import os
import signal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from artlock.cache.blobs import BlobCache
from artlock.cache.layout import CacheLayout
from artlock.cache.records import Stamp
from artlock.errors import ConflictError, WorkspaceError
from artlock.fs.durability import Barrier
from artlock.fs.newfolders import NewFolders
from artlock.fs.root import Root
from artlock.model.digest import Digest
from artlock.model.settings import LinkMode
from artlock.model.tokens import Tokens
from artlock.ops.materialize import Materializer, Write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Counting:
    """Adds up what it is told."""

    def __init__(self) -> None:
        self.told = [0, 0]

    def begin(self, deed: str, *, objects: int | None, size: int | None) -> None:
        """Nothing to do."""

    def advance(self, *, objects: int = 0, size: int = 0) -> None:
        """Add."""
        self.told[0] += objects
        self.told[1] += size

    def end(self) -> None:
        """Nothing to do."""

    def notice(self, text: str) -> None:
        """Nothing to do."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return an empty folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def _break(
    monkeypatch: pytest.MonkeyPatch,
    blobs: BlobCache,
    number: int,
    fails: Callable[[Digest], bool],
) -> None:
    """Let copies out of a cache fail with an error of the system."""
    copy = blobs.copy_to

    def failing(digest: Digest, size: int, fd: int) -> None:
        if fails(digest):
            raise OSError(number, os.strerror(number))
        copy(digest, size, fd)

    monkeypatch.setattr(blobs, "copy_to", failing)


def _cached(folder: Path, contents: Sequence[bytes]) -> tuple[BlobCache, list[Write]]:
    """Return a cache of some blobs, and what would make a file of each."""
    layout = CacheLayout(folder)
    layout.prepare()
    blobs = BlobCache(layout)
    writes = []
    with blobs.batch() as batch:
        for number, data in enumerate(contents):
            digest = Digest.blake3(blake3(data).digest())
            batch.put([data], Tokens(digests=(digest,)), size=len(data), subject="blob")
            writes.append(Write(f"data/{number % 7}/{number}", digest, len(data)))
    return blobs, writes


def test_a_blob_that_is_missing_is_told_and_not_counted(
    tmp_path: Path, project: Path
) -> None:
    there = b"there"
    blobs, (write,) = _cached(tmp_path / "cache", [there])
    absent = Write("data/absent", Digest.blake3(blake3(b"absent").digest()), 6)
    progress = Counting()
    with (
        Root(project) as root,
        Materializer(root, blobs, LinkMode.COPY, progress) as files,
    ):
        assert files.stage([write, absent]) == [absent]
        assert progress.told == [1, len(there)]
        files.place([write.target], {})
    assert (project / write.target).read_bytes() == there


@pytest.mark.parametrize("may_fork", [True, False])
def test_many_small_files_are_made_and_what_is_missing_is_told(
    tmp_path: Path,
    project: Path,
    may_fork: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    contents = [f"number {number}".encode() for number in range(1500)]
    blobs, writes = _cached(tmp_path / "cache", contents)
    blobs.path(writes[3].digest).unlink()
    damaged = blobs.path(writes[1490].digest)
    damaged.chmod(0o644)
    damaged.write_bytes(b"NUMBER 1490")
    lost = [writes[3], writes[1490]]
    progress = Counting()
    with (
        Root(project) as root,
        Materializer(root, blobs, LinkMode.COPY, progress, may_fork=may_fork) as files,
    ):
        missing = files.stage(writes)
        assert sorted(missing, key=lambda w: w.target) == sorted(
            lost, key=lambda w: w.target
        )
        assert progress.told[0] == 1498
        files.place((w.target for w in writes if w not in lost), {})
        stamps = dict(files.stamps)
    for number, write in enumerate(writes):
        file = project / write.target
        if write in lost:
            assert not file.exists()
        else:
            assert file.read_bytes() == contents[number]
            assert stamps[write.target].is_but_linked(Stamp.of(file.lstat()))
    assert not list((project / ".artlock/tmp").iterdir())


@pytest.mark.parametrize("may_fork", [True, False])
def test_an_error_in_the_middle_leaves_nothing(
    tmp_path: Path,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    may_fork: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    blobs, writes = _cached(tmp_path / "cache", [b"%d" % n for n in range(1500)])
    last = writes[700].digest
    _break(monkeypatch, blobs, errno.ENOSPC, lambda digest: digest == last)
    with (
        Root(project) as root,
        pytest.raises(WorkspaceError, match="no space left"),
        Materializer(root, blobs, LinkMode.COPY, Counting(), may_fork=may_fork) as files,
    ):
        files.stage(writes)
    assert [path for path in project.rglob("*") if path.is_file()] == []


def test_what_fails_in_a_fork_leaves_nothing_and_is_made_here(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs, writes = _cached(tmp_path / "cache", [b"%d" % n for n in range(3000)])
    here = os.getpid()
    copies = itertools.count()
    _break(
        monkeypatch,
        blobs,
        errno.EIO,
        lambda _: os.getpid() != here and next(copies) > 30,
    )
    with (
        Root(project) as root,
        Materializer(root, blobs, LinkMode.COPY, Counting(), may_fork=True) as files,
    ):
        assert files.stage(writes) == []
        files.place((write.target for write in writes), {})
    assert len(list((project / "data").rglob("*"))) == 3000 + 7
    assert not list((project / ".artlock/tmp").iterdir())


@pytest.mark.parametrize("mode", [LinkMode.HARDLINK, LinkMode.SYMLINK])
def test_links_are_made_in_one_process_which_remembers_their_blobs(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, mode: LinkMode
) -> None:
    blobs, writes = _cached(tmp_path / "cache", [b"%d" % n for n in range(1500)])
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("a fork used the database"))
    with (
        Root(project) as root,
        Materializer(root, blobs, mode, Counting(), may_fork=True) as files,
    ):
        assert files.stage(writes) == []


def _looks(project: Path) -> dict[str, object]:
    """Return the mode of each folder and the text of each file, by path."""
    return {
        path.relative_to(project).as_posix(): (
            path.stat().st_mode if path.is_dir() else path.read_bytes()
        )
        for path in project.rglob("*")
    }


_NAMES = st.sampled_from(["a", "b", "c"])
_FOLDERS = st.lists(_NAMES, max_size=3).map("/".join)


@settings(deadline=None)
@given(
    there=st.sets(_FOLDERS, max_size=4),
    wanted=st.dictionaries(_FOLDERS, st.sets(st.sampled_from("xyz")), max_size=8),
)
def test_whole_folders_and_single_files_end_alike(
    there: set[str], wanted: dict[str, set[str]]
) -> None:
    targets = sorted(f"{f}/{n}".strip("/") for f, names in wanted.items() for n in names)
    contents = [target.encode() for target in targets]
    found = []
    for whole in (True, False):
        with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
            blobs, writes = _cached(Path(name) / "cache", contents)
            project = Path(name) / "project"
            for folder in ("", *there):
                (project / folder).mkdir(parents=True, exist_ok=True)
            patch.setattr("artlock.fs.durability.sync_filesystem", lambda _: None)
            if not whole:
                patch.setattr(NewFolders, "begin", lambda *_: None)
            writes = [
                Write(t, w.digest, w.size) for t, w in zip(targets, writes, strict=True)
            ]
            with (
                Root(project) as root,
                Materializer(root, blobs, LinkMode.COPY, Counting()) as files,
            ):
                assert files.stage(writes) == []
                files.place(targets, {})
                stamps = files.stamps
            for target in targets:
                assert stamps[target] == Stamp.of((project / target).lstat())
            found.append(_looks(project))
    assert found[0] == found[1]


def test_2_20_a_file_that_appears_in_a_new_folder_is_kept(
    tmp_path: Path, project: Path
) -> None:
    blobs, writes = _cached(tmp_path / "cache", [b"1", b"2", b"3"])
    theirs = project / writes[1].target
    with (
        Root(project) as root,
        Materializer(root, blobs, LinkMode.COPY, Counting()) as files,
    ):
        assert files.stage(writes) == []
        theirs.parent.mkdir(parents=True)
        theirs.write_bytes(b"mine")
        with pytest.raises(ConflictError, match="changed while"):
            files.place((write.target for write in writes), {})
    assert theirs.read_bytes() == b"mine"
    assert not list((project / ".artlock/tmp").iterdir())


def test_only_what_is_asked_for_gets_a_name(tmp_path: Path, project: Path) -> None:
    blobs, writes = _cached(tmp_path / "cache", [b"1", b"2", b"3"])
    with (
        Root(project) as root,
        Materializer(root, blobs, LinkMode.COPY, Counting()) as files,
    ):
        assert files.stage(writes) == []
        files.place([writes[1].target], {})
    found = [path for path in project.rglob("*") if path.is_file()]
    assert found == [project / writes[1].target]


def test_3_2_what_a_killed_fork_left_gets_no_name(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [b"number %d" % number for number in range(3000)]
    blobs, writes = _cached(tmp_path / "cache", contents)
    here = os.getpid()
    copy = blobs.copy_to

    def killed(digest: Digest, size: int, fd: int) -> None:
        if os.getpid() != here:
            os.write(fd, b"numb")
            os.kill(os.getpid(), signal.SIGKILL)
        copy(digest, size, fd)

    monkeypatch.setattr(blobs, "copy_to", killed)
    with (
        Root(project) as root,
        Materializer(root, blobs, LinkMode.COPY, Counting(), may_fork=True) as files,
    ):
        assert files.stage(writes) == []
        files.place((write.target for write in writes), {})
    for write, content in zip(writes, contents, strict=True):
        assert (project / write.target).read_bytes() == content
    assert not list((project / ".artlock/tmp").iterdir())


def test_3_2_without_syncfs_files_and_folders_are_synced_before_a_name(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs, writes = _cached(tmp_path / "cache", [b"%d" % n for n in range(20)])
    synced: list[tuple[int, bool]] = []

    def sync(fd: int) -> None:
        synced.append((os.fstat(fd).st_ino, (project / "data").exists()))

    monkeypatch.setattr("artlock.fs.durability.sync_file", sync)
    monkeypatch.setattr(
        "artlock.ops.materialize.Barrier", partial(Barrier, has_syncfs=False)
    )
    with (
        Root(project) as root,
        Materializer(root, blobs, LinkMode.COPY, Counting()) as files,
    ):
        assert files.stage(writes) == []
        files.place((write.target for write in writes), {})
    made = {path.stat().st_ino for path in (project / "data").rglob("*")}
    made.add((project / "data").stat().st_ino)
    assert {inode for inode, is_named in synced if not is_named} == made
