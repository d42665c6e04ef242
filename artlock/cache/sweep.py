"""How full the cache is, and removing what ended processes left in it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from artlock.cache.layout import CacheLayout
from artlock.errors import CacheError
from artlock.fs.problems import raising
from artlock.fs.temporary import GRACE_S as TEMPORARY_GRACE_S
from artlock.fs.temporary import is_abandoned
from artlock.model.digest import Digest, DigestAlgorithm

_PARTIAL_GRACE_S = 7 * 24 * 3600.0
"""How long an interrupted large object can be resumed."""
_SHARD = re.compile(r"[0-9a-f]{2}")
_REST = re.compile(r"[0-9a-f]{62}")


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What the cache holds; sizes in bytes.

    Attributes:
        blobs: How many.
        blob_size: Of all blobs.
        incoming_size: Of bytes on their way in, whole or partial.
        quarantined: How many damaged blobs were put aside.
        quarantine_size: Of these.
        discarded_size: Of blobs on their way out, which the next ``gc`` removes.
        other_versions: Folders of layouts that this artlock does not know.
    """

    blobs: int
    blob_size: int
    incoming_size: int
    quarantined: int
    quarantine_size: int
    discarded_size: int
    other_versions: tuple[Path, ...]


class StoredBlob(msgspec.Struct, frozen=True, kw_only=True):
    """A blob as it lies there.

    Attributes:
        size: In bytes.
        used_s: When it was last written, read or linked, as far as the file system tells;
            in seconds since the epoch.
    """

    digest: Digest
    size: int
    used_s: float


def stored_blobs(layout: CacheLayout) -> Iterator[StoredBlob]:
    """Yield every blob, in any order; what is no blob is left out.

    Raises:
        CacheError: The cache cannot be read.
    """
    with raising(CacheError, "cannot read the cache"):
        for shard in entries(layout.blobs):
            if not _SHARD.fullmatch(shard.name):
                continue
            for entry in entries(shard):
                found = lstat_or_none(entry)
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
        quarantined = len(entries(layout.quarantine))
        quarantine_size = _size_below(layout.quarantine)
        discarded = _size_below(layout.discarded)
    return Usage(
        blobs=blobs,
        blob_size=size,
        incoming_size=incoming,
        quarantined=quarantined,
        quarantine_size=quarantine_size,
        discarded_size=discarded,
        other_versions=layout.other_versions(),
    )


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
        for entry in entries(layout.temporary):
            freed += _remove_if_abandoned(entry, entry.name, now_s, dry_run=dry_run)
        for folder in entries(layout.partial):
            for entry in entries(folder):
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
    found = lstat_or_none(entry)
    if found is None:
        return 0
    if not is_abandoned(name, now_s - found.st_mtime, grace_s=grace_s):
        return 0
    if not dry_run:
        entry.unlink(missing_ok=True)
    return found.st_size


def _size_below(folder: Path) -> int:
    total = 0
    for entry in entries(folder):
        found = lstat_or_none(entry)
        if found is not None and stat.S_ISDIR(found.st_mode):
            total += _size_below(entry)
        elif found is not None:
            total += found.st_size
    return total


def entries(folder: Path) -> list[Path]:
    """Return what is in a folder, in any order; nothing if there is none.

    Raises:
        OSError: It cannot be read.
    """
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []  # it went, or is none of ours


def lstat_or_none(path: Path) -> os.stat_result | None:
    """Describe what lies at ``path``, a link itself included; ``None`` if nothing does.

    Raises:
        OSError: It cannot be looked at.
    """
    try:
        return path.lstat()
    except FileNotFoundError:
        return None  # it went
