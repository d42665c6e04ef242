"""One spelling for both files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import ConfigError, ManifestError, WorkspaceError
from artlock.formats.lockfile import format_lockfile, read_lockfile
from artlock.formats.lockfile_parts import split
from artlock.formats.manifest import parse_manifest
from artlock.formats.manifest_edit import format_manifest
from artlock.fs.atomic import replace_file
from artlock.fs.problems import raising
from artlock.model.manifest import SPLIT_ABOVE
from artlock.ops.lockfiles import LockFiles
from artlock.ops.names import LOCKFILE, MANIFEST
from artlock.ops.project import read_manifest, workspace_mutex

if TYPE_CHECKING:
    from pathlib import Path

    from artlock.formats.lockfile_parts import Split
    from artlock.model.lock import Lockfile


def canonicalize(path: Path, *, write: bool) -> bool:
    """Bring a manifest (``*.toml``) or a lockfile (any other name) into canonical form.

    Only ``artifacts.lock`` has parts: those are written too, and what an interrupted
    command left of them is put in place or removed.

    Returns:
        Whether its bytes are, or were, to change.

    Raises:
        ManifestError: The manifest is not valid; it is left as it is.
        LockfileError: The lockfile is not valid; it is left as it is.
        ConfigError: It cannot be read.
        WorkspaceError: It cannot be written.
    """
    if path.name == LOCKFILE:
        return _canonical_lockfile(path.parent.absolute(), write=write)
    try:
        before = path.read_bytes()
    except OSError as error:
        message = f"`{path}` cannot be read: {error.strerror}"
        raise ConfigError(message) from error
    after = (
        _canonical_manifest(before, path)
        if path.suffix == ".toml"
        else format_lockfile(read_lockfile(before, name=path.name).lock)
    )
    if after == before:
        return False
    if write:
        subject = f"`{path}` cannot be written"
        with raising(WorkspaceError, subject, needed=len(after)):
            replace_file(path, after)
    return True


def _canonical_lockfile(folder: Path, *, write: bool) -> bool:
    """Write every artifact in the form that the manifest asks for: as rows, or in parts."""
    files = LockFiles(folder)
    if files.is_in_place(_wanted(files, folder)[1]):
        return False
    if not write:
        return True
    with workspace_mutex(folder, "fmt"):
        # Read again: another command may have written it before the mutex was had.
        return files.replace(*_wanted(files, folder))


def _wanted(files: LockFiles, folder: Path) -> tuple[Lockfile, Split]:
    text = files.text()
    if text is None:
        message = f"`{folder / LOCKFILE}` cannot be read: there is none"
        raise ConfigError(message)
    lock = read_lockfile(text.data).lock
    return lock, split(format_lockfile(lock), _split_above(folder))


def _split_above(folder: Path) -> int:
    """Return what the manifest beside a lockfile says; the default where there is none."""
    try:
        return parse_manifest(read_manifest(folder)).split_above
    except ManifestError:
        if (folder / MANIFEST).exists():
            raise
        return SPLIT_ABOVE


def _canonical_manifest(data: bytes, path: Path) -> bytes:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"`{path}` is not UTF-8: byte {error.start}"
        raise ConfigError(message) from error
    parse_manifest(text, name=path.name)
    return format_manifest(text).encode()
