"""What git makes of one changed row: a lockfile in parts beside the same as one file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from artlock.formats.lockfile import parse_lockfile
from artlock.formats.lockfile_parts import split
from artlock.ops.lockfiles import LockFiles
from benchmarks.comparison import Comparison, Peer
from benchmarks.ground import Ground, Project
from benchmarks.lines.locks import long_lock
from benchmarks.lines.resting import commit_all
from benchmarks.timing import Contender

_SIZE = re.compile(rb'(?<=",)[0-9]+(?=,")')
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class _Repository:
    """A repository with a lockfile, and how it is written there."""

    folder: Path
    write: Callable[[bytes], None]


def parts(ground: Ground) -> Iterator[Comparison]:
    """Yield `git add` and `git diff` after one row of many was changed."""
    number = ground.sizes.rows
    project, _ = long_lock(ground, number)
    text = project.lockfile.read_bytes()
    both = [
        _repository(ground, f"in-parts-{number}", partial(_write_parts, text, number)),
        _repository(ground, f"in-one-{number}", _write_one),
    ]
    states = count(1)
    sizes = []
    for repository in both:
        repository.write(text)
        commit_all(ground, repository.folder)
        before = _loose_bytes(repository.folder)
        repository.write(_with_changed_row(text, next(states)))
        ground.do("git", "add", ".", folder=repository.folder)
        sizes.append(_loose_bytes(repository.folder) - before)
    grown = (
        f"{sizes[0] / 1e6:.1f} MB of new objects in parts, {sizes[1] / 1e6:.1f} MB in one"
    )
    for verb, what in (("add", f"one changed row ({grown})"), ("diff", "one changed row")):
        ours, other = (
            Contender(
                name=f"git {verb}, {name}",
                command=("git", verb, *([] if verb == "diff" else ["."])),
                folder=repository.folder,
                prepare=partial(_change, repository, text, states),
            )
            for name, repository in zip(("in parts", "in one file"), both, strict=True)
        )
        yield Comparison(
            what=f"`git {verb}` of {what}, {number:,} rows",
            ours=ours,
            peers=(Peer(contender=other, target=0.5),),
            rounds=_ROUNDS,
        )
    in_parts = Project(both[0].folder, project.data)
    (in_parts.folder / "artifacts.toml").write_bytes(
        (project.folder / "artifacts.toml").read_bytes()
    )
    _change(both[0], text, states)
    proofs = ground.state / "artlock" / "proofs"
    for which, empty in (("the first", (proofs,)), ("every later", ())):
        yield Comparison(
            what=f"{which} `check` of a text in parts, {number:,} rows",
            ours=ground.artlock("artlock check", "check", project=in_parts, empty=empty),
        )


def _repository(ground: Ground, name: str, write: Callable[..., None]) -> _Repository:
    folder = ground.folder / name
    folder.mkdir()
    return _Repository(folder, partial(write, folder))


def _write_parts(text: bytes, number: int, folder: Path, data: bytes) -> None:
    """Write the lockfile as artlock does; few rows are parts too."""
    above = min(8 << 20, len(text) // (2 * number))
    LockFiles(folder).replace(parse_lockfile(data), split(data, above))


def _write_one(folder: Path, data: bytes) -> None:
    (folder / "artifacts.lock").write_bytes(data)


def _change(repository: _Repository, text: bytes, states: Iterator[int]) -> None:
    repository.write(_with_changed_row(text, next(states)))


def _with_changed_row(text: bytes, size: int) -> bytes:
    """Return a lockfile with another size in the row in its middle."""
    start = text.find(b"\n", len(text) // 2) + 1
    end = text.find(b"\n", start)
    return text[:start] + _SIZE.sub(b"%d" % size, text[start:end], count=1) + text[end:]


def _loose_bytes(folder: Path) -> int:
    files = (folder / ".git" / "objects").glob("[0-9a-f][0-9a-f]/*")
    return sum(path.stat().st_size for path in files)
