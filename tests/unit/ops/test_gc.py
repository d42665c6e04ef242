"""gc and cache: what goes, what stays, and what is read again."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from artlock.cache.collect import discard
from artlock.cache.layout import CacheLayout
from artlock.cache.projects import known_projects
from artlock.errors import CacheError, ConfigError, GitError, WorkspaceError
from artlock.fs.mutex import Mutex
from artlock.model.lock import Lockfile
from artlock.ops import gc
from artlock.ops.cache import cache_usage, verify_cache
from artlock.ops.gc import GcOptions, GcReport, collect
from artlock.ops.project import Project
from artlock.ops.roots import MISSED_S, Keep
from artlock.ops.sync import SyncOptions, settled_report
from artlock.ops.verify_repair import repair
from tests.unit.ops.remotes import Remote
from tests.unit.ops.workbench import Workbench

DAY = 24 * 3600.0


def locked(bench: Workbench, **files: str) -> None:
    shutil.rmtree(bench.source)
    bench.put(**(files or {"a": "1", "b": "2"}))
    bench.declare_files()
    bench.update(allow_shrink=True)


def collected(bench: Workbench, options: GcOptions | None = None) -> GcReport:
    return collect(bench.project().runtime, options or GcOptions(grace_s=0))


def removed(bench: Workbench, **settings: object) -> int:
    options = GcOptions(**{"grace_s": 0, **settings})  # type: ignore[arg-type] # named by the test
    return len(collected(bench, options).choice.removed)


@pytest.fixture
def other(bench: Workbench, tmp_path: Path) -> Workbench:
    """Return another project that shares the cache."""
    other = Workbench(tmp_path / "other")
    bench.cache.mkdir(mode=0o700)
    other.cache.symlink_to(bench.cache)
    return other


def layout(bench: Workbench) -> CacheLayout:
    return CacheLayout(bench.cache)


# what stays


def lets_go(bench: Workbench, other: Workbench) -> None:
    """Let a project need nothing any more of what it locked, and another what it has."""
    locked(bench)
    bench.sync()
    locked(other, c="3")
    other.sync()
    bench.declare()
    bench.resolve()
    bench.sync()


def test_3_17_what_a_project_locks_is_never_removed(bench: Workbench) -> None:
    locked(bench)
    bench.sync()
    shutil.rmtree(bench.root / "data")
    assert removed(bench, max_size=0) == 0
    assert bench.cached() == {"1", "2"}


def test_3_17_what_another_project_needs_stays(bench: Workbench, other: Workbench) -> None:
    lets_go(bench, other)
    report = collected(other)
    assert len(report.choice.removed) == 2
    assert report.roots.projects == sorted([bench.root, other.root])
    assert other.cached() == {"3"}


@pytest.mark.parametrize("mode", ["copy", "hardlink", "symlink"])
def test_3_17_how_files_got_there_decides_nothing(
    bench: Workbench, other: Workbench, mode: str
) -> None:
    for one in (bench, other):
        (Path(os.environ["XDG_CONFIG_HOME"]) / "artlock").mkdir(parents=True, exist_ok=True)
        settings = Path(os.environ["XDG_CONFIG_HOME"]) / "artlock" / "config.toml"
        settings.write_text(f'link-mode = "{mode}"\n')
        locked(one, a="1")
        one.sync()
    assert removed(bench) == 0
    bench.declare()
    bench.resolve()
    bench.sync()
    assert removed(bench) == 0
    assert (other.root / "data/data/a").read_text() == "1"


def test_what_is_in_a_workspace_stays_although_the_lockfile_moved_on(
    bench: Workbench,
) -> None:
    locked(bench, a="1")
    bench.sync()
    locked(bench, a="2")
    assert removed(bench) == 0
    bench.sync()
    assert removed(bench) == 1
    assert bench.cached() == {"2"}


def test_what_is_needed_last_stays_although_index_and_lockfile_are_gone(
    bench: Workbench,
) -> None:
    locked(bench)
    bench.sync()
    (bench.root / ".artlock" / "index").unlink()
    bench.lockfile.unlink()
    assert removed(bench) == 0


def test_3_17_rows_without_a_digest_need_what_they_gave(
    bench: Workbench, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.put("a", "1")
    bench.declare(data=remote.uri)
    bench.resolve()
    bench.sync()
    (bench.root / ".artlock" / "index").unlink()
    # Another shell, in which the source would be another one.
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    assert removed(bench) == 0


def test_3_16_what_was_used_lately_stays(bench: Workbench) -> None:
    locked(bench, a="1")
    bench.sync()
    locked(bench, a="2")
    bench.sync()
    assert removed(bench, grace_s=3600.0) == 0
    assert bench.cached() == {"1", "2"}


def test_a_lockfile_that_cannot_be_read_stops_everything(
    bench: Workbench, other: Workbench
) -> None:
    lets_go(bench, other)
    whole = other.lockfile.read_text("utf-8")
    digest = "0" * 64
    parts = f'parts = [\n["first","blake3:{digest}"],\n]\n'
    torn = whole[: whole.index("objects")] + parts
    for damaged in ("nonsense", torn):
        other.lockfile.write_text(damaged)
        with pytest.raises(CacheError, match="nobody knows what it needs"):
            collected(bench)
        assert bench.cached() == {"1", "2", "3"}
        other.lockfile.unlink(missing_ok=True)


# who is missing


def test_3_17_what_a_project_that_is_not_there_needed_stays(
    bench: Workbench, other: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked(bench, a="1")
    bench.sync()
    locked(other, b="2")
    other.sync()
    locked(bench, a="3")
    bench.sync()
    other.root.rename(tmp_path / "unmounted")
    other.root.mkdir()  # where its disk is mounted
    report = collected(bench)
    assert [item.path for item in report.roots.missing] == [other.root]
    assert bench.cached() == {"2", "3"}
    # Long after: first missed, not last seen, is what counts.
    later = time.time()
    for days, stays in ((29, True), (31, False)):
        now = later + days * DAY
        monkeypatch.setattr("artlock.ops.gc.time.time", lambda now=now: now)
        report = collected(bench, GcOptions(grace_s=0))
        assert ("2" in bench.cached()) is stays
    assert report.forgotten == (other.root,)
    assert [p.path for p in known_projects(layout(bench))] == [bench.root]
    assert MISSED_S == 30 * DAY


def test_3_17_one_that_comes_back_counts_as_if_it_had_never_gone(
    bench: Workbench, other: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked(bench, a="1")
    bench.sync()
    locked(other, b="2")
    other.sync()
    away = tmp_path / "unmounted"
    start = time.time()
    for days in (0, 20, 40, 60):
        monkeypatch.setattr("artlock.ops.gc.time.time", lambda now=start + days * DAY: now)
        other.root.rename(away)
        for path in layout(bench).projects.glob("*.missed"):
            os.utime(path, (start + days * DAY,) * 2)
        assert removed(bench) == 0
        away.rename(other.root)
        assert removed(bench) == 0
        assert list(layout(bench).projects.glob("*.missed")) == []


def test_3_17_one_whose_needs_nobody_knows_stops_everything(
    bench: Workbench, other: Workbench
) -> None:
    locked(bench, a="1")
    bench.sync()
    locked(other, b="2")
    other.sync()
    shutil.rmtree(other.root)
    for record in layout(bench).projects.glob("*.needs"):
        record.write_bytes(b"")
    with pytest.raises(CacheError, match="nobody knows") as caught:
        collected(bench)
    assert "--forget-project" in str(caught.value.hint)
    assert bench.cached() == {"1", "2"}
    report = collected(bench, GcOptions(grace_s=0, forget=[other.root]))
    assert report.forgotten == (other.root,)
    assert bench.cached() == {"1"}


def test_3_17_a_run_that_was_killed_before_its_end_has_told_its_needs(
    bench: Workbench, other: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    locked(bench, a="1")
    bench.sync()
    locked(other, b="2")

    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("artlock.ops.sync_write.SyncWrite.carry_out", kill)
        with pytest.raises(KeyboardInterrupt):
            other.sync()
    other.root.rename(tmp_path / "unmounted")
    assert removed(bench) == 0
    assert bench.cached() == {"1", "2"}


def test_a_project_can_be_forgotten(bench: Workbench, other: Workbench) -> None:
    locked(bench, a="1")
    bench.sync()
    locked(other, b="2")
    other.sync()
    options = GcOptions(grace_s=0, forget=[other.root], dry_run=True)
    assert len(collected(bench, options).choice.removed) == 1
    assert bench.cached() == {"1", "2"}
    assert removed(bench) == 0
    assert removed(bench, forget=[other.root]) == 1
    with pytest.raises(ConfigError, match="is known"):
        removed(bench, forget=[other.root])
    other.sync(options=SyncOptions(exact=True))
    assert other.root in [p.path for p in known_projects(layout(bench))]


def test_a_project_is_known_once_it_was_synced_although_nothing_was_to_do(
    bench: Workbench, other: Workbench, tmp_path: Path
) -> None:
    locked(bench, a="1")
    bench.sync()
    locked(other, b="2")
    other.sync()
    time.sleep(0.05)
    other.sync()
    other.root.rename(tmp_path / "away")
    assert removed(bench) == 0
    (tmp_path / "away").rename(other.root)
    assert settled_report(other.project()) is not None
    other.sync()
    (known,) = [p for p in known_projects(layout(bench)) if p.path == other.root]
    assert known.missed_s is None
    assert removed(bench, forget=[other.root], grace_s=DAY) == 0
    other.sync()
    other.root.rename(tmp_path / "away")
    assert removed(bench) == 0
    assert bench.cached() == {"1", "2"}


def test_3_19_nothing_is_written_into_a_cache_that_others_can_write(
    bench: Workbench,
) -> None:
    locked(bench, a="1")
    bench.sync()
    time.sleep(0.05)
    bench.sync()
    (entry,) = (p for p in layout(bench).projects.iterdir() if not p.suffix)
    os.utime(entry, (10**9, 10**9))
    layout(bench).home.chmod(0o777)
    bench.sync()
    assert entry.stat().st_mtime == 10**9
    layout(bench).home.chmod(0o700)
    bench.sync()
    assert entry.stat().st_mtime > 10**9


def test_3_16_a_copy_of_what_was_replaced_stays_for_the_grace(
    bench: Workbench,
) -> None:
    locked(bench, a="1")
    bench.sync()
    locked(bench, a="2")
    bench.sync()
    bench.write("data/data/a", "1")  # a person's, of which the cache has a copy
    (old,) = [blob for blob in bench.blobs() if blob.read_text() == "1"]
    os.utime(old, (10**9, 10**9))
    bench.sync()
    assert bench.data() == {"a": "2"}
    assert time.time() - old.stat().st_atime < DAY
    assert old.stat().st_mtime == 10**9


# older lockfiles


@pytest.fixture
def history(bench: Workbench) -> Workbench:
    """Return a project that locked `1`, `2` on a branch, `3` under a tag, and now `4`."""
    bench.git("init", "-q", "-b", "main")

    def commit(text: str) -> None:
        locked(bench, a=text)
        bench.sync()
        bench.git("add", "project/artifacts.toml", "project/artifacts.lock")
        bench.git("commit", "-qm", text)

    commit("1")
    bench.git("checkout", "-q", "-b", "side")
    commit("2")
    bench.git("checkout", "-q", "main")
    commit("3")
    bench.git("tag", "-a", "-m", "x", "v1")
    commit("4")
    return bench


@pytest.mark.parametrize(
    ("keep", "stays"),
    [
        (Keep.WORKSPACES, {"4"}),
        (Keep.BRANCHES, {"2", "3", "4"}),
        (Keep.COMMITS, {"1", "2", "3", "4"}),
    ],
)
def test_3_17_older_lockfiles_count_as_asked_for(
    history: Workbench, keep: Keep, stays: set[str]
) -> None:
    collected(history, GcOptions(grace_s=0, keep=keep))
    assert history.cached() == stays


def test_3_17_rows_without_a_digest_need_what_they_gave_at_a_branch_too(
    bench: Workbench, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.git("init", "-q", "-b", "main")
    remote.put("a", "1")
    bench.declare(data=remote.uri)
    bench.resolve()
    bench.sync()
    bench.git("add", "project/artifacts.toml", "project/artifacts.lock")
    bench.git("commit", "-qm", "1")
    # Another branch, whose manifest does not have the artifact, in another shell.
    locked(bench, b="2")
    bench.sync()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    assert removed(bench, keep=Keep.BRANCHES) == 0
    assert bench.cached() == {"1", "2"}
    assert removed(bench, keep=Keep.WORKSPACES) == 1


def test_3_17_what_a_merge_dropped_is_in_the_history(history: Workbench) -> None:
    history.git("merge", "-q", "-s", "ours", "-m", "m", "side")
    history.git("branch", "-D", "side")
    collected(history, GcOptions(grace_s=0, keep=Keep.COMMITS))
    assert history.cached() == {"1", "2", "3", "4"}


def test_an_older_lockfile_that_cannot_be_read_is_told(history: Workbench) -> None:
    text = history.lockfile.read_text()
    history.lockfile.write_text("<<<<<<< nonsense")
    history.git("commit", "-qam", "a mistake")
    history.git("branch", "mistake")
    history.lockfile.write_text(text.replace("version = 1", "version = 999", 1))
    history.git("commit", "-qam", "later")
    history.lockfile.write_text(text)
    history.git("commit", "-qam", "mended")
    report = collected(history, GcOptions(grace_s=0, keep=Keep.BRANCHES))
    assert len(report.roots.unreadable) == 1
    assert history.cached() == {"2", "3", "4"}
    with pytest.raises(CacheError, match="a later artlock"):
        collected(history, GcOptions(grace_s=0, keep=Keep.COMMITS))


def test_without_a_repository_there_are_no_older_lockfiles(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    locked(bench)
    bench.sync()
    assert removed(bench, keep=Keep.COMMITS) == 0
    bench.git("init", "-q")
    for keep in Keep:
        assert removed(bench, keep=keep) == 0  # before the first commit
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError):
        removed(bench, keep=Keep.BRANCHES)
    assert bench.cached() == {"1", "2"}


# how it goes


def test_a_dry_run_tells_and_changes_nothing(history: Workbench) -> None:
    before = sorted(history.cache.rglob("*"))
    report = collected(history, GcOptions(grace_s=0, dry_run=True))
    assert (len(report.choice.removed), report.size, report.choice.kept) == (3, 3, 1)
    assert sorted(history.cache.rglob("*")) == before


def test_2_15_a_dry_run_names_what_would_be_put_aside(history: Workbench) -> None:
    for blob in history.blobs():
        if blob.read_text() == "2":
            damage(blob)
    collect_dry = GcOptions(grace_s=0, dry_run=True, quarantine=True)
    before = sorted(history.cache.rglob("*"))
    told = collected(history, collect_dry)
    assert sorted(history.cache.rglob("*")) == before
    done = collected(history, GcOptions(grace_s=0, quarantine=True))
    assert done == told
    assert (len(done.choice.removed), len(done.choice.aside)) == (2, 1)
    assert (done.choice.kept, done.choice.kept_size, done.quarantined) == (1, 1, 0)
    (aside,) = layout(history).quarantine.iterdir()
    assert aside.read_text() == "x"


def test_3_8_a_dry_run_counts_what_a_killed_run_left_as_the_next_one_does(
    history: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(gc, "put_back", kill)
        with pytest.raises(KeyboardInterrupt):
            collected(history)
    history.git("checkout", "-q", "side")
    told = collected(history, GcOptions(grace_s=0, dry_run=True))
    assert told.swept == 2
    assert collected(history) == told
    assert history.cached() == {"2", "4"}


def test_3_16_it_waits_for_a_sync_and_a_sync_for_it(
    history: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artlock.fs.mutex.WAIT_S", 0.1)
    with layout(history).mutex(purpose="sync"):
        assert collected(history, GcOptions(grace_s=0, dry_run=True)).choice.size == 3
        real = CacheLayout.mutex
        monkeypatch.setattr(
            CacheLayout, "mutex", lambda *a, **k: real(*a, **{**k, "wait_s": 0.1})
        )
        with pytest.raises(Exception, match="is held by"):
            collected(history)
    assert history.cached() == {"1", "2", "3", "4"}


def test_3_16_what_a_resolve_reads_is_held_until_it_is_locked(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put(a="1")
    bench.declare_files()
    real = Project.write_lockfile
    seen = []

    def write(self: Project, lock: Lockfile, *, before: bytes | None) -> bool:
        with (
            pytest.raises(WorkspaceError, match="is held by"),
            layout(bench).mutex(purpose="gc", shared=False, wait_s=0),
        ):
            pass
        seen.append(bench.cached())
        return real(self, lock, before=before)

    monkeypatch.setattr(Project, "write_lockfile", write)
    bench.resolve()
    assert seen == [{"1"}]
    with layout(bench).mutex(purpose="gc", shared=False, wait_s=0):
        pass


@pytest.mark.parametrize("answer", [lambda _fd, _how: None])
def test_3_16_where_mutexes_do_not_work_it_asks_for_a_yes(
    history: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[int, int], None],
) -> None:
    monkeypatch.setattr(fcntl, "flock", answer)
    with pytest.raises(CacheError, match="nothing keeps other processes away") as caught:
        collected(history)
    assert "--alone" in str(caught.value.hint)
    assert history.cached() == {"1", "2", "3", "4"}
    assert collected(history, GcOptions(grace_s=0, dry_run=True)).choice.size == 3
    assert removed(history, alone=True) == 3


def test_3_16_what_is_needed_by_the_time_it_was_moved_comes_back(
    history: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = discard

    def slow(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type] # what it was called with
        history.git("checkout", "-q", "side")

    monkeypatch.setattr(gc, "discard", slow)
    report = collected(history)
    assert history.cached() == {"2", "4"}
    assert (len(report.choice.removed), report.choice.kept) == (2, 2)
    monkeypatch.undo()
    history.sync()
    assert history.data() == {"a": "2"}


def test_3_8_a_run_that_was_killed_is_completed_by_the_next(
    history: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(gc, "put_back", kill)
        with pytest.raises(KeyboardInterrupt):
            collected(history)
    assert history.cached() == {"4"}
    assert cache_usage(history.project().runtime).discarded_size == 3
    history.git("checkout", "-q", "side")
    report = collected(history)
    assert history.cached() == {"2", "4"}
    assert report.swept == 2
    assert cache_usage(history.project().runtime).discarded_size == 0


def test_3_14_quarantine_goes_only_when_asked_for(bench: Workbench) -> None:
    locked(bench)
    bench.sync()
    damage(bench.blobs()[0])
    verify_cache(bench.project().runtime)
    runtime = bench.project().runtime
    assert cache_usage(runtime).quarantined == 1
    collected(bench)
    collected(bench, GcOptions(quarantine=True))  # the grace is a day
    collected(bench, GcOptions(grace_s=0, quarantine=True, dry_run=True))
    assert cache_usage(runtime).quarantined == 1
    report = collected(bench, GcOptions(grace_s=0, quarantine=True))
    assert (report.quarantined, report.quarantine_size, report.size) == (1, 1, 1)
    assert cache_usage(runtime).quarantined == 0


# cache verify


def damage(blob: Path) -> None:
    blob.chmod(0o644)
    blob.write_text("x" * len(blob.read_text()))
    blob.chmod(0o444)


def many(bench: Workbench, number: int) -> None:
    locked(bench, **{f"f{n}": f"text {n:03}" for n in range(number)})
    bench.sync()


def test_every_blob_is_read_and_damaged_ones_are_put_aside(bench: Workbench) -> None:
    locked(bench)
    assert verify_cache(bench.project().runtime).intact == 2
    damage(bench.blobs()[0])
    found = verify_cache(bench.project().runtime)
    assert (found.intact, len(found.damaged)) == (1, 1)
    assert len(bench.blobs()) == 1
    assert len(list(layout(bench).quarantine.iterdir())) == 1


def test_an_empty_cache_is_intact(bench: Workbench) -> None:
    bench.declare_files()
    found = verify_cache(bench.project().runtime, share=0.1)
    assert (found.intact, found.left, found.oldest_s) == (0, 0, None)


def test_3_15_samples_reach_every_blob_in_turn(bench: Workbench) -> None:
    many(bench, 20)
    runtime = bench.project().runtime
    bad = {f"blake3:{blob.parent.name}{blob.name}" for blob in bench.blobs()[::7]}
    for blob in bench.blobs()[::7]:
        damage(blob)
    found: list[str] = []
    for number in range(4):
        report = verify_cache(runtime, share=0.25)
        assert report.intact + len(report.damaged) <= 6
        assert (report.oldest_s is None) == (number < 3)
        found += map(str, report.damaged)
    assert set(found) == bad
    assert len(found) == len(bad) == 3
    again = verify_cache(runtime, share=0.01)
    assert (again.intact, again.left) == (1, 16)


def test_3_15_what_was_checked_longest_ago_comes_first(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(bench, 4)
    runtime = bench.project().runtime
    real = time.time()
    monkeypatch.setattr("artlock.ops.cache.time.time", lambda: real - 10 * DAY)
    assert verify_cache(runtime, share=0.5).intact == 2
    monkeypatch.setattr("artlock.ops.cache.time.time", lambda: real - 5 * DAY)
    assert verify_cache(runtime, share=0.5).intact == 2
    monkeypatch.setattr("artlock.ops.cache.time.time", lambda: real)
    report = verify_cache(runtime, max_age_s=7 * DAY)
    assert (report.intact, report.left) == (2, 2)
    assert report.oldest_s == real - 5 * DAY
    assert verify_cache(runtime, max_age_s=7 * DAY).intact == 0
    # A moment that is still to come proves nothing.
    monkeypatch.setattr("artlock.ops.cache.time.time", lambda: real - 20 * DAY)
    assert verify_cache(runtime, max_age_s=7 * DAY).intact == 4


def test_3_15_a_run_that_was_interrupted_is_continued(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(bench, 10)
    bench.jobs = 1
    runtime = bench.project().runtime
    real = type(bench.notices).advance
    left = [4]

    def stop(_self: object, *, objects: int = 0, size: int = 0) -> None:
        real(bench.notices, objects=objects, size=size)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(bench.notices), "advance", stop)
        with pytest.raises(KeyboardInterrupt):
            verify_cache(runtime)
    report = verify_cache(runtime, max_age_s=DAY)
    assert report.left == 3
    assert report.intact == 7


def test_3_16_being_checked_is_no_use(bench: Workbench) -> None:
    locked(bench, a="1")
    (blob,) = bench.blobs()
    os.utime(blob, (10**9, 10**9))
    before = blob.stat().st_atime_ns
    verify_cache(bench.project().runtime)
    assert blob.stat().st_atime_ns == before


def test_what_is_gone_is_not_remembered_as_checked(bench: Workbench) -> None:
    locked(bench, a="1")
    bench.sync()
    verify_cache(bench.project().runtime)
    locked(bench, a="2")
    bench.sync()
    assert removed(bench) == 1
    locked(bench, a="1")
    bench.sync()
    report = verify_cache(bench.project().runtime, max_age_s=DAY)
    assert report.intact == 2


def test_mutexes_are_taken_in_one_order(
    bench: Workbench, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where none can be shared, two commands would wait for each other otherwise."""
    held: list[str] = []
    orders: list[list[str]] = []
    enter, leave = Mutex.__enter__, Mutex.__exit__

    def take(self: Mutex) -> Mutex:
        held.append("cache" if self._path.is_relative_to(bench.cache) else "workspace")
        orders.append(held.copy())
        return enter(self)

    def let_go(self: Mutex, *error: object) -> None:
        held.pop()
        leave(self, *error)

    monkeypatch.setattr(Mutex, "__enter__", take)
    monkeypatch.setattr(Mutex, "__exit__", let_go)
    remote.put("a", "1")
    bench.declare(data=remote.uri)
    bench.resolve(digest_all=True)
    bench.sync()
    (bench.root / "data/data/a").unlink()
    repair(bench.project())
    verify_cache(bench.project().runtime)
    collect(bench.project().runtime, GcOptions())
    assert ["cache", "workspace"] in orders
    assert ["workspace", "cache"] not in orders
