"""All comparisons, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from benchmarks.comparison import Comparison
from benchmarks.ground import Ground
from benchmarks.lines import cold, listing, locks, parts, resting, startup

Group = Callable[[Ground], Iterator[Comparison]]

GROUPS: Mapping[str, Group] = {
    "startup": startup.startup,
    "lock": locks.locks,
    "parts": parts.parts,
    "many": cold.many,
    "more": cold.more,
    "some": cold.some,
    "model": cold.model,
    "big": cold.big,
    "gcs": cold.gcs,
    "listing": listing.listing,
    "resting": resting.resting,
    "huge": cold.huge,
    "million": resting.resting_million,
}
LONG = frozenset({"million", "parts"})
"""What only the long form measures."""
