"""Two push at once and are killed: no registry has half a version, none has a lock twice.

Each of the two has a project, and both have one data folder: the user's own registry, with
the outbox in it, and a second registry that is reached by way of the outbox.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from artlock.formats.lockfile import format_lockfile
from artlock.model.lock import Lockfile
from artlock.model.refs import Ref
from artlock.model.registration import lock_digest
from artlock.model.uri import Uri
from artlock.tracking.base import Tracker, TrackerContext
from artlock.tracking.schemes import open_tracker
from testbed.guards import isolate
from torture.ground import tell
from torture.scenario import Scenario, Tally, Trial

_NAME = "numbers"
_ROWS = 300
_FIRST_S = 2.0
"""How long a push takes before one was timed."""
_MANIFEST = f"""\
[artlock]
version = 1
name = "{_NAME}"

[artifacts.data]
uri = "s3://bucket/data/"
"""


class _Ground:
    """Two projects, two registries, and what was pushed so far."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.projects = (folder / "one", folder / "two")
        for project in self.projects:
            project.mkdir(parents=True)
            (project / "artifacts.toml").write_text(_MANIFEST)
        self.team = folder / "team.db"
        self._environment = dict(os.environ)
        home = folder / "home"
        home.mkdir()
        isolate(self._environment, home)
        self._environment["PYTHONPATH"] = str(Path(__file__).parents[1])
        self.local = home / ".local/share/artlock/registry.db"
        self.digests: set[str] = set()
        self.took_s = _FIRST_S

    def lock(self, project: Path, luck: Random) -> None:
        """Write a lockfile that nobody pushed, or one that somebody did."""
        is_there = (project / "artifacts.lock").exists()
        if is_there and luck.random() < 0.2:  # noqa: PLR2004 - now and then
            return
        versions = [f"{luck.getrandbits(64):x}" for _ in range(_ROWS)]
        rows = [
            f'["{number:05}.bin",{number},"etag:{number:x}","{version}"],\n'
            for number, version in enumerate(versions)
        ]
        empty = format_lockfile(Lockfile()).decode()
        head = '\n[[artifact]]\nname = "data"\nuri = "s3://bucket/data/"\nkind = "tree"\n'
        text = f"{empty}{head}objects = [\n{''.join(rows)}]\n".encode()
        (project / "artifacts.lock").write_bytes(text)

    def push(self, project: Path) -> "subprocess.Popen[str]":
        """Begin to push the lockfile of a project to both registries."""
        self.digests.add(lock_digest((project / "artifacts.lock").read_bytes()))
        to = ("--to", "local", "--to", f"sqlite:///{self.team}")
        return self._start("-C", str(project), "push", *to)

    def settle(self) -> int:
        """Send what waits; return how many runs did not end as they should."""
        process = self._start("push", "--outbox")
        said = process.communicate(timeout=120)[1]
        if process.returncode:
            tell(f"exit code {process.returncode}", [said])
        return int(process.returncode != 0)

    def judge(self) -> Tally:
        """Hold both registries against what was pushed."""
        return self._judged(self.local) + self._judged(self.team)

    def _judged(self, file: Path) -> Tally:
        context = TrackerContext(environ={}, base=self._folder, scratch=self._folder)
        tracker = open_tracker(Uri.parse(f"sqlite:///{file}"), context)
        try:
            return self._compared(tracker)
        finally:
            tracker.close()

    def _compared(self, tracker: Tracker) -> Tally:
        versions = list(reversed(tracker.versions(_NAME)))
        numbers = [version.number for version in versions]
        digests = [version.digest for version in versions]
        wrong = 0
        for version in versions:
            text = tracker.fetch(tracker.find(Ref(name=_NAME, number=version.number)))
            wrong += lock_digest(bytes(text)) != version.digest  # type: ignore[arg-type] # a registry keeps texts
        half = numbers != list(range(1, len(numbers) + 1))
        twice = len(digests) != len(set(digests))
        missing = set(digests) != self.digests
        if half or twice or missing:
            tell(f"numbers {numbers}", [f"{len(self.digests)} were pushed"])
        return Tally(wrong=wrong, diverged=half + twice + missing)

    def _start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "artlock", *arguments],
            env=self._environment,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextmanager
def _opened(folder: Path) -> Iterator[Trial]:
    ground = _Ground(folder)

    def trial(luck: Random) -> Tally:
        for project in ground.projects:
            ground.lock(project, luck)
        pushers = [ground.push(project) for project in ground.projects]
        doomed = luck.choice([pushers[:1], pushers[1:], pushers])
        time.sleep(luck.uniform(0, 1.1 * ground.took_s))
        for process in doomed:
            process.kill()
        for process in pushers:
            process.communicate(timeout=120)
        faults = sum(process.returncode < 0 for process in pushers)
        failed = sum(process.returncode > 0 for process in pushers)
        # Both again, undisturbed: what was sent is found, what waits is sent.
        for project in ground.projects:
            begun = time.monotonic()
            process = ground.push(project)
            said = process.communicate(timeout=120)[1]
            ground.took_s = time.monotonic() - begun
            if process.returncode:
                tell(f"exit code {process.returncode}", [said])
                failed += 1
        failed += ground.settle()
        return Tally(faults=faults, runs=5, diverged=failed) + ground.judge()

    yield trial


PUSHES = Scenario(
    name="pushes",
    what="push to two registries, by two at once, killed at any moment",
    rows=("5.25",),
    open=_opened,
    short=2,
)
