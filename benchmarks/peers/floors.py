"""Floors: the least that something costs in Python on this machine, without artlock.

What artlock promises cannot be had for less, so a figure above its target is read beside
these. ``python -m benchmarks.peers.floors VERB ...``
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from blake3 import blake3

T = TypeVar("T")

_PIECE = 8 << 20


def look(names: str) -> None:
    """Describe every file that a list names, in two processes."""
    paths = Path(names).read_bytes().split(b"\0")

    def half(some: Sequence[bytes]) -> None:
        for path in some:
            os.lstat(path)

    _in_two(half, paths)


def copy(source: str, goal: str) -> None:
    """Copy a tree in two processes: hash, write, flush all at once, rename each."""
    files = [path for path in sorted(Path(source).rglob("*")) if path.is_file()]
    waiting = Path(goal, "waiting")
    waiting.mkdir(parents=True)
    pairs = [
        (str(path), f"{waiting}/{number}", f"{goal}/{path.relative_to(source)}")
        for number, path in enumerate(files)
    ]
    for parent in {os.path.dirname(final) for _, _, final in pairs}:  # noqa: PTH120 - a `Path` for each costs more than the file
        Path(parent).mkdir(parents=True, exist_ok=True)

    def half(some: Sequence[tuple[str, str, str]]) -> None:
        for path, temporary, _ in some:
            with open(path, "rb", buffering=0) as file:
                data = file.readall()
            blake3(data).digest()
            with open(temporary, "wb", buffering=0) as file:
                file.write(data)

    _in_two(half, pairs)
    os.sync()
    for _, temporary, final in pairs:
        os.rename(temporary, final)  # noqa: PTH104 - likewise
    os.sync()


def write(goal: str, copies: str, count: str, size: str) -> None:
    """Write files of that size, each so many times, and flush them: what a cache costs."""
    piece = os.urandom(_PIECE)
    folder = Path(goal)
    folder.mkdir()
    for number in range(int(count) * int(copies)):
        with open(folder / str(number), "wb", buffering=0) as file:
            left = int(size)
            while left > 0:
                left -= file.write(piece[:left])
    os.sync()


def _in_two(half: Callable[[Sequence[T]], None], items: Sequence[T]) -> None:
    middle = len(items) // 2
    child = os.fork()
    if not child:
        half(items[middle:])
        os._exit(0)
    half(items[:middle])
    os.waitpid(child, 0)


_VERBS: dict[str, Callable[..., None]] = {"look": look, "copy": copy, "write": write}

if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    _VERBS[verb](*arguments)
