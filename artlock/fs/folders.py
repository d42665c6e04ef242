"""Folders below a root, opened one step at a time and never through a link.

A path is walked from the root's descriptor; no step follows a symbolic link. So a folder
that somebody swaps for a link, even while artlock runs, leads nowhere else (hazards 2.11,
2.12). Without such descriptors (Windows) each step is looked at and then used by path,
which holds against what lies there, but not against somebody who swaps it in between.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import msgspec

from artlock.errors import WorkspaceError

HAS_DESCRIPTORS = {os.open, os.rename, os.stat, os.unlink} <= os.supports_dir_fd
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_IN_THE_WAY = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})
_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_WINDOWS_SEPARATORS = frozenset("\\:")


class Folder(msgspec.Struct):
    """A folder in use.

    Attributes:
        path: Below the root; empty for the root itself.
        fd: Its descriptor; ``None`` where paths are used instead.
        prefix: What stands before a name; empty with a descriptor.
        device: The file system that it lies on.
    """

    path: str
    fd: int | None
    prefix: str
    device: int
    users: int = 0
    known: bool = True
    mount: str | None = None

    def at(self, name: str) -> str:
        """Return how to call ``name`` together with ``dir_fd=self.fd``."""
        return self.prefix + name

    def names(self) -> list[str]:
        """Return the names in it.

        Raises:
            OSError: It cannot be read.
        """
        with os.scandir(self.prefix if self.fd is None else self.fd) as entries:
            return [entry.name for entry in entries]

    def is_beside(self, other: Folder) -> bool:
        """Tell whether a file can be renamed from here to ``other``.

        One file system is not enough: what is mounted twice is so with ``--bind`` too.
        """
        return self.device == other.device and self._mounted() == other._mounted()

    def _mounted(self) -> str:
        if self.mount is None:
            self.mount = _mount_of(self.fd)
        return self.mount


class Folders:
    """Lends folders below one root; safe to use from several threads.

    Args:
        path: The root; it exists. It may be a link: a person chose it.
        descriptors: Whether descriptors are used.
        limit: How many folders stay open, or remembered, that nobody uses.

    Raises:
        OSError: The root cannot be opened.
    """

    def __init__(self, path: Path, *, descriptors: bool, limit: int) -> None:
        self._limit = limit
        self._mutex = threading.Lock()
        self._known: OrderedDict[str, Folder] = OrderedDict()
        fd, prefix = None, ""
        if descriptors:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        else:
            prefix = f"{path}/"
        self._top = Folder("", fd, prefix, path.stat().st_dev, 1)

    @property
    def has_descriptors(self) -> bool:
        """Whether descriptors are used."""
        return self._top.fd is not None

    def close(self) -> None:
        """Close every folder; may be called twice."""
        with self._mutex:
            self._forget_unused(keep=0)
            if self._top.known:
                _close(self._top)
                self._top.known = False

    def lend(self, path: str, *, create: bool = False) -> Loan:
        """Lend the folder ``path``, to be used with ``with``; ``""`` is the root.

        The errors come when the ``with`` block is entered.

        Raises:
            FileNotFoundError: It is not there, and was not to be made.
            WorkspaceError: A link or file is in the way, or the path could leave the root.
            OSError: It cannot be opened or made.
        """
        return Loan(self, path, create=create)

    def open(self, at: str, flags: int, folder: Folder) -> int:
        """Open something in a folder; folders that nobody uses make room for it.

        Args:
            at: As ``folder.at`` gave it.
            flags: As of ``os.open``; what is made gets mode 0666, less the umask.
            folder: Where.

        Raises:
            OSError: It cannot be opened.
        """
        try:
            return os.open(at, flags, 0o666, dir_fd=folder.fd)
        except OSError as error:
            if error.errno not in _OUT_OF_FILES:
                raise
        with self._mutex:
            self._forget_unused(keep=0)
        return os.open(at, flags, 0o666, dir_fd=folder.fd)

    def forget(self, path: str) -> None:
        """Open ``path`` and what is below it anew next time: it was removed or moved."""
        with self._mutex:
            below = path + "/"
            for known in [k for k in self._known if k == path or k.startswith(below)]:
                self._drop(known)

    def take(self, path: str, *, create: bool) -> Folder:
        """Do what ``lend`` does, without giving back: ``lend`` is to be preferred."""
        folder, steps = self._nearest(path)
        for step, name in reversed(steps):
            above = folder
            try:
                opened = self._step(above, name, step, create=create)
            finally:
                self.give_back(above)
            # A path is only as good as the look at each of its steps: it is not kept.
            folder = opened if opened.fd is None else self._keep(step, opened)
        return folder

    def _nearest(self, path: str) -> tuple[Folder, list[tuple[str, str]]]:
        """Take the lowest known folder of a path; also return the steps below, last first.

        A loop, because a lockfile of somebody else decides how many steps there are.
        """
        steps: list[tuple[str, str]] = []
        while path:
            with self._mutex:
                found = self._known.get(path)
                if found is not None:
                    found.users += 1
                    self._known.move_to_end(path)
                    return found, steps
            parent, name = split(path)
            steps.append((path, name))
            path = parent
        if not self._top.known:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._top, steps

    def _keep(self, path: str, opened: Folder) -> Folder:
        with self._mutex:
            # Another thread may have been quicker, and one descriptor is enough.
            kept = self._known.setdefault(path, opened)
            if kept is not opened:
                _close(opened)
            kept.users += 1
            self._forget_unused(keep=self._limit)
            return kept

    def give_back(self, folder: Folder) -> None:
        """End what ``take`` began; a folder that was forgotten meanwhile is closed."""
        if folder.fd is None or folder is self._top:
            return
        with self._mutex:
            folder.users -= 1
            if not folder.users and not folder.known:
                _close(folder)

    def _forget_unused(self, *, keep: int) -> None:
        """Forget the least recently used folders; the mutex is held."""
        excess = len(self._known) - keep
        for path in list(self._known)[: max(excess, 0)]:
            self._drop(path)

    def _drop(self, path: str) -> None:
        folder = self._known.pop(path)
        folder.known = False
        if not folder.users:
            _close(folder)

    def _step(self, above: Folder, name: str, path: str, *, create: bool) -> Folder:
        try:
            return self._enter(above, name, path)
        except FileNotFoundError:
            if not create:
                raise
        # Another thread or process may make it; what it is, is seen below.
        with suppress(FileExistsError):
            os.mkdir(above.at(name), dir_fd=above.fd)
        return self._enter(above, name, path)

    def _enter(self, above: Folder, name: str, path: str) -> Folder:
        at = above.at(name)
        try:
            if above.fd is None:
                found = os.lstat(at)
                refuse_other_than_folder(found, path)
                return Folder(path, None, at + "/", found.st_dev)
            fd = self.open(at, _FOLDER, above)
        except OSError as error:
            if error.errno in _IN_THE_WAY:
                raise obstructed(path) from error
            raise
        return Folder(path, fd, "", os.fstat(fd).st_dev)


class Loan:
    """A folder for the time of a ``with`` block.

    A class, because a generator costs 2 microseconds more, and a sync lends some folders
    for each file.
    """

    __slots__ = ("_create", "_folder", "_folders", "_path")

    def __init__(self, folders: Folders, path: str, *, create: bool) -> None:
        self._folders = folders
        self._path = path
        self._create = create

    def __enter__(self) -> Folder:
        self._folder = self._folders.take(self._path, create=self._create)
        return self._folder

    def __exit__(self, *_: object) -> None:
        self._folders.give_back(self._folder)


def split(path: str) -> tuple[str, str]:
    """Return the folder of a path, ``""`` for the root, and the name in it.

    The last line of defence, below the rules of ``model/paths.py``.

    Raises:
        WorkspaceError: The path is absolute, or the name is empty, ``.``, ``..``, or holds
            a separator or NUL.
    """
    parent, separator, name = path.rpartition("/")
    unsafe = name in {"", ".", ".."} or "\0" in name or (separator and not parent)
    if unsafe or (os.name == "nt" and not _WINDOWS_SEPARATORS.isdisjoint(name)):
        message = f"`{path}` is not a path below the workspace"
        raise WorkspaceError(message)
    return parent, name


def obstructed(path: str) -> WorkspaceError:
    """Return the error for a link or file where a folder is needed."""
    message = (
        f"`{path}` is in the way: it is a link or a file, and a folder is needed there"
    )
    return WorkspaceError(message, hint="move it aside; artlock follows no links")


def refuse_other_than_folder(found: os.stat_result, path: str) -> None:
    """Refuse what is no folder itself.

    Args:
        found: What ``lstat`` says.
        path: How to call it.

    Raises:
        WorkspaceError: It is a link or a file.
    """
    # A junction of Windows says that it is a folder; its tag says that it leads elsewhere.
    tag: int = getattr(found, "st_reparse_tag", False)
    if tag or not stat.S_ISDIR(found.st_mode):
        raise obstructed(path)


def _mount_of(fd: int | None) -> str:
    """Return what tells the mounts of Linux apart; nothing where that is not known."""
    with suppress(OSError), open(f"/proc/self/fdinfo/{fd}") as facts:
        return next((line for line in facts if line.startswith("mnt_id")), "")
    return ""


def _close(folder: Folder) -> None:
    if folder.fd is not None:
        with suppress(OSError):  # nothing is written through it
            os.close(folder.fd)
