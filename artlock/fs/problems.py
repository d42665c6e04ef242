"""What an error of the operating system means to a person, and which way is out."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from artlock.errors import CacheError, WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Nothing more can be written here; trying again does not help (hazard 3.7)."""
_HINTS = {
    errno.EROFS: "choose a place that can be written",
    errno.EACCES: "give this user access to it, or choose another place",
    errno.EPERM: "give this user access to it, or choose another place",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`), or lower `--jobs`",
    errno.ENFILE: "close other programs: the machine is out of open files",
}


def is_full(error: OSError) -> bool:
    """Tell whether the disk, the quota or the inodes are used up."""
    return error.errno in FULL


def reason(error: OSError) -> str:
    """Return the operating system's words as a lower-case phrase."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def hint(
    error: OSError, *, needed: int | None = None, option: str | None = None
) -> str | None:
    """Return the next deed, or ``None`` where nothing general is known.

    Args:
        error: What happened.
        needed: Bytes that would have sufficed, where that is known.
        option: The option that chooses another place, for a full disk.
    """
    if is_full(error):
        space = f"free {needed} bytes" if needed else "free some space"
        return f"{space}, or set `{option}`" if option else space
    return _HINTS.get(error.errno or 0)


@contextmanager
def raising(
    kind: type[CacheError | WorkspaceError],
    subject: str,
    *,
    needed: int | None = None,
    option: str | None = None,
) -> Iterator[None]:
    """Turn an ``OSError`` that leaves the block into ``kind``.

    Args:
        kind: ``CacheError`` or ``WorkspaceError``.
        subject: The deed and its place, such as ``cannot write `data/a.bin```.
        needed: See ``hint``.
        option: See ``hint``.

    Raises:
        CacheError: As asked for by ``kind``; likewise ``WorkspaceError``.
    """
    try:
        yield
    except OSError as error:
        way_out = hint(error, needed=needed, option=option)
        message = f"{subject}: {reason(error)}"
        raise kind(message, hint=way_out) from error
