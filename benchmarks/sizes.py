"""How much is measured: the short form, the long one, and a smoke test of the suite."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How many of what.

    Attributes:
        name: On the page.
        is_long: Whether slow peers take part everywhere, and plots have medians of three.
        has_environments: Whether peers take part that need environments of their own.
        rounds: How often each contender runs.
        many: Objects of 10 kB, for artlock and the fastest peers.
        more: Objects of 10 kB, for a peer that is slow to start.
        some: Objects of 10 kB, for all peers.
        big: Objects of ``big_size``.
        big_size: Bytes.
        shards: Large files of the model directory, of ``shard_size``.
        shard_size: Bytes.
        samples: Small files in each of eight folders of the model directory.
        listed: Objects of 1 kB that are listed.
        tiny: Files of 1 kB in the large workspace.
        rows: Of the lockfile that is read, written and checked.
        huge: Bytes of the one object whose sync is held against a limit of memory.
        row_steps: Numbers of rows for the plots.
        object_steps: Numbers of objects for the plots.
        resting_steps: Numbers of files of a workspace that does not change.
    """

    name: str
    is_long: bool = False
    has_environments: bool = True
    rounds: int
    many: int
    more: int
    some: int
    big: int
    big_size: int
    shards: int
    shard_size: int
    samples: int
    listed: int
    tiny: int
    rows: int
    huge: int
    row_steps: tuple[int, ...]
    object_steps: tuple[int, ...]
    resting_steps: tuple[int, ...]


SHORT = Sizes(
    name="short",
    rounds=5,
    many=6_000,
    more=1_000,
    some=100,
    big=4,
    big_size=256 * _MIB,
    shards=3,
    shard_size=64 * _MIB,
    samples=25,
    listed=20_000,
    tiny=100_000,
    rows=1_000_000,
    huge=2048 * _MIB,
    row_steps=(1_000, 10_000, 100_000, 1_000_000),
    object_steps=(1_000, 3_000, 6_000),
    resting_steps=(1_000, 10_000, 100_000),
)

FULL = Sizes(
    name="full",
    is_long=True,
    rounds=5,
    many=20_000,
    more=2_000,
    some=1_000,
    big=4,
    big_size=256 * _MIB,
    shards=6,
    shard_size=256 * _MIB,
    samples=100,
    listed=100_000,
    tiny=100_000,
    rows=1_000_000,
    huge=2048 * _MIB,
    row_steps=(1_000, 10_000, 100_000, 300_000, 1_000_000),
    object_steps=(1_000, 10_000, 30_000, 100_000),
    resting_steps=(1_000, 10_000, 100_000, 1_000_000),
)

SMOKE = Sizes(
    name="smoke",
    has_environments=False,
    rounds=1,
    many=12,
    more=9,
    some=8,
    big=1,
    big_size=_MIB,
    shards=1,
    shard_size=_MIB,
    samples=2,
    listed=20,
    tiny=20,
    rows=50,
    huge=_MIB,
    row_steps=(10, 20),
    object_steps=(4, 8),
    resting_steps=(4, 8),
)
