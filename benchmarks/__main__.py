"""Measure this working tree beside its peers, and print what came of it.

``make bench`` runs the short form, ``make bench-full`` the long one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.comparison import Result, measure
from benchmarks.ground import Ground
from benchmarks.growth import Series, series
from benchmarks.page import FOLDER, write_page
from benchmarks.peers.environments import make_environments
from benchmarks.servers import running
from benchmarks.sizes import FULL, SHORT, SMOKE
from benchmarks.suite import GROUPS, LONG
from benchmarks.timing import RunError
from benchmarks.versions import machine
from benchmarks.words import Table, growth_of, plain, rows_of, targets_of

_FORMS = {sizes.name: sizes for sizes in (SHORT, FULL, SMOKE)}
_GROWTH = "growth"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was chosen and print it; 1 if one of artlock's commands failed."""
    chosen = _parser().parse_args(arguments)
    sizes = _FORMS[chosen.form]
    rounds = chosen.rounds or sizes.rounds
    groups = chosen.only or [
        group for group in (*GROUPS, _GROWTH) if sizes is not SHORT or group not in LONG
    ]
    if sizes.has_environments:
        make_environments()
    print(f"{machine()}; the {sizes.name} form, {rounds} rounds, medians", flush=True)
    with tempfile.TemporaryDirectory(prefix="artlock-bench-") as name:
        work = Path(name)
        served = work / "served"
        served.mkdir()
        with running(served) as servers:
            ground = Ground(work, servers, sizes)
            failures: list[str] = []
            results = list(_compared(ground, groups, rounds, failures))
            lines = _grown(ground, failures) if _GROWTH in groups else []
        _print_table("Targets", targets_of([v for r in results for v in r.verdicts()]))
        if chosen.write:
            write_page(
                results, lines, sizes=sizes, rounds=rounds, work=work, folder=chosen.write
            )
            print(f"\nwrote {chosen.write / 'index.md'}", flush=True)
    return int(bool(failures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--form", choices=_FORMS, default=SHORT.name)
    parser.add_argument("--rounds", type=int, help="another number of rounds")
    parser.add_argument(
        "--only",
        action="append",
        choices=(*GROUPS, _GROWTH),
        help="run this group; may be repeated",
    )
    parser.add_argument(
        "--write",
        nargs="?",
        type=Path,
        const=FOLDER,
        metavar="FOLDER",
        help="write a page and a plot, into docs/benchmarks if no folder is named",
    )
    return parser


def _compared(
    ground: Ground, groups: Sequence[str], rounds: int, failures: list[str]
) -> Iterator[Result]:
    for group in groups:
        if group == _GROWTH:
            continue
        with _told(group, failures):
            for comparison in GROUPS[group](ground):
                result = measure(comparison, ground.environ, rounds=rounds)
                _print_table(comparison.what, rows_of(result))
                for row in result.rows:
                    if row.has_failed:
                        print(row.measured.failure, flush=True)
                if result.ours.has_failed:
                    failures.append(comparison.what)
                yield result


def _grown(ground: Ground, failures: list[str]) -> list[Series]:
    lines: list[Series] = []
    with _told(_GROWTH, failures):
        lines.extend(series(ground))
        _print_table("Growth", growth_of(lines))
    return lines


@contextmanager
def _told(group: str, failures: list[str]) -> Iterator[None]:
    """Tell how long a group took; if it cannot be prepared, the others still run."""
    started = time.monotonic()
    try:
        yield
    except RunError as error:
        print(error, flush=True)
        failures.append(group)
    print(f"\n({group} took {time.monotonic() - started:.0f} s)", flush=True)


def _print_table(title: str, table: Table) -> None:
    print(f"\n{title}\n")
    print("\n".join(plain(*table)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
