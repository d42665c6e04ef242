"""The files below one folder: read, staged, named and removed there, and nowhere else.

Every deed is done by name within the descriptor of the file's folder (``fs/folders.py``).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from artlock.errors import WorkspaceError
from artlock.fs.folders import HAS_DESCRIPTORS, Folder, Folders, Loan, split
from artlock.fs.limits import may_stay_open
from artlock.fs.link import Cloner
from artlock.fs.temporary import BESIDE, Names, is_abandoned, is_abandoned_beside

T = TypeVar("T")

STAGING = ".artlock/tmp"
"""Where files wait for their names, if that is on the file system of their folder."""
_OPEN_FOLDERS = 128
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_NOT_EMPTY = frozenset({errno.ENOTEMPTY, errno.EEXIST})
_READ = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | _BINARY
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY


class Staged(msgspec.Struct, frozen=True):
    """A new file below the root that has not got its name.

    Attributes:
        folder: Where it waits.
        name: What it is called there.
        linked: Whether it is another name of a file elsewhere.
    """

    folder: str
    name: str
    linked: bool = False


class Root:
    """One folder and everything below it; safe to use from several threads.

    Paths are relative, with ``/`` between segments. Whatever leads outside, or through a
    link, is refused with ``WorkspaceError``; what the system refuses is an ``OSError``.

    Args:
        path: The folder; it exists.
        descriptors: Whether to use descriptors of folders; only tests say.
        open_folders: How many folders stay open for the next use, at most.
    """

    def __init__(
        self,
        path: Path,
        *,
        descriptors: bool = HAS_DESCRIPTORS,
        open_folders: int = _OPEN_FOLDERS,
    ) -> None:
        self.path = path
        self._names = Names()
        self._swept_s: float | None = None
        self._also_swept: set[str] = set()
        limit = may_stay_open(open_folders)
        self._folders = Folders(path, descriptors=descriptors, limit=limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every folder; the root is not used afterwards. May be called twice."""
        self._folders.close()

    def folder(self, path: str, *, create: bool = False) -> Loan:
        """Lend a folder; see ``Folders.lend``."""
        return self._folders.lend(path, create=create)

    def lstat(self, path: str) -> os.stat_result | None:
        """Describe what lies at ``path``, a link itself included; ``None`` if nothing does.

        Raises:
            WorkspaceError: A link or file is where one of its folders should be.
            OSError: It cannot be looked at.
        """
        parent, name = split(path)
        try:
            with self._folders.lend(parent) as folder:
                return os.stat(folder.at(name), dir_fd=folder.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def obstruction(self, folder: str) -> str | None:
        """Return the first link or file that lies where ``folder`` needs a folder.

        Returns:
            Its path; ``None`` where the way is free.

        Raises:
            OSError: It cannot be looked at.
        """
        segments = folder.split("/") if folder else []
        for count in range(1, len(segments) + 1):
            path = "/".join(segments[:count])
            try:
                with self._folders.lend(path):
                    pass
            except FileNotFoundError:
                return None
            except WorkspaceError:
                return path
        return None

    @contextmanager
    def open_file(self, path: str) -> Iterator[int]:
        """Lend a descriptor that reads the regular file ``path``, and close it afterwards.

        Raises:
            FileNotFoundError: It is not there.
            WorkspaceError: It is a link, folder or special file.
            OSError: It cannot be read.
        """
        parent, name = split(path)
        with self._folders.lend(parent) as folder:
            at = folder.at(name)
            # Looked at first: opening a device may do something (hazard 2.25).
            found = os.stat(at, dir_fd=folder.fd, follow_symlinks=False)
            _refuse_special(found, path)
            fd = self._folders.open(at, _READ, folder)
        try:
            _refuse_special(os.fstat(fd), path)
            yield fd
        finally:
            os.close(fd)

    def stage(self, path: str) -> tuple[Staged, int]:
        """Make a new, empty file that is to become ``path``, and the folders for it.

        Its permissions are those that the umask leaves of reading and writing.

        Returns:
            The file, and a descriptor that the caller closes.

        Raises:
            WorkspaceError: A link or file is where a folder of ``path`` should be.
            OSError: It cannot be made.
        """
        return self._stage(path, lambda at, folder: self._folders.open(at, _CREATE, folder))

    def stage_clone(self, source_fd: int, path: str, cloner: Cloner) -> Staged | None:
        """Stage a copy of an open file that shares its blocks.

        Returns:
            The file; ``None`` where blocks cannot be shared.

        Raises:
            WorkspaceError: As for ``stage``; likewise ``OSError``.
        """
        staged, done = self._stage(
            path, lambda at, folder: cloner.clone(source_fd, at, dir_fd=folder.fd)
        )
        return staged if done else None

    def stage_hardlink(self, source: Path, path: str) -> Staged:
        """Stage another name of the file ``source``.

        Raises:
            WorkspaceError: As for ``stage``.
            OSError: Another file system, or one without such links.
        """
        staged, _ = self._stage(
            path,
            lambda at, folder: os.link(
                source, at, dst_dir_fd=folder.fd, follow_symlinks=False
            ),
        )
        return Staged(staged.folder, staged.name, linked=True)

    def stage_symlink(self, target: str, path: str) -> Staged:
        """Stage a symbolic link whose text is ``target``.

        Raises:
            WorkspaceError: As for ``stage``; likewise ``OSError``.
        """
        staged, _ = self._stage(
            path, lambda at, folder: os.symlink(target, at, dir_fd=folder.fd)
        )
        return staged

    def _stage(self, path: str, make: Callable[[str, Folder], T]) -> tuple[Staged, T]:
        """Let ``make`` make something where it can wait to be renamed to ``path``."""
        parent, _ = split(path)
        with (
            self._folders.lend(parent, create=True) as target,
            self._folders.lend(STAGING, create=True) as staging,
        ):
            # A rename does not leave a file system, and a project may hold mounts.
            if target.device == staging.device:
                folder, staged = staging, Staged(STAGING, self._names.next())
            else:
                folder, staged = target, Staged(parent, BESIDE + self._names.next())
                self._sweep_once(parent)
            at = folder.at(staged.name)
            try:
                return staged, make(at, folder)
            except OSError:
                raise  # nothing was made
            except BaseException:
                # An interruption is raised when the file is there and nobody knows it yet.
                with suppress(OSError):
                    os.unlink(at, dir_fd=folder.fd)
                raise

    def place(self, staged: Staged, path: str) -> None:
        """Give a staged file its name, in place of a file or link that has it.

        Raises:
            WorkspaceError: A folder has that name, or a link or file is where a folder of
                ``path`` should be. The staged file is still there.
            OSError: It cannot be renamed; the staged file is still there.
        """
        parent, name = split(path)
        try:
            self._rename(staged, parent, name)
        except FileNotFoundError:
            # Somebody removed a folder that was open here.
            self._folders.forget(parent)
            self._rename(staged, parent, name)
        except IsADirectoryError as error:
            message = f"`{path}` is a folder, and a file is to be there"
            raise WorkspaceError(message, hint="move it aside") from error

    def _rename(self, staged: Staged, parent: str, name: str) -> None:
        with (
            self._folders.lend(staged.folder) as source,
            self._folders.lend(parent, create=True) as target,
        ):
            before, after = source.at(staged.name), target.at(name)
            os.replace(before, after, src_dir_fd=source.fd, dst_dir_fd=target.fd)
        if staged.linked:
            # A rename between two names of one file does nothing, and says that it did.
            self.abandon(staged)

    def stat_staged(self, staged: Staged) -> os.stat_result:
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

    def remove(self, path: str) -> bool:
        """Remove the file or link ``path``; tell whether it was there.

        Raises:
            WorkspaceError: It is a folder, or a link or file is where one of its folders
                should be.
            OSError: It cannot be removed.
        """
        parent, name = split(path)
        try:
            with self._folders.lend(parent) as folder:
                at = folder.at(name)
                found = os.stat(at, dir_fd=folder.fd, follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    message = f"`{path}` is a folder, and a file was to be removed"
                    raise WorkspaceError(message)
                os.unlink(at, dir_fd=folder.fd)
        except FileNotFoundError:
            return False
        return True

    def remove_empty_folders(self, path: str, *, top: str = "") -> None:
        """Remove the folder ``path`` if it is empty, then the one above it, and so on.

        Args:
            path: Where to begin.
            top: Where to end; this folder stays.

        Raises:
            WorkspaceError: A link or file is where a folder should be.
            OSError: An empty folder cannot be removed.
        """
        while path and path != top:
            parent, _, name = path.rpartition("/")
            try:
                with self._folders.lend(parent) as folder:
                    os.rmdir(folder.at(name), dir_fd=folder.fd)
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno in _NOT_EMPTY:
                    return
                raise
            self._folders.forget(path)
            path = parent

    def discard(self, path: str, trash: str) -> str:
        """Move a file, link or folder into the folder ``trash``, under the path it had.

        Nothing is lost: what lies there already stays, and the newcomer gets another name.

        Returns:
            Where it is now.

        Raises:
            FileNotFoundError: There is nothing at ``path``.
            WorkspaceError: A link or file is where a folder should be.
            OSError: It cannot be moved, or ``trash`` is on another file system.
        """
        parent, name = split(path)
        goal = f"{trash}/{path}"
        count = 0
        while self.lstat(goal) is not None:
            count += 1
            goal = f"{trash}/{path}~{count}"
        goal_parent, goal_name = split(goal)
        with (
            self._folders.lend(parent) as source,
            self._folders.lend(goal_parent, create=True) as target,
        ):
            before, after = source.at(name), target.at(goal_name)
            os.rename(before, after, src_dir_fd=source.fd, dst_dir_fd=target.fd)
        self._folders.forget(path)
        return goal

    def sweep_staging(self, now_s: float) -> int:
        """Remove what processes left here that have ended long ago; return how many files.

        Folders on other file systems, where files wait in the folder itself, are swept when
        the first one is staged there.

        Raises:
            WorkspaceError: The staging folder is a link.
            OSError: One cannot be removed.
        """
        self._swept_s = now_s
        count = self._sweep(STAGING, now_s)
        for folder in ("", split(STAGING)[0]):
            count += self._sweep(folder, now_s, beside=True)
        return count

    def _sweep_once(self, path: str) -> None:
        if self._swept_s is not None and path not in self._also_swept:
            self._also_swept.add(path)
            self._sweep(path, self._swept_s, beside=True)

    def _sweep(self, path: str, now_s: float, *, beside: bool = False) -> int:
        may_go = is_abandoned_beside if beside else is_abandoned
        count = 0
        try:
            with self._folders.lend(path) as folder:
                for name in _names_in(folder):
                    if beside and not name.startswith(BESIDE):
                        continue
                    at = folder.at(name)
                    found = os.stat(at, dir_fd=folder.fd, follow_symlinks=False)
                    if may_go(name, now_s - found.st_mtime):
                        os.unlink(at, dir_fd=folder.fd)
                        count += 1
        except FileNotFoundError:  # there is no such folder, or another sweep was quicker
            return count
        return count


def _names_in(folder: Folder) -> list[str]:
    with os.scandir(folder.prefix if folder.fd is None else folder.fd) as entries:
        return [entry.name for entry in entries]


def _refuse_special(found: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        message = f"`{path}` is not a regular file"
        raise WorkspaceError(message)
