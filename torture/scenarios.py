"""All scenarios, in the order of the table."""

from torture import crowd, full_disk, kills, power, syscalls
from torture.scenario import Scenario

SCENARIOS: tuple[Scenario, ...] = (
    kills.KILLS,
    kills.INTERRUPTIONS,
    syscalls.SYSCALLS,
    power.EXT4,
    power.XFS,
    crowd.CROWD,
    full_disk.FULL_DISK,
)
