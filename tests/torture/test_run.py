"""What runs the scenarios counts right, and tells what failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from torture.run import Limit, Outcome, run
from torture.scenario import Scenario, Tally, Trial
from torture.table import table


def scenario(trial: Trial, problem: str | None = None) -> Scenario:
    @contextmanager
    def opened(folder: Path) -> Iterator[Trial]:
        assert folder.is_dir()
        yield trial

    return Scenario(
        name="n", what="w", rows=(), open=opened, short=1, problem=lambda: problem
    )


def test_trials_are_added_up() -> None:
    outcome = run(scenario(lambda _: Tally(faults=1, runs=2, moved=3)), 1, Limit(trials=4))
    assert outcome.tally == Tally(faults=4, runs=8, moved=12)
    assert outcome.trials == 4
    assert outcome.failed == ()


def test_the_same_seed_and_number_give_the_same_trial() -> None:
    seen: list[float] = []

    def trial(luck: Random) -> Tally:
        seen.append(luck.random())
        return Tally()

    run(scenario(trial), 1, Limit(trials=3))
    run(scenario(trial), 1, Limit(first=2, trials=1))
    run(scenario(trial), 2, Limit(trials=1))
    assert seen[3] == seen[2]
    assert len(set(seen)) == 4


@pytest.mark.parametrize("broken", ["wrong", "lost", "diverged"])
def test_a_broken_promise_is_a_failure(broken: str) -> None:
    outcome = run(scenario(lambda _: Tally(**{broken: 1})), 1, Limit(trials=2))
    assert [number for number, _ in outcome.failed] == [0, 1]
    assert broken in outcome.failed[0][1]


def test_a_surprise_is_a_failure_and_does_not_end_the_scenario() -> None:
    def trial(luck: Random) -> Tally:
        raise ValueError(str(luck.random()))

    outcome = run(scenario(trial), 1, Limit(trials=3))
    assert outcome.trials == 0
    assert [number for number, _ in outcome.failed] == [0, 1, 2]
    assert "ValueError: 0." in outcome.failed[0][1]


def test_what_cannot_run_here_says_why() -> None:
    outcome = run(scenario(lambda _: Tally(), "needs root"), 1, Limit(trials=1))
    assert outcome == Outcome(skipped="needs root")
    lines = list(table([(scenario(lambda _: Tally()), outcome)]))
    assert "not run: needs root" in lines[2]


def test_time_ends_a_scenario() -> None:
    outcome = run(scenario(lambda _: Tally(runs=1)), 1, Limit(seconds=0.05))
    assert outcome.trials > 0
    assert outcome.took_s >= 0.05


def test_every_row_of_the_table_has_the_same_cells() -> None:
    one = scenario(lambda _: Tally())
    done = Outcome(trials=1, tally=Tally(moved=1234))
    lines = list(table([(one, done), (one, Outcome(skipped="s"))]))
    assert {line.count("|") for line in lines} == {11}
    assert "1,234" in lines[-1]
