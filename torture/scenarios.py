"""All scenarios, in the order of the table."""

from torture.scenario import Scenario
from torture.stores import STORES

SCENARIOS: tuple[Scenario, ...] = (STORES,)
