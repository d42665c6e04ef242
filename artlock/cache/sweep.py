"""How full the cache is, and making room in it.

What may go is decided by digests: those that a project needs are passed in, and never by
the number of links that a blob has (hazard 3.17). Whoever removes blobs holds the mutex of
the cache alone; and because a mutex keeps nobody away everywhere, what is young stays.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from artlock.cache.layout import CacheLayout
from artlock.errors import CacheError
from artlock.fs.problems import raising
from artlock.fs.temporary import GRACE_S as TEMPORARY_GRACE_S
from artlock.fs.temporary import is_abandoned
from artlock.model.digest import Digest, DigestAlgorithm

GRACE_S = 24 * 3600.0
"""How long a blob stays that nobody is known to need."""
_PARTIAL_GRACE_S = 7 * 24 * 3600.0
"""How long an interrupted large object can be resumed."""
_SHARD = re.compile(r"[0-9a-f]{2}")
_REST = re.compile(r"[0-9a-f]{62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the cache holds; sizes in bytes.

    Attributes:
        blobs: How many.
        blob_size: Of all blobs.
        incoming_size: Of bytes on their way in, whole or partial.
        quarantine_size: Of damaged blobs.
        other_versions: Folders of layouts that this artlock does not know.
    """

    blobs: int
    blob_size: int
    incoming_size: int
    quarantine_size: int
    other_versions: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """A blob as it lies there.

    Attributes:
        size: In bytes.
        used_s: When it was last written, read or linked, as far as the file system tells;
            in seconds since the epoch.
    """

    digest: Digest
    size: int
    used_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was removed, or would be.

    Attributes:
        removed: The least recently used first.
        kept_size: Of the blobs that stay, in bytes.
    """

    removed: tuple[StoredBlob, ...] = field(default=())
    kept_size: int

    @property
    def size(self) -> int:
        """Bytes that were removed."""
        return sum(blob.size for blob in self.removed)


def stored_blobs(layout: CacheLayout) -> Iterator[StoredBlob]:
    """Yield every blob, in any order; what is no blob is left out.

    Raises:
        CacheError: The cache cannot be read.
    """
    with raising(CacheError, "cannot read the cache"):
        for shard in _entries(layout.blobs):
            if not _SHARD.fullmatch(shard.name):
                continue
            for entry in _entries(shard):
                found = _lstat(entry)
                if found and stat.S_ISREG(found.st_mode) and _REST.fullmatch(entry.name):
                    digest = Digest(DigestAlgorithm.BLAKE3, shard.name + entry.name)
                    used = max(found.st_atime, found.st_mtime, found.st_ctime)
                    yield StoredBlob(digest=digest, size=found.st_size, used_s=used)


def usage(layout: CacheLayout) -> Usage:
    """Measure the cache.

    Raises:
        CacheError: It cannot be read.
    """
    blobs = size = 0
    for blob in stored_blobs(layout):
        blobs += 1
        size += blob.size
    with raising(CacheError, "cannot read the cache"):
        incoming = _size_below(layout.temporary) + _size_below(layout.partial)
        quarantined = _size_below(layout.quarantine)
    return Usage(
        blobs=blobs,
        blob_size=size,
        incoming_size=incoming,
        quarantine_size=quarantined,
        other_versions=layout.other_versions(),
    )


def prune(
    layout: CacheLayout,
    *,
    keep: AbstractSet[Digest],
    now_s: float,
    max_size: int | None = None,
    grace_s: float = GRACE_S,
    dry_run: bool = False,
    is_right: Callable[[Digest], bool] = lambda _digest: True,
    on_removed: Callable[[StoredBlob], object] = lambda _blob: None,
) -> Pruned:
    """Remove blobs, the least recently used first.

    The caller holds ``layout.mutex(shared=False)``.

    Args:
        layout: Which cache.
        keep: What the locks of the known projects need; it never goes.
        now_s: The time, in seconds since the epoch.
        max_size: Stop as soon as the blobs take no more bytes than this; ``None`` removes
            whatever may go.
        grace_s: What was used so lately stays.
        dry_run: Only tell.
        is_right: Asked before a blob goes; one that somebody wrote into through a link is
            no blob, but their work, and stays (hazard 2.15).
        on_removed: Called for each.

    Raises:
        CacheError: The cache cannot be read, or a blob cannot be removed.
    """
    blobs = list(stored_blobs(layout))
    size = sum(blob.size for blob in blobs)
    candidates = sorted(
        (b for b in blobs if b.digest not in keep and now_s - b.used_s >= grace_s),
        key=lambda blob: (blob.used_s, blob.digest),
    )
    removed = []
    for blob in candidates:
        if max_size is not None and size <= max_size:
            break
        if not dry_run:
            if not is_right(blob.digest):
                continue
            with raising(CacheError, f"cannot remove the blob `{blob.digest}`"):
                layout.blob(blob.digest).unlink(missing_ok=True)
        size -= blob.size
        removed.append(blob)
        on_removed(blob)
    return Pruned(removed=tuple(removed), kept_size=size)


def sweep(layout: CacheLayout, *, now_s: float, dry_run: bool = False) -> int:
    """Remove what processes left that have ended: temporary files and old partials.

    Needs no mutex: what a living process may still use is told by its name (hazard 3.8).

    Returns:
        The bytes that were freed, or would be.

    Raises:
        CacheError: The cache cannot be read, or something cannot be removed.
    """
    freed = 0
    with raising(CacheError, "cannot sweep the cache"):
        for entry in _entries(layout.temporary):
            freed += _remove_if_abandoned(entry, entry.name, now_s, dry_run=dry_run)
        for folder in _entries(layout.partial):
            for entry in _entries(folder):
                name = entry.name.partition(".")[0]
                freed += _remove_if_abandoned(
                    entry, name, now_s, dry_run=dry_run, grace_s=_PARTIAL_GRACE_S
                )
            if not dry_run:
                with suppress(OSError):  # it is still in use
                    folder.rmdir()
    return freed


def _remove_if_abandoned(
    entry: Path,
    name: str,
    now_s: float,
    *,
    dry_run: bool,
    grace_s: float = TEMPORARY_GRACE_S,
) -> int:
    found = _lstat(entry)
    if found is None:
        return 0
    if not is_abandoned(name, now_s - found.st_mtime, grace_s=grace_s):
        return 0
    if not dry_run:
        entry.unlink(missing_ok=True)
    return found.st_size


def _size_below(folder: Path) -> int:
    total = 0
    for entry in _entries(folder):
        found = _lstat(entry)
        if found is not None and stat.S_ISDIR(found.st_mode):
            total += _size_below(entry)
        elif found is not None:
            total += found.st_size
    return total


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []  # it went, or is none of ours


def _lstat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None  # it went
