"""All scenarios, in the order of the table."""

from torture.flips import FLIPS
from torture.network import NETWORK
from torture.scenario import Scenario

SCENARIOS: tuple[Scenario, ...] = (NETWORK, FLIPS)
