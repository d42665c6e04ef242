"""Files that wait for their names, and what is left of them after a kill.

A file is made under a name of its own, in ``.artlock/tmp`` or, where that is on another
file system, beside its goal; ``fs/root.py`` renames it. What is for a folder that does not
exist yet waits in one that will be renamed (``fs/newfolders.py``). What is to go comes here
too, for the moment in which it is looked at once more. Its name then says how it looked
before, so that a sweep can tell it from what a person saved just then (hazard 2.20).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from artlock.fs.folders import Folder, Folders, split
from artlock.fs.link import Cloner
from artlock.fs.temporary import (
    BESIDE,
    NEW_FOLDER,
    Names,
    is_abandoned,
    is_abandoned_beside,
    mark_of,
    unmarked,
)

T = TypeVar("T")

STAGING = ".artlock/tmp"
"""Where files wait for their names, if that is on the file system of their folder."""
_CREATE = (
    os.O_RDWR
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)


class Staged(msgspec.Struct, frozen=True):
    """A new file below the root that has not got its name.

    Attributes:
        folder: Where it waits.
        name: What it is called there.
    """

    folder: str
    name: str


class Staging:
    """Makes and removes what waits below a root; safe to use from several threads.

    Attributes:
        homes: Where files wait under their own names, by the folder that they are for.

    Args:
        folders: Those of the root.
    """

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._names = Names()
        self.homes: dict[str, str] = {}
        self._swept_s: float | None = None
        self._also_swept: set[str] = set()

    def file(self, path: str) -> tuple[Staged, int]:
        """Make a new, empty file that is to become ``path``, and the folders for it.

        Its permissions are those that the umask leaves of reading and writing.

        Returns:
            The file, and a descriptor that the caller closes.

        Raises:
            WorkspaceError: A link or file is where a folder of ``path`` should be.
            OSError: It cannot be made.
        """
        return self._make(path, lambda at, folder: self._folders.open(at, _CREATE, folder))

    def clone(self, source_fd: int, path: str, cloner: Cloner) -> Staged | None:
        """Make a copy of an open file that shares its blocks.

        Returns:
            The file; ``None`` where blocks cannot be shared.

        Raises:
            WorkspaceError: As for ``file``; likewise ``OSError``.
        """
        staged, done = self._make(
            path, lambda at, folder: cloner.clone(source_fd, at, dir_fd=folder.fd)
        )
        return staged if done else None

    def hardlink(self, source: Path, path: str) -> Staged:
        """Make another name of the file ``source``.

        Raises:
            WorkspaceError: As for ``file``.
            OSError: Another file system, or one without such links.
        """
        staged, _ = self._make(
            path,
            lambda at, folder: os.link(
                source, at, dst_dir_fd=folder.fd, follow_symlinks=False
            ),
        )
        return staged

    def symlink(self, target: str, path: str) -> Staged:
        """Make a symbolic link whose text is ``target``.

        Raises:
            WorkspaceError: As for ``file``; likewise ``OSError``.
        """
        staged, _ = self._make(
            path, lambda at, folder: os.symlink(target, at, dir_fd=folder.fd)
        )
        return staged

    def _make(self, path: str, make: Callable[[str, Folder], T]) -> tuple[Staged, T]:
        """Let ``make`` make something where it can wait to be renamed to ``path``."""
        parent, name = split(path)
        home = self.homes.get(parent)
        if home is not None:
            # Where something has the name it waits elsewhere, and is renamed by itself: it
            # may be a name that the file system takes for this one, or be left by a fork.
            with (
                suppress(FileExistsError),
                self._folders.lend(home, create=True) as folder,
            ):
                return self._made(folder, name, make)
        with (
            self._folders.lend(parent, create=True) as target,
            self._folders.lend(STAGING, create=True) as staging,
        ):
            folder, name = self.room(target, staging)
            if folder is target:
                self.sweep_once(parent)
            return self._made(folder, name, make)

    def _made(
        self, folder: Folder, name: str, make: Callable[[str, Folder], T]
    ) -> tuple[Staged, T]:
        at = folder.at(name)
        try:
            return Staged(folder.path, name), make(at, folder)
        except OSError:
            raise  # nothing was made
        except BaseException:
            # An interruption is raised when the file is there and nobody knows it yet.
            with suppress(OSError):
                os.unlink(at, dir_fd=folder.fd)
            raise

    def room(self, near: Folder, staging: Folder) -> tuple[Folder, str]:
        """Return where a file of the folder ``near`` can wait, and a new name for it.

        Args:
            near: Where it is, or is to go.
            staging: The folder ``STAGING``.
        """
        # A rename does not leave a mount, and a project may hold some.
        if near.is_beside(staging):
            return staging, self._names.next()
        return near, BESIDE + self._names.next()

    def stat(self, staged: Staged) -> os.stat_result:
        """Describe a staged file, a link itself included.

        Raises:
            OSError: It is gone, or cannot be looked at.
        """
        with self._folders.lend(staged.folder) as folder:
            at = folder.at(staged.name)
            return os.stat(at, dir_fd=folder.fd, follow_symlinks=False)

    def abandon(self, staged: Staged) -> None:
        """Remove a staged file; nothing happens if it is gone.

        Raises:
            OSError: It cannot be removed.
        """
        with suppress(FileNotFoundError), self._folders.lend(staged.folder) as folder:
            os.unlink(folder.at(staged.name), dir_fd=folder.fd)

    def sweep(self, now_s: float) -> list[str]:
        """Remove what processes left here that have ended long ago.

        Folders on other file systems, where files wait in the folder itself, are swept when
        the first one is staged there.

        Returns:
            Paths of files that are kept, because a person saved them in the moment in which
            a process that was killed then had moved them here.

        Raises:
            WorkspaceError: The staging folder is a link.
            OSError: One cannot be removed.
        """
        self._swept_s = now_s
        kept = self._sweep(STAGING, now_s, is_abandoned)
        for folder in ("", split(STAGING)[0]):
            self._sweep(folder, now_s, is_abandoned_beside)
        return kept

    def sweep_once(self, path: str) -> None:
        """Sweep a folder in which something is to wait, if that was not done yet.

        Raises:
            OSError: Something cannot be removed.
        """
        if self._swept_s is not None and path not in self._also_swept:
            self._also_swept.add(path)
            self._sweep(path, self._swept_s, is_abandoned_beside)

    def _sweep(
        self, path: str, now_s: float, may_go: Callable[[str, float], bool]
    ) -> list[str]:
        kept = []
        with suppress(FileNotFoundError), self._folders.lend(path) as folder:
            for name in folder.names():
                at = folder.at(name)
                bare, mark = unmarked(name)
                with suppress(FileNotFoundError):  # another sweep was quicker
                    found = os.stat(at, dir_fd=folder.fd, follow_symlinks=False)
                    is_ours = mark in {"", NEW_FOLDER} or _is_as_marked(mark, found)
                    since_s = now_s - found.st_ctime
                    if not is_ours and is_abandoned(bare, since_s, grace_s=0):
                        kept.append(f"{path}/{name}")
                    elif is_ours and may_go(bare, now_s - found.st_mtime):
                        if mark == NEW_FOLDER and stat.S_ISDIR(found.st_mode):
                            remove_tree(self._folders, f"{path}/{name}" if path else name)
                        else:
                            os.unlink(at, dir_fd=folder.fd)
        return kept


def _is_as_marked(mark: str, found: os.stat_result) -> bool:
    return mark == mark_of(found) and not stat.S_ISDIR(found.st_mode)


def remove_tree(folders: Folders, path: str) -> None:
    """Remove a folder that is artlock's own, and all that is in it; no link is followed.

    Nothing happens if it is gone.

    Raises:
        WorkspaceError: A link or file is where a folder should be.
        OSError: Something cannot be removed.
    """
    pending, found = [path], []
    while pending:  # a loop, because a lockfile of somebody else decides how deep it is
        inside = pending.pop()
        found.append(inside)
        with suppress(FileNotFoundError), folders.lend(inside) as folder:
            for name in folder.names():
                at = folder.at(name)
                if stat.S_ISDIR(os.lstat(at, dir_fd=folder.fd).st_mode):
                    pending.append(f"{inside}/{name}")
                else:
                    os.unlink(at, dir_fd=folder.fd)
    for inside in reversed(found):
        parent, name = split(inside)
        folders.forget(inside)
        with suppress(FileNotFoundError), folders.lend(parent) as folder:
            os.rmdir(folder.at(name), dir_fd=folder.fd)
