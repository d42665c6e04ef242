"""Run one scenario for a while."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

from torture.scenario import Scenario, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """When a scenario ends: after its trials or its seconds, whichever comes first.

    Attributes:
        first: The number of its first trial.
        trials: How many at most; ``None`` for no limit.
        seconds: No trial begins later; ``None`` for no limit.
    """

    first: int = 0
    trials: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a scenario came to.

    Attributes:
        trials: How many were run to their end.
        failed: The numbers of those that broke a promise, or did not end as they should;
            each with what was wrong.
        took_s: Seconds.
        skipped: Why nothing was run, or empty.
    """

    trials: int = 0
    tally: Tally = field(default_factory=Tally)
    failed: tuple[tuple[int, str], ...] = ()
    took_s: float = 0.0
    skipped: str = ""


_MOST_FAILURES = 10
"""After so many, more of them say nothing new."""


def run(scenario: Scenario, seed: int, limit: Limit) -> Outcome:
    """Try a scenario until its limit is reached; a trial that fails does not end it.

    The trial of a number does the same for the same seed, whatever ran before it.
    """
    problem = scenario.problem()
    if problem is not None:
        return Outcome(skipped=problem)
    started = time.monotonic()
    tally = Tally()
    failed: list[tuple[int, str]] = []
    trials = 0
    with (
        tempfile.TemporaryDirectory(prefix="artlock-torture-") as folder,
        scenario.open(Path(folder).resolve()) as trial,
    ):
        for number in _numbers(limit, started):
            try:
                found = trial(Random(f"{seed} {scenario.name} {number}"))  # noqa: S311 - to be repeated
            except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
                failed.append((number, f"{type(error).__name__}: {error}"))
            else:
                trials += 1
                tally += found
                if found.violations:
                    failed.append((number, str(found)))
            if len(failed) == _MOST_FAILURES:
                break
    return Outcome(
        trials=trials,
        tally=tally,
        failed=tuple(failed),
        took_s=time.monotonic() - started,
    )


def _numbers(limit: Limit, started: float) -> Iterator[int]:
    for number in count(limit.first):
        if limit.trials is not None and number - limit.first >= limit.trials:
            return
        if limit.seconds is not None and time.monotonic() - started >= limit.seconds:
            return
        yield number
