"""A project with a source beside it, for tests of what artlock does."""

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from artlock.cache.layout import CacheLayout
from artlock.model.lock import Lockfile
from artlock.ops.names import LOCKFILE, MANIFEST
from artlock.ops.project import Project
from artlock.ops.resolve import Pins, Resolution, resolve
from artlock.ops.runtime import Runtime
from artlock.ops.status import StatusReport, status
from artlock.ops.sync import SyncOptions, SyncReport, sync


@dataclass(slots=True)
class Notices:
    """A ``Progress`` that keeps what was said."""

    texts: list[str] = field(default_factory=list)

    def begin(self, deed: str, *, objects: int | None, size: int | None) -> None:
        pass

    def advance(self, *, objects: int = 0, size: int = 0) -> None:
        pass

    def end(self) -> None:
        pass

    def notice(self, text: str) -> None:
        self.texts.append(text)


@dataclass(slots=True)
class Folders:
    """A folder with a project, a source of files, and a cache."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "project"

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"


@dataclass(slots=True)
class Workbench(Folders):
    """What artlock does there, and what a person does.

    Attributes:
        offline: Of the runtime.
        jobs: Of the runtime.
    """

    offline: bool = False
    jobs: int = 4
    notices: Notices = field(default_factory=Notices)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True)
        self.source.mkdir()

    @property
    def layout(self) -> CacheLayout:
        return CacheLayout(self.cache)

    @property
    def lockfile(self) -> Path:
        return self.root / LOCKFILE

    @property
    def files_uri(self) -> str:
        return f"{self.source.as_uri()}/"

    def declare(self, text: str = "", *, head: str = "", **artifacts: str) -> None:
        """Write the manifest: each artifact by its URI; ``text`` follows the last."""
        tables = [f'[artifacts.{name}]\nuri = "{uri}"\n' for name, uri in artifacts.items()]
        content = f"[artlock]\nversion = 1\n{head}\n" + "\n".join(tables) + text + "\n"
        (self.root / MANIFEST).write_text(content, "utf-8")

    def declare_files(self, text: str = "", *, head: str = "") -> None:
        """Declare the source folder as ``data``."""
        self.declare(text, head=head, data=self.files_uri)

    def put(self, **files: str) -> None:
        """Write files of the source; ``__`` in a name is a slash, ``_`` a dot."""
        for name, text in files.items():
            self.put_at(name.replace("__", "/").replace("_", "."), text)

    def put_at(self, path: str, text: str) -> None:
        write(self.source / path, text)

    def make_folder(self) -> None:
        """Make the folder of ``data``, so that its files get their names one by one."""
        (self.root / "data/data").mkdir(parents=True, exist_ok=True)

    def project(self) -> Project:
        runtime = Runtime.load(
            os.environ,
            cache_dir=self.cache,
            jobs=self.jobs,
            offline=self.offline,
            progress=self.notices,
            may_fork=True,
        )
        return Project.open(self.root, runtime)

    def resolve(
        self,
        *names: str,
        pins: Pins = Pins.KEEP,
        **how: Any,  # noqa: ANN401 - as the function has them
    ) -> Resolution:
        return resolve(self.project(), names or None, pins=pins, **how)

    def update(self, *names: str, **how: bool) -> Resolution:
        return self.resolve(*names, pins=Pins.MOVE, **how)

    def sync(self, *names: str, options: SyncOptions | None = None) -> SyncReport:
        return sync(self.project(), names, options)

    def force(self) -> SyncReport:
        return self.sync(options=SyncOptions(force=True))

    def status(self, *names: str) -> StatusReport:
        return status(self.project(), names)

    def lock(self) -> Lockfile:
        return self.project().read_lockfile()

    def paths(self, name: str = "data") -> list[str]:
        """Return the paths that an artifact locks."""
        artifact = self.lock().get(name)
        return [] if artifact is None else [row.path for row in artifact.objects]

    def row(self, path: str, name: str = "data") -> tuple[str, str]:
        """Return checksum and version of a row."""
        artifact = self.lock().get(name)
        assert artifact is not None
        return next((r.checksum, r.version) for r in artifact.objects if r.path == path)

    def workspace(self) -> dict[str, str]:
        """Return the files that are data, by path."""
        found = {}
        for path in self.root.rglob("*"):
            name = path.relative_to(self.root).as_posix()
            if (
                path.is_dir()
                or name.startswith(".artlock/")
                or name in {MANIFEST, LOCKFILE}
            ):
                continue
            found[name] = path.read_text("utf-8")
        return found

    def data(self) -> dict[str, str]:
        """Return the files of ``data/data``, by path below it."""
        prefix = "data/data/"
        return {
            name.removeprefix(prefix): text
            for name, text in self.workspace().items()
            if name.startswith(prefix)
        }

    def write(self, path: str, text: str) -> Path:
        """Write a file of the project as a person would: a new file in its place."""
        return write(self.root / path, text)

    def git(self, *arguments: str) -> None:
        """Run git in the folder that holds the project and its source."""
        command = ["git", "-C", str(self.folder), *arguments]
        subprocess.run(command, check=True, capture_output=True)

    def trash(self) -> set[str]:
        """Return the content of everything in the trash."""
        return {p.read_text("utf-8") for p in _files(self.root / ".artlock" / "trash")}

    def blobs(self) -> list[Path]:
        return _files(self.cache / "v1" / "blobs")

    def cached(self) -> set[str]:
        """Return the content of every blob."""
        return {blob.read_text("utf-8") for blob in self.blobs()}

    def forget_cache(self) -> None:
        """Remove every blob, and what was learnt of rows."""
        for path in _files(self.cache):
            path.unlink()


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text, "utf-8")
    return path


def targets(paths: Iterable[object]) -> list[str]:
    """Return the targets of placements."""
    return [str(getattr(item, "target", item)) for item in paths]
