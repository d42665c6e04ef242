"""When written bytes outlast a power cut, for many files at once or for each.

Written data, one ``syncfs``, then the names: measured seven times as fast as ``fsync`` of
each file, and as safe (hazards 3.1, 3.2). Where there is no ``syncfs`` each file is synced.
A sync that fails is never tried again: the kernel may have dropped the pages and would then
report success (hazard 3.5).
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HAS_SYNCFS = sys.platform == "linux"
_SYNC_FILE_RANGE_WRITE = 2
_MUCH = 32 << 20
"""Bytes that take a disk longer than the processor the files that they are in."""


class Fsync(StrEnum):
    """How hard written files are pressed to the disk before they get their names."""

    BATCH = "batch"
    EACH = "each"
    OFF = "off"


def sync_filesystem(fd: int) -> None:
    """Write everything of the file system that ``fd`` lies on to the disk.

    Errors are those since ``fd`` was opened (Linux 5.8 and later), so open it before
    writing.

    Raises:
        OSError: The disk did not take it; nothing written since ``fd`` was opened is
            certain.
    """
    import ctypes  # noqa: PLC0415 - costs some ms, and only writers need it

    if ctypes.CDLL(None, use_errno=True).syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def sync_file(fd: int) -> None:
    """Write one file to the disk, through the drive's own cache where that takes asking.

    Raises:
        OSError: The disk did not take it.
    """
    if sys.platform == "darwin":  # pragma: no cover - macOS
        import fcntl  # noqa: PLC0415 - Windows has none

        try:
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        except OSError:  # not every file system knows it; fsync then is all there is
            os.fsync(fd)
    else:
        os.fsync(fd)


def sync_folder(folder: str | Path) -> None:
    """Make names in ``folder`` last: what was renamed or linked there, or removed.

    Raises:
        OSError: The disk did not take it.
    """
    if sys.platform == "win32":  # pragma: no cover - Windows keeps names by itself
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def start_writeback(fd: int, start: int, length: int) -> None:
    """Let the kernel begin to write a range of a file, without waiting for it.

    Only a hint that spreads a later sync over the transfer: nothing is promised, and
    nothing is reported.
    """
    if not HAS_SYNCFS:  # pragma: no cover - Linux only
        return
    import ctypes  # noqa: PLC0415 - costs some ms, and only writers need it

    begin, size = ctypes.c_int64(start), ctypes.c_int64(length)
    call = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if call is not None:  # musl has it too, other libraries may not
        call(fd, begin, size, _SYNC_FILE_RANGE_WRITE)


class Barrier:
    """What stands between written files and their names.

    Open it before the first write, call ``written`` for each file before it is closed,
    ``flush`` before the first rename and ``named`` after the last. Where much is written,
    call ``ahead`` in between. Safe to use from several threads, of which one calls all but
    ``written``. Everything must lie on the file systems of the folders that it is given.

    Args:
        folder: Any folder there.
        mode: How hard.
        others: A folder of each other file system on which files are written.
        has_syncfs: Whether a batch may be one ``syncfs``; else each file is synced.

    Raises:
        OSError: A folder cannot be opened.
    """

    def __init__(
        self,
        folder: str | Path,
        mode: Fsync,
        *,
        others: Iterable[str | Path] = (),
        has_syncfs: bool = HAS_SYNCFS,
    ) -> None:
        self._batched = mode is Fsync.BATCH and has_syncfs
        self._each = mode is Fsync.EACH or (mode is Fsync.BATCH and not has_syncfs)
        self._fds: list[int] = []
        # Opened now, because errors are reported from now on.
        for each in (folder, *others) if self._batched else ():
            try:
                self._fds.append(os.open(each, os.O_RDONLY | os.O_CLOEXEC))
            except OSError:
                self._close_all()
                raise
        self._helper: threading.Thread | None = None
        self._failure: OSError | None = None
        self._behind = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the descriptor; may be called twice."""
        self._await_helper()
        self._close_all()

    def _close_all(self) -> None:
        while self._fds:
            with suppress(OSError):  # a folder; what it had to report came with the sync
                os.close(self._fds.pop())

    def written(self, fd: int) -> None:
        """Take note that a file is complete.

        Raises:
            OSError: The disk did not take it.
        """
        if self._each:
            sync_file(fd)

    def ahead(self, size: int) -> None:
        """Let what is written go to the disk while more is being written, if it is much.

        By a thread: nothing can be forked from now on until ``flush``, which also raises
        what fails.

        Args:
            size: Bytes that were written since this was called the last time.
        """
        self._behind += size
        is_busy = self._helper is not None and self._helper.is_alive()
        if self._batched and self._behind >= _MUCH and not is_busy and not self._failure:
            self._behind = 0
            self._helper = threading.Thread(target=self._press)
            self._helper.start()

    def _press(self) -> None:
        try:
            self._sync_all()
        except OSError as error:
            self._failure = error

    def _sync_all(self) -> None:
        for fd in self._fds:
            sync_filesystem(fd)

    def _await_helper(self) -> None:
        if self._helper is not None:
            self._helper.join()
            self._helper = None

    def flush(self) -> None:
        """Return when every file that was ``written`` is on the disk.

        Raises:
            OSError: Some file is not; none of them may be named.
        """
        self._await_helper()
        if self._failure is not None:
            raise self._failure  # asked again, the kernel might report success
        self._sync_all()

    def named(self, folders: Iterable[str | Path]) -> None:
        """Return when the names in ``folders`` are on the disk too.

        Raises:
            OSError: Some name may be lost by a power cut; no name is wrong.
        """
        self._sync_all()
        if self._each:
            for folder in folders:
                sync_folder(folder)
