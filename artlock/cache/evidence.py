"""Bytes that were refused: the last few are kept, so that a person can look at what came.

::

    quarantine/rejected-<64 hex>    named by the BLAKE3 of the bytes that came

Nothing reads them, and they never become blobs. There are at most ``MOST_FILES`` of them
with at most ``MOST_SIZE`` bytes together; the oldest make room, and ``artlock gc`` and
``artlock cache prune`` remove them all. They are a help and no promise: where they cannot
be kept, they are not.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from artlock.cache.layout import CacheLayout
from artlock.cache.sweep import lstat_or_none
from artlock.errors import CacheError
from artlock.fs.problems import raising
from artlock.model.digest import Digest
from artlock.model.verification import Buffer

MOST_FILES = 16
MOST_SIZE = 256 << 20
_PREFIX = "rejected-"


class Evidence:
    """Keeps refused bytes of one cache; safe to use from several threads."""

    def __init__(self, layout: CacheLayout) -> None:
        self._layout = layout
        self._mutex = threading.Lock()

    def keep_bytes(self, data: Buffer, digest: Digest) -> Path | None:
        """Keep bytes that are in memory; return where, or ``None`` if they are not kept."""
        goal = self._goal(digest)
        with self._mutex:
            try:
                if not self._makes_room(memoryview(data).nbytes):
                    return None
                goal.unlink(missing_ok=True)
                goal.touch(mode=0o600)
                goal.write_bytes(data)
            except OSError:
                # The refusal is what counts, and is told in any case.
                with suppress(OSError):
                    goal.unlink()
                return None
        return goal

    def keep_file(self, path: Path, digest: Digest) -> Path | None:
        """Move a file of the cache here; return where, or ``None`` if it was left."""
        goal = self._goal(digest)
        with self._mutex:
            try:
                if not self._makes_room(path.stat().st_size):
                    return None
                path.rename(goal)
            except OSError:
                return None  # as above
        return goal

    def _goal(self, digest: Digest) -> Path:
        return self._layout.quarantine / f"{_PREFIX}{digest.hex}"

    def _makes_room(self, size: int) -> bool:
        if size > MOST_SIZE:
            return False
        found = sorted(
            ((path.stat().st_mtime_ns, path.stat().st_size, path))
            for path in _rejected(self._layout)
        )
        total = size + sum(entry[1] for entry in found)
        for number, (_, old_size, path) in enumerate(found):
            if len(found) - number < MOST_FILES and total <= MOST_SIZE:
                break
            path.unlink(missing_ok=True)
            total -= old_size
        return True


def clear_evidence(layout: CacheLayout, *, dry_run: bool = False) -> int:
    """Remove what is kept of refused bytes.

    Returns:
        The bytes that were freed, or would be.

    Raises:
        CacheError: It cannot be read or removed.
    """
    freed = 0
    with raising(CacheError, "cannot remove refused bytes from the cache"):
        for path in _rejected(layout):
            found = lstat_or_none(path)  # a sync may have made room meanwhile
            freed += 0 if found is None else found.st_size
            if not dry_run:
                path.unlink(missing_ok=True)
    return freed


def _rejected(layout: CacheLayout) -> list[Path]:
    return list(layout.quarantine.glob(f"{_PREFIX}*"))
