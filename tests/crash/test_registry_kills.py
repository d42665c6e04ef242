"""Pushers killed at any moment, two at once, on both databases.

``REGISTRY_KILLS=200 pytest tests/crash/test_registry_kills.py`` for the long form.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from artlock.model.refs import Ref
from artlock.tracking.registry import ParcelState, Registry
from testbed.postgresql import PostgreSQL
from tests.crash.registry_pushes import (
    ACKNOWLEDGED,
    LOCKS,
    NAMES,
    TRACES,
    lock_number,
    open_at,
)

KILLS = int(os.environ.get("REGISTRY_KILLS", "10"))
LONGEST_S = 0.4


class Pushers:
    """Two pushers at a time; each that is killed is followed by another."""

    def __init__(self, url: str, folder: Path) -> None:
        root = str(Path(__file__).parents[2])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.registry_pushes", url, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
            cwd=root,
        )
        self._started = 0

    def start(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._started += 1
        self._process.stdin.write(f"{self._started}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self) -> None:
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0


def kill_pushers(url: str, folder: Path, kills: int) -> None:
    moments = random.Random(kills)  # noqa: S311 - made-up moments
    pushers = Pushers(url, folder)
    running = [pushers.start(), pushers.start()]
    for number in range(kills):
        time.sleep(moments.uniform(0, LONGEST_S))
        os.kill(running[number % 2], signal.SIGKILL)
        running[number % 2] = pushers.start()
    deadline = time.monotonic() + 60
    told = folder / ACKNOWLEDGED
    while not told.exists() or not told.stat().st_size:  # a busy machine
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for pid in running:
        os.kill(pid, signal.SIGKILL)
    pushers.end()


def judge(registry: Registry, folder: Path) -> int:
    """Hold a registry against what pushers were told; return how many locks it has."""
    traces = folder / TRACES
    assert not traces.exists(), traces.read_text()
    assert list(registry.verify()) == []
    wanted = {one.digest: one for one in map(lock_number, range(LOCKS))}
    found = {}
    for name in registry.names():
        versions = registry.versions(name)
        numbers = [version.number for version in versions]
        assert numbers == list(range(len(numbers), 0, -1))
        assert len({version.digest for version in versions}) == len(versions)
        for version in versions:
            assert registry.fetch(version) == wanted[version.digest].text
            assert wanted[version.digest].name == name
            # What comes with a version in one transaction.
            assert len(version.labels.tags) == 1
            assert registry.lineage(version).produced
            found[f"{name} {version.number} {version.digest}"] = version
        assert registry.find(Ref(name=name, alias="prod")) in versions
    told = set((folder / ACKNOWLEDGED).read_text().splitlines())
    assert told <= found.keys()
    for parcel in registry.outbox.waiting():
        assert parcel.state in {ParcelState.PENDING, ParcelState.SENDING}
        assert registry.outbox.text(parcel.digest) == wanted[parcel.digest].text
    return len(found)


@pytest.mark.slow
@pytest.mark.timeout(60 + 3 * KILLS)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_at_any_moment_pushers_leave_no_half_version(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "sqlite":
        url = "sqlite:///registry.db"
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql")
        url = server.create_database()
    kill_pushers(url, tmp_path, KILLS)
    registry = open_at(url, tmp_path)
    registered = judge(registry, tmp_path)
    # An undisturbed run goes on from there, and ends with every lock once.
    for number in range(LOCKS):
        sent = lock_number(number)
        registry.register(sent)
    assert sum(len(registry.versions(name)) for name in NAMES) == LOCKS
    assert 0 < registered <= LOCKS
    assert list(registry.verify()) == []
    registry.close()
