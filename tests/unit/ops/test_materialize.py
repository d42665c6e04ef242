"""Files of the workspace are staged, and told of, once each."""

from __future__ import annotations

import errno
import itertools
import os
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3

from artlock.cache.blobs import BlobCache
from artlock.cache.layout import CacheLayout
from artlock.cache.records import Stamp
from artlock.errors import WorkspaceError
from artlock.fs.root import Root
from artlock.model.digest import Digest
from artlock.model.settings import LinkMode
from artlock.model.tokens import Tokens
from artlock.ops.materialize import Materializer, Write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


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
