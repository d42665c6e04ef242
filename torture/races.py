"""Somebody swaps folders and files of a workspace for links while artlock works in it.

The links lead to a tree outside of the workspace. Nothing there may change, whatever the
commands end with, and when nobody swaps any more a sync comes to the locked workspace.
"""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from random import Random

from artlock.cli.main import run
from tests.invariants import unlocked_files
from torture.scenario import Scenario, Tally, Trial

_FOLDERS = ("data", "data/data", "data/data/d", "data/data/d/e", ".artlock", ".artlock/tmp")
_FILES = (
    "data/data/a",
    "data/data/d/b",
    "data/data/d/e/c",
    ".artlock/index",
    ".artlock/mutex",
)
_SYNCS = 6
_MODES = ("copy", "hardlink", "symlink")
_IN_PROCESSES = 4
"""One trial of so many starts artlock as a program."""
Look = dict[str, tuple[int, int, int, int, bytes]]


class _Racer(threading.Thread):
    """Puts links in places, and back what was there, until it is told to end."""

    def __init__(self, root: Path, outside: Path, luck: Random) -> None:
        super().__init__()
        self._root = root
        self._outside = outside
        self._luck = luck
        self._away = root.parent / "away"
        self._away.mkdir()
        self._done = threading.Event()
        self.swaps = 0

    def run(self) -> None:
        while not self._done.is_set():
            path = self._root / self._luck.choice((*_FOLDERS, *_FILES))
            self._swap(path)

    def _swap(self, path: Path) -> None:
        away = self._away / "it"
        # Looked up by path, so never while one of the folders above is a link.
        with suppress(OSError):
            path.rename(away)
            path.symlink_to(self._outside / path.name)
            self.swaps += 1
            self._done.wait(self._luck.choice((0.0, 0.0005, 0.003)))
        with suppress(OSError):
            if path.is_symlink() and not path.readlink().is_relative_to(self._root):
                path.unlink()
        if os.path.lexists(away):
            try:
                away.rename(path)
            except OSError:
                # Something new has the name: what is away is not needed.
                shutil.rmtree(away) if away.is_dir() else away.unlink()

    def end(self) -> None:
        """Let everything be as it was, and stay so."""
        self._done.set()
        self.join()


def _look(folder: Path) -> Look:
    """Describe everything below a folder, its times and bytes too."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        status = path.lstat()
        data = path.read_bytes() if path.is_file() else b""
        stamps = (status.st_mtime_ns, status.st_ctime_ns, status.st_mode, status.st_nlink)
        found[str(path)] = (*stamps, data)
    return found


def _make_outside(outside: Path) -> None:
    """Make a tree in which every link of the racer finds what it would take for its own."""
    for path in (*_FOLDERS, *_FILES):
        goal = outside / Path(path).name
        if path in _FOLDERS:
            for name in ("a", "b", "c", "d/b", "d/e/c", "data/a", "index", "mutex"):
                (goal / name).parent.mkdir(parents=True, exist_ok=True)
                (goal / name).write_text("outside")
        else:
            goal.write_text("outside")


def _in_process(arguments: list[str]) -> int:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        code = run(arguments)
    if "internal-error" in said.getvalue():
        raise AssertionError(said.getvalue())
    return code


def _as_program(arguments: list[str]) -> int:
    command = [sys.executable, "-m", "artlock", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if "internal-error" in done.stderr:
        raise AssertionError(done.stderr)
    return done.returncode


@contextmanager
def _open(folder: Path) -> Iterator[Trial]:
    numbers = count()

    def trial(luck: Random) -> Tally:
        own = folder / f"{next(numbers)}"
        own.mkdir()
        try:
            return _trial(own, luck)
        finally:
            shutil.rmtree(own)

    yield trial


def _trial(folder: Path, luck: Random) -> Tally:
    root, source, outside = folder / "project", folder / "source", folder / "outside"
    root.mkdir()
    outside.mkdir()
    _make_outside(outside)
    (root / "artifacts.toml").write_text(
        f'[artlock]\nversion = 1\n[artifacts.data]\nuri = "{source.as_uri()}/"\n'
    )
    where = ["-C", str(root), "--cache-dir", str(folder / "cache"), "-j", "2"]
    artlock = _as_program if luck.randrange(_IN_PROCESSES) == 0 else _in_process
    moved = _change(source, luck)
    _in_process([*where, "resolve"])
    _in_process([*where, "sync"])
    before = _look(outside)
    runs, swaps = _race(
        root, outside, luck, lambda arguments: artlock([*where, *arguments])
    )
    wrong = sum(_look(outside).get(path) != look for path, look in before.items())
    wrong += len(_look(outside).keys() - before.keys())
    # The racer may have taken what had a name; nobody else is there any more.
    code = _in_process([*where, "sync", "--force"])
    diverged = code != 0 or _in_process([*where, "sync"]) != 0
    wrong += len(unlocked_files(root))
    wrong += _look(outside) != before
    return Tally(
        faults=swaps, runs=runs + 4, moved=moved, wrong=wrong, diverged=int(diverged)
    )


def _race(
    root: Path, outside: Path, luck: Random, artlock: Callable[[list[str]], int]
) -> tuple[int, int]:
    """Sync while somebody swaps; return how many runs and swaps there were."""
    racer = _Racer(root, outside, Random(luck.random()))  # noqa: S311 - to be repeated
    source = root.parent / "source"
    racer.start()
    try:
        for number in range(_SYNCS):
            if number % 2:
                _change(source, luck)
                artlock(["update", "--allow-shrink"])
            artlock(["sync", "--force", "--exact", "--link-mode", luck.choice(_MODES)])
    finally:
        racer.end()
    return _SYNCS * 3 // 2, racer.swaps


def _change(source: Path, luck: Random) -> int:
    """Make other files at the source, some new and some as before; return their bytes."""
    shutil.rmtree(source, ignore_errors=True)
    moved = 0
    for folder in ("", "d", "d/e"):
        (source / folder).mkdir(parents=True)
        for number in range(20):
            name = ("a", "b", "c")[number] if number < 3 else f"{number}"  # noqa: PLR2004 - three names
            if luck.random() < 0.8 or name in "abc":  # noqa: PLR2004 - most of them
                text = f"{folder} {name} {luck.randrange(3)}" * 50
                (source / folder / name).write_text(text)
                moved += len(text)
    return moved


RACES = Scenario(
    name="races",
    what="folders and files of the workspace, swapped for links outside during a sync",
    rows=("2.11", "2.12"),
    open=_open,
    short=2,
)
