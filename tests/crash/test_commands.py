"""Real commands on machines that are not as they should be; see ``torture/ground.py``."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from testbed.faults import Fault
from tests.invariants import assert_names_are_promises, temporaries
from torture.ground import Deed, Ground, lend_ground, two_states

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("commands").resolve()
    states = two_states("commands", files=8, large=(1 << 20) + 5)
    with lend_ground(folder / "ground", states, altered=["small-ranges"]) as ground:
        yield ground


@pytest.fixture
def ground(lent: Ground) -> Iterator[Ground]:
    yield lent
    lent.show(lent.new)


def begin(ground: Ground, name: str) -> Deed:
    deed = ground.deeds[name]
    ground.reset(deed)
    return deed


# 3.9, 3.10, 3.29: several at once.


@pytest.mark.parametrize("flags", [[], ["no-flock"]], ids=["flock", "no-flock"])
def test_3_9_3_10_several_syncs_at_once_end_alike_whether_locks_hold_or_not(
    ground: Ground, flags: list[str]
) -> None:
    deed = begin(ground, "sync")
    ground.empty_cache()
    members = [ground.neighbour(number) for number in range(4)]
    for member in members:
        member.reset_project(deed)
    ground.moved()
    running = [member.start("sync", altered=flags) for member in members]
    said = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0] * 4, said
    assert ground.moved() <= 4 * sum(map(len, ground.new.web.values()))
    for member in members:
        assert member.judge(deed, ended=True).violations == 0
        shutil.rmtree(member.project)
    assert ground.sweep() == []


def test_3_10_two_syncs_of_one_project_without_locks_leave_nothing_wrong(
    ground: Ground,
) -> None:
    deed = begin(ground, "sync")
    running = [ground.start("sync", altered=["no-flock"]) for _ in range(2)]
    for process in running:
        process.communicate()
        # 1: files changed while their bytes were fetched; run it again.
        assert process.returncode in {0, 1, 3}
    assert ground.judge(deed).violations == 0
    assert ground.finish(deed).violations == 0


@pytest.mark.parametrize("flags", [[], ["no-flock"]], ids=["flock", "no-flock"])
def test_3_29_of_two_updates_at_once_one_may_fail_and_the_lockfile_is_whole(
    ground: Ground, flags: list[str]
) -> None:
    deed = begin(ground, "update")
    running = [ground.start("update", altered=flags) for _ in range(3)]
    said = [process.communicate()[1].decode() for process in running]
    codes = sorted(process.returncode for process in running)
    assert codes[0] == 0
    assert set(codes) <= {0, 3}
    for process, text in zip(running, said, strict=True):
        assert process.returncode == 0 or "changed while this command ran" in text
    assert ground.judge(deed, ended=True).violations == 0


# 3.13: what came of one state never completes another.


def test_3_13_ranges_of_an_object_that_was_replaced_are_not_used(ground: Ground) -> None:
    deed = begin(ground, "sync")
    ground.empty_cache()
    body = ground.new.web["web-large"]
    last = Fault(
        kind="status",
        status=404,
        matches=lambda method, path, _: method == "GET" and path == "/web-large",
        times=1,
    )
    ground.server.put("/web-large", body, etag='"first"', faults=[last])
    (ground.project / "artifacts.lock").write_bytes(ground.locks["old"])
    assert ground.run("update")[0] == 3
    ground.server.put("/web-large", body[::-1], etag='"second"')
    code, said = ground.run("update")
    assert code == 0, said
    code, said = ground.run("sync")
    assert code == 0, said
    assert (ground.project / "data/web-large/web-large").read_bytes() == body[::-1]
    assert_names_are_promises(ground.layout)
    assert ground.deeds["sync"] == deed


# 3.18: the cache lies on another file system.


@pytest.mark.parametrize("mode", ["auto", "copy", "symlink"])
def test_3_18_a_cache_on_another_file_system_serves_all_the_same(
    ground: Ground, mode: str, other_device: Path
) -> None:
    deed = begin(ground, "sync")
    far = replace(ground, place=other_device)
    shutil.copytree(ground.cache, far.cache)
    shutil.copytree(ground.project, far.project)
    environment = {**far.environment, "ARTLOCK_LINK_MODE": mode}
    assert far.cache.stat().st_dev != ground.project.stat().st_dev
    code, said = _run(ground, environment)
    assert code == 0, said
    assert_names_are_promises(far.layout)
    for path, digest in ground.new.files.items():
        is_new = ground.before.get(path) != digest
        assert (ground.project / path).is_symlink() == (is_new and mode == "symlink")
        assert far.layout.blobs.joinpath(digest[:2], digest[2:]).is_file()
    if mode != "symlink":
        assert ground.judge(deed, ended=True).violations == 0


def test_3_18_hard_links_to_another_file_system_are_refused_and_nothing_is_written(
    ground: Ground, other_device: Path
) -> None:
    deed = begin(ground, "sync")
    far = replace(ground, place=other_device)
    shutil.copytree(ground.cache, far.cache)
    code, said = _run(ground, {**far.environment, "ARTLOCK_LINK_MODE": "hardlink"})
    assert code == 3
    assert "invalid cross-device link" in said
    assert ground.judge(deed).violations == 0
    assert ground.temporaries() == []


def _run(ground: Ground, environment: dict[str, str]) -> tuple[int, str]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(type(ground), "environment", dict(os.environ))
        return ground.run("sync")


@pytest.fixture
def other_device(tmp_path: Path) -> Iterator[Path]:
    memory = Path("/dev/shm")  # noqa: S108 - the folder there is this test's own
    if not os.access(memory, os.W_OK) or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    place = memory / f"artlock-{os.urandom(4).hex()}"
    place.mkdir(mode=0o700)
    try:
        yield place
    finally:
        shutil.rmtree(place)


# 3.23: a wrong clock decides nothing.

_DAY_S = 24 * 3600


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("sync", f"clock=-{2 * _DAY_S}"),
        ("sync", f"clock={3650 * _DAY_S}"),
        ("sync", f"clock=-{3650 * _DAY_S}"),
        ("sync", "clock-jumps"),
        ("sync --force", "clock-jumps"),
        ("update", f"clock={2 * _DAY_S}"),
        ("update", f"clock=-{3650 * _DAY_S}"),
        ("prune", f"clock={3650 * _DAY_S}"),
        ("prune", f"clock=-{2 * _DAY_S}"),
    ],
)
def test_3_23_a_wrong_clock_changes_no_result(ground: Ground, name: str, flag: str) -> None:
    deed = begin(ground, name)
    code, said = ground.run(*deed.arguments, altered=[flag])
    assert code == 0, said
    assert ground.judge(deed, ended=True).violations == 0
    # With the right clock again there is nothing more to do.
    assert ground.finish(deed).violations == 0


# 3.24: asked to end, while a source is silent.


@pytest.mark.parametrize(
    ("signals", "within_s"),
    [
        ([signal.SIGINT], 15.0),
        ([signal.SIGTERM], 15.0),
        ([signal.SIGINT, signal.SIGINT], 15.0),
        ([signal.SIGTERM, signal.SIGINT], 15.0),
    ],
    ids=["once", "term", "twice", "both"],
)
def test_3_24_a_sync_that_is_asked_to_end_does_so_and_leaves_nothing(
    ground: Ground, signals: list[signal.Signals], within_s: float
) -> None:
    deed = begin(ground, "sync")
    ground.empty_cache()
    silent = Fault(kind="stall", after=1000, seconds=30.0)
    body = ground.new.web["web-new"]
    # With the etag that is locked: the server would refuse at once otherwise.
    etag = f'"{blake3(body).hexdigest()[:16]}"'
    ground.server.put("/web-new", body, etag=etag, faults=[silent])
    (ground.project / "artifacts.lock").write_bytes(deed.before)
    ground.server.clear()
    process = ground.start("sync")
    while not _is_asked(ground, "/web-new"):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    started = time.monotonic()
    for which in signals:
        process.send_signal(which)
        time.sleep(0.1)
    said = process.communicate(timeout=60)[1].decode()
    # A shell calls both 130; the second signal may meet a Python that ends already.
    assert process.returncode in {130, -signals[-1]}, said
    assert "interrupted" in said
    assert time.monotonic() - started < within_s
    assert "Traceback" not in said
    assert ground.judge(deed).violations == 0
    assert temporaries(ground.project) == []
    ground.show(ground.new)
    assert ground.finish(deed).violations == 0


def _is_asked(ground: Ground, path: str) -> bool:
    return any(r.method == "GET" and r.path == path for r in ground.server.requests)


# 3.25, 3.26: memories that are damaged, or not ours.


@pytest.mark.parametrize("name", ["cache/v1/index.sqlite", "project/.artlock/index"])
def test_3_25_a_memory_with_a_flipped_bit_is_no_reason_to_be_wrong(
    ground: Ground, name: str
) -> None:
    deed = begin(ground, "sync")
    path = ground.place / name
    whole = path.read_bytes()
    for part in range(4):
        ground.reset(deed)
        damaged = bytearray(whole)
        damaged[part * len(whole) // 4 + part] ^= 1 << part
        path.write_bytes(damaged)
        code, said = ground.run("sync")
        # 1: it does not know that a file in the way of a folder is its own.
        assert code in {0, 1}, said
        assert ground.judge(deed, ended=code == 0, forgot=True).violations == 0
        assert ground.run("sync", "--force")[0] == 0
        assert ground.judge(deed, ended=True, forgot=True).violations == 0


def test_3_25_memories_that_cannot_be_written_are_done_without(ground: Ground) -> None:
    deed = begin(ground, "sync")
    (ground.layout.index).unlink()
    ground.layout.index.mkdir()
    code, said = ground.run("sync")
    assert code == 0, said
    assert ground.judge(deed, ended=True).violations == 0


def test_3_26_a_later_cache_beside_ours_is_not_touched(ground: Ground) -> None:
    deed = begin(ground, "sync")
    later = ground.cache / "v2" / "blobs" / "x"
    later.parent.mkdir(parents=True)
    later.write_bytes(b"of a later artlock")
    assert ground.run("sync")[0] == 0
    assert ground.judge(deed, ended=True).violations == 0
    assert ground.run("cache", "prune", "--grace", "0s")[0] == 0
    assert later.read_bytes() == b"of a later artlock"


@pytest.mark.parametrize("arguments", [("sync",), ("update",)])
def test_3_26_a_lockfile_of_a_later_format_is_refused_and_stays(
    ground: Ground, arguments: tuple[str, ...]
) -> None:
    begin(ground, "sync")
    lockfile = ground.project / "artifacts.lock"
    later = lockfile.read_bytes().replace(b"version = 1", b"version = 2", 1)
    lockfile.write_bytes(later)
    code, said = ground.run(*arguments)
    assert code == 2
    assert "upgrade artlock" in said
    assert lockfile.read_bytes() == later


# 3.4: a lockfile that leads elsewhere.


def test_3_4_a_lockfile_that_is_a_link_out_of_the_repository_is_not_written(
    ground: Ground, tmp_path: Path
) -> None:
    begin(ground, "update")
    outside = tmp_path / "elsewhere.lock"
    lockfile = ground.project / "artifacts.lock"
    outside.write_bytes(lockfile.read_bytes())
    lockfile.unlink()
    lockfile.symlink_to(outside)
    code, said = ground.run("update")
    assert code == 3
    assert "is a symbolic link, which artlock does not replace" in said
    assert lockfile.is_symlink()
    assert outside.read_bytes() == ground.locks["old"]
    assert ground.temporaries() == []


def test_3_4_an_update_keeps_the_mode_of_the_lockfile(ground: Ground) -> None:
    deed = begin(ground, "update")
    lockfile = ground.project / "artifacts.lock"
    lockfile.chmod(0o640)
    assert ground.run("update")[0] == 0
    assert lockfile.stat().st_mode & 0o777 == 0o640
    assert ground.judge(deed, ended=True).violations == 0
