"""Measure this working tree beside its peers, and print what came of it.

``make bench`` runs the short form, ``make bench-full`` the long one.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.comparison import measure
from benchmarks.ground import Ground
from benchmarks.peers.environments import make_environments
from benchmarks.servers import running
from benchmarks.sizes import FULL, SHORT, SMOKE, Sizes
from benchmarks.suite import GROUPS, LONG
from benchmarks.words import plain, rows_of, targets_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.comparison import Result

_FORMS = {sizes.name: sizes for sizes in (SHORT, FULL, SMOKE)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparisons, print them; 1 if one of artlock's commands failed."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--form", choices=_FORMS, default=SHORT.name)
    parser.add_argument("--rounds", type=int, help="another number of rounds")
    parser.add_argument(
        "--only", action="append", choices=GROUPS, help="run this group; may be repeated"
    )
    chosen = parser.parse_args(arguments)
    sizes = _FORMS[chosen.form]
    groups = chosen.only or [g for g in GROUPS if sizes is not SHORT or g not in LONG]
    if sizes.has_environments:
        make_environments()
    with tempfile.TemporaryDirectory(prefix="artlock-bench-") as name:
        results = list(_results(Path(name), sizes, groups, chosen.rounds or sizes.rounds))
    print("\nTargets\n")
    verdicts = [verdict for result in results for verdict in result.verdicts()]
    print("\n".join(plain(*targets_of(verdicts))))
    return int(any(_has_failed(result) for result in results))


def _results(
    folder: Path, sizes: Sizes, groups: Sequence[str], rounds: int
) -> Iterator[Result]:
    served = folder / "served"
    served.mkdir()
    print(f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, ", end="")
    print(f"Python {platform.python_version()}; {rounds} rounds, medians")
    with running(served) as servers:
        ground = Ground(folder, servers, sizes)
        for group in groups:
            started = time.monotonic()
            for comparison in GROUPS[group](ground):
                result = measure(comparison, ground.environ, rounds=rounds)
                print(f"\n{comparison.what}\n")
                print("\n".join(plain(*rows_of(result))), flush=True)
                for row in result.rows:
                    if row.measured.failure and not row.contender.absent:
                        print(row.measured.failure, flush=True)
                yield result
            print(f"\n({group} took {time.monotonic() - started:.0f} s)", flush=True)


def _has_failed(result: Result) -> bool:
    ours = result.ours
    return not (ours.measured.runs or ours.contender.absent)


if __name__ == "__main__":
    sys.exit(main())
