"""How much a file system can still take."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """What is free for this user.

    Attributes:
        size: In bytes.
        inodes: Files that can still be made; ``None`` where there is no such limit.
    """

    size: int
    inodes: int | None

    def suffices(self, *, size: int, files: int) -> bool:
        """Tell whether ``files`` files of ``size`` bytes in all would fit."""
        return size <= self.size and (self.inodes is None or files <= self.inodes)


def free_space(path: Path) -> Space:
    """Return what is free where ``path`` is, or will be, by its nearest existing parent.

    Raises:
        OSError: It cannot be asked.
    """
    while not path.exists() and path != path.parent:
        path = path.parent
    if not hasattr(os, "statvfs"):  # pragma: no cover - Windows
        return Space(size=shutil.disk_usage(path).free, inodes=None)
    found = os.statvfs(path)
    # Some file systems make inodes as they need them, and say 0 of 0 (btrfs).
    inodes = found.f_favail if found.f_files else None
    return Space(size=found.f_bavail * found.f_frsize, inodes=inodes)
