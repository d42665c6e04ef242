"""What a policy and a report ask of an artifact's rows, counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import msgspec

from artlock.model.tokens import Trust, count_trusts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artlock.model.lock import LockedObject


class Count(msgspec.Struct, frozen=True, array_like=True):
    """How many rows are of some sort.

    Attributes:
        first: The path of the first of them; empty if there is none.
    """

    number: int = 0
    first: str = ""

    def __add__(self, other: Count) -> Count:
        """Count rows and those that stand below them."""
        return Count(self.number + other.number, self.first or other.first)


class Tally(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """The rows of one artifact, counted: they need not be kept to be judged.

    A msgspec struct, as it is sent between processes and remembered.

    Attributes:
        trusts: One count for each ``Trust``, the strongest first.
        unversioned: Of rows without a version.
    """

    trusts: tuple[Count, ...] = (Count(),) * len(Trust)
    unversioned: Count = Count()

    @classmethod
    def of(cls, rows: Sequence[LockedObject]) -> Self:
        """Count rows, which are sorted by path."""
        found = count_trusts([row.checksum for row in rows])
        versions = [row.version for row in rows]
        number = versions.count("")
        return cls(
            trusts=tuple(
                Count(found[trust][0], rows[found[trust][1]].path)
                if trust in found
                else Count()
                for trust in Trust
            ),
            unversioned=Count(number, rows[versions.index("")].path if number else ""),
        )

    def __add__(self, other: Tally) -> Tally:
        """Count rows and those that stand below them."""
        return Tally(
            trusts=tuple(a + b for a, b in zip(self.trusts, other.trusts, strict=True)),
            unversioned=self.unversioned + other.unversioned,
        )

    @property
    def objects(self) -> int:
        """The number of all rows."""
        return sum(count.number for count in self.trusts)

    def below(self, least: Trust) -> tuple[Count, Trust]:
        """Return the count of rows whose trust does not reach ``least``.

        The trust is that of the first of them; it says nothing if there is none.
        """
        weak = [
            (count, trust)
            for count, trust in zip(self.trusts, Trust, strict=True)
            if count.number and not trust.reaches(least)
        ]
        if not weak:
            return Count(), Trust.NONE
        first, trust = min((count.first, trust) for count, trust in weak)
        return Count(sum(count.number for count, _ in weak), first), trust
