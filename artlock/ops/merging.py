"""The merge driver: git asks for one lockfile out of three."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from artlock.errors import ArtlockError, ConfigError, WorkspaceError
from artlock.formats.lockfile import parse_lockfile
from artlock.formats.lockfile_merge import Markers, format_merge
from artlock.formats.manifest import parse_manifest
from artlock.fs.atomic import replace_file
from artlock.fs.problems import raising
from artlock.gitio.merging import configure, merged_commits, unconfigure
from artlock.gitio.repository import read_at, work_tree
from artlock.model.manifest import MergePolicy
from artlock.model.merge import merge
from artlock.ops.edit import add_attributes
from artlock.ops.names import LOCKFILE, MANIFEST
from artlock.ops.repair import Repaired, read_with_markers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from artlock.model.lock import Lockfile
    from artlock.model.manifest import Manifest

__all__ = ["Markers", "MergeReport", "install_driver", "merge_files", "uninstall_driver"]

_DRIVER = (
    "artlock git merge-driver %O %A %B --path %P --marker-size %L; code=$?; "
    'case $code in 0) exit 0;; 1) grep -q "^<<<<<<<" %A && exit 1;; esac; '
    "git merge-file -L ours -L base -L theirs --marker-size=%L %A %O %B; lines=$?; "
    "[ $lines -eq 0 ] && [ $code -ne 127 ] && exit 1; exit $lines"
)
"""Where artlock cannot, git merges lines: a driver that only fails leaves one side in the
file, without a mark. What artlock refused to merge is a conflict even where lines do not
meet; 127 is what a shell says of a program that is not there."""
_SETTINGS = (
    ("merge.artlock.name", "artlock: by artifact and path"),
    ("merge.artlock.driver", _DRIVER),
    # Merges of common ancestors are git's own affair, and nobody is told of them.
    ("merge.artlock.recursive", "text"),
    ("diff.artlock.xfuncname", '^name = "(.*)"$'),
)


class MergeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a merge.

    Attributes:
        conflicts: How many rows are in conflict, by artifact; 0 is the artifact as a whole.
    """

    conflicts: dict[str, int]

    @property
    def is_clean(self) -> bool:
        """Whether the result is a lockfile without conflicts."""
        return not self.conflicts


def merge_files(
    base: Path, ours: Path, theirs: Path, *, path: Path, markers: Markers
) -> MergeReport:
    """Merge two lockfiles into ``ours``, as git asks its drivers to.

    Args:
        base: What both began as; empty if they have no common past. It may have conflict
            markers, if it is itself a merge of several common ancestors.
        ours: One side; then the result.
        theirs: The other.
        path: Of the lockfile, from the current folder, which is the top of the work tree.
        markers: How to mark conflicts.

    Raises:
        LockfileError: One of them is no lockfile, or of a later format; ``ours`` is as it
            was.
        PolicyError: One has a row that its declaration does not cover; likewise.
        ConfigError: A file cannot be read; likewise.
        WorkspaceError: The result cannot be written; likewise.
    """
    before, mine, other = map(_read, (base, ours, theirs))
    began = read_with_markers(before) if before else Repaired()
    sides = [parse_lockfile(data, name=LOCKFILE) for data in (mine, other)]
    merged = merge(
        began.lock, *sides, atomic=_atomic(path.parent, sides), unknown=began.disputed
    )
    data = format_merge(merged, markers)
    with raising(WorkspaceError, f"`{ours}` cannot be written", needed=len(data)):
        replace_file(ours, data)
    return MergeReport(conflicts=merged.conflicts)


def install_driver(start: Path) -> tuple[list[str], bool]:
    """Let git call artlock when it merges lockfiles in the repository of ``start``.

    Returns:
        The settings that were written, and whether ``.gitattributes`` was.

    Raises:
        GitError: git is absent, this is not a repository, or it cannot be written.
        WorkspaceError: ``.gitattributes`` cannot be written.
    """
    return configure(work_tree(start), _SETTINGS), add_attributes(start)


def uninstall_driver(start: Path) -> list[str]:
    """Take away the settings of ``install_driver``, and return their keys.

    ``.gitattributes`` stays: it is everybody's, and does nothing without them.

    Raises:
        GitError: git is absent, this is not a repository, or it cannot be written.
    """
    return unconfigure(work_tree(start), _SETTINGS)


def _atomic(folder: Path, sides: Sequence[Lockfile]) -> set[str]:
    """Return the artifacts that are merged as a whole, as one of the sides declares.

    The manifest in the work tree may be in the middle of the same merge. Where none can be
    read, all are: a conflict too many is not a mixture that nobody wanted.
    """
    manifests = list(_manifests(folder))
    if not manifests:
        return {a.name for lock in sides for a in lock.artifacts}
    return {
        artifact.name
        for manifest in manifests
        for artifact in manifest.artifacts
        if artifact.merge is MergePolicy.ATOMIC
    }


def _manifests(folder: Path) -> Iterator[Manifest]:
    for revision in merged_commits():
        with suppress(ArtlockError, UnicodeDecodeError):
            data = read_at(folder.absolute(), revision, MANIFEST)
            if data is not None:
                yield parse_manifest(data.decode())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"`{path}` cannot be read: {error.strerror}"
        raise ConfigError(message) from error
