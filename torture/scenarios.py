"""All scenarios, in the order of the table."""

from torture import kills, power, syscalls
from torture.scenario import Scenario

SCENARIOS: tuple[Scenario, ...] = (
    kills.KILLS,
    kills.INTERRUPTIONS,
    syscalls.SYSCALLS,
    power.EXT4,
    power.XFS,
)
