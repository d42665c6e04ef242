"""A project that is synced again and again, and judged each time."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from artlock.cache.layout import CacheLayout
from artlock.errors import EXIT_OK, ArtlockError
from artlock.ops.names import LOCKFILE, MANIFEST
from artlock.ops.project import Project
from artlock.ops.runtime import Runtime
from artlock.ops.sync import sync
from tests.invariants import size_under_wrong_names

_NOTE = "notes.txt"
_TEXT = b"what a person wrote\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One sync, and what it left.

    Attributes:
        exit_code: What the command would end with.
        wrong: Bytes of the workspace that were not locked, and of blobs that are not what
            their names say.
        lost: Bytes that a person wrote and that are gone.
    """

    exit_code: int
    wrong: int
    lost: int

    @property
    def is_whole(self) -> bool:
        """Whether the sync came to its end, with every locked byte and no other."""
        return self.exit_code == EXIT_OK and not self.wrong and not self.lost


@dataclass(frozen=True, slots=True)
class Checkout:
    """A workspace and a cache of its own; both are removed by ``clear``.

    Attributes:
        folder: Holds both.
        manifest: Text of ``artifacts.toml``.
        lockfile: Bytes of ``artifacts.lock``.
        locked: BLAKE3 and size of what must stand at each path of the workspace.
    """

    folder: Path
    manifest: str
    lockfile: bytes
    locked: Mapping[str, tuple[str, int]]

    @property
    def root(self) -> Path:
        """The workspace."""
        return self.folder / "project"

    @property
    def cache(self) -> CacheLayout:
        """The cache."""
        return CacheLayout(self.folder / "cache")

    def begin(self) -> None:
        """Start anew, with an empty cache and a file that a person wrote."""
        self.clear()
        self.root.mkdir(parents=True)
        (self.root / MANIFEST).write_text(self.manifest, "utf-8")
        (self.root / LOCKFILE).write_bytes(self.lockfile)
        (self.root / _NOTE).write_bytes(_TEXT)

    def clear(self) -> None:
        """Remove workspace and cache."""
        for folder in (self.root, self.cache.root):
            shutil.rmtree(folder, ignore_errors=True)

    def sync(self, *, jobs: int) -> Judged:
        """Sync, and look at every byte that is there then (hazards.md 6C, 1 to 4).

        A failed sync must leave the workspace as it was: any file of it is wrong.
        """
        code = EXIT_OK
        try:
            runtime = Runtime.load(os.environ, cache_dir=self.cache.root, jobs=jobs)
            sync(Project.open(self.root, runtime))
        except ArtlockError as error:
            code = error.exit_code
        found = dict(_files(self.root))
        kept = found.pop(_NOTE, None) == _TEXT
        kept_lock = found.pop(LOCKFILE, b"") == self.lockfile
        found.pop(MANIFEST, None)
        expected = self.locked if code == EXIT_OK else {}
        # A file without bytes counts like one byte, so that it is no less wrong.
        wrong = sum(
            len(data) or 1
            for path, data in found.items()
            if expected.get(path) != (blake3(data).hexdigest(), len(data))
        )
        wrong += sum(size or 1 for path, (_, size) in expected.items() if path not in found)
        return Judged(
            exit_code=code,
            wrong=wrong + size_under_wrong_names(self.cache),
            lost=(0 if kept else len(_TEXT)) + (0 if kept_lock else len(self.lockfile)),
        )


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        if not path.is_dir() and not name.startswith(".artlock/"):
            yield name, path.read_bytes()


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set variables of this process for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, text in before.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text


@contextmanager
def defaults(*settings: tuple[type, str, object]) -> Iterator[None]:
    """Let classes take other defaults for a while, such as how long to wait."""
    before = []
    try:
        for kind, name, value in settings:
            # Of the class itself: a constructor's defaults are made once.
            known = kind.__init__.__kwdefaults__  # type: ignore[misc] # one class, known here
            before.append((known, name, known[name]))
            known[name] = value
        yield
    finally:
        for known, name, value in reversed(before):
            known[name] = value
