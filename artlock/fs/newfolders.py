"""Whole new folders: filled while they wait, and named in one step.

::

    .artlock/tmp/3f2a9c01-1b7-5d0e4c-2a.folder      is to become `data`
    .artlock/tmp/3f2a9c01-1b7-5d0e4c-2a.folder/a/b  is to become `data/a/b`

A file of a folder that does not exist yet waits under its own name, in a folder that waits.
One rename then gives all of them their places, and leaves every file as it was described:
no rename and no further look for each.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress

from artlock.fs.folders import Folder, Folders, split
from artlock.fs.rename import Renamer
from artlock.fs.staging import STAGING, Staged, Staging, remove_tree
from artlock.fs.temporary import BESIDE, NEW_FOLDER

_DEFAULT_ACL = "system.posix_acl_default"


class NewFolders:
    """Folders below a root that have not got their names; not for several threads.

    Args:
        folders: Those of the root.
        staging: Told where files of new folders wait.
        renamer: Gives the names.
    """

    def __init__(self, folders: Folders, staging: Staging, renamer: Renamer) -> None:
        self._folders = folders
        self._staging = staging
        self._renamer = renamer
        self._waiting: dict[str, str] = {}
        """Where each waits, by the path that it is to have."""
        self._tops: dict[str, str] = {}
        """The path of the new folder that each missing folder is, or is in."""

    def begin(self, folders: Iterable[str]) -> None:
        """Let files wait in new folders that are for folders which do not exist.

        Args:
            folders: Those that files are to be staged for.

        Raises:
            WorkspaceError: A link or file is where a folder should be.
            OSError: A folder cannot be made.
        """
        if not self._folders.has_descriptors:
            return  # where a path is limited, a longer one may not fit
        for path in sorted(set(folders) - self._tops.keys()):
            top = self._first_missing(path)
            if top is None:
                continue
            if top not in self._waiting:
                self._make(top)
            self._tops[path] = top
            self._staging.homes[path] = self._waiting[top] + path[len(top) :]

    def _first_missing(self, path: str) -> str | None:
        segments = path.split("/") if path else []
        for count in range(1, len(segments) + 1):
            above = "/".join(segments[:count])
            if above in self._waiting:
                return above
            try:
                with self._folders.lend(above):
                    pass
            except FileNotFoundError:
                return above
        return None

    def _make(self, top: str) -> None:
        parent, _ = split(top)
        with (
            self._folders.lend(parent) as near,
            self._folders.lend(STAGING, create=True) as staging,
        ):
            folder, name = self._staging.room(near, staging)
            if folder is staging and not _may_move(staging, near):
                folder, name = near, BESIDE + name
            if folder is near:
                self._staging.sweep_once(parent)
            name += NEW_FOLDER
            # Known before it is there: an interruption right after it removes it too.
            self._waiting[top] = f"{folder.path}/{name}" if folder.path else name
            os.mkdir(folder.at(name), dir_fd=folder.fd)

    def descriptors(self) -> Iterator[int]:
        """Lend a descriptor of each folder that waits, and of each one in it.

        Raises:
            OSError: One cannot be opened.
        """
        seen: set[str] = set()
        for path, top in self._tops.items():
            inside = path
            while inside not in seen:
                seen.add(inside)
                waiting = self._waiting[top] + inside[len(top) :]
                # One whose files are all missing was not made.
                with suppress(FileNotFoundError), self._folders.lend(waiting) as folder:
                    yield _descriptor(folder)
                inside = top if inside == top else inside.rpartition("/")[0]

    def tops(self, staged: Iterable[tuple[str, Staged]]) -> dict[str, list[str]]:
        """Return the new folders that may be named as they are, with the targets in each.

        Not one for which a file waits elsewhere: something else has its name in there, and
        nobody knows whose and what that is.

        Args:
            staged: Every staged file with its target.
        """
        targets: dict[str, list[str]] = {top: [] for top in self._waiting}
        for target, file in staged:
            parent = target.rpartition("/")[0]
            top = self._tops.get(parent)
            if top not in targets:
                continue
            if file.folder == self._staging.homes[parent]:
                targets[top].append(target)
            else:
                del targets[top]
        return targets

    def place(self, top: str) -> bool:
        """Give a new folder its name, with everything in it.

        Returns:
            Whether it has it. If not, because somebody made a folder of that name, or the
            system refused, nothing was done: its files can be named one by one, and whoever
            does so is told what is wrong.
        """
        waiting = self._waiting[top]
        old_parent, old = split(waiting)
        parent, name = split(top)
        # Before: what is open by the old path would be used under it when it is elsewhere.
        self._folders.forget(waiting)
        try:
            with (
                self._folders.lend(old_parent) as source,
                self._folders.lend(parent) as target,
            ):
                self._renamer.give(source.at(old), target.at(name), source.fd, target.fd)
        except OSError:
            # Perhaps of a folder that was open here and that somebody removed.
            self._folders.forget(parent)
            return False
        self._forget(top)
        return True

    def abandon(self) -> None:
        """Remove the folders that have not got their names, and what is left in them.

        Raises:
            OSError: Something cannot be removed.
        """
        for top, waiting in list(self._waiting.items()):
            remove_tree(self._folders, waiting)
            self._forget(top)

    def _forget(self, top: str) -> None:
        del self._waiting[top]
        for path in [path for path, above in self._tops.items() if above == top]:
            del self._tops[path]
            del self._staging.homes[path]


def _may_move(here: Folder, there: Folder) -> bool:
    """Tell whether a new folder may be made here and moved there.

    Where nobody may write that shows at once, and not when other names have been given.
    """
    may_write = os.access(
        there.at("."),
        os.W_OK | os.X_OK,
        dir_fd=there.fd,
        effective_ids=os.access in os.supports_effective_ids,
    )
    return may_write and _handed_down(here) == _handed_down(there)


def _handed_down(folder: Folder) -> tuple[int, int, bytes]:
    """Return what a new folder takes from the one that it is made in."""
    fd = _descriptor(folder)
    found = os.fstat(fd)
    acl = b""
    if hasattr(os, "getxattr"):
        with suppress(OSError):  # it has none, or none can be there
            acl = os.getxattr(fd, _DEFAULT_ACL)
    return found.st_gid, found.st_mode & stat.S_ISGID, acl


def _descriptor(folder: Folder) -> int:
    if folder.fd is None:
        raise AssertionError  # see `begin`
    return folder.fd
