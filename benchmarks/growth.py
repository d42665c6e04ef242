"""How time and memory grow with the number of objects."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from benchmarks import data
from benchmarks.ground import Ground
from benchmarks.lines.cold import cold_sync
from benchmarks.lines.locks import diff, lock_text, long_lock
from benchmarks.lines.resting import at_rest, resting_project
from benchmarks.timing import Contender, RunError, race

_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one number of objects took.

    Attributes:
        count: Of objects, rows or files.
        wall: Seconds; the median in the long form.
        peak: Bytes of memory, the largest.
    """

    count: int
    wall: float
    peak: int


@dataclass(frozen=True, slots=True)
class Series:
    """One line of the plot.

    Attributes:
        what: Was done.
        points: By rising count.
    """

    what: str
    points: tuple[Point, ...]

    @property
    def exponent(self) -> float:
        """How time grew over the last step, as a power of the count: 1 is linear."""
        before, last = self.points[-2:]
        return math.log(last.wall / before.wall) / math.log(last.count / before.count)


def series(ground: Ground) -> Iterator[Series]:
    """Measure all lines, and yield each when it is complete.

    Raises:
        RunError: One of artlock's commands failed.
    """
    for steps, contenders in (
        (ground.sizes.row_steps, _on_locks),
        (ground.sizes.resting_steps, _at_rest),
        (ground.sizes.object_steps, _from_s3),
    ):
        found: dict[str, list[Point]] = {}
        for count in steps:
            for what, point in _measure(ground, count, contenders).items():
                found.setdefault(what, []).append(point)
        for what, points in found.items():
            yield Series(what, tuple(points))


Contenders = Callable[[Ground, int], Mapping[str, Contender]]


def _measure(ground: Ground, count: int, contenders: Contenders) -> dict[str, Point]:
    points = {}
    rounds = _ROUNDS if ground.sizes.is_long else 1
    for what, contender in contenders(ground, count).items():
        measured = race([contender], ground.environ, rounds=rounds)[contender.name]
        if measured.failure:
            raise RunError(measured.failure)
        points[what] = Point(count=count, wall=measured.wall, peak=measured.peak)
    return points


def _on_locks(ground: Ground, count: int) -> dict[str, Contender]:
    project, _ = long_lock(ground, count)
    # Whole commands, so that time and memory are of the same thing.
    reading, writing = (
        replace(lock_text(verb, project), tells_time=False) for verb in ("read", "write")
    )
    return {
        "read the lock": reading,
        "read and write the lock": writing,
        "check": ground.artlock("artlock check", "check", project=project),
        "diff": diff(ground, project),
    }


def _at_rest(ground: Ground, count: int) -> dict[str, Contender]:
    project, _ = resting_project(ground, count)
    return {"no-op sync": at_rest(ground, "sync", project)}


def _from_s3(ground: Ground, count: int) -> dict[str, Contender]:
    objects = data.load_s3_fast(
        ground.servers,
        f"growth-{count}",
        f"{count:,} objects",
        data.small_files(count, data.TINY),
    )
    project = ground.project(objects.bucket, objects.uri)
    return {
        "resolve": ground.artlock(
            "artlock resolve", "resolve", "--regenerate", project=project
        ),
        "cold sync": cold_sync(ground, project),
    }
