"""Collect what nobody needs beside running syncs, and let blobs rot."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from artlock.cache.layout import CacheLayout
from artlock.errors import ArtlockError
from artlock.fs.temporary import GRACE_S
from artlock.model.settings import LinkMode
from artlock.ops.cache import verify_cache
from artlock.ops.gc import GcOptions, collect
from artlock.ops.sync import SyncOptions
from artlock.ops.verify import Place, verify
from artlock.ops.verify_repair import repair
from tests.invariants import (
    assert_names_are_promises,
    blob_files,
    missing_blobs,
    unlocked_files,
)
from tests.unit.ops.workbench import Workbench
from torture.gc_children import change
from torture.scenario import Scenario, Tally, Trial

_PROJECTS = 3
_KILLS = 3
"""Of each process."""
_FILES = 40
_PATIENCE_S = 120.0
_KILL_EVERY_S = 0.6
"""On average."""
_SIZES = (0, 1, 700, 5_000, 1_500_000)
_ROOT = Path(__file__).parents[1]


@contextmanager
def _open_race(folder: Path) -> Iterator[Trial]:
    trials = iter(range(sys.maxsize))
    yield lambda random: _race(folder / str(next(trials)), random)


def _race(folder: Path, random: Random) -> Tally:
    """Let projects that share a cache sync while others collect, and kill some of both.

    Half of the trials take the sources away: every byte that a project needs then is in the
    cache alone. In the others sources and lockfiles change all the time.
    """
    cache = folder / "cache"
    is_changing = random.random() < 0.5  # noqa: PLR2004 - half of them
    benches = [_shared(folder / f"p{n}", cache, random) for n in range(_PROJECTS)]
    for bench in benches:
        change(bench.source, random)
        bench.update()
        if not is_changing:
            bench.source.rename(bench.folder / "away")
    moved = sum(path.stat().st_size for path in blob_files(CacheLayout(cache)))
    what = "change" if is_changing else "sync"
    workers = [_Child(what, bench.root, cache, random) for bench in benches]
    collectors = [_Child("collect", folder, cache, random) for _ in range(2)]
    faults = 0
    try:
        while any(worker.is_running() for worker in workers):
            time.sleep(random.uniform(0, 2 * _KILL_EVERY_S))
            victim = random.choice([*workers, *collectors])
            if victim.kills < _KILLS and victim.is_running():
                victim.kill()
                faults += 1
                victim.start()
            for collector in collectors:
                if not collector.is_running():
                    raise AssertionError(collector.words())
    finally:
        for child in (*workers, *collectors):
            child.stop()
    for worker in workers:
        if worker.code != 0:
            raise AssertionError(worker.words())
    if not faults:  # all was over too soon: at least what collectors did was cut short
        faults = len(collectors)
    runs = sum(child.runs() for child in (*workers, *collectors))
    return Tally(faults=faults, runs=runs, moved=moved) + _judged(benches, cache)


def _shared(folder: Path, cache: Path, random: Random) -> Workbench:
    """Return a project that has synced once; some of its files others have too."""
    bench = Workbench(folder, jobs=2)
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    bench.cache.symlink_to(cache)
    for number in range(_FILES):
        common = f"common {number}".encode()
        data = common if number % 2 else random.randbytes(random.choice(_SIZES[:-1]))
        (bench.source / f"f{number:02}").write_bytes(data)
    bench.declare_files()
    bench.update()
    bench.sync()
    return bench


def _judged(benches: Sequence[Workbench], cache: Path) -> Tally:
    """Look at everything, and at where one run without a fault comes."""
    layout = CacheLayout(cache)
    assert_names_are_promises(layout)
    tally = Tally()
    runtime = benches[0].project().runtime
    collect(runtime, GcOptions(grace_s=0))
    needed = set()
    for bench in benches:
        project = bench.project()
        rows = (r for a in project.read_lockfile().artifacts for r in a.objects)
        lost = missing_blobs(layout, (r.blake3.hex for r in rows if r.blake3))
        bench.sync()
        wrong = unlocked_files(project.root)
        clean = verify(project).exit_code == 0 and bench.status().is_clean
        tally += Tally(runs=2, wrong=len(wrong), lost=len(lost), diverged=not clean)
        needed |= {
            row.blake3 for a in project.read_lockfile().artifacts for row in a.objects
        }
    collect(runtime, GcOptions(grace_s=0))
    stored = set(assert_names_are_promises(layout))
    is_exact = stored == needed and not list(layout.discarded.iterdir())
    return tally + Tally(runs=2, diverged=not is_exact)


@dataclass(slots=True)
class _Child:
    """A process that is started again when it was killed."""

    what: str
    place: Path
    cache: Path
    random: Random
    kills: int = 0
    code: int | None = None
    process: subprocess.Popen[str] | None = None
    logs: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        log = self.cache.parent / f"{self.what}-{self.place.parent.name}-{id(self)}-"
        log = log.with_name(f"{log.name}{len(self.logs)}")
        self.logs.append(log)
        command = [sys.executable, "-m", "torture.gc_children", self.what]
        seed = str(self.random.random())
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [*command, str(self.place), str(self.cache), seed],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(_ROOT)},
                cwd=_ROOT,
                text=True,
            )

    def is_running(self) -> bool:
        if self.process is not None:
            self.code = self.process.poll()
        return self.code is None

    def kill(self) -> None:
        self.stop()
        self.kills += 1
        self.code = None

    def stop(self) -> None:
        """End it if it runs, and remember how it ended by itself if it did."""
        if self.process is None:
            return
        is_running = self.is_running()
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(_PATIENCE_S)
        if is_running:
            self.code = None

    def words(self) -> str:
        return f"{self.what} ended with {self.code}: {self.logs[-1].read_text()[-2000:]}"

    def runs(self) -> int:
        lines = [line for log in self.logs for line in log.read_text().splitlines()]
        return sum(line in {"synced", "collected"} for line in lines)


@contextmanager
def _open_rot(folder: Path) -> Iterator[Trial]:
    trials = iter(range(sys.maxsize))
    yield lambda random: _rot(folder / str(next(trials)), random)


def _rot(folder: Path, random: Random) -> Tally:
    """Change bytes of blobs, look for them in some way, and heal."""
    bench = Workbench(folder, jobs=2)
    for number in range(random.randrange(1, 15)):
        (bench.source / f"f{number}").write_bytes(random.randbytes(random.choice(_SIZES)))
    (bench.source / "one").write_bytes(random.randbytes(100))  # an empty blob cannot rot
    bench.declare_files()
    bench.update()
    mode = random.choice([LinkMode.COPY, LinkMode.HARDLINK, LinkMode.SYMLINK])
    options = SyncOptions(link_mode=mode)
    bench.sync(options=options)
    blobs = sorted(blob_files(CacheLayout(bench.cache)))
    bad = [blob for blob in blobs if blob.stat().st_size and random.random() < 0.4]  # noqa: PLR2004 - some
    bad = bad or [max(blobs, key=lambda blob: blob.stat().st_size)]
    wrong = [_damaged(blob, random) for blob in bad]
    moved = sum(path.stat().st_size for path in bench.source.iterdir())
    finder = random.choice([_found_by_samples, _found_by_a_sync, _found_by_none])
    tally = Tally(faults=len(bad), runs=2, moved=moved)
    tally += finder(bench, options, {blob.parent.name + blob.name for blob in bad}, random)
    return tally + _healed(bench, wrong)


def _damaged(blob: Path, random: Random) -> bytes:
    """Change a blob as a disk does, with its times as they were; return its bytes now."""
    before = blob.stat()
    data = bytearray(blob.read_bytes())
    how = random.choice(["bit", "bit", "cut", "longer", "zeros"])
    if how == "cut":
        del data[random.randrange(len(data)) :]
    elif how == "longer":
        data += random.randbytes(5)
    elif how == "zeros" and any(data):
        data = bytearray(len(data))
    else:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    blob.chmod(0o600)
    blob.write_bytes(data)
    blob.chmod(before.st_mode)
    os.utime(blob, ns=(before.st_atime_ns, before.st_mtime_ns))
    return bytes(data)


def _found_by_samples(
    bench: Workbench, _options: SyncOptions, bad: set[str], random: Random
) -> Tally:
    """Check the cache a share at a time, until every blob had its turn."""
    runtime = bench.project().runtime
    found: set[str] = set()
    runs = 0
    while runs < len(list(blob_files(CacheLayout(bench.cache)))) + len(bad):
        report = verify_cache(runtime, share=random.uniform(0.1, 1), max_age_s=GRACE_S)
        found |= {digest.hex for digest in report.damaged}
        runs += 1
        if report.oldest_s is not None:
            break
    return Tally(runs=runs, wrong=len(found ^ bad))


def _found_by_a_sync(
    bench: Workbench, options: SyncOptions, _bad: set[str], random: Random
) -> Tally:
    """Sync into an empty workspace: right bytes, or a failure and no file."""
    for path in (bench.root / "data").rglob("*"):
        if not path.is_dir():
            path.unlink()
    away = bench.folder / "away"
    is_away = random.random() < 0.5  # noqa: PLR2004 - half of them
    if is_away:
        bench.source.rename(away)
    try:
        bench.sync(options=options)
        wrong = unlocked_files(bench.project().root)
    except ArtlockError:
        if not is_away:
            raise
        wrong = [p.name for p in (bench.root / "data").rglob("*") if p.is_file()]
    if is_away:
        away.rename(bench.source)
    return Tally(runs=1, wrong=len(wrong))


def _found_by_none(
    _bench: Workbench, _options: SyncOptions, _bad: set[str], _random: Random
) -> Tally:
    return Tally()


def _healed(bench: Workbench, wrong: Sequence[bytes]) -> Tally:
    """Repair both places; what was damaged is kept, and everything is right then."""
    project = bench.project()
    codes = [repair(project, place=Place.CACHE).exit_code]
    done = repair(project)
    if done.mended.kept:
        # Other names of damaged blobs: since their blobs were put aside, nobody can tell.
        done = repair(project, force=True)
    codes += [done.exit_code, verify(project).exit_code]
    codes += [verify(project, place=Place.CACHE).exit_code]
    codes += [verify_cache(project.runtime).damaged != ()]
    layout = CacheLayout(bench.cache)
    assert_names_are_promises(layout)
    kept = {path.read_bytes() for path in layout.quarantine.iterdir()}
    return Tally(
        runs=len(codes),
        wrong=len(unlocked_files(project.root)),
        lost=sum(data not in kept for data in wrong),
        diverged=any(codes),
    )


RACE = Scenario(
    name="gc-race",
    what="syncs and collectors share a cache, and are killed",
    rows=("3.16", "3.17", "3.8"),
    open=_open_race,
    short=1,
)
ROT = Scenario(
    name="rot",
    what="bytes of blobs change on the disk",
    rows=("3.14", "3.15"),
    open=_open_rot,
    short=12,
)
