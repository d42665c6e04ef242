"""All scenarios, in the order of the table."""

from torture import gc
from torture.scenario import Scenario

SCENARIOS: tuple[Scenario, ...] = (gc.RACE, gc.ROT)
