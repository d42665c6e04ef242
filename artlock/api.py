"""The library: what ``import artlock`` offers to programs.

::

    import artlock

    project = artlock.open(".")
    model = project.path("encoder")        # synced and verified, then a pathlib.Path
    for row in project.lock.artifacts["labels"].objects:
        print(row.path, row.size)
    project.push(aliases=["prod"])

Nothing is kept between calls but what the command line keeps too: files, the cache, the
registry. Every error is an ``ArtlockError``; its ``exit_code`` is what the command line
would end with. Safe to use from several threads, and beside the command line.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.errors import ConfigError, ManifestError
from artlock.formats.lockfile import format_lockfile, parse_lockfile
from artlock.model.diff import Change, diff
from artlock.model.lock import (
    Kind,
    LockedArtifact,
    Lockfile,
    content_digest,
    pin_digest,
)
from artlock.model.registration import Labels, TrackerVersion, lock_digest
from artlock.model.renames import with_renames
from artlock.ops.project import Project as _Project
from artlock.ops.runtime import Runtime

if TYPE_CHECKING:
    from artlock.ops.check import CheckReport
    from artlock.ops.pull import PullReport
    from artlock.ops.push import PushReport
    from artlock.ops.sync import SyncReport


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """How far a long operation has come; what a progress callback gets.

    Attributes:
        deed: What is done now: ``fetching``, ``writing`` ...; ``notice`` for a remark.
        objects: How many are done, of ``all_objects``; ``None`` where that is not known.
        size: How many bytes are done, of ``all_size``; likewise.
        text: The remark, else empty.
    """

    deed: str
    objects: int = 0
    all_objects: int | None = None
    size: int = 0
    all_size: int | None = None
    text: str = ""


class Lock(msgspec.Struct, frozen=True):
    """What is locked: a lockfile as a value. Equal locks are equal texts.

    Attributes:
        lockfile: All of it.
    """

    lockfile: Lockfile

    @classmethod
    def parse(cls, data: bytes) -> Lock:
        """Read the text of a lockfile.

        Raises:
            LockfileError: It is none, or of a later format.
            PolicyError: It has a row that no declaration covers, or an unsafe path.
        """
        return cls(parse_lockfile(data))

    @property
    def artifacts(self) -> Mapping[str, LockedArtifact]:
        """The artifacts by name, sorted; ``objects`` of each are its rows, by path."""
        return {artifact.name: artifact for artifact in self.lockfile.artifacts}

    def text(self) -> bytes:
        """Return the canonical text, parts joined."""
        return format_lockfile(self.lockfile)

    def digest(self) -> str:
        """Return the lock digest, ``blake3:<hex>``: by it a registered version is known."""
        return lock_digest(self.text())

    def content_digest(self) -> str | None:
        """Return the digest of what the data is, wherever it lies.

        Returns:
            ``None`` if a row has no digest, so that the content has none either.
        """
        return content_digest(self.lockfile)

    def pin_digest(self) -> str:
        """Return the digest of what the data is and where it lies."""
        return pin_digest(self.lockfile)

    def diff(self, other: Lock) -> tuple[Change, ...]:
        """Return what changes from this lock to ``other``, by artifact and path.

        A row whose bytes were locked at another path is one change, of the kind ``R``.
        """
        return with_renames(diff(self.lockfile, other.lockfile))


class Project:
    """A folder with ``artifacts.toml``; make one with ``artlock.open``.

    Files are read when something is asked, so a project stays right while they change.

    Args:
        root: The folder; absolute.
        runtime: Settings, cache, progress.
    """

    def __init__(self, root: Path, runtime: Runtime) -> None:
        self._root = root
        self._runtime = runtime

    def __repr__(self) -> str:
        return f"artlock.open({str(self._root)!r})"

    @property
    def root(self) -> Path:
        """The folder of ``artifacts.toml``; absolute."""
        return self._root

    @property
    def name(self) -> str:
        """What ``push`` registers it under."""
        return self._project().manifest.name or self._root.name

    @property
    def lock(self) -> Lock:
        """What is locked, as the lockfile says it now.

        Raises:
            LockfileError: There is no lockfile, or it is not valid.
            PolicyError: It has a row that no declaration covers, or an unsafe path.
        """
        return Lock(self._project().read_lockfile())

    def path(self, name: str) -> Path:
        """Return where an artifact is in the workspace, synced and verified.

        Fetches what is missing, and verifies it. A file that is there and unchanged costs
        a look.

        Args:
            name: Of the artifact.

        Returns:
            The file of a single object, else the folder; absolute.

        Raises:
            ManifestError: There is no such artifact, or it is a link, which has no files.
            StaleLockfileError: The lockfile does not answer the manifest.
            ConflictError: A file that somebody changed stands in the way.
            ArtlockError: It cannot be fetched, or its bytes are not those that were locked.
        """
        project = self._project()
        (artifact,) = project.chosen([name])
        self._synced(project, [name], force=False)
        locked = project.read_lockfile().get(name)
        if locked is None or locked.kind is Kind.LINK:
            message = f"`{name}` is a link: it is locked as a string and has no files"
            raise ManifestError(message)
        if locked.kind is Kind.FILE:
            return self._root / artifact.target(locked.objects[0].path, is_file=True)
        return self._root / artifact.folder

    def sync(self, *names: str, force: bool = False) -> SyncReport:
        """Make the workspace what the lockfile says; of all artifacts if none are named.

        Args:
            names: Of artifacts.
            force: Move files that were changed into the trash instead of stopping.

        Raises:
            ArtlockError: As ``artlock sync``; no file was touched.
        """
        return self._synced(self._project(), names, force=force)

    def check(self) -> CheckReport:
        """Judge the lockfile offline: stale, well-formed, within policy.

        Raises:
            LockfileError: There is no lockfile, or it is not valid.
            PolicyError: It has a row that no declaration covers, or an unsafe path.
        """
        from artlock.ops.check import check  # noqa: PLC0415 - not for who only reads

        return check(self._project())

    def push(
        self,
        *,
        to: Sequence[str] = (),
        each: bool = False,
        aliases: Sequence[str] = (),
        tags: Sequence[str] = (),
        meta: Mapping[str, str] | None = None,
        run: str | None = None,
        allow_dirty: bool = False,
    ) -> PushReport:
        """Register the lockfile with trackers, or in the user's own registry.

        What a tracker cannot take now waits in the outbox; the report says so, and its
        ``exit_code`` is 3 then.

        Args:
            to: Names or URLs of trackers; all that are named if empty.
            each: Register every artifact by itself.
            aliases: Point to what is registered.
            tags: Attached to it.
            meta: Attached to it.
            run: What made the data; ``None`` means what the environment says.
            allow_dirty: Also what git has not committed.

        Raises:
            ArtlockError: As ``artlock push``; nothing was registered or queued.
        """
        from artlock.ops.push import PushOptions, push  # noqa: PLC0415 - loads the registry

        given: Iterable[tuple[object, object]] = (meta or {}).items()
        for key, text in given:
            if not (isinstance(key, str) and isinstance(text, str)):
                message = f"metadata `{key}` is no text"
                raise ConfigError(message)
        labels = Labels(
            aliases=tuple(sorted(set(_texts("aliases", aliases)))),
            tags=tuple(sorted(set(_texts("tags", tags)))),
            meta=tuple(sorted((meta or {}).items())),
        )
        options = PushOptions(
            to=_texts("to", to),
            each=each,
            labels=labels,
            run=None if run is None else str(run),
            allow_dirty=allow_dirty,
        )
        return push(self._project(), options)

    def pull(self, ref: str, *, to: str | None = None, force: bool = False) -> PullReport:
        """Write the lock that a tracker holds into the lockfile.

        Args:
            ref: ``name``, ``name:v3``, ``name@alias``, or with ``TRACKER#`` before it.
            to: Name or URL of the tracker.
            force: Also over a lockfile that neither git nor the tracker has.

        Raises:
            ArtlockError: As ``artlock pull``; nothing was written.
        """
        from artlock.ops.pull import pull  # noqa: PLC0415 - loads the registry

        return pull(self._project(), ref, to=to, force=force)

    def versions(
        self, name: str | None = None, *, to: str | None = None, limit: int | None = None
    ) -> tuple[TrackerVersion, ...]:
        """Return what a tracker has registered under a name, newest first.

        Args:
            name: ``None`` means the project's own.
            to: Name or URL of the tracker.
            limit: At most so many.

        Raises:
            RefNotFoundError: There is no such name.
            TrackingError: The tracker cannot be asked.
        """
        from artlock.ops.versions import versions  # noqa: PLC0415 - loads the registry

        return versions(
            self._runtime, self._project(), name or self.name, to=to, limit=limit
        ).versions

    def _project(self) -> _Project:
        return _Project.open(self._root, self._runtime)

    def _synced(
        self, project: _Project, names: Sequence[str], *, force: bool
    ) -> SyncReport:
        from artlock.ops.sync import SyncOptions, sync  # noqa: PLC0415 - as in `check`

        return sync(project, names, SyncOptions(force=force))


def open(  # noqa: A001 - `artlock.open`, as `zipfile` and `dbm` have it
    start: str | os.PathLike[str] = ".",
    *,
    offline: bool = False,
    jobs: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Callable[[Step], None] | None = None,
) -> Project:
    """Open the project in ``start`` or above it.

    Args:
        start: A folder.
        offline: Use no network.
        jobs: Parallel transfers.
        cache_dir: Where the cache is; the user's own if ``None``.
        progress: Called, from several threads, as long operations get on.

    Raises:
        ManifestError: There is no ``artifacts.toml``, or it is not valid.
        PolicyError: It is another user's, who is not trusted.
        ConfigError: The user's settings are not valid.
    """
    from artlock.ops.trusting import refuse_foreign  # noqa: PLC0415 - not for who parses

    runtime = Runtime.load(
        os.environ,
        cache_dir=None if cache_dir is None else Path(cache_dir),
        jobs=jobs,
        offline=offline,
        progress=None if progress is None else _Told(progress),
    )
    project = _Project.open(Path(start), runtime)
    refuse_foreign(project)
    return Project(project.root, runtime)


def path(name: str, *, project: str | os.PathLike[str] = ".") -> Path:
    """Return where an artifact is, synced and verified; as ``open(project).path(name)``.

    Raises:
        ArtlockError: As ``open`` and ``Project.path``.
    """
    return open(project).path(name)


def _texts(name: str, given: Sequence[str]) -> tuple[str, ...]:
    """Return texts; one text alone is a sequence of its letters, and never meant so."""
    if isinstance(given, str) or not all(isinstance(text, str) for text in given):
        message = f"`{name}` is a list of texts, such as [{given!r}]"
        raise ConfigError(message)
    return tuple(given)


class _Told:
    """Turns the callbacks of operations into steps."""

    def __init__(self, tell: Callable[[Step], None]) -> None:
        self._tell = tell
        self._mutex = threading.Lock()
        self._step = Step(deed="")

    def begin(self, deed: str, *, objects: int | None, size: int | None) -> None:
        with self._mutex:
            self._step = step = Step(deed=deed, all_objects=objects, all_size=size)
        self._tell(step)

    def advance(self, *, objects: int = 0, size: int = 0) -> None:
        with self._mutex:
            objects, size = self._step.objects + objects, self._step.size + size
            self._step = step = replace(self._step, objects=objects, size=size)
        self._tell(step)

    def end(self) -> None:
        """The last step said it."""

    def notice(self, text: str) -> None:
        self._tell(Step(deed="notice", text=text))
