"""All scenarios, in the order of the table."""

from torture.scenario import Scenario

SCENARIOS: tuple[Scenario, ...] = ()
