"""One spelling for both files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import ConfigError, WorkspaceError
from artlock.formats.lockfile import format_lockfile, read_lockfile
from artlock.formats.manifest import parse_manifest
from artlock.formats.manifest_edit import format_manifest
from artlock.fs.atomic import replace_file
from artlock.fs.problems import raising

if TYPE_CHECKING:
    from pathlib import Path


def canonicalize(path: Path, *, write: bool) -> bool:
    """Bring a manifest (``*.toml``) or a lockfile (any other name) into canonical form.

    Returns:
        Whether its bytes are, or were, to change.

    Raises:
        ManifestError: The manifest is not valid; it is left as it is.
        LockfileError: The lockfile is not valid; it is left as it is.
        ConfigError: It cannot be read.
        WorkspaceError: It cannot be written.
    """
    try:
        before = path.read_bytes()
    except OSError as error:
        message = f"`{path}` cannot be read: {error.strerror}"
        raise ConfigError(message) from error
    after = (
        _canonical_manifest(before, path)
        if path.suffix == ".toml"
        else _lockfile(before, path)
    )
    if after == before:
        return False
    if write:
        subject = f"`{path}` cannot be written"
        with raising(WorkspaceError, subject, needed=len(after)):
            replace_file(path, after)
    return True


def _canonical_manifest(data: bytes, path: Path) -> bytes:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"`{path}` is not UTF-8: byte {error.start}"
        raise ConfigError(message) from error
    parse_manifest(text, name=path.name)
    return format_manifest(text).encode()


def _lockfile(data: bytes, path: Path) -> bytes:
    return format_lockfile(read_lockfile(data, name=path.name).lock)
