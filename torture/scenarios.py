"""All scenarios, in the order of the table."""

from torture import crowd, full_disk, gc, kills, power, syscalls
from torture.edits import EDITS
from torture.flips import FLIPS
from torture.fuzz.scenarios import FUZZ
from torture.locks import LOCKS
from torture.manifests import MANIFESTS
from torture.network import NETWORK
from torture.pushes import PUSHES
from torture.races import RACES
from torture.scenario import Scenario
from torture.stores import STORES

SCENARIOS: tuple[Scenario, ...] = (
    kills.KILLS,
    kills.INTERRUPTIONS,
    syscalls.SYSCALLS,
    power.EXT4,
    power.XFS,
    crowd.CROWD,
    full_disk.FULL_DISK,
    gc.RACE,
    gc.ROT,
    EDITS,
    RACES,
    STORES,
    NETWORK,
    PUSHES,
    FLIPS,
    LOCKS,
    MANIFESTS,
    *FUZZ,
)
