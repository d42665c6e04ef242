"""A few trials of every scenario, always the same ones."""

import pytest

from torture.run import Limit, run
from torture.scenario import Scenario
from torture.scenarios import SCENARIOS

SEED = 1


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_promise_is_kept(scenario: Scenario) -> None:
    outcome = run(scenario, SEED, Limit(trials=scenario.short))
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.failed == ()
    assert outcome.trials == scenario.short
    assert outcome.tally.runs > 0
    assert outcome.tally.faults > 0
