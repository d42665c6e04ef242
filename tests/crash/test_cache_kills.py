"""Killed at any moment, several at once, and with a full disk (hazards 3.7 to 3.12)."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from blake3 import blake3

from artlock.cache.blobs import BlobCache
from artlock.cache.layout import CacheLayout
from artlock.cache.ranges import PartialFile
from artlock.cache.sweep import sweep
from artlock.errors import CacheError
from artlock.model.tokens import Tokens
from tests.crash import programs
from tests.crash.programs import BLOBS, RANGE, blob_data, large_data, put_blobs, put_large
from tests.invariants import (
    assert_names_are_promises,
    assert_nothing_is_on_its_way,
    blob_files,
)

KILLS = 10
LARGE_RANGES = -(-programs.LARGE_SIZE // RANGE)


def start(program: str, layout: CacheLayout) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[2])
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.programs", program, str(layout.root)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": root},
        cwd=root,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    child.stdout.close()
    return child


def duration_of(program: str, layout: CacheLayout) -> float:
    child = start(program, layout)
    started = time.monotonic()
    assert child.wait() == 0
    return time.monotonic() - started


def names_of(numbers: range) -> set[str]:
    return {blake3(blob_data(number)).hexdigest() for number in numbers}


@pytest.fixture
def layout(tmp_path: Path) -> CacheLayout:
    layout = CacheLayout(tmp_path / "cache")
    layout.prepare()
    return layout


@pytest.mark.slow
@pytest.mark.parametrize("program", ["blobs", "large"])
def test_3_8_3_12_killed_at_any_moment_it_promises_nothing_false_and_a_rerun_ends(
    tmp_path: Path, program: str
) -> None:
    whole = duration_of(program, CacheLayout(tmp_path / "measured"))
    moments = random.Random(f"seed of {program}")  # noqa: S311 - made-up moments
    for number in range(KILLS):
        layout = CacheLayout(tmp_path / f"cache-{number}")
        child = start(program, layout)
        time.sleep(moments.uniform(0, 1.1 * whole))
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert_names_are_promises(layout)
        rerun: Callable[[CacheLayout], object]
        rerun = put_blobs if program == "blobs" else put_large
        rerun(layout)
        found = {digest.hex for digest in assert_names_are_promises(layout)}
        if program == "blobs":
            assert found == names_of(range(BLOBS))
        else:
            assert found == {blake3(large_data()).hexdigest()}
        sweep(layout, now_s=time.time() + 8 * 24 * 3600)
        assert_nothing_is_on_its_way(layout)


@pytest.mark.slow
def test_3_12_what_was_finished_before_a_kill_is_not_fetched_again(
    layout: CacheLayout,
) -> None:
    child = start("large", layout)
    while not _journalled(layout) and child.poll() is None:
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait()
    finished = _journalled(layout)
    assert finished or list(blob_files(layout))
    assert put_large(layout) <= LARGE_RANGES - finished
    assert len(assert_names_are_promises(layout)) == 1
    assert_nothing_is_on_its_way(layout)


def _journalled(layout: CacheLayout) -> int:
    return sum(path.stat().st_size // 48 for path in layout.partial.rglob("*.journal"))


@pytest.mark.slow
def test_3_9_processes_that_put_the_same_at_once_do_not_disturb_each_other(
    layout: CacheLayout,
) -> None:
    moments = random.Random("several")  # noqa: S311 - made-up moments
    children = [start(program, layout) for program in ("blobs", "large") * 3]
    for child in children[:2]:
        time.sleep(moments.uniform(0, 0.1))
        child.send_signal(signal.SIGKILL)
    assert [child.wait() for child in children[2:]] == [0] * 4
    for child in children[:2]:
        child.wait()
    found = {digest.hex for digest in assert_names_are_promises(layout)}
    assert found == names_of(range(BLOBS)) | {blake3(large_data()).hexdigest()}
    sweep(layout, now_s=time.time() + 8 * 24 * 3600)
    assert_nothing_is_on_its_way(layout)


@pytest.fixture(params=["size=1m", "size=4m,nr_inodes=30"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", request.param, "none", str(place)], check=False
    )
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_3_7_a_full_disk_is_an_error_and_nothing_is_half_done(small_disk: Path) -> None:
    layout = CacheLayout(small_disk / "cache")
    layout.prepare()
    cache = BlobCache(layout)
    contents = [bytes([number]) * 100_000 for number in range(40)]
    batch = cache.batch()

    def put_all() -> None:
        for data in contents:
            batch.put([data], Tokens(), size=len(data), subject="x")

    with pytest.raises(CacheError, match="no space left on device") as caught:
        put_all()
    assert caught.value.hint == "free 100000 bytes, or set `--cache-dir`"
    stored = len(list(layout.temporary.iterdir()))
    assert 0 < stored < len(contents)
    with suppress(CacheError):  # folders for the names may find no inodes either
        batch.commit()
    batch.abandon()
    assert len(assert_names_are_promises(layout)) <= stored
    assert list(layout.temporary.iterdir()) == []
    for path in list(blob_files(layout)):
        path.unlink()
    with cache.batch() as batch:
        batch.put([contents[-1]], Tokens(), size=100_000, subject="x")
    assert len(assert_names_are_promises(layout)) == 1
    assert_nothing_is_on_its_way(layout)


def test_3_7_a_large_object_that_does_not_fit_is_an_error(small_disk: Path) -> None:
    layout = CacheLayout(small_disk / "cache")
    layout.prepare()
    size = 6 << 20
    with (
        PartialFile(layout, "k", size, tokens=Tokens(), subject="x") as partial,
        pytest.raises(CacheError, match="no space left on device") as caught,
    ):
        partial.write(0, [bytes(1 << 20)] * 6)
    assert caught.value.hint == f"free {size} bytes, or set `--cache-dir`"
    assert list(blob_files(layout)) == []
