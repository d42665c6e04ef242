"""Run the scenarios and print the table; exit 0 only if every promise was kept.

``make torture`` runs it. A failure names its trial: ``--only NAME --seed SEED --first N
--trials 1`` repeats it.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from torture.run import Limit, Outcome
from torture.scenario import Scenario
from torture.scenarios import SCENARIOS
from torture.table import table
from torture.worker import guard, run_scenario


def main() -> int:
    """Read the arguments, run, print.

    Returns:
        0; 1 if a promise was broken or a trial did not end as it should.
    """
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="in all; default: 10")
    parser.add_argument("--trials", type=int, help="of each scenario, whatever it takes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    parser.add_argument("--only", default="", help="scenarios whose names have this text")
    parser.add_argument("--jobs", type=int, default=1, help="scenarios at once")
    chosen = parser.parse_args()
    scenarios = [scenario for scenario in SCENARIOS if chosen.only in scenario.name]
    if not scenarios:
        parser.error(f"no scenario has `{chosen.only}` in its name")
    share_s = chosen.minutes * 60 * chosen.jobs / len(scenarios)
    limit = Limit(
        first=chosen.first,
        trials=chosen.trials,
        seconds=None if chosen.trials else share_s,
    )
    print(f"seed {chosen.seed}, Linux {os.uname().release}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="artlock-home-") as home:
        outcomes = _outcomes(scenarios, chosen.seed, limit, chosen.jobs, Path(home))
    print("\n".join(table(zip(scenarios, outcomes, strict=True))))
    return _failures(scenarios, outcomes)


def _outcomes(
    scenarios: list[Scenario], seed: int, limit: Limit, jobs: int, home: Path
) -> list[Outcome]:
    # Each in a fresh process: what one leaves in memory does not help the next.
    with ProcessPoolExecutor(
        jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=guard,
        initargs=(home,),
        max_tasks_per_child=1,
    ) as pool:
        numbers = range(len(SCENARIOS))
        chosen = [number for number in numbers if SCENARIOS[number] in scenarios]
        begun = [pool.submit(run_scenario, number, seed, limit) for number in chosen]
        outcomes = []
        for scenario, future in zip(scenarios, begun, strict=True):
            outcomes.append(future.result())
            print(f"{scenario.name}: done", file=sys.stderr, flush=True)
        return outcomes


def _failures(scenarios: list[Scenario], outcomes: list[Outcome]) -> int:
    failures = [
        f"{scenario.name}, trial {number}: {what}"
        for scenario, outcome in zip(scenarios, outcomes, strict=True)
        for number, what in outcome.failed
    ]
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
