import os
import time
from pathlib import Path

import pytest

from artlock.cache.blobs import BlobCache
from artlock.cache.layout import CacheLayout
from artlock.cache.projects import (
    forget,
    known_projects,
    needs_of,
    note_missed,
    register,
    remember_needs,
)
from artlock.cache.sweep import sweep, usage
from artlock.errors import CacheError
from artlock.fs.temporary import Names
from tests.unit.cache.conftest import fill

DAY = 24 * 3600.0
NOW = time.time() + 2 * DAY
LONG_AGO = 10.0**9


def test_an_empty_cache_holds_nothing(tmp_path: Path) -> None:
    found = usage(CacheLayout(tmp_path / "none"))
    assert (found.blobs, found.blob_size, found.incoming_size) == (0, 0, 0)


def test_usage_counts_everything(cache: BlobCache) -> None:
    digests = fill(cache, 3)
    layout = cache.layout
    (layout.temporary / "t").write_bytes(b"12")
    (layout.partial / "k").mkdir()
    (layout.partial / "k" / "p").write_bytes(b"345")
    cache.quarantine(digests[0])
    (layout.discarded / "x").write_bytes(b"1234")
    (layout.root / "v0").mkdir()
    (layout.blobs / "README").touch()
    (layout.blobs / "ab").mkdir(exist_ok=True)
    (layout.blobs / "ab" / "README").touch()
    found = usage(layout)
    assert (found.blobs, found.blob_size) == (2, 20)
    assert (found.incoming_size, found.discarded_size) == (5, 4)
    assert (found.quarantined, found.quarantine_size) == (1, 10)
    assert found.other_versions == (layout.root / "v0",)


def name_of_an_ended_process() -> str:
    machine, _, run, count = Names().next().split("-")
    child = os.fork()
    if not child:  # pragma: no cover - the child
        os._exit(0)
    os.waitpid(child, 0)
    return f"{machine}-{child:x}-{run}-{count}"


def aged(path: Path, data: bytes = b"12345") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def test_3_8_what_ended_processes_left_is_swept(layout: CacheLayout) -> None:
    dead, alive = name_of_an_ended_process(), Names().next()
    gone = aged(layout.temporary / dead)
    stays = aged(layout.temporary / alive)
    assert sweep(layout, now_s=LONG_AGO + 60) == 0
    assert sweep(layout, now_s=LONG_AGO + 2 * 3600, dry_run=True) == 5
    assert gone.exists()
    assert sweep(layout, now_s=LONG_AGO + 2 * 3600) == 5
    assert not gone.exists()
    assert stays.exists()


def test_3_12_partials_can_be_resumed_for_a_week(layout: CacheLayout) -> None:
    dead, alive = name_of_an_ended_process(), Names().next()
    for suffix in (".part", ".journal"):
        aged(layout.partial / "dead" / (dead + suffix))
        aged(layout.partial / "alive" / (alive + suffix))
    assert sweep(layout, now_s=LONG_AGO + 6 * DAY) == 0
    assert sweep(layout, now_s=LONG_AGO + 8 * DAY) == 10
    assert [path.name for path in layout.partial.iterdir()] == ["alive"]


def test_projects_are_known_once_each(layout: CacheLayout, tmp_path: Path) -> None:
    assert known_projects(layout) == ()
    for name in ("two", "one", "one"):
        register(layout, tmp_path / name)
    found = known_projects(layout)
    assert [(p.path.name, p.missed_s) for p in found] == [("one", None), ("two", None)]
    assert abs(found[0].seen_s - time.time()) < 60
    remember_needs(layout, tmp_path / "two", [])
    note_missed(layout, tmp_path / "two", is_there=False)
    assert forget(layout, tmp_path / "two")
    assert not forget(layout, tmp_path / "two")
    assert len(list(layout.projects.iterdir())) == 1
    assert [p.path.name for p in known_projects(layout)] == ["one"]


def test_registering_again_tells_when(layout: CacheLayout, tmp_path: Path) -> None:
    register(layout, tmp_path)
    (entry,) = layout.projects.iterdir()
    os.utime(entry, (LONG_AGO, LONG_AGO))
    register(layout, tmp_path)
    assert known_projects(layout)[0].seen_s > LONG_AGO + 1


def test_an_entry_that_was_cut_short_says_nothing_until_it_is_mended(
    layout: CacheLayout, tmp_path: Path
) -> None:
    register(layout, tmp_path)
    (entry,) = layout.projects.iterdir()
    entry.write_bytes(b"")
    assert known_projects(layout) == ()
    register(layout, tmp_path)
    assert [project.path for project in known_projects(layout)] == [tmp_path]


def test_a_path_of_any_bytes_is_kept(layout: CacheLayout, tmp_path: Path) -> None:
    project = tmp_path / os.fsdecode(b"caf\xff\n")
    project.mkdir()
    register(layout, project)
    assert known_projects(layout)[0].path == project


def test_a_cache_that_is_gone_is_an_error(tmp_path: Path) -> None:
    layout = CacheLayout(tmp_path / "none")
    with pytest.raises(CacheError, match="cannot register"):
        register(layout, tmp_path)
    with pytest.raises(CacheError, match="cannot remember what"):
        remember_needs(layout, tmp_path, [b"1" * 32])
    with pytest.raises(CacheError, match="cannot remember whether"):
        note_missed(layout, tmp_path, is_there=False)
    with pytest.raises(CacheError, match="cannot read which projects"):
        known_projects(layout)
    assert sweep(layout, now_s=NOW) == 0


def test_3_17_what_a_project_needed_is_remembered(
    layout: CacheLayout, tmp_path: Path
) -> None:
    one, two = bytes([1]) * 32, bytes([2]) * 32
    assert needs_of(layout, tmp_path) is None
    remember_needs(layout, tmp_path, [two, one, two])
    assert needs_of(layout, tmp_path) == frozenset({one, two})
    (record,) = layout.projects.iterdir()
    before = record.stat()
    remember_needs(layout, tmp_path, [one, two])
    assert record.stat() == before
    remember_needs(layout, tmp_path, [])
    assert needs_of(layout, tmp_path) == frozenset()
    assert list(layout.temporary.iterdir()) == []


@pytest.mark.parametrize("cut", [0, 31, 33, 64])
def test_3_17_needs_that_were_cut_short_say_nothing(
    layout: CacheLayout, tmp_path: Path, cut: int
) -> None:
    remember_needs(layout, tmp_path, [bytes([1]) * 32, bytes([2]) * 32])
    (record,) = layout.projects.iterdir()
    record.write_bytes(record.read_bytes()[:cut])
    assert needs_of(layout, tmp_path) is None


def test_3_17_since_when_a_project_is_missed_is_remembered(
    layout: CacheLayout, tmp_path: Path
) -> None:
    register(layout, tmp_path)
    note_missed(layout, tmp_path, is_there=False)
    (record,) = layout.projects.glob("*.missed")
    os.utime(record, (LONG_AGO, LONG_AGO))
    note_missed(layout, tmp_path, is_there=False)
    assert known_projects(layout)[0].missed_s == LONG_AGO
    note_missed(layout, tmp_path, is_there=True)
    assert known_projects(layout)[0].missed_s is None
    note_missed(layout, tmp_path, is_there=False)
    register(layout, tmp_path)
    assert known_projects(layout)[0].missed_s is None
