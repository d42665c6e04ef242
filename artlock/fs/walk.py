"""Fast looks at many files below a root, never through a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby

from artlock.errors import WorkspaceError
from artlock.fs.root import Root


def walk(root: Root, below: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Yield everything below a folder that is not a folder, with its own description.

    Links and special files are yielded as what they are; ``st_mode`` tells. The order is
    any. What vanishes meanwhile is left out.

    Args:
        root: Where.
        below: Only what is in this folder of it; nothing if that does not exist.

    Raises:
        WorkspaceError: ``below`` leads through a link or a file.
        OSError: A folder cannot be read.
    """
    pending = [below]
    while pending:
        path = pending.pop()
        prefix = path + "/" if path else ""
        try:
            found, folders = _listing(root, path)
        except FileNotFoundError:
            continue
        except WorkspaceError:
            # A folder was swapped for something else after it was listed.
            if path == below:
                raise
            continue
        pending += [prefix + name for name in folders]
        for name, described in found:
            yield prefix + name, described


def _listing(root: Root, path: str) -> tuple[list[tuple[str, os.stat_result]], list[str]]:
    files: list[tuple[str, os.stat_result]] = []
    folders: list[str] = []
    with (
        root.folder(path) as folder,
        os.scandir(folder.prefix if folder.fd is None else folder.fd) as entries,
    ):
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
                continue
            try:
                files.append((entry.name, entry.stat(follow_symlinks=False)))
            except FileNotFoundError:
                continue  # it vanished
    return files, folders


def stat_many(root: Root, paths: Sequence[str]) -> list[os.stat_result | None]:
    """Describe files whose paths are known; see ``stat_each``."""
    return list(stat_each(root, paths))


def stat_each(root: Root, paths: Sequence[str]) -> Iterator[os.stat_result | None]:
    """Describe files whose paths are known, at the cost of little more than one call each.

    Measured for 100,000 files of 100 folders: 0.22 s by name within an open folder, 0.25 s
    by listing the folders, 0.28 s by whole paths; two threads gain nothing.

    Args:
        root: Where.
        paths: Sorted, or at least with those of one folder together, for speed.

    Yields:
        For each path what lies there, a link itself included; ``None`` where nothing does,
        or a link or file is where a folder should be (``Root.obstruction`` tells).

    Raises:
        OSError: Something cannot be looked at.
    """
    look = os.stat
    for parent, inside in groupby(paths, _parent):
        start = len(parent) + 1 if parent else 0
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(root.folder(parent))
            except (FileNotFoundError, WorkspaceError):
                yield from (None for _ in inside)
                continue
            fd, prefix = folder.fd, folder.prefix
            for path in inside:
                try:
                    found = look(prefix + path[start:], dir_fd=fd, follow_symlinks=False)
                except FileNotFoundError:
                    found = None
                yield found


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def is_regular(found: os.stat_result | None) -> bool:
    """Tell whether there is something and it is a regular file."""
    return found is not None and stat.S_ISREG(found.st_mode)
