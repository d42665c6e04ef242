"""All scenarios, in the order of the table."""

from torture.edits import EDITS
from torture.races import RACES
from torture.scenario import Scenario

SCENARIOS: tuple[Scenario, ...] = (EDITS, RACES)
