"""Whole commands, timed in turn: the machine's moods fall on all of them alike."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One command of a comparison.

    Attributes:
        name: In the table.
        command: Its arguments.
        folder: Where it runs.
        prepare: Called before each run, outside of the time.
        exits: Exit codes that are right.
    """

    name: str
    command: Sequence[str]
    folder: Path
    prepare: Callable[[], None] = lambda: None
    exits: frozenset[int] = frozenset({0})


@dataclass(slots=True)
class Measured:
    """All runs of one contender; seconds."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def wall_median(self) -> float:
        """The median of the wall times."""
        return median(self.wall)

    @property
    def cpu_median(self) -> float:
        """The median of user and system time, children included."""
        return median(self.cpu)


def race(
    contenders: Sequence[Contender], environ: Mapping[str, str], *, rounds: int
) -> dict[str, Measured]:
    """Run the contenders in turn, round after round, and return their times.

    Raises:
        RuntimeError: A command ended with a code that it should not.
    """
    measured = {contender.name: Measured() for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            contender.prepare()
            os.sync()  # what was prepared is not written while the clock runs
            wall, cpu = _run(contender, environ)
            measured[contender.name].wall.append(wall)
            measured[contender.name].cpu.append(cpu)
    return measured


def _run(contender: Contender, environ: Mapping[str, str]) -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(
        list(contender.command),
        cwd=contender.folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in contender.exits:
        tail = done.stdout.decode(errors="replace")[-2000:]
        message = f"{contender.name} ended with {done.returncode}:\n{tail}"
        raise RuntimeError(message)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu
