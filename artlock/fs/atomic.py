"""Replacing one small file: a reader, or a crash, meets the old or the new, whole."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from artlock.errors import WorkspaceError
from artlock.fs.durability import sync_file, sync_folder
from artlock.fs.temporary import BESIDE, Names, sweep_beside

_NEW = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
_NEW |= getattr(os, "O_BINARY", 0)
_CHUNK = 8 << 20


def replace_file(
    path: Path,
    data: bytes,
    *,
    check: Callable[[bytes], object] | None = None,
    mode: int = 0o666,
) -> bool:
    """Make ``data`` the content of ``path``, wholly or not at all (hazard 3.4).

    Written beside it, synced, read back, renamed, and the folder synced. An existing file
    keeps its permissions. If it has these bytes already nothing is touched, so that its
    times stay (hazard 3.28). A caller who must not lose another writer's work holds a
    mutex. What a process left that was killed at it long ago is removed (hazard 3.8).

    Args:
        path: The file; its folder exists.
        data: The whole new content.
        check: Is given the bytes as they were read back; what it raises leaves the old
            file.
        mode: Of a file that is new; the system takes its mask from it.

    Returns:
        Whether the file was written.

    Raises:
        WorkspaceError: ``path`` is a symbolic link or not a regular file.
        OSError: It cannot be written; the old file is as it was.
    """
    old = _existing(path)
    if old is not None and old.st_size == len(data) and path.read_bytes() == data:
        return False
    with suppress(OSError):  # what was left is in nobody's way
        sweep_beside(path.parent, time.time())
    # Short, so that no name that fits grows beyond 255 bytes (hazard 2.9).
    temporary = path.with_name(BESIDE + Names().next())
    fd = os.open(temporary, _NEW, mode)
    try:
        try:
            _fill(fd, data, None if old is None else stat.S_IMODE(old.st_mode))
            _read_back(fd, data, check)
        finally:
            os.close(fd)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return True


def _existing(path: Path) -> os.stat_result | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        message = f"`{path}` is a symbolic link, which artlock does not replace"
        raise WorkspaceError(message, hint="put the file itself there")
    if not stat.S_ISREG(found.st_mode):
        message = f"`{path}` is not a regular file"
        raise WorkspaceError(message)
    return found


def _fill(fd: int, data: bytes, mode: int | None) -> None:
    write_all(fd, data)
    if mode is not None and hasattr(os, "fchmod"):
        os.fchmod(fd, mode)
    sync_file(fd)


def _read_back(fd: int, data: bytes, check: Callable[[bytes], object] | None) -> None:
    os.lseek(fd, 0, os.SEEK_SET)
    found = read_all(fd)
    if found != data:
        message = "what was read back is not what was written"
        raise OSError(message)
    if check is not None:
        check(found)


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of ``data``, however many calls that takes.

    Raises:
        OSError: It cannot be written; some of it may have been.
    """
    size = data.nbytes if isinstance(data, memoryview) else len(data)
    written = os.write(fd, data)
    if written == size:
        return
    view = memoryview(data).cast("B")
    while written < size:
        written += os.write(fd, view[written : written + _CHUNK])


def read_all(fd: int) -> bytes:
    """Read from where ``fd`` stands to the end.

    Raises:
        OSError: It cannot be read.
    """
    pieces = []
    while piece := os.read(fd, _CHUNK):
        pieces.append(piece)
    return b"".join(pieces)
