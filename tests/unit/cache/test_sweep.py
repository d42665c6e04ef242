import os
import time
from pathlib import Path

import pytest

from artlock.cache.blobs import BlobCache
from artlock.cache.layout import CacheLayout
from artlock.cache.projects import forget, known_projects, register
from artlock.cache.sweep import prune, stored_blobs, sweep, usage
from artlock.errors import CacheError
from artlock.fs.temporary import Names
from artlock.model.digest import Digest
from artlock.model.tokens import Tokens

DAY = 24 * 3600.0
NOW = time.time() + 2 * DAY
LONG_AGO = 10.0**9


def fill(cache: BlobCache, count: int) -> list[Digest]:
    digests = []
    for number in range(count):
        with cache.batch() as batch:
            data = bytes([number]) * 10
            digests.append(batch.put([data], Tokens(), size=10, subject="x").digest)
        time.sleep(0.012)  # used one after the other, by the coarsest clock of a kernel
    return digests


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
    (layout.root / "v0").mkdir()
    (layout.blobs / "README").touch()
    (layout.blobs / "ab").mkdir(exist_ok=True)
    (layout.blobs / "ab" / "README").touch()
    found = usage(layout)
    assert (found.blobs, found.blob_size) == (2, 20)
    assert (found.incoming_size, found.quarantine_size) == (5, 10)
    assert found.other_versions == (layout.root / "v0",)


def test_what_is_needed_stays(cache: BlobCache) -> None:
    digests = fill(cache, 3)
    found = prune(cache.layout, keep={digests[1]}, now_s=NOW)
    assert [blob.digest for blob in found.removed] == [digests[0], digests[2]]
    assert (found.size, found.kept_size) == (20, 10)
    assert {blob.digest for blob in stored_blobs(cache.layout)} == {digests[1]}


def test_3_16_what_is_young_stays(cache: BlobCache) -> None:
    fill(cache, 2)
    assert prune(cache.layout, keep=set(), now_s=time.time()).removed == ()
    assert len(prune(cache.layout, keep=set(), now_s=NOW, grace_s=3 * DAY).removed) == 0
    assert len(list(stored_blobs(cache.layout))) == 2


def test_the_least_recently_used_go_until_the_rest_fits(cache: BlobCache) -> None:
    digests = fill(cache, 4)
    os.utime(cache.path(digests[0]))  # used just now
    found = prune(cache.layout, keep=set(), now_s=NOW, max_size=25)
    assert [blob.digest for blob in found.removed] == digests[1:3]
    assert found.kept_size == 20
    assert prune(cache.layout, keep=set(), now_s=NOW, max_size=20).removed == ()


def test_a_dry_run_only_tells(cache: BlobCache) -> None:
    fill(cache, 2)
    told: list[Digest] = []
    found = prune(
        cache.layout,
        keep=set(),
        now_s=NOW,
        dry_run=True,
        on_removed=lambda blob: told.append(blob.digest),
    )
    assert [blob.digest for blob in found.removed] == told
    assert len(list(stored_blobs(cache.layout))) == 2


def test_3_17_links_decide_nothing(cache: BlobCache, tmp_path: Path) -> None:
    needed, other = fill(cache, 2)
    os.link(cache.path(other), tmp_path / "link")
    prune(cache.layout, keep={needed}, now_s=NOW)
    assert {blob.digest for blob in stored_blobs(cache.layout)} == {needed}


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
    (tmp_path / "one").mkdir()
    for name in ("two", "one", "one"):
        register(layout, tmp_path / name)
    found = known_projects(layout)
    assert [(p.path.name, p.exists) for p in found] == [("one", True), ("two", False)]
    assert abs(found[0].seen_s - time.time()) < 60
    forget(layout, tmp_path / "two")
    forget(layout, tmp_path / "two")
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
    assert known_projects(layout)[0].exists


def test_a_cache_that_is_gone_is_an_error(tmp_path: Path) -> None:
    layout = CacheLayout(tmp_path / "none")
    with pytest.raises(CacheError, match="cannot register"):
        register(layout, tmp_path)
    with pytest.raises(CacheError, match="cannot read which projects"):
        known_projects(layout)
    assert sweep(layout, now_s=NOW) == 0
