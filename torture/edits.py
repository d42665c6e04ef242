"""A person edits a workspace, between and during commands; no byte of theirs may go.

Commands run in this process. A deed of the person that falls into a command is done just
before one of its system calls that open, rename or remove something: between any look and
any act, which a thread would hit once in a thousand trials.
"""

import contextlib
import io
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from artlock.cache.layout import CacheLayout
from artlock.cli.main import run
from artlock.fs.rename import Renamer
from tests.invariants import (
    false_names,
    lasting_files,
    other_files,
    temporaries,
    texts_below,
    unlocked_files,
)
from tests.unit.ops.workbench import Folders
from torture.scenario import Scenario, Tally, Trial

_NAMES = ("a", "b", "d", "d/a", "d/b", "d/e/a", "n")
"""``d`` is a file here and a folder there."""
_MODES = ("auto", "copy", "hardlink", "symlink")
_OTHERS = [
    ["verify"],
    ["status"],
    ["check"],
    ["resolve"],
    ["sync", "--dry-run"],
    ["cache", "verify"],
    ["cache", "prune", "--grace", "0"],
]
_STEPS = 12
_CANARIES = {"canary": b"outside 1", "folder/canary": b"outside 2"}
_NAME = "a name is given"
_EVENTS = frozenset(
    {"open", _NAME, "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link"}
)
_DEFECT = "internal-error"


_Deed = Callable[[Path | None], None]


class _Interruption:
    """Calls a deed before a system call of the command that is running, once.

    An audit hook cannot be taken away, so there is one for the process.
    """

    def __init__(self) -> None:
        self._deed: _Deed | None = None
        self._events = _EVENTS
        self._left = 0
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if self._deed is None or event not in self._events:
            return
        self._left -= 1
        if self._left < 0:
            deed, self._deed = self._deed, None
            deed(Path(str(arguments[0])) if event == _NAME else None)

    @contextmanager
    def during(self, luck: Random, deed: _Deed | None) -> Iterator[None]:
        """Do the deed before some call of the block, often one that gives a name."""
        self._events, most = luck.choice(((_EVENTS, 60), (frozenset({_NAME}), 5)))
        self._left, self._deed = luck.randrange(most), deed
        try:
            yield
        finally:
            self._deed = None


@contextmanager
def _audible() -> Iterator[None]:
    """Let a hook hear of the renames that Python does not know, and of which name."""
    rename = Renamer._rename  # noqa: SLF001 - the one place where they are made

    def told(renamer: Renamer, old: str, new: str, *folders: Any) -> bool:  # noqa: ANN401 - handed on
        if folders[1] is not None:
            sys.audit(_NAME, f"/proc/self/fd/{folders[1]}/{new}")
        return rename(renamer, old, new, *folders)

    with patch.object(Renamer, "_rename", told):
        yield


