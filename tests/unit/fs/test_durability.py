import errno
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from artlock.fs import durability
from artlock.fs.durability import (
    HAS_SYNCFS,
    Barrier,
    Fsync,
    start_writeback,
    sync_file,
    sync_filesystem,
    sync_folder,
)


@pytest.mark.parametrize("mode", list(Fsync))
@pytest.mark.parametrize("has_syncfs", [HAS_SYNCFS, False])
def test_files_are_whole_behind_the_barrier(
    tmp_path: Path, mode: Fsync, *, has_syncfs: bool
) -> None:
    with Barrier(tmp_path, mode, has_syncfs=has_syncfs) as barrier:
        with open(tmp_path / "t", "wb", buffering=0) as file:
            file.write(b"text")
            barrier.written(file.fileno())
        barrier.flush()
        (tmp_path / "t").rename(tmp_path / "f")
        barrier.named([tmp_path])
        barrier.close()
    assert (tmp_path / "f").read_bytes() == b"text"


def _syncs(monkeypatch: pytest.MonkeyPatch, *, failing: int = 0) -> list[bool]:
    """Let the so-many-th sync of a file system fail; return whether each was a helper's."""
    seen: list[bool] = []

    def sync(_fd: int) -> None:
        seen.append(threading.current_thread() is not threading.main_thread())
        if len(seen) == failing:
            raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(durability, "sync_filesystem", sync)
    return seen


def test_3_2_what_is_written_ahead_is_flushed_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _syncs(monkeypatch)
    threads = threading.active_count()
    with Barrier(tmp_path, Fsync.BATCH, has_syncfs=True) as barrier:
        barrier.ahead(40 << 20)
        barrier.flush()
        assert seen == [True, False]
        barrier.ahead(20 << 20)
        barrier.flush()
        assert seen == [True, False, False]
        barrier.ahead(20 << 20)  # with what went before it is much
    assert seen == [True, False, False, True]
    assert threading.active_count() == threads


@pytest.mark.parametrize("mode", [Fsync.EACH, Fsync.OFF])
def test_nothing_is_written_ahead_where_files_are_not_synced_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Fsync
) -> None:
    seen = _syncs(monkeypatch)
    with Barrier(tmp_path, mode, has_syncfs=True) as barrier:
        barrier.ahead(40 << 20)
        barrier.flush()
    assert seen == []


def test_3_5_what_fails_ahead_fails_the_flush_and_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _syncs(monkeypatch, failing=1)
    with Barrier(tmp_path, Fsync.BATCH, has_syncfs=True) as barrier:
        barrier.ahead(40 << 20)
        for _ in range(2):
            with pytest.raises(OSError, match="input/output error"):
                barrier.flush()
        barrier.ahead(40 << 20)
    assert seen == [True]


@pytest.mark.parametrize(
    ("mode", "has_syncfs", "calls"),
    [
        (Fsync.BATCH, True, ["filesystem", "filesystem"]),
        (Fsync.BATCH, False, ["file", "folder"]),
        (Fsync.EACH, True, ["file", "folder"]),
        (Fsync.OFF, True, []),
    ],
)
def test_3_2_the_mode_decides_what_is_synced(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: Fsync,
    calls: list[str],
    *,
    has_syncfs: bool,
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(durability, "sync_file", lambda _: seen.append("file"))
    monkeypatch.setattr(durability, "sync_folder", lambda _: seen.append("folder"))
    monkeypatch.setattr(durability, "sync_filesystem", lambda _: seen.append("filesystem"))
    with Barrier(tmp_path, mode, has_syncfs=has_syncfs) as barrier:
        barrier.written(0)
        barrier.flush()
        barrier.named([tmp_path])
    assert seen == calls


@pytest.mark.skipif(not HAS_SYNCFS, reason="syncfs is Linux's")
def test_3_6_a_sync_that_fails_is_an_error() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_filesystem(-1)


def test_a_file_and_a_folder_can_be_synced(tmp_path: Path) -> None:
    with open(tmp_path / "f", "wb", buffering=0) as file:
        file.write(b"text")
        start_writeback(file.fileno(), 0, 4)
        sync_file(file.fileno())
    sync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "none")


def test_a_hint_about_writing_is_never_an_error() -> None:
    start_writeback(-1, 0, 4)


ORDER = """
import os, sys
from pathlib import Path
from artlock.cache.layout import CacheLayout
from artlock.cache.blobs import BlobCache
from artlock.fs.durability import Fsync
from artlock.model.tokens import Tokens
layout = CacheLayout(Path(sys.argv[1])); layout.prepare()
with BlobCache(layout, fsync=Fsync(sys.argv[2])).batch() as batch:
    for i in range(3):
        batch.put([b"%d" % i], Tokens(), size=1, subject="x")
"""


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("mode", ["batch", "each"])
def test_3_1_3_2_what_is_renamed_was_synced_before(tmp_path: Path, mode: str) -> None:
    log = tmp_path / "log"
    calls = "trace=fsync,syncfs,rename,renameat,renameat2"
    program = [sys.executable, "-c", ORDER, str(tmp_path / "cache"), mode]
    subprocess.run(
        ["strace", "-f", "-o", str(log), "-e", calls, *program],
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    found = [line.split("(")[0].split()[-1] for line in log.read_text().splitlines()]
    found = [name for name in found if name in {"fsync", "syncfs", "rename"}]
    first = found.index("rename")
    assert found[:first] == (["syncfs"] if mode == "batch" else ["fsync"] * 3)
    assert found[first : first + 3] == ["rename"] * 3
    assert found[-1] in {"syncfs", "fsync"}
