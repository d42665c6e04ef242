"""The system refuses, at a moment that strace chooses (hazards 3.5, 3.6)."""

import re
from collections.abc import Iterator

import pytest

from tests.invariants import blob_files, wrong_files
from torture.syscalls import TWO_FILES, Watched, lend_watched, problem


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    reason = problem()
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("watched").resolve()
    with lend_watched(folder / "ground", TWO_FILES) as lent:
        yield lent


_SYNCS = "fsync,fdatasync,syncfs"


@pytest.mark.slow
def test_3_5_where_no_sync_succeeds_nothing_gets_a_name(watched: Watched) -> None:
    ground = watched.ground
    watched.begin("sync")
    before = set(blob_files(ground.layout))
    every = f"inject={_SYNCS}:error=EIO:when=1+"
    code, said, _ = watched.trace("sync", "-e", f"trace={_SYNCS}", "-e", every)
    assert code == 3
    assert "cannot write to the cache: input/output error" in said
    assert set(blob_files(ground.layout)) == before
    unchanged = {path: {digest} for path, digest in ground.before.items()}
    assert wrong_files(ground.project, unchanged) == []
    assert ground.temporaries() == []


@pytest.mark.slow
def test_3_5_a_lockfile_that_cannot_be_synced_is_not_replaced(watched: Watched) -> None:
    ground = watched.ground
    every = "inject=fsync:error=EIO:when=1+"
    code, said, _ = watched.trace("update", "-e", "trace=fsync", "-e", every)
    assert code == 3
    assert "`artifacts.lock` cannot be written: input/output error" in said
    assert (ground.project / "artifacts.lock").read_bytes() == ground.locks["old"]
    assert ground.temporaries() == []


@pytest.mark.slow
@pytest.mark.parametrize("deed", ["sync", "update"])
def test_3_5_a_sync_that_failed_is_not_tried_again(watched: Watched, deed: str) -> None:
    # SQLite's own, of a memory that may be lost, are left out.
    calls = "fsync,syncfs"
    trace = ("-e", f"trace={calls},close", "-e", f"inject={calls}:error=EIO:when=1+")
    log = watched.trace(deed, *trace)[2]
    failed: set[tuple[str, str]] = set()
    for pid, call, fd in re.findall(r"^(\d+) +(\w+)\((\d+)", log, re.MULTILINE):
        if call == "close":
            failed.discard((pid, fd))
        else:
            assert (pid, fd) not in failed
            failed.add((pid, fd))
    assert "(INJECTED)" in log


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deed", "call", "fault"),
    [
        ("sync", "close", "EIO"),
        ("sync", "openat", "EMFILE"),
        ("sync", "rename", "EIO"),
        ("sync", "renameat", "EROFS"),
        ("sync", "renameat2", "EIO"),
        ("sync", "syncfs", "EDQUOT"),
        ("resolve", "newfstatat", "EACCES"),
        ("update", "ftruncate", "EIO"),
        ("update", "rename", "ENOSPC"),
        ("prune", "unlink", "EIO"),
    ],
)
def test_3_6_each_call_may_fail_and_a_rerun_ends_all_the_same(
    watched: Watched, deed: str, call: str, fault: str
) -> None:
    count = watched.calls(deed)[call]
    assert count > 0
    for index in range(1, min(count, 8) + 1):
        tally = watched.break_at(deed, call, fault, index)
        assert tally.violations == 0
        assert tally.faults > 0


@pytest.mark.slow
@pytest.mark.parametrize("deed", ["sync", "update", "prune"])
def test_3_8_2_21_the_last_call_may_be_any(watched: Watched, deed: str) -> None:
    calls = {"rename", "renameat", "renameat2", "unlink"}
    for call in sorted(calls & watched.calls(deed).keys()):
        for index in range(1, watched.calls(deed)[call] + 1):
            assert watched.break_at(deed, call, "KILL", index).violations == 0


@pytest.mark.slow
@pytest.mark.parametrize("deed", ["sync", "update"])
def test_3_3_no_file_has_its_size_before_its_bytes(watched: Watched, deed: str) -> None:
    log = watched.trace(deed, "-e", "trace=fallocate,ftruncate,truncate")[2]
    grown = re.findall(r"fallocate\(.*|truncate\(\S+, [1-9].*", log)
    assert grown == []


_NAMING = "rename,renameat,renameat2,linkat"
_CALL = re.compile(r"^\d+ +(\w+)\((.*)", re.MULTILINE)
_PATH = re.compile(r'\d*<(/[^>]*)>|"([^"]*)"')


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deed", "named"),
    [
        ("sync", ["blobs/blake3/", "data/tree/changed-0.bin", "data/tree/comes"]),
        ("update", ["blobs/blake3/", "project/artifacts.lock"]),
    ],
)
def test_3_1_3_2_a_sync_precedes_every_name(
    watched: Watched, deed: str, named: list[str]
) -> None:
    calls = f"write,pwrite64,syncfs,fsync,{_NAMING}"
    log = watched.trace(deed, "-y", "-e", f"trace={calls}")[2]
    written: set[str] = set()
    seen: list[str] = []
    for call, told in _CALL.findall(log):
        paths = [one or other for one, other in _PATH.findall(told)]
        if call == "syncfs":
            written.clear()
        elif call == "fsync":
            written.discard(paths[0])
        elif call in _NAMING.split(","):
            if len(paths) == 4:  # a folder and a name, twice
                paths = ["/".join(paths[:2]), "/".join(paths[2:])]
            old, new = paths
            if any(name in new for name in named):
                # Of a folder, everything in it.
                assert not any(f"{path}/".startswith(f"{old}/") for path in written), told
                seen.append(new)
        elif paths:
            written.add(paths[0])
    for name in named:
        assert any(name in new for new in seen), seen
