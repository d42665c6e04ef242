"""Renames that replace nothing unseen, where the system has them.

An ordinary rename replaces whatever has the name, also what somebody saved a moment ago. So
a name that nothing should have is given by a rename that fails if something has it, and a
file that is to go is exchanged with the new one, to be looked at when nobody can replace it
any more (hazard 2.20).
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from functools import cached_property

from artlock.errors import ConflictError

_LINUX = ("renameat2", 1, 2)
_DARWIN = ("renameatx_np", 4, 2)
_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What kernels and file systems answer that have no such renames: NFS, ext2, old ones."""


class Renamer:
    """Gives names below a root.

    Args:
        extended: Whether to ask the system for more than an ordinary rename; only tests
            say. Without, and where the system cannot, a look before takes its place.
    """

    def __init__(self, *, extended: bool = True) -> None:
        systems = {"linux": _LINUX, "darwin": _DARWIN}
        call, self._new, self._swap = systems.get(sys.platform, ("", 0, 0))
        self._call = call if extended else ""

    def give(self, old: str, new: str, old_fd: int | None, new_fd: int | None) -> None:
        """Rename ``old`` to ``new``, which nothing has.

        Raises:
            FileExistsError: Something has it; nothing was done.
            OSError: It cannot be renamed.
        """
        if self._rename(old, new, old_fd, new_fd, self._new):
            return
        if lstat(new, new_fd) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
        os.rename(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd)

    def exchange(self, old: str, new: str, old_fd: int | None, new_fd: int | None) -> bool:
        """Exchange what has two names; tell whether the system can.

        Raises:
            OSError: It can, and it failed.
        """
        return self._rename(old, new, old_fd, new_fd, self._swap)

    def _rename(
        self, old: str, new: str, old_fd: int | None, new_fd: int | None, flag: int
    ) -> bool:
        if old_fd is None or new_fd is None or self._system is None:
            return False
        names = os.fsencode(old), os.fsencode(new)
        number = self._system(old_fd, names[0], new_fd, names[1], flag)
        if number in _CANNOT:
            return False
        if number:
            raise OSError(number, os.strerror(number), new)
        return True

    @cached_property
    def _system(self) -> Callable[[int, bytes, int, bytes, int], int] | None:
        """The system's call, which returns an error number or 0; ``None`` without."""
        import ctypes  # noqa: PLC0415 - costs some ms, and only writers need it

        call = getattr(ctypes.CDLL(None, use_errno=True), self._call or "none", None)
        if call is None:  # an old library of C
            return None
        return lambda *arguments: ctypes.get_errno() if call(*arguments) else 0


def lstat(name: str, dir_fd: int | None) -> os.stat_result | None:
    """Describe what has a name, a link itself included; ``None`` if nothing has.

    Raises:
        OSError: It cannot be looked at.
    """
    try:
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def is_other(
    before: os.stat_result | None,
    now: os.stat_result | None,
    *,
    ignore_ctime: bool = False,
) -> bool:
    """Tell whether a regular file appeared, or is not as it was.

    What vanished, folders and links are not judged here: nobody's bytes are in them.

    Args:
        before: How the file was; ``None`` if there was none.
        now: What is there.
        ignore_ctime: Because a rename or another link of the file may have changed it.
    """
    if now is None or not stat.S_ISREG(now.st_mode):
        return False
    if before is None:
        return True
    same = (before.st_mtime_ns, before.st_size, before.st_ino) == (
        now.st_mtime_ns,
        now.st_size,
        now.st_ino,
    )
    return not same or not (ignore_ctime or before.st_ctime_ns == now.st_ctime_ns)


def changed(path: str) -> ConflictError:
    """Return the error for a file that somebody changed after it was looked at."""
    message = f"`{path}` was changed while artlock was about to replace it"
    return ConflictError(message, paths=[path], hint="run `artlock sync` again; it is kept")
