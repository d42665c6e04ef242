"""Copies that share their blocks, where the file system can make them."""

from __future__ import annotations

import errno
import os
import sys
import threading
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_FICLONE = 0x40049409
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_CANNOT = frozenset(
    {
        errno.EOPNOTSUPP,
        errno.ENOTSUP,
        errno.ENOTTY,
        errno.ENOSYS,
        errno.EXDEV,
        errno.EINVAL,
        errno.EPERM,
        errno.EACCES,
    }
)
"""What file systems answer that cannot share blocks, among them network ones."""


class Cloner:
    """Makes copies that share blocks, and asks each pair of file systems only once.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._cannot: set[tuple[int, int]] = set()

    def clone(self, source_fd: int, name: str, *, dir_fd: int | None) -> bool:
        """Make a new file that shares the blocks of an open one.

        Args:
            source_fd: Open for reading.
            name: Of the new file; nothing has it. Relative to ``dir_fd``.
            dir_fd: Of its folder; ``None`` if ``name`` is a whole path.

        Returns:
            Whether it was made; if not, nothing has the name.

        Raises:
            OSError: It failed for another reason than that it cannot be; nothing was left.
        """
        if sys.platform not in {"linux", "darwin"}:  # pragma: no cover - Windows copies
            return False
        there = Path(name).parent.stat() if dir_fd is None else os.fstat(dir_fd)
        pair = (os.fstat(source_fd).st_dev, there.st_dev)
        if pair in self._cannot:
            return False
        try:
            _clone(source_fd, name, dir_fd)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
            with self._mutex:
                self._cannot.add(pair)
            return False
        return True


def _clone(source_fd: int, name: str, dir_fd: int | None) -> None:
    if sys.platform == "darwin":  # pragma: no cover - macOS
        _clone_darwin(source_fd, name, dir_fd)
        return
    if sys.platform == "win32":  # pragma: no cover - for the type checker
        return
    fd = os.open(name, _CREATE, 0o666, dir_fd=dir_fd)
    try:
        fcntl.ioctl(fd, _FICLONE, source_fd)
    except BaseException:
        os.unlink(name, dir_fd=dir_fd)
        raise
    finally:
        os.close(fd)


def _clone_darwin(  # pragma: no cover - macOS
    source_fd: int, name: str, dir_fd: int | None
) -> None:
    import ctypes  # noqa: PLC0415 - costs some ms

    at_fdcwd = -2
    libc = ctypes.CDLL(None, use_errno=True)
    folder = at_fdcwd if dir_fd is None else dir_fd
    if libc.fclonefileat(source_fd, folder, os.fsencode(name), 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    # The clone has the permissions of its source, which nobody may write.
    umask = os.umask(0o077)
    os.umask(umask)
    os.chmod(name, 0o666 & ~umask, dir_fd=dir_fd)
