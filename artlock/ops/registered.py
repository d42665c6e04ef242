"""Reproduce a registered version in a folder that is no project.

A project is made of the lock alone: each artifact lands at its own name, and everything
that a repository may say of endpoints and identities is left to the user's settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

from artlock.errors import ConfigError, WorkspaceError
from artlock.formats.lockfile_parts import LockText
from artlock.fs.problems import raising
from artlock.model.lock import Kind
from artlock.model.manifest import Artifact, Manifest, Policy
from artlock.ops.inputs import record_input
from artlock.ops.lockfiles import LockFiles
from artlock.ops.names import LOCKFILE, MANIFEST
from artlock.ops.project import Project
from artlock.ops.pull import held, parsed_ref
from artlock.ops.registering import run_of
from artlock.ops.sync import sync

if TYPE_CHECKING:
    from pathlib import Path

    from artlock.model.lock import LockedArtifact
    from artlock.model.registration import Run
    from artlock.ops.pull import Held
    from artlock.ops.runtime import Runtime
    from artlock.ops.sending import Delivery
    from artlock.ops.sync_values import SyncOptions, SyncReport


class RegisteredFiles(LockFiles):
    """The lockfile of a registered version: it is in memory, and not replaced.

    Args:
        root: The folder that it is synced into.
        data: The canonical text.
    """

    def __init__(self, root: Path, data: bytes) -> None:
        super().__init__(root)
        self._data = data

    def frame(self) -> bytes | None:
        """Return the text: it has no parts."""
        return self._data

    def text(self) -> LockText | None:
        """Return the text."""
        return LockText(data=self._data)

    def key(self) -> bytes | None:
        """Return what stands for the text."""
        return blake3(self._data).digest()


class RegisteredProject(Project, frozen=True, kw_only=True):
    """A registered version as a project whose workspace is a folder.

    Attributes:
        held: What was registered.
        base: What relative sources are relative to.
    """

    held: Held
    base: Path

    @property
    def lock_files(self) -> LockFiles:
        """The registered lock."""
        return RegisteredFiles(self.root, self.held.text)

    @property
    def source_base(self) -> Path:
        """The project that the lock came from, if the command runs in it."""
        return self.base


class FromReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync of a registered version did.

    Attributes:
        input: What became of recording the run that uses it; ``None`` without a run.
    """

    held: Held
    sync: SyncReport
    run: Run | None
    input: Delivery | None


def sync_from(
    runtime: Runtime,
    text: str,
    folder: Path,
    options: SyncOptions,
    *,
    project: Project | None = None,
    run: str | None = None,
) -> FromReport:
    """Make a folder what a registered version says: ``<artifact>/<path>`` below it.

    Args:
        runtime: Settings, cache, progress.
        text: The ref.
        folder: Made if it is not there.
        options: As for any sync.
        project: The project that the command runs in; its trackers and its policy count,
            and relative sources are relative to it.
        run: Who uses it; ``None`` means what the environment says.

    Raises:
        ConfigError: The folder is a project of its own, or a source is relative and there
            is no project.
        ArtlockError: As ``pull.held`` and ``sync``.
    """
    used_by = run_of(runtime.environ, run)
    ref = parsed_ref(text)
    if (folder / MANIFEST).exists() or (folder / LOCKFILE).exists():
        message = f"`{folder}` is a project itself"
        raise ConfigError(
            message, hint=f"run `artlock pull {text}` in it, or choose another"
        )
    got = held(runtime, project, ref)
    synthetic = _project_of(got, folder, runtime, project)
    if options.write:
        with raising(WorkspaceError, f"cannot make `{folder}`"):
            folder.mkdir(parents=True, exist_ok=True)
    elif not folder.is_dir():
        message = f"there is no folder `{folder}` yet"
        raise ConfigError(
            message, hint="make it, or sync without `--check` and `--dry-run`"
        )
    report = sync(synthetic, (), options)
    recorded = None
    if options.write and used_by is not None:
        recorded = record_input(runtime, project, got, used_by)
    return FromReport(held=got, sync=report, run=used_by, input=recorded)


def _project_of(
    got: Held, folder: Path, runtime: Runtime, project: Project | None
) -> RegisteredProject:
    for artifact in got.lock.artifacts:
        is_read = artifact.kind is not Kind.LINK
        if project is None and is_read and artifact.root.is_relative:
            message = (
                f"`{artifact.name}` was locked from `{artifact.root}`, a path relative to "
                "the project that locked it"
            )
            raise ConfigError(message, hint="run it in a checkout of that project")
    manifest = Manifest(
        artifacts=tuple(_declared(a) for a in got.lock.artifacts),
        policy=project.manifest.policy if project else Policy(),
    )
    return RegisteredProject(
        root=folder.absolute(),
        manifest=manifest,
        # It decides, with the lock, whether there is anything to do.
        manifest_text=got.version.digest,
        runtime=runtime,
        held=got,
        base=project.root if project else folder.absolute(),
    )


def _declared(locked: LockedArtifact) -> Artifact:
    return Artifact(
        name=locked.name,
        declared=locked.declared,
        path=f"{locked.name}/",
        link=locked.kind is Kind.LINK,
    )
