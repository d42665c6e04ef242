"""The lockfile as text: read, written, checked and compared."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import data
from benchmarks.comparison import Comparison, Limit, Peer
from benchmarks.ground import Ground, Project
from benchmarks.lines.resting import commit_all
from benchmarks.timing import Contender

_TARGET = 2.5
_STRETCH = 1.5


def locks(ground: Ground) -> Iterator[Comparison]:
    """Yield what a lockfile costs beside msgspec on the same rows as JSON lines."""
    count = ground.sizes.rows
    what = f"{count:,} rows"
    project, lines = long_lock(ground, count)
    for verb in ("read", "write"):
        ours, peer = lock_text(verb, project), json_lines(verb, lines)
        yield Comparison(
            what=f"{verb} the lock, {what}",
            ours=ours,
            peers=(Peer(contender=peer, target=_TARGET, stretch=_STRETCH),),
        )
    proofs = ground.state / "artlock" / "proofs"
    yield Comparison(
        what=f"the first `check` of a text, {what}",
        ours=ground.artlock("artlock check", "check", project=project, empty=(proofs,)),
    )
    yield Comparison(
        what=f"every later `check` of it, {what}",
        ours=ground.artlock("artlock check", "check", project=project),
        limits=(Limit(of="wall", target=0.5, stretch=0.2),),
    )
    yield Comparison(
        what=f"`diff` of texts never seen before, {what}",
        ours=diff(ground, project, empty=(proofs,)),
        rounds=1,
    )
    yield Comparison(
        what=f"`diff` of texts that were judged before, {what}",
        ours=diff(ground, project),
        rounds=1,
    )


def long_lock(ground: Ground, count: int) -> tuple[Project, Path]:
    """Make a project whose lockfile is long, and the same rows as JSON lines.

    Git has an earlier lockfile, in which one row of a hundred is another.
    """
    source = ground.folder / f"row-{count}"
    data.make_files(source, data.small_files(1, data.TINY), seed="row")
    project = ground.project(f"lock-{count}", f"{source.as_uri()}/")
    lines = ground.folder / f"rows-{count}.jsonl"
    if lines.exists():
        return project, lines

    def rows(*words: str) -> None:
        command = (sys.executable, "-m", "benchmarks.rows", *words, str(project.lockfile))
        ground.do(*command, folder=project.folder)

    rows("fill", str(count))
    commit_all(ground, project.folder)
    rows("change")
    rows("lines", str(lines))
    return project, lines


def lock_text(verb: str, project: Project) -> Contender:
    """Read or write a lockfile with artlock's own code."""
    return _inside(f"artlock, {verb}", f"{verb}-lock", project.lockfile)


def json_lines(verb: str, lines: Path) -> Contender:
    """Read or write JSON lines with msgspec."""
    return _inside(f"msgspec, {verb} JSON lines", f"{verb}-lines", lines)


def diff(ground: Ground, project: Project, *, empty: Sequence[Path] = ()) -> Contender:
    """Compare the lockfile with the one that git has."""
    return ground.artlock("artlock diff", "diff", project=project, empty=empty)


def _inside(name: str, verb: str, path: Path) -> Contender:
    return Contender(
        name=name,
        command=(sys.executable, "-m", "benchmarks.rows", verb, str(path)),
        folder=path.parent,
        tells_time=True,
    )
