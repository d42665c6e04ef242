"""Whole commands, timed in turn: the machine's moods fall on all of them alike."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

_LAUNCHER = Path(__file__).with_name("launcher.py")
_LIMIT_S = 1200.0
_TAIL = 2000

_FEW = 3
_FAR = 3.0
"""Who is so many times as slow as the first after so few rounds runs no more."""

INSIDE = "measured inside:"
"""Begins the line with which a command tells the seconds of what is measured in it."""


class RunError(Exception):
    """A command ended with a code that it should not, or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One command of a comparison.

    Attributes:
        name: In the table.
        command: Its arguments.
        folder: Where it runs.
        prepare: Called before each run, outside of the time.
        environ: Variables of its own.
        delivers: The folder that it fills, to be compared with what it should hold.
        is_counted: Whether a forwarder sees all that it asks.
        exits: Exit codes that are right.
        tells_time: Whether it measures a part of itself, and prints that after ``INSIDE``.
        absent: Why it cannot run here, or nothing.
    """

    name: str
    command: Sequence[str]
    folder: Path
    prepare: Callable[[], None] = lambda: None
    environ: Mapping[str, str] = field(default_factory=dict)
    delivers: Path | None = None
    is_counted: bool = True
    exits: frozenset[int] = frozenset({0})
    tells_time: bool = False
    absent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run took.

    Attributes:
        wall: Seconds.
        cpu: Seconds of user and system time, children included.
        peak: Bytes of memory that its largest process had at once.
    """

    wall: float
    cpu: float
    peak: int


@dataclass(slots=True)
class Measured:
    """All runs of one contender, and why there are no more."""

    runs: list[Run] = field(default_factory=list)
    failure: str = ""

    @property
    def wall(self) -> float:
        """The median of the wall times."""
        return median(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        """The median of the CPU times."""
        return median(run.cpu for run in self.runs)

    @property
    def peak(self) -> int:
        """The largest of the peaks."""
        return max(run.peak for run in self.runs)


def race(
    contenders: Sequence[Contender],
    environ: Mapping[str, str],
    *,
    rounds: int,
    after_first: Callable[[Contender], None] = lambda _: None,
) -> dict[str, Measured]:
    """Run the contenders in turn, round after round, and return what they took.

    A contender that fails runs no more; its failure is told in its place. Nor does one that
    is far behind after a few rounds: two more would tell nothing, and take minutes.

    Args:
        contenders: With names of their own; artlock first.
        environ: The variables of all.
        rounds: How often each runs.
        after_first: Called when the first run of each has gone well.
    """
    measured = {each.name: Measured(failure=each.absent) for each in contenders}
    for number in range(rounds):
        for contender in contenders:
            result = measured[contender.name]
            first = measured[contenders[0].name]
            if result.failure or (number >= _FEW and _is_far_behind(result, first)):
                continue
            try:
                result.runs.append(run(contender, environ))
            except RunError as error:
                result.failure = str(error)
                result.runs.clear()
                continue
            if number == 0:
                after_first(contender)
    return measured


def _is_far_behind(result: Measured, first: Measured) -> bool:
    return bool(first.runs) and result.wall > _FAR * first.wall


def run(contender: Contender, environ: Mapping[str, str]) -> Run:
    """Prepare a contender and run it once.

    Raises:
        RunError: It ended with a code that it should not, or took too long.
    """
    contender.prepare()
    os.sync()  # what was prepared is not written while the clock runs
    with tempfile.TemporaryFile() as output:
        report = _launch(contender, {**environ, **contender.environ}, output.fileno())
        output.seek(0)
        printed = output.read().decode(errors="replace")
    if report is None or report["exit"] not in contender.exits:
        code = "without a report" if report is None else f"with {report['exit']}"
        message = f"{contender.name} ended {code}:\n{printed[-_TAIL:]}"
        raise RunError(message)
    wall = report["wall"]
    if contender.tells_time:
        (line,) = (each for each in printed.splitlines() if each.startswith(INSIDE))
        wall = float(line.removeprefix(INSIDE))
    return Run(wall=wall, cpu=report["cpu"], peak=int(report["peak"]))


def _launch(
    contender: Contender, environ: Mapping[str, str], output: int
) -> dict[str, float] | None:
    """Run a command in a session of its own; None if it did not end well in time."""
    reader, writer = os.pipe()
    launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(writer)]
    with open(reader, "rb") as reports:
        try:
            process = subprocess.Popen(
                [*launcher, *contender.command],
                cwd=contender.folder,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(writer,),
                start_new_session=True,
            )
        finally:
            os.close(writer)
        try:
            ready, _, _ = select.select([reader], [], [], _LIMIT_S)
            report = reports.read() if ready else b""
        finally:
            # Also what it left running: it would take part in what is timed next.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return json.loads(report) if report else None