@dataclass(slots=True)
class _Place(Folders):
    """A project, its source, its cache, and what lies outside of all of them."""

    luck: Random
    numbers: Iterator[int] = field(default_factory=count)
    written: set[bytes] = field(default_factory=set)
    """What the person wrote and did not destroy by their own hand."""
    reaches_blobs: bool = False
    """Whether an edit may have gone through a link into the cache."""
    is_in_between: bool = False
    """Whether artlock has just looked for the last time before it gives a name."""
    faults: int = 0
    runs: int = 0
    moved: int = 0
    wrong: int = 0
    lost: int = 0
    diverged: int = 0

    def __post_init__(self) -> None:
        for path, data in _CANARIES.items():
            self._put(self.folder / "outside" / path, data)
        self.root.mkdir()
        self.declare(with_more=True)
        self.change_source()
        self.run("resolve")

    @property
    def data(self) -> Path:
        return self.root / "data/data"

    def run(self, *arguments: str, root: Path | None = None) -> int:
        """Run a command; return its exit code."""
        said = io.StringIO()
        self.runs += 1
        where = ["-C", str(root or self.root), "--cache-dir", str(self.cache), "-j", "2"]
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            code = run([*where, *arguments])
        if _DEFECT in said.getvalue():
            raise AssertionError(said.getvalue())
        return code

    def declare(self, *, with_more: bool) -> None:
        """Write the manifest: a tree, and perhaps one object of another folder."""
        artifacts = {"data": f"{self.source.as_uri()}/tree/"}
        if with_more:
            artifacts["more"] = f"{self.source.as_uri()}/more"
        text = "".join(f'[artifacts.{n}]\nuri = "{u}"\n' for n, u in artifacts.items())
        (self.root / "artifacts.toml").write_text(f"[artlock]\nversion = 1\n{text}")

    def change_source(self) -> None:
        """Put other files at the source; never two where one needs a folder."""
        shutil.rmtree(self.source, ignore_errors=True)
        chosen = self.luck.sample(_NAMES, self.luck.randint(1, 5))
        names = [n for n in chosen if not any(o.startswith(f"{n}/") for o in chosen)]
        for name in names:
            # Few contents, so that one blob is at several places and comes back.
            self._put(self.source / "tree" / name, b"from %04d" % self.luck.randrange(9))
        self._put(self.source / "more", b"from %04d" % self.luck.randrange(9))
        self.moved += sum(map(len, texts_below(self.source).values()))

    @staticmethod
    def _put(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    # What the person does.

    def edit(self, name: Path | None = None) -> None:
        """Do something to the workspace, and take note of what is the person's then.

        Args:
            name: A path that is just about to get another file.
        """
        before = self._found()
        self.is_in_between = name is not None
        path = self.data / self.luck.choice(_NAMES)
        if _falls(self.luck, 0.1):
            path = self.root / "data/more"
        if name is not None and _falls(self.luck, 0.7):
            place = Path(os.path.realpath(name.parent), name.name)
            path = place if place.is_relative_to(self.root / "data") else path
        # As long as what comes from the source: only times and bytes tell them apart.
        text = b"mine %04d" % next(self.numbers)
        deed = self.luck.choice(_DEEDS)
        if self._is_inside(path):
            with suppress(OSError):
                deed(self, path, text)
        self.faults += 1
        after = self._found()
        self.written -= before - after
        if text in after:
            self.written.add(text)

    def _is_inside(self, path: Path) -> bool:
        """Tell whether no folder leads outside, where nobody is to change anything."""
        # Not by `Path.resolve`, which does not like links that lead to themselves.
        return Path(os.path.realpath(path.parent)).is_relative_to(self.root)

    def _found(self) -> set[bytes]:
        files = lasting_files(self.root, CacheLayout(self.cache))
        return {path.read_bytes() for path in files}

    def replace(self, path: Path, text: bytes) -> None:
        """Save as most editors do."""
        self._clear(path)
        temporary = self.root / "saving"
        self._put(temporary, text)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(path)

    def rewrite(self, path: Path, text: bytes) -> None:
        """Write into the file that is there, perhaps through a link into the cache."""
        found = path.lstat()
        into_cache = path.is_symlink() and Path(os.path.realpath(path)).is_relative_to(
            self.cache
        )
        if not stat.S_ISREG(found.st_mode) and not into_cache:
            return
        if into_cache or found.st_nlink > 1:
            self.reaches_blobs = True
        path.chmod(0o644)
        with path.open("r+b") as file:
            file.write(text)
        # Between the last look at a file and its exchange nothing but a time shows an edit
        # in place: the exchange itself changes that of the inode.
        if _falls(self.luck, 0.5) and not self.is_in_between:
            os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))

    def append(self, path: Path, text: bytes) -> None:
        """Add to a file that is nobody else's."""
        if stat.S_ISREG(path.lstat().st_mode) and path.lstat().st_nlink == 1:
            with path.open("ab") as file:
                file.write(text)

    def truncate(self, path: Path, _: bytes) -> None:
        """Cut a file that is nobody else's."""
        if stat.S_ISREG(path.lstat().st_mode) and path.lstat().st_nlink == 1:
            os.truncate(path, self.luck.randint(0, 3))

    def delete(self, path: Path, _: bytes) -> None:
        """Remove a file or a whole folder."""
        self._clear(path)

    def rename(self, path: Path, _: bytes) -> None:
        """Move a file, a link or a folder elsewhere."""
        other = self.data / self.luck.choice((*_NAMES, "mine", "d/mine"))
        if path != other and path not in other.parents and self._is_inside(other):
            if _falls(self.luck, 0.5):
                self._clear(other)
            other.parent.mkdir(parents=True, exist_ok=True)
            path.rename(other)

    def change_mode(self, path: Path, _: bytes) -> None:
        """Give a file other permissions."""
        if not path.is_symlink() and path.lstat().st_nlink == 1:
            path.chmod(self.luck.choice((0o400, 0o755, 0o666, 0o4755)))

    def link(self, path: Path, text: bytes) -> None:
        """Give the file a second name, and write through that."""
        other = self.root / f"link {text.decode()}"
        other.hardlink_to(path)
        self.rewrite(other, text)

    def make_folder(self, path: Path, text: bytes) -> None:
        """Put a folder in a file's place."""
        self._clear(path)
        path.mkdir(parents=True)
        if _falls(self.luck, 0.7):
            self._put(path / self.luck.choice(("mine", "a")), text)

    def make_symlink(self, path: Path, _: bytes) -> None:
        """Put a link in a file's place, which leads outside, nowhere or to another file."""
        self._clear(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        outside = self.folder / "outside"
        goals = (outside, outside / "folder", outside / "canary", "no/such", "../data/n")
        path.symlink_to(self.luck.choice(goals))

    def link_folder_away(self, _: Path, __: bytes) -> None:
        """Move a folder away, and put a link in its place."""
        folder = self.luck.choice((self.data / "d", self.data, self.root / "data"))
        away = self.root / f"away {next(self.numbers)}"
        folder.rename(away)
        folder.symlink_to(self.luck.choice((away, self.folder / "outside")))

    def make_fifo(self, path: Path, _: bytes) -> None:
        """Put what blocks whoever opens it in a file's place."""
        self._clear(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)

    def forget_index(self, _: Path, __: bytes) -> None:
        """Lose what artlock remembers."""
        (self.root / ".artlock/index").unlink()

    def _clear(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            if stat.S_ISDIR(path.lstat().st_mode):
                shutil.rmtree(path)
            else:
                path.unlink()

    # What must hold.

    def judge(self) -> None:
        """Count what must hold at any time and does not."""
        self.lost += len(self.written - self._found())
        if not self.reaches_blobs:
            self.wrong += len(false_names(CacheLayout(self.cache)))
        self.wrong += texts_below(self.folder / "outside") != _CANARIES

    def judge_sync(self, root: Path) -> None:
        """Count what a sync that nobody disturbed and that ended with 0 did not bring."""
        self.wrong += len(unlocked_files(root))

    def tally(self) -> Tally:
        """Return what it came to."""
        return Tally(
            faults=self.faults,
            runs=self.runs,
            moved=self.moved,
            wrong=self.wrong,
            lost=self.lost,
            diverged=self.diverged,
        )


_DEEDS = (
    *(_Place.replace, _Place.replace, _Place.rewrite, _Place.rewrite, _Place.rewrite),
    *(_Place.append, _Place.truncate, _Place.delete, _Place.delete, _Place.rename),
    *(_Place.change_mode, _Place.link, _Place.make_folder, _Place.make_symlink),
    *(_Place.link_folder_away, _Place.make_fifo, _Place.forget_index),
)


@contextmanager
def _open(folder: Path) -> Iterator[Trial]:
    interruption = _Interruption()
    numbers = count()

    def trial(luck: Random) -> Tally:
        own = folder / f"{next(numbers)}"
        own.mkdir()
        try:
            return _trial(own, luck, interruption)
        finally:
            shutil.rmtree(own)

    with _audible():
        yield trial


def _trial(folder: Path, luck: Random, interruption: _Interruption) -> Tally:
    place = _Place(folder, luck)
    mode = luck.choice(_MODES)
    for _ in range(_STEPS):
        for _ in range(luck.randint(0, 2)):
            place.edit()
        _prepare(place, luck)
        command = _command(luck, mode)
        faults = place.faults
        deed = place.edit if _falls(luck, 0.6) else None
        with interruption.during(luck, deed):
            code = place.run(*command)
        place.judge()
        is_plain = "--dry-run" not in command and place.faults == faults
        if command[0] == "sync" and is_plain and code == 0:
            place.judge_sync(place.root)
    _converge(place)
    return place.tally()


def _falls(luck: Random, chance: float) -> bool:
    return luck.random() < chance


def _prepare(place: _Place, luck: Random) -> None:
    """Perhaps change what is locked."""
    kind = luck.choice(("source", "source", "declaration", "rm", "", ""))
    if kind == "source":
        place.change_source()
        place.run("update", "--allow-shrink")
    elif kind == "declaration":
        place.declare(with_more=_falls(luck, 0.5))
        place.run("resolve")
    elif kind:
        place.run("rm", "more")
    place.judge()


def _command(luck: Random, mode: str) -> list[str]:
    if _falls(luck, 0.2):
        return luck.choice(_OTHERS)
    command = ["sync", "--link-mode", mode if _falls(luck, 0.8) else luck.choice(_MODES)]
    for flag, chance in (("--force", 0.4), ("--exact", 0.2)):
        if _falls(luck, chance):
            command.append(flag)
    return command


def _converge(place: _Place) -> None:
    """Sync without anybody else, twice, and once into a second project."""
    other = place.folder / "other"
    other.mkdir()
    place.run("update", "--allow-shrink")
    for name in ("artifacts.toml", "artifacts.lock"):
        shutil.copy(place.root / name, other / name)
    for root, flags in (
        (place.root, ["--force"]),
        (place.root, []),
        (other, ["--link-mode", "copy"]),
    ):
        place.diverged += place.run("sync", *flags, root=root) != 0
        place.judge()
        place.judge_sync(root)
        place.diverged += len(temporaries(root))
    # Where nobody else ever wrote there is what is locked, and nothing beside it.
    wanted = {f"data/data/{path}" for path in texts_below(place.source / "tree")}
    own = ("artifacts.toml", "artifacts.lock", "data/more/more")
    place.wrong += len(other_files(other, {*wanted, *own}))


EDITS = Scenario(
    name="edits",
    what="files of the workspace, by a person, between and during commands",
    rows=("2.11", "2.15", "2.16", "2.17", "2.20", "2.21", "2.22", "2.24", "2.25", "2.28"),
    open=_open,
    short=6,
)
