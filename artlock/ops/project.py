"""A folder with ``artifacts.toml``: its two files, read, and the lockfile written."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from artlock.errors import ArtlockError, LockfileError, ManifestError, WorkspaceError
from artlock.formats.manifest import parse_manifest
from artlock.fs.problems import raising
from artlock.ops.lockfiles import LockFiles
from artlock.ops.names import LOCKFILE, MANIFEST, STATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from artlock.formats.lockfile_parts import LockText
    from artlock.fs.mutex import Mutex
    from artlock.fs.root import Root
    from artlock.model.lock import LockedArtifact, Lockfile
    from artlock.model.manifest import Artifact, Manifest
    from artlock.ops.runtime import Runtime


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest where it lies.

    Attributes:
        root: The folder of ``artifacts.toml``; absolute.
        manifest_text: What ``manifest`` was read from.
    """

    root: Path
    manifest: Manifest
    manifest_text: str
    runtime: Runtime

    @classmethod
    def open(cls, start: Path, runtime: Runtime) -> Project:
        """Find and read the manifest in ``start`` or above it.

        Raises:
            ManifestError: There is none, or it is not valid.
        """
        root = find_root(start)
        return cls.of(root, read_manifest(root), runtime)

    @classmethod
    def of(cls, root: Path, text: str, runtime: Runtime) -> Project:
        """Make a project of a manifest's text, which need not be on disk yet.

        Raises:
            ManifestError: The text is not valid.
        """
        manifest = parse_manifest(text)
        return cls(root=root, manifest=manifest, manifest_text=text, runtime=runtime)

    @property
    def state(self) -> Path:
        """The folder of what artlock remembers about this workspace."""
        return self.root / STATE

    @property
    def source_base(self) -> Path:
        """What relative sources are relative to; absolute."""
        return self.root

    @property
    def lock_files(self) -> LockFiles:
        """The lockfile and its parts where they lie."""
        return LockFiles(self.root)

    def read_lockfile(self) -> Lockfile:
        """Return what is locked.

        Raises:
            LockfileError: There is no lockfile, or it is not valid.
            PolicyError: It has a row that no declaration covers, or an unsafe path.
        """
        # Not for a workspace that has nothing to do: its lockfile is not parsed.
        from artlock.formats.lockfile import parse_lockfile  # noqa: PLC0415 - see above

        return parse_lockfile(self.locked_text().data)

    def locked_text(self) -> LockText:
        """Return the lockfile as it is on disk.

        Raises:
            LockfileError: There is none, it cannot be read, or a part is missing or
                another than it lists.
        """
        text = self.lock_files.text()
        if text is None:
            message = "there is no `artifacts.lock` here yet"
            raise LockfileError(message, hint="run `artlock resolve`")
        return text

    def write_lockfile(self, lock: Lockfile, *, before: bytes | None) -> bool:
        """Replace the lockfile if its text differs; tell whether it did.

        All or nothing, and durable (``LockFiles.replace``). Where anything is written,
        every artifact gets the form that its size asks for: rows, or parts. A lockfile
        whose text stays keeps its form.

        Args:
            lock: What is to be locked.
            before: The file ``artifacts.lock`` that ``lock`` was made from; if somebody
                changed it since, nothing is written.

        Raises:
            WorkspaceError: It cannot be written, or was changed meanwhile.
        """
        with self.mutex("writing artifacts.lock"):
            if self.lock_files.frame() != before:
                message = (
                    f"`{LOCKFILE}` changed while this command ran; nothing was written"
                )
                raise WorkspaceError(
                    message,
                    hint="run the command again",
                )
            data = self.text_to_write(lock)
            if data is None:
                return self.lock_files.settle()
            from artlock.formats.lockfile_parts import split  # noqa: PLC0415 - only who writes

            return self.lock_files.replace(lock, split(data, self.manifest.split_above))

    def text_to_write(self, lock: Lockfile) -> bytes | None:
        """Return the text of ``lock``; ``None`` if the lockfile has it already.

        Raises:
            LockfileError: A value is none that a lockfile can hold.
        """
        from artlock.formats.lockfile import format_lockfile  # noqa: PLC0415 - as above

        data = format_lockfile(lock)
        # One that cannot be read, or has markers of a merge, is not this one.
        with suppress(ArtlockError):
            text = self.lock_files.text()
            if text is not None and text.oddity is None and text.data == data:
                return None
        return data

    def files(self) -> Root:
        """Open the workspace; whoever does closes it.

        Raises:
            WorkspaceError: The folder cannot be opened.
        """
        from artlock.fs.root import Root  # noqa: PLC0415 - `check` looks at no file

        with raising(WorkspaceError, f"cannot open `{self.root}`"):
            return Root(self.root)

    def mutex(self, purpose: str) -> Mutex:
        """Return the mutex of this workspace.

        Raises:
            WorkspaceError: As ``workspace_mutex``.
        """
        return workspace_mutex(self.root, purpose)

    def chosen(self, names: Iterable[str], groups: Iterable[str] = ()) -> list[Artifact]:
        """Return the artifacts of those names or groups; all if none are given.

        Raises:
            ManifestError: There is no artifact of that name, or none in that group.
        """
        names, groups = list(names), list(groups)
        if not names and not groups:
            return list(self.manifest.artifacts)
        known = {a.name for a in self.manifest.artifacts}
        grouped = {g for a in self.manifest.artifacts for g in a.groups}
        for wanted, have, what in ((names, known, "artifact"), (groups, grouped, "group")):
            for name in wanted:
                if name not in have:
                    message = f"there is no {what} `{name}` in `{MANIFEST}`"
                    raise ManifestError(
                        message,
                        hint=_nearest(name, have),
                    )
        return [
            a
            for a in self.manifest.artifacts
            if a.name in names or set(a.groups) & set(groups)
        ]


