"""The merge driver: git asks for one lockfile out of three."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from artlock.errors import ArtlockError, ConfigError, GitError, WorkspaceError
from artlock.formats.lockfile import parse_lockfile
from artlock.formats.lockfile_merge import Markers, format_merge
from artlock.formats.manifest import parse_manifest
from artlock.fs.atomic import replace_file
from artlock.fs.problems import raising
from artlock.gitio.merging import configure, merge_text
from artlock.gitio.repository import read_at, repository_root
from artlock.model.lock import Lockfile
from artlock.model.manifest import Manifest, MergePolicy
from artlock.model.merge import MergeError, merge
from artlock.ops.edit import add_attributes
from artlock.ops.project import LOCKFILE, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Markers", "MergeReport", "install_driver", "merge_files"]

_DRIVER = (
    "if command -v artlock >/dev/null; "
    "then artlock git merge-driver %O %A %B --path %P --marker-size %L; "
    "else git merge-file --marker-size=%L %A %O %B; fi"
)
"""Where artlock is not on the path, git merges lines: a driver that fails would leave one
side in the file without a word."""
_SETTINGS = (
    ("merge.artlock.name", "artlock: by artifact and path"),
    ("merge.artlock.driver", _DRIVER),
    ("diff.artlock.xfuncname", '^name = "(.*)"$'),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeReport:
    """What became of a merge.

    Attributes:
        conflicts: How many rows are in conflict, by artifact; 0 is the artifact as a whole.
        unreadable: Why lines were merged in place of rows; ``None`` if rows were.
        is_clean: Whether the result is a lockfile without conflicts.
    """

    conflicts: dict[str, int] = field(default_factory=dict)
    unreadable: str | None = None
    is_clean: bool


def merge_files(
    base: Path, ours: Path, theirs: Path, *, path: Path, markers: Markers
) -> MergeReport:
    """Merge two lockfiles into ``ours``, as git asks its drivers to.

    A side that is no lockfile, or that this version cannot read, is merged by lines, as
    without a driver.

    Args:
        base: What both began as; empty if they have no common past.
        ours: One side; then the result.
        theirs: The other.
        path: Of the lockfile, from the current folder, which is the top of the work tree.
        markers: How to mark conflicts.

    Raises:
        ConfigError: A file cannot be read.
        GitError: git cannot merge the text either.
        WorkspaceError: The result cannot be written.
    """
    texts = [_read(file) for file in (base, ours, theirs)]
    try:
        before, mine, other = map(_parsed, texts)
        merged = merge(before, mine, other, atomic=_atomic(path.parent, mine, other))
    except (ArtlockError, MergeError) as error:
        labels = (markers.ours, markers.theirs)
        text, is_clean = merge_text(base, ours, theirs, size=markers.size, labels=labels)
        _write(ours, text)
        return MergeReport(unreadable=str(error), is_clean=is_clean and _is_lockfile(text))
    _write(ours, format_merge(merged, markers))
    return MergeReport(conflicts=merged.conflicts, is_clean=not merged.conflicts)


def install_driver(start: Path) -> tuple[list[str], bool]:
    """Let git call artlock when it merges lockfiles in the repository of ``start``.

    Returns:
        The settings that were written, and whether ``.gitattributes`` was.

    Raises:
        GitError: git is absent, this is not a repository, or it cannot be written.
        WorkspaceError: ``.gitattributes`` cannot be written.
    """
    root = repository_root(start)
    if root is None:
        message = f"`{start}` is in no git repository"
        raise GitError(message, hint="run `git init`")
    return configure(root, _SETTINGS), add_attributes(start)


def _parsed(data: bytes) -> Lockfile:
    return parse_lockfile(data, name=LOCKFILE) if data else Lockfile()


def _is_lockfile(data: bytes) -> bool:
    with suppress(ArtlockError):
        _parsed(data)
        return True
    return False


def _atomic(folder: Path, ours: Lockfile, theirs: Lockfile) -> Collection[str]:
    """Return the artifacts that are merged as a whole, by the manifest of our side.

    The one in the work tree may be in the middle of the same merge. Where none can be read,
    all are: a conflict too many is not a mixture that nobody wanted.
    """
    manifest = _manifest(folder)
    if manifest is None:
        return {a.name for lock in (ours, theirs) for a in lock.artifacts}
    return {a.name for a in manifest.artifacts if a.merge is MergePolicy.ATOMIC}


def _manifest(folder: Path) -> Manifest | None:
    with suppress(ArtlockError, OSError, ValueError):
        data = read_at(folder.absolute(), "HEAD", MANIFEST)
        if data is not None:
            return parse_manifest(data.decode())
    with suppress(ArtlockError, OSError, ValueError):
        return parse_manifest((folder / MANIFEST).read_bytes().decode())
    return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"`{path}` cannot be read: {error.strerror}"
        raise ConfigError(message) from error


def _write(path: Path, data: bytes) -> None:
    with raising(WorkspaceError, f"`{path}` cannot be written", needed=len(data)):
        replace_file(path, data)
