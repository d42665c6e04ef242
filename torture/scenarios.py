"""All scenarios, in the order of the table."""

from torture.fuzz.scenarios import FUZZ
from torture.locks import LOCKS
from torture.manifests import MANIFESTS
from torture.scenario import Scenario

SCENARIOS: tuple[Scenario, ...] = (*FUZZ, LOCKS, MANIFESTS)