def workspace_mutex(root: Path, purpose: str) -> Mutex:
    """Return the mutex of the workspace in a folder.

    Raises:
        WorkspaceError: The state folder cannot be made, or is a link or a file: git
            delivers those too, and nothing is written through them.
    """
    from artlock.fs.mutex import Mutex  # noqa: PLC0415 - `check` writes nothing
    from artlock.fs.root import Root  # noqa: PLC0415 - likewise

    def opened(flags: int) -> int:
        with Root(root) as top, top.folder(STATE, create=True) as folder:
            return os.open(folder.at("mutex"), flags, 0o666, dir_fd=folder.fd)

    with (
        raising(WorkspaceError, f"`{STATE}` cannot be made"),
        Root(root) as top,
        top.folder(STATE, create=True),
    ):
        pass  # refused before anything else is done
    return Mutex(root / STATE / "mutex", purpose=purpose, opener=opened)


def find_root(start: Path) -> Path:
    """Return the nearest folder at or above ``start`` that has a manifest, absolute.

    Raises:
        ManifestError: There is none, or it cannot be looked at.
    """
    try:
        here = start.resolve(strict=True)
    except OSError as error:
        message = f"there is no folder `{start}`"
        raise ManifestError(message) from error
    for folder in (here, *here.parents):
        try:
            if (folder / MANIFEST).is_file():
                return folder
        except OSError as error:
            message = f"`{folder / MANIFEST}` cannot be looked at: {error.strerror}"
            raise ManifestError(message) from error
    message = f"there is no `{MANIFEST}` here or above"
    raise ManifestError(message, hint="run `artlock init` to make one")


def read_manifest(root: Path) -> str:
    """Return the manifest's text, line ends as they are.

    Raises:
        ManifestError: It cannot be read, or is not UTF-8.
    """
    try:
        return (root / MANIFEST).read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"`{MANIFEST}` is not UTF-8: byte {error.start}"
        raise ManifestError(message) from error
    except OSError as error:
        message = f"`{MANIFEST}` cannot be read: {error.strerror}"
        raise ManifestError(message) from error


def _nearest(name: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415 - only for a mistake

    near = difflib.get_close_matches(name, list(known), 1)
    if near:
        return f"did you mean `{near[0]}`?"
    return (
        f"there are: {', '.join(f'`{k}`' for k in sorted(known))}" if known else "none yet"
    )


def stale_reasons(manifest: Manifest, lock: Lockfile) -> list[tuple[str, str]]:
    """Return ``(artifact, why)`` for everything in which the lockfile is stale, by name."""
    reasons = []
    for artifact in manifest.artifacts:
        locked = lock.get(artifact.name)
        if locked is None:
            reasons.append((artifact.name, "declared, but not locked"))
        elif not locked.answers(artifact):
            reasons.append((artifact.name, _difference(artifact, locked)))
    declared = {a.name for a in manifest.artifacts}
    reasons += [
        (a.name, "locked, but no longer declared")
        for a in lock.artifacts
        if a.name not in declared
    ]
    return sorted(reasons)


def _difference(artifact: Artifact, locked: LockedArtifact) -> str:
    changed = artifact.declared.changed_keys(locked.declared)
    if not changed:
        return f"locked as a {locked.kind}, declared otherwise"
    return f"declared with another {' and '.join(f'`{field}`' for field in changed)}"
