"""A scenario for each target: thousands of spoilt inputs in one process."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

from torture.fuzz.corpus import corpus
from torture.fuzz.running import give_many
from torture.fuzz.targets import TARGETS, Target
from torture.scenario import Scenario, Tally, Trial


@contextmanager
def _open(target: Target, _: Path) -> Iterator[Trial]:
    seeds = corpus(target.name)

    def trial(luck: Random) -> Tally:
        # A broken law is an exception, which is counted as a failed trial.
        score = give_many(target, seeds, luck, inputs=target.inputs)
        return Tally(faults=score.mutations, runs=score.inputs, moved=score.size)

    yield trial


FUZZ: tuple[Scenario, ...] = tuple(
    Scenario(
        name=f"fuzz {target.name}",
        what=f"every byte that the reader of `{target.name}` is given",
        rows=("5.11", "5.12") if target.name == "s3-listing" else ("5.11",),
        open=partial(_open, target),
        short=1,
    )
    for target in TARGETS
)
