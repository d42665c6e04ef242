"""Give inputs to a target, and judge: it takes them, refuses them, or is wrong."""

import resource
import time
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from torture.fuzz.mutator import mutated
from torture.fuzz.targets import Target

MAX_SECONDS = 10.0
"""For one input; more is a hang."""
MAX_GROWTH = 1 << 30
"""Bytes by which one input may let the process grow."""
_SHOWN = 2000


class FoundError(Exception):
    """An input that a reader neither takes nor refuses.

    Attributes:
        data: The input.
    """

    def __init__(self, target: Target, data: bytes, problem: str) -> None:
        shown = repr(data[:_SHOWN])
        super().__init__(
            f"{target.name}: {problem}; the input of {len(data)} bytes: {shown}"
        )
        self.data = data


@dataclass(slots=True, kw_only=True)
class Score:
    """What was done.

    Attributes:
        inputs: Given to the target.
        mutations: That made them.
        size: Of all of them, in bytes.
        taken: How many were not refused.
    """

    inputs: int = 0
    mutations: int = 0
    size: int = 0
    taken: int = 0


def give(target: Target, data: bytes) -> bool:
    """Give one input; tell whether it was taken.

    Raises:
        FoundError: Another exception than a refusal left the reader, a law is broken, or it
            took too long or too much.
    """
    memory = _peak_memory()
    taken, took = _timed(target, data)
    if took > MAX_SECONDS:
        # Once more: a machine without memory left makes any input slow.
        taken, took = _timed(target, data)
    if took > MAX_SECONDS:
        raise FoundError(target, data, f"it took {took:.0f} s")
    if (grown := _peak_memory() - memory) > MAX_GROWTH:
        raise FoundError(target, data, f"the process grew by {grown:,} bytes")
    return taken


def _timed(target: Target, data: bytes) -> tuple[bool, float]:
    # Of this process, so that others that run beside it do not count.
    started = time.process_time()
    try:
        taken = target.run(data)
    except Exception as error:
        raise FoundError(target, data, f"{type(error).__name__}: {error}") from error
    return taken, time.process_time() - started


def give_many(
    target: Target,
    seeds: list[bytes],
    luck: Random,
    *,
    inputs: int | None = None,
    seconds: float | None = None,
) -> Score:
    """Spoil ``seeds`` again and again, and give what comes of it to the target.

    Raises:
        FoundError: As ``give``; the first input that is wrong ends it.
    """
    score = Score()
    started = time.monotonic()
    while inputs is None or score.inputs < inputs:
        if seconds is not None and time.monotonic() - started >= seconds:
            break
        data, mutations = mutated(seeds, target.words, luck)
        score.taken += give(target, data)
        score.inputs += 1
        score.mutations += mutations
        score.size += len(data)
    return score


def replay(target: Target, inputs: Iterable[bytes]) -> int:
    """Give inputs as they are; return how many were taken.

    Raises:
        FoundError: As ``give``.
    """
    return sum(give(target, data) for data in inputs)


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
