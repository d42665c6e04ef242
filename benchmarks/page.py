"""The page of a run in ``docs/benchmarks``: what was measured, with which commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.comparison import Result
from benchmarks.growth import Series
from benchmarks.plot import draw
from benchmarks.sizes import Sizes
from benchmarks.timing import Contender
from benchmarks.versions import machine, versions
from benchmarks.words import growth_of, markdown, rows_of, targets_of

_ROOT = Path(__file__).parents[1]
FOLDER = _ROOT / "docs" / "benchmarks"
_PLOT = "growth.svg"
_PROGRAM = re.compile(r"(?:\S*/bin/python3? (?=\S*/bin/))?\S*/bin/([\w.-]+)")

_INTRODUCTION = """\
# Benchmarks

How fast artlock is beside its peers, in one run on one machine: client and servers talk
over loopback. Figures move from machine to machine; the ratios of one run count.
`make bench` measures the short form again, `make bench-full` the long one, and `WRITE=1`
with either writes this page.

* All of a table ran in turn, round after round. Times are medians of all rounds; who was
  three times as slow as artlock after three rounds ran no more. **CPU**
  is user and system time, children included. **memory** is the peak of the largest
  process, and never less than 10 MB. Where a lock or JSON lines are read or written, the
  wall time is that of this alone, without the start of Python.
* **artlock / it** is artlock's time as a multiple of that line's: below 1, artlock is
  faster.
* **bytes** compares every file that was delivered with what was pinned. After the pin one
  object was overwritten, but for the few large ones: who pins nothing delivers the new
  bytes, and has `1 wrong`. artlock verifies every byte, fills its cache and the workspace,
  and syncs both to the disk; the others do so only where it is said.
* **requests** were counted in a run that was not timed.
* **floor** is the least that the same promise costs in Python here, without artlock;
  [where the time goes](where-the-time-goes.md) says more.
* DVC pinned with `dvc import-url --version-aware`, W&B's client with `add_reference`,
  Comet's with `add_remote`. The lists of objects that the servers of the last two would
  keep were in files; what downloads is their own code.
"""


def write_page(
    results: Sequence[Result],
    lines: Sequence[Series],
    *,
    sizes: Sizes,
    rounds: int,
    work: Path,
    folder: Path = FOLDER,
) -> None:
    """Write the page and its plot.

    Args:
        results: Of all comparisons.
        lines: Of the plot; without any, there is none.
        sizes: How much was measured.
        rounds: How often.
        work: The folder of the run, which commands name.
        folder: Where the page goes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if lines:
        draw(lines, folder / _PLOT)
    parts = _parts(results, lines, sizes, rounds, work)
    (folder / "index.md").write_text("\n".join(parts) + "\n", "utf-8")


def _parts(
    results: Sequence[Result],
    lines: Sequence[Series],
    sizes: Sizes,
    rounds: int,
    work: Path,
) -> Iterator[str]:
    yield _INTRODUCTION
    yield f"The {sizes.name} form, {rounds} rounds, on {machine()}.\n"
    yield "## Targets\n"
    verdicts = [verdict for result in results for verdict in result.verdicts()]
    yield from markdown(*targets_of(verdicts))
    yield "\n## Comparisons"
    for result in results:
        yield f"\n### {result.comparison.what}\n"
        yield from markdown(*rows_of(result))
    if lines:
        yield "\n## Growth\n"
        yield f"![Time and memory against the number of objects]({_PLOT})\n"
        runs = "medians of three" if sizes.is_long else "one run each"
        yield f"Whole commands, {runs}. **power** is the one of the count with which time"
        yield "grew over the last step: 1 is linear.\n"
        yield from markdown(*growth_of(lines))
    yield "\n## Commands\n"
    yield "`WORK` is a folder that the run made; servers are told by variables.\n"
    seen: dict[str, str] = {}
    for result in results:
        for row in result.rows:
            seen.setdefault(shown(row.contender, work), row.contender.name)
    yield from markdown(("name", "command"), [(n, f"`{c}`") for c, n in seen.items()])
    yield "\n## Versions\n"
    yield from markdown(("what", "version"), list(versions().items()))


def shown(contender: Contender, work: Path) -> str:
    """Return a command as a person may read it, without the paths of this machine."""
    command = contender.command
    text = command[2] if command[0] == "sh" else shlex.join(command)
    text = text.replace(str(work), "WORK").replace(f"{_ROOT}/", "")
    return _PROGRAM.sub(r"\1", text).replace("|", "\\|")
