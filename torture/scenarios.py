"""All scenarios, in the order of the table."""

from torture import kills
from torture.scenario import Scenario

SCENARIOS: tuple[Scenario, ...] = (kills.KILLS, kills.INTERRUPTIONS)
