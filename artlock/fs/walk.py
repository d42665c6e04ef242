"""Fast looks at many files below a root, never through a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import chain, groupby, islice

from artlock.errors import WorkspaceError
from artlock.fs.folders import Folder
from artlock.fs.root import Root

_BATCH = 256
"""Descriptions in memory at a time."""


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
    """Describe files whose paths are known; see ``stat_batches``."""
    return list(chain.from_iterable(stat_batches(root, paths)))


def stat_batches(root: Root, paths: Sequence[str]) -> Iterator[list[os.stat_result | None]]:
    """Describe files whose paths are known, at the cost of little more than one call each.

    In batches, because a generator that hands them out one by one costs a fifth more; in
    small ones, because memory that is used again at once is still in the processor's cache.

    Args:
        root: Where.
        paths: Sorted, or at least with those of one folder together, for speed.

    Yields:
        For each path, in their order, what lies there, a link itself included; ``None``
        where nothing does, or a link or file is where a folder should be
        (``Root.obstruction`` tells).

    Raises:
        OSError: Something cannot be looked at.
    """
    for parent, inside in groupby(paths, _parent):
        start = len(parent) + 1 if parent else 0
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(root.folder(parent))
            except (FileNotFoundError, WorkspaceError):
                yield [None for _ in inside]
                continue
            while names := [path[start:] for path in islice(inside, _BATCH)]:
                yield _described(folder, names)


def _described(folder: Folder, names: list[str]) -> list[os.stat_result | None]:
    look, fd = os.lstat, folder.fd
    if folder.prefix:
        names = [folder.prefix + name for name in names]
    with suppress(FileNotFoundError):
        return [look(name, dir_fd=fd) for name in names]
    return [_described_or_none(name, fd) for name in names]


def _described_or_none(name: str, fd: int | None) -> os.stat_result | None:
    try:
        return os.lstat(name, dir_fd=fd)
    except FileNotFoundError:
        return None


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def is_regular(found: os.stat_result | None) -> bool:
    """Tell whether there is something and it is a regular file."""
    return found is not None and stat.S_ISREG(found.st_mode)
