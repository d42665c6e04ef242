"""How much of this machine one process may use."""

from __future__ import annotations

import sys
from contextlib import suppress

_OPEN_FILES = 4096
"""Enough for any number of jobs; a shell often begins with 256 or 1,024."""


def may_stay_open(wanted: int) -> int:
    """Return how many files may be kept open only to save time: a quarter of all at most.

    Args:
        wanted: How many are worth it.
    """
    if sys.platform == "win32":  # pragma: no cover - Windows has no such limit
        return wanted
    import resource  # noqa: PLC0415 - not on Windows

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, soft // 4)


def allow_open_files(wanted: int = _OPEN_FILES) -> None:
    """Raise this process's own limit of open files, as far as it may (hazard 4.18).

    Not for a process that is somebody else's. What cannot be raised stays: then fewer jobs
    are the way out, and the error says so.
    """
    if sys.platform == "win32":  # pragma: no cover - Windows has no such limit
        return
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):  # a system may have a lower limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
