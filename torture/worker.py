"""What the process of one scenario does: a spawned one does not import ``__main__``."""

import os
from pathlib import Path

from testbed.guards import isolate, refuse_outside_sockets
from torture.run import Limit, Outcome, run
from torture.scenarios import SCENARIOS


def guard(home: Path) -> None:
    """Keep this process to itself; see ``testbed.guards``."""
    isolate(os.environ, home)
    refuse_outside_sockets()


def run_scenario(number: int, seed: int, limit: Limit) -> Outcome:
    """Run a scenario by its number: a scenario itself cannot be handed over."""
    return run(SCENARIOS[number], seed, limit)
