"""The time of a file system, and how finely it tells times apart (hazard 2.28).

A file whose time stamps are as young as the record about it may have been changed after it,
within one tick. Stamps are compared with the clock that made them, never with this
machine's.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from artlock.fs.temporary import BESIDE, Names

_SECOND_NS = 1_000_000_000
FINE_WINDOW_NS = 20_000_000
"""Two ticks of the slowest kernel clock, 100 Hz."""
_COARSE_WINDOW_NS = 2_100_000_000
"""More than the two seconds of FAT."""
_TRIES = 3
_SETTLE_NS = 50_000_000
_MARGIN_NS = 2_000_000


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the clock of a file system.

    Attributes:
        now_ns: Its time, in nanoseconds since the epoch.
        window_ns: Changes that lie closer together may bear one time stamp.
    """

    now_ns: int
    window_ns: int


def read_clock(folder: Path, *, dir_fd: int | None = None) -> Tick:
    """Ask the file system of ``folder`` for its time, by touching a file there.

    Args:
        folder: Where.
        dir_fd: The folder, where it is open; it may be elsewhere by now (hazard 2.12).

    Raises:
        OSError: Nothing can be written there.
    """
    name = BESIDE + Names().next()
    path = str(folder / name) if dir_fd is None else name
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
    fd = os.open(path, flags, 0o600, dir_fd=dir_fd)
    try:
        now, window = 0, _COARSE_WINDOW_NS
        for _ in range(_TRIES):
            os.utime(fd if os.utime in os.supports_fd else path)
            now = os.fstat(fd).st_mtime_ns
            if now % _SECOND_NS:
                window = FINE_WINDOW_NS
                break
            # Either whole seconds are all it has, or it just struck.
            time.sleep(FINE_WINDOW_NS / _SECOND_NS)
        return Tick(now_ns=now, window_ns=window)
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):
            os.unlink(path, dir_fd=dir_fd)


def settle(folder: Path, newest_ns: int, *, dir_fd: int | None = None) -> int:
    """Return the horizon: what has older stamps was not changed since it was looked at.

    Waits until files with stamps up to ``newest_ns`` lie before the horizon, where that
    takes some 50 ms, as fine time stamps allow. Where stamps are coarse it does not wait,
    and the youngest files are read once more next time. Look at the files before, not
    after.

    Args:
        folder: A folder that can be written, on the file system of the files.
        newest_ns: The greatest of their modification and change times.
        dir_fd: See ``read_clock``.

    Raises:
        OSError: Nothing can be written there.
    """
    tick = read_clock(folder, dir_fd=dir_fd)
    for _ in range(_TRIES):  # the clock may lag by a tick after each wait
        wait_ns = newest_ns + tick.window_ns - tick.now_ns
        if not 0 <= wait_ns <= _SETTLE_NS:
            break
        time.sleep((wait_ns + _MARGIN_NS) / _SECOND_NS)
        tick = read_clock(folder, dir_fd=dir_fd)
    return tick.now_ns - tick.window_ns
