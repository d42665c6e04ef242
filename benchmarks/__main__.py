"""Measure this working tree beside s5cmd, cp and git, and print the table.

``make bench`` runs it with 10,000 objects and a workspace of 100,000 files; ``--objects``,
``--files`` and ``--rounds`` change that.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.comparisons import Bench
from benchmarks.data import load
from benchmarks.timing import race
from testbed.seaweedfs import SeaweedFS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.comparisons import Comparison

_ROUNDS = 5
_OBJECTS = 10_000
_FILES = 100_000


def main() -> None:
    """Start the server, make the data, run the comparisons, print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--objects", type=int, default=_OBJECTS)
    parser.add_argument("--files", type=int, default=_FILES, help="in the large workspace")
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--only", default="", help="run the lines that contain this text")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="artlock-bench-") as folder,
        SeaweedFS() as server,
    ):
        load(server, objects=chosen.objects)
        bench = Bench(Path(folder), server, files=chosen.files)
        _print_head(chosen.objects, chosen.rounds)
        for comparison in bench.comparisons():
            if chosen.only in comparison.what:
                _print_line(comparison, bench.environ, rounds=chosen.rounds)


def _print_head(objects: int, rounds: int) -> None:
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}"
    print(f"{objects:,} objects of 10 kB and 4 of 256 MB; {rounds} rounds, medians")
    print(f"{machine}, Python {platform.python_version()}")
    print(
        f"{'what':<30}{'artlock':>10}{'CPU':>8}  {'peer':<22}{'':>8}{'CPU':>8}"
        f"{'ratio':>8}{'target':>8}"
    )


def _print_line(comparison: Comparison, environ: Mapping[str, str], *, rounds: int) -> None:
    times = race([comparison.ours, comparison.peer], environ, rounds=rounds)
    ours, peer = times[comparison.ours.name], times[comparison.peer.name]
    ratio = ours.wall_median / peer.wall_median
    print(
        f"{comparison.what:<30}{ours.wall_median:>9.2f}s{ours.cpu_median:>7.2f}s  "
        f"{comparison.peer.name:<22}{peer.wall_median:>7.2f}s{peer.cpu_median:>7.2f}s"
        f"{ratio:>8.2f}{comparison.target:>8.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
