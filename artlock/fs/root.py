"""The files below one folder: read, staged, named and removed there, and nowhere else.

Every deed is done by name within the descriptor of the file's folder (``fs/folders.py``).
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from artlock.errors import ConflictError, WorkspaceError
from artlock.fs.folders import HAS_DESCRIPTORS, Folder, Folders, Loan, split
from artlock.fs.limits import may_stay_open
from artlock.fs.newfolders import NewFolders
from artlock.fs.rename import Renamer, changed, is_other, lstat
from artlock.fs.staging import STAGING, Staged, Staging
from artlock.fs.temporary import mark_of

_OPEN_FOLDERS = 128
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_NOT_EMPTY = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY})
"""What a folder answers that holds something, or on which something is mounted."""
_READ = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | _BINARY


class Root:
    """One folder and everything below it; safe to use from several threads.

    Paths are relative, with ``/`` between segments. Whatever leads outside, or through a
    link, is refused with ``WorkspaceError``; what the system refuses is an ``OSError``.

    Args:
        path: The folder; it exists.
        descriptors: Whether to use descriptors of folders; only tests say.
        open_folders: How many folders stay open for the next use, at most.
        extended: Whether the system's newer renames are used; only tests say.
    """

    def __init__(
        self,
        path: Path,
        *,
        descriptors: bool = HAS_DESCRIPTORS,
        open_folders: int = _OPEN_FOLDERS,
        extended: bool = True,
    ) -> None:
        self.path = path
        self._renamer = Renamer(extended=extended)
        limit = may_stay_open(open_folders)
        self._folders = Folders(path, descriptors=descriptors, limit=limit)
        self.staging = Staging(self._folders)
        self.new_folders = NewFolders(self._folders, self.staging, self._renamer)

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

    def other_file_systems(self, folders: Iterable[str]) -> list[Path]:
        """Return a folder of each file system that some folders are on, but for the root's.

        A folder that does not exist yet is where it will be: in the one above it.

        Raises:
            OSError: One cannot be looked at.
        """
        found: dict[int, Path] = {}
        pending = set(folders) - {""}
        seen = {""}
        while pending:
            path = pending.pop()
            seen.add(path)
            try:
                with self._folders.lend(path) as folder:
                    found.setdefault(folder.device, self.path / path)
            except FileNotFoundError:
                pending |= {split(path)[0]} - seen
            except WorkspaceError:
                continue  # whoever stages a file there says what is in the way
        with self._folders.lend("") as top:
            found.pop(top.device, None)
        return list(found.values())

    def lstat(self, path: str) -> os.stat_result | None:
        """Describe what lies at ``path``, a link itself included; ``None`` if nothing does.

        Raises:
            WorkspaceError: A link or file is where one of its folders should be.
            OSError: It cannot be looked at.
        """
        parent, name = split(path)
        try:
            with self._folders.lend(parent) as folder:
                return lstat(folder.at(name), folder.fd)
        except FileNotFoundError:
            return None

    def read_link(self, path: str) -> str:
        """Return the text of a symbolic link.

        Raises:
            FileNotFoundError: It is not there.
            WorkspaceError: A link or file is where one of its folders should be.
            OSError: It is none, or cannot be read.
        """
        parent, name = split(path)
        with self._folders.lend(parent) as folder:
            return os.readlink(folder.at(name), dir_fd=folder.fd)

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

    def place(
        self, staged: Staged, path: str, before: os.stat_result | None = None
    ) -> os.stat_result | None:
        """Give a staged file its name, in place of a file or link that has it.

        Args:
            staged: The file.
            path: Its name.
            before: The regular file that it replaces, as it was looked at; ``None`` if none
                should be there.

        Returns:
            What has the name right after; ``None`` if nothing has any more.

        Raises:
            ConflictError: Somebody changed the file that has the name, or made it; it is
                still there, and so is the staged file.
            WorkspaceError: A folder has that name, or a link or file is where a folder of
                ``path`` should be. The staged file is still there.
            OSError: It cannot be renamed; the staged file is still there.
        """
        parent, _ = split(path)
        try:
            try:
                return self._place(staged, path, before)
            except FileNotFoundError:
                # Somebody removed a folder that was open here.
                self._folders.forget(parent)
                return self._place(staged, path, before)
        except IsADirectoryError as error:
            message = f"`{path}` is a folder, and a file is to be there"
            raise WorkspaceError(message, hint="move it aside") from error

    def _place(
        self, staged: Staged, path: str, before: os.stat_result | None
    ) -> os.stat_result | None:
        parent, name = split(path)
        with (
            self._folders.lend(staged.folder) as source,
            self._folders.lend(parent, create=True) as target,
        ):
            old, new = source.at(staged.name), target.at(name)
            is_given = False
            if before is None:
                with suppress(FileExistsError):
                    self._renamer.give(old, new, source.fd, target.fd)
                    is_given = True
            if not is_given:
                self._replace(old, new, source.fd, target.fd, before, path)
            return lstat(new, target.fd)

    def _replace(
        self,
        old: str,
        new: str,
        old_fd: int | None,
        new_fd: int | None,
        before: os.stat_result | None,
        path: str,
    ) -> None:
        """Look at a file, and put another in its place."""
        found = lstat(new, new_fd)
        if is_other(before, found, ignore_ctime=_is_linked(before)):
            raise changed(path)
        if found is None:
            try:
                self._renamer.give(old, new, old_fd, new_fd)
            except FileExistsError:
                raise changed(path) from None
            return
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        # Marked first: a kill after the exchange leaves what had the name under this one.
        marked = old + mark_of(before)
        os.rename(old, marked, src_dir_fd=old_fd, dst_dir_fd=old_fd)
        try:
            self._exchange(marked, new, old_fd, new_fd, before, path)
        except (OSError, ConflictError):
            # Not when interrupted: what is there may be what a person saved just now.
            with suppress(FileNotFoundError):
                os.rename(marked, old, src_dir_fd=old_fd, dst_dir_fd=old_fd)
            raise

    def _exchange(
        self,
        old: str,
        new: str,
        old_fd: int | None,
        new_fd: int | None,
        before: os.stat_result | None,
        path: str,
    ) -> None:
        """Exchange two files, look once more at what had the name, and remove it."""
        ours = lstat(old, old_fd)
        if not self._renamer.exchange(old, new, old_fd, new_fd):
            os.replace(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd)
            # Between two names of one file it does nothing, and says that it did.
            with suppress(FileNotFoundError):
                os.unlink(old, dir_fd=old_fd)
            return
        out = lstat(old, old_fd)
        if out is None:
            return  # a file system that does not know exchanges, and does not say so
        if not stat.S_ISDIR(out.st_mode) and not is_other(before, out, ignore_ctime=True):
            os.unlink(old, dir_fd=old_fd)
            return
        # Saved between the look and the exchange: it gets its name back.
        self._renamer.exchange(old, new, old_fd, new_fd)
        back = lstat(old, old_fd)
        if ours is None or back is None or ours.st_ino != back.st_ino:
            # Saved once more meanwhile: the latest keeps the name.
            self._renamer.exchange(old, new, old_fd, new_fd)
        raise changed(path)

    def remove(self, path: str, before: os.stat_result | None) -> bool:
        """Remove the file or link ``path``; tell whether it was there.

        Args:
            path: What.
            before: The regular file that is to go, as it was looked at; ``None`` if it was
                none.

        Raises:
            ConflictError: Somebody changed the file since, or made it; it is still there.
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
                if is_other(before, found, ignore_ctime=_is_linked(before)):
                    raise changed(path)
                self._unlink(at, folder, before, path)
        except FileNotFoundError:
            return False
        return True

    def _unlink(
        self, at: str, folder: Folder, before: os.stat_result | None, path: str
    ) -> None:
        """Move a file away, look at it once more, and remove it."""
        with self._folders.lend(STAGING, create=True) as staging:
            room, name = self.staging.room(folder, staging)
            away = room.at(name + mark_of(before))
            os.rename(at, away, src_dir_fd=folder.fd, dst_dir_fd=room.fd)
            out = lstat(away, room.fd)
            is_folder = out is not None and stat.S_ISDIR(out.st_mode)
            if is_folder or is_other(before, out, ignore_ctime=True):
                # Saved between the look and the rename: it gets its name back, unless it
                # was saved once more.
                with suppress(FileExistsError):
                    self._renamer.give(away, at, room.fd, folder.fd)
                    raise changed(path)
            os.unlink(away, dir_fd=room.fd)

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

    def remove_empty_tree(self, path: str) -> None:
        """Remove the folder ``path`` and the folders in it, as far as they are empty.

        Nothing happens if it is not there.

        Raises:
            WorkspaceError: A link or file is where a folder should be.
            OSError: A folder cannot be looked at, or an empty one not be removed.
        """
        names: list[str] = []
        with suppress(FileNotFoundError), self._folders.lend(path) as folder:
            names = [
                name
                for name in folder.names()
                if (found := lstat(folder.at(name), folder.fd)) is not None
                and stat.S_ISDIR(found.st_mode)
            ]
        for name in names:
            self.remove_empty_tree(f"{path}/{name}")
        self.remove_empty_folders(path, top=split(path)[0])

    def discard(self, path: str, trash: str) -> str | None:
        """Move a file, link or folder into the folder ``trash``, under the path it had.

        Nothing is lost: where that path is taken already, another folder takes the place of
        ``trash``.

        Returns:
            Where it is now; ``None`` if there is nothing at ``path``.

        Raises:
            WorkspaceError: A link or file is where a folder of ``path`` should be, or
                ``trash`` is on another file system.
            OSError: It cannot be moved.
        """
        parent, name = split(path)
        for room in itertools.chain([trash], (f"{trash}~{n}" for n in itertools.count(1))):
            goal = f"{room}/{path}"
            if self.obstruction(split(goal)[0]) is not None:
                continue
            try:
                with (
                    self._folders.lend(parent) as source,
                    self._folders.lend(split(goal)[0], create=True) as target,
                ):
                    names = (source.at(name), target.at(name))
                    self._renamer.give(*names, source.fd, target.fd)
            except FileExistsError:
                continue
            except FileNotFoundError:
                # Perhaps of a folder that was open here and that somebody replaced.
                self._folders.forget(parent)
                if self.lstat(path) is None:
                    return None
                continue
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                message = f"`{path}` is on another file system than `{trash}`"
                raise WorkspaceError(message, hint="move it aside") from error
            self._folders.forget(path)
            return goal
        raise AssertionError  # the numbers do not end


def _is_linked(found: os.stat_result | None) -> bool:
    """Tell whether a file has other names: to remove one changes the time of the inode."""
    return found is not None and found.st_nlink > 1


def _refuse_special(found: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        message = f"`{path}` is not a regular file"
        raise WorkspaceError(message)
