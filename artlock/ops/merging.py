"""The merge driver: git asks for one lockfile out of three, or one part of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from artlock.errors import ArtlockError, ConfigError, LockfileError, WorkspaceError
from artlock.formats.lockfile import parse_lockfile
from artlock.formats.lockfile_merge import Markers, format_merge
from artlock.formats.lockfile_parts import SUFFIX, LockText, lists_parts
from artlock.formats.manifest import parse_manifest
from artlock.fs.atomic import replace_file
from artlock.fs.problems import raising
from artlock.gitio.merging import (
    commits_of_side,
    configure,
    merged_commits,
    unconfigure,
)
from artlock.gitio.repository import read_at, work_tree
from artlock.gitio.trees import is_merged_by
from artlock.model.manifest import MergePolicy
from artlock.model.merge import merge
from artlock.ops.edit import add_attributes
from artlock.ops.merging_parts import conflicts_of, merge_part, parts_of_merge
from artlock.ops.names import LOCKFILE, MANIFEST, PARTS
from artlock.ops.past import parts_beside, text_of
from artlock.ops.repair import Repaired, read_with_markers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    """Merge two lockfiles, or two parts, into ``ours``, as git asks its drivers to.

    Args:
        base: What both began as; empty if they have no common past. It may have conflict
            markers, if it is itself a merge of several common ancestors.
        ours: One side; then the result.
        theirs: The other.
        path: Of the lockfile or part, from the current folder, which is the top of the
            work tree.
        markers: How to mark conflicts.

    Raises:
        LockfileError: One of them is no lockfile, of a later format, or lists a part that
            git does not have; ``ours`` is as it was.
        GitError: git cannot be asked for parts; likewise.
        PolicyError: One has a row that its declaration does not cover; likewise.
        ConfigError: A file cannot be read; likewise.
        WorkspaceError: The result cannot be written; likewise.
    """
    before, mine, other = map(_read, (base, ours, theirs))
    if is_part(path):
        data, conflicts = merge_part(before, mine, other, markers)
        _write(ours, data)
        return MergeReport(conflicts={path.parent.name: conflicts} if conflicts else {})
    frames = _Frames(path)
    texts = [frames.text_of(data) for data in (mine, other)]
    sides = [parse_lockfile(text.data, name=LOCKFILE) for text in texts]
    base_text, began = _beginning(before, frames, sides)
    merged = merge(
        began.lock, *sides, atomic=_atomic(path.parent, sides), unknown=began.disputed
    )
    in_parts = parts_of_merge(
        merged,
        base_text,
        (texts[0], sides[0]),
        (texts[1], sides[1]),
        has_driver=frames.has_driver,
    )
    _write(ours, format_merge(merged, markers, in_parts))
    return MergeReport(conflicts=conflicts_of(merged, in_parts))


def is_part(path: Path) -> bool:
    """Tell whether a file in the work tree is a part of a lockfile."""
    return path.parent.parent.name == PARTS and path.suffix == SUFFIX


class _Frames:
    """Finds the parts of lockfiles that git hands over without them.

    Args:
        path: Of the lockfile, from the current folder: the top of the work tree.
    """

    def __init__(self, path: Path) -> None:
        self._root = Path.cwd()
        self._path = path.as_posix()
        self._folder = parts_beside(self._path)

    def text_of(self, data: bytes) -> LockText:
        """Return the text of one of the three.

        Raises:
            LockfileError: It is no lockfile, or git does not have a part of it.
            GitError: git cannot be asked.
        """
        # One that is not the commit simply has not what is looked for.
        commits = commits_of_side(self._root, self._path, data)
        return text_of(self._root, data, commits, path=self._path, name=LOCKFILE)

    def has_driver(self, parts: Sequence[str]) -> bool:
        """Tell whether git calls this driver for all of some parts.

        Raises:
            GitError: git cannot be asked.
        """
        paths = [f"{self._folder}/{part}" for part in parts]
        return is_merged_by(self._root, paths, "artlock")


def _beginning(
    data: bytes, frames: _Frames, sides: Sequence[Lockfile]
) -> tuple[LockText, Repaired]:
    """Return what both sides began as, and of which artifacts that is not known."""
    nothing = LockText(data=b"")
    if not data:
        return nothing, Repaired()
    if not lists_parts(data):
        return nothing, read_with_markers(data)
    try:
        text = frames.text_of(data)
        return text, Repaired(parse_lockfile(text.data, name=LOCKFILE))
    except LockfileError:
        # Itself merged of several, whose parts no commit has: nobody knows.
        names = frozenset(a.name for lock in sides for a in lock.artifacts)
        return nothing, Repaired(disputed=names)


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


def _write(path: Path, data: bytes) -> None:
    with raising(WorkspaceError, f"`{path}` cannot be written", needed=len(data)):
        replace_file(path, data)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"`{path}` cannot be read: {error.strerror}"
        raise ConfigError(message) from error
