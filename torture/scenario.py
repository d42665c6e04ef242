"""A scenario: one way to break things, tried again and again."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass
from pathlib import Path
from random import Random
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one trial came to, or many added up.

    The first three say how hard it was tried, the last three must be nothing.

    Attributes:
        faults: Injected: kills, cuts, flipped bits, refused calls, edited fields.
        runs: Of artlock, or of the part of it that is tried.
        moved: Bytes that were sent to artlock.
        wrong: Bytes that have a name they are not worth: in the cache, or in a workspace
            after an exit code of 0.
        lost: Bytes that a person wrote and that are nowhere any more.
        diverged: Runs without a fault, after one with, that did not come to where an
            undisturbed run comes.
    """

    faults: int = 0
    runs: int = 0
    moved: int = 0
    wrong: int = 0
    lost: int = 0
    diverged: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            faults=self.faults + other.faults,
            runs=self.runs + other.runs,
            moved=self.moved + other.moved,
            wrong=self.wrong + other.wrong,
            lost=self.lost + other.lost,
            diverged=self.diverged + other.diverged,
        )

    @property
    def violations(self) -> int:
        """0 if every promise was kept."""
        return sum(astuple(self)[3:])


Trial: TypeAlias = Callable[[Random], Tally]
"""Breaks something as the random numbers say, lets artlock go on, and judges.

Equal numbers break the same thing again, as far as clocks and threads allow. What it does
not expect it raises.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way to break things.

    Attributes:
        name: A word or two, for the table and ``--only``.
        what: What is broken, in a phrase, for the table.
        rows: The hazards that it is about, for example ``3.8``.
        open: Prepares a folder of its own and lends a trial; what it started has ended when
            the block is left.
        short: Trials in the short form that every test run has; a few seconds in all.
        problem: Why it cannot be run here, or ``None``: for example without root.
    """

    name: str
    what: str
    rows: tuple[str, ...]
    open: Callable[[Path], AbstractContextManager[Trial]]
    short: int
    problem: Callable[[], str | None] = lambda: None
