"""A few trials of every scenario, always the same ones."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from torture.run import Limit
from torture.scenario import Scenario
from torture.scenarios import SCENARIOS
from torture.worker import guard, run_scenario

SEED = 1


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPoolExecutor]:
    # Of its own: some hear of what Python does by hooks that cannot be taken away. While
    # there is one, Python 3.11 may not let two threads start to be traced at once.
    with ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=guard,
        initargs=(tmp_path_factory.mktemp("home"),),
    ) as pool:
        yield pool


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_promise_is_kept(scenario: Scenario, elsewhere: ProcessPoolExecutor) -> None:
    number = SCENARIOS.index(scenario)
    limit = Limit(trials=scenario.short)
    outcome = elsewhere.submit(run_scenario, number, SEED, limit).result()
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.failed == ()
    assert outcome.trials == scenario.short
    assert outcome.tally.runs > 0
    assert outcome.tally.faults > 0
