"""Mutual exclusion between processes, as an open file that the kernel locks.

A mutex only saves work. Nothing is correct because of it: on some network file systems
everybody gets it (hazard 3.10), and where locking is not supported at all it is skipped.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from artlock.errors import CacheError, WorkspaceError
from artlock.fs.problems import raising

if sys.platform == "win32":  # pragma: no cover - Windows
    import msvcrt
else:
    import fcntl

WAIT_S = 300.0
"""How long a mutex is waited for by default (hazard 3.11)."""
_UNSUPPORTED = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
_TAKEN = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_POLL_S = 0.02


class Mutex:
    """A mutex, held between ``__enter__`` and ``__exit__``; not for use by several threads.

    The kernel lets go when the process ends, however it ends; so there is no stale mutex,
    and the file stays. While it is held alone the file says who holds it, for people to
    read.

    Args:
        path: The file; its folder exists.
        purpose: What it is held for: a command's name.
        wait_s: How many seconds to wait for another holder.
        shared: Whether others may hold it too if they also share.
        kind: What is raised if the file cannot be used.
        opener: Opens the file with the flags it is given, where that is not to be done by
            its path (hazard 2.12).
    """

    def __init__(
        self,
        path: Path,
        *,
        purpose: str,
        wait_s: float = WAIT_S,
        shared: bool = False,
        kind: type[CacheError | WorkspaceError] = WorkspaceError,
        opener: Callable[[int], int] | None = None,
    ) -> None:
        self._path = path
        self._opener = opener or (lambda flags: os.open(path, flags, 0o666))
        self._purpose = purpose
        self._wait_s = wait_s
        self._shared = shared
        self._kind = kind
        self._fd = -1

    def __enter__(self) -> Self:
        """Take it.

        Raises:
            WorkspaceError: Somebody else still holds it after ``wait_s``, or the file
                cannot be opened, made or written.
            CacheError: Likewise of the file, as ``kind`` asks for.
        """
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        with raising(self._kind, f"cannot use the mutex `{self._path}`"):
            fd = self._opener(flags)
            try:
                self._wait(fd)
                if not self._shared:
                    _sign(fd, self._purpose)
            except BaseException:
                os.close(fd)
                raise
        self._fd = fd
        return self

    def __exit__(self, *_: object) -> None:
        fd, self._fd = self._fd, -1
        try:
            if not self._shared:
                with suppress(OSError):  # only a note for people: an old one may stay
                    os.ftruncate(fd, 0)
        finally:
            with suppress(OSError):  # which lets go, whatever it says
                os.close(fd)

    def excludes(self) -> bool:
        """Tell whether it keeps others away at all, while it is held alone.

        Where locking is skipped, or answers "yes" to everybody, it does not. What another
        machine is told about the same file cannot be seen from here.

        Raises:
            WorkspaceError: The file cannot be used.
            CacheError: Likewise, as ``kind`` asks for.
        """
        with raising(self._kind, f"cannot use the mutex `{self._path}`"):
            fd = os.open(self._path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                return not _take(fd, shared=False)
            finally:
                os.close(fd)

    def _wait(self, fd: int) -> None:
        deadline = time.monotonic() + self._wait_s
        while not _take(fd, shared=self._shared):
            if time.monotonic() >= deadline:
                holder = holder_of(self._path) or "another process"
                message = f"`{self._path}` is held by {holder}"
                hint = "wait until it has ended, or end it; the file itself may stay"
                raise WorkspaceError(message, hint=hint)
            time.sleep(min(_POLL_S, self._wait_s))


def holder_of(path: Path) -> str | None:
    """Return who says to hold the mutex, or ``None`` where nobody does.

    For people only: a process that was killed has not wiped its note.
    """
    try:
        note = json.loads(path.read_bytes())
        return f"process {note['pid']} on {note['host']} ({note['purpose']})"
    except (OSError, ValueError, LookupError, TypeError):
        return None  # absent, empty, or half written: there is nothing to tell


def _sign(fd: int, purpose: str) -> None:
    note = {"pid": os.getpid(), "host": platform.node(), "purpose": purpose}
    os.ftruncate(fd, 0)
    os.lseek(fd, 0, os.SEEK_SET)
    os.write(fd, json.dumps(note).encode())


def _take(fd: int, *, shared: bool) -> bool:
    try:
        if sys.platform == "win32":  # pragma: no cover - Windows
            os.lseek(fd, 1 << 30, os.SEEK_SET)  # beyond the note, which stays readable
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(fd, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return True  # it only saves work
        if error.errno in _TAKEN:
            return False
        raise
    return True
