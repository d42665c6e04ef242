"""Removing blobs: chosen, put out of the way, and only then deleted.

::

    choose ------> discard ----> put_back ------------> delete
    (a value)      blobs to gc/  what is needed after   what is left in gc/
                                 all, back from gc/

What may go is decided by digests: those that somebody needs are passed in, and never by
the number of links that a blob has (hazard 3.17). Whoever discards holds the mutex of the
cache alone; to delete takes none, so that syncs wait for renames only. Because a mutex
keeps nobody away everywhere, what is young stays, and between moving and deleting the needs
are asked for once more (hazard 3.16). If the process is killed in between, what it left in
``gc/`` is put back or deleted by the next one.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec.structs import replace

from artlock.cache.layout import CacheLayout
from artlock.cache.sweep import StoredBlob, entries, lstat_or_none, stored_blobs
from artlock.errors import CacheError
from artlock.fs.problems import raising
from artlock.model.digest import Digest, DigestAlgorithm

GRACE_S = 24 * 3600.0
"""How long a blob stays that nobody is known to need."""
_DISCARDED = re.compile(r"([0-9a-f]{64})-[0-9a-f]{8}")


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which blobs are to go.

    Attributes:
        removed: The least recently used first.
        aside: Likewise, of those into which somebody wrote: what is there is no blob, but
            their work, and goes into quarantine.
        kept: How many stay.
        kept_size: Of those, in bytes.
    """

    removed: tuple[StoredBlob, ...]
    aside: tuple[StoredBlob, ...] = ()
    kept: int
    kept_size: int

    @property
    def size(self) -> int:
        """Bytes of what is to go."""
        return sum(blob.size for blob in self.removed)

    def sparing(self, is_unwritten: Callable[[Digest], bool]) -> Choice:
        """Return the choice as it is when each blob is asked whether it still is one."""
        unwritten = {b.digest for b in self.removed if is_unwritten(b.digest)}
        return replace(
            self,
            removed=tuple(b for b in self.removed if b.digest in unwritten),
            aside=tuple(b for b in self.removed if b.digest not in unwritten),
        )

    def without(self, digests: AbstractSet[Digest]) -> Choice:
        """Return the choice as it is when some of it stays after all."""
        stays = [blob for blob in self.removed if blob.digest in digests]
        return replace(
            self,
            removed=tuple(b for b in self.removed if b.digest not in digests),
            kept=self.kept + len(stays),
            kept_size=self.kept_size + sum(blob.size for blob in stays),
        )


def choose(
    layout: CacheLayout,
    *,
    keep: AbstractSet[Digest],
    now_s: float,
    max_size: int | None = None,
    grace_s: float = GRACE_S,
) -> Choice:
    """Choose what may go, the least recently used first; nothing is changed.

    Args:
        layout: Which cache.
        keep: What somebody needs; it never goes.
        now_s: The time, in seconds since the epoch.
        max_size: Stop as soon as the blobs take no more bytes than this; ``None`` means
            whatever may go.
        grace_s: What was used so lately stays.

    Raises:
        CacheError: The cache cannot be read.
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
        size -= blob.size
        removed.append(blob)
    return Choice(removed=tuple(removed), kept=len(blobs) - len(removed), kept_size=size)


def discard(layout: CacheLayout, blobs: Iterable[StoredBlob]) -> None:
    """Put blobs out of the way, where nobody looks for them; they are not deleted yet.

    The caller holds ``layout.mutex(shared=False)``.

    Raises:
        CacheError: One cannot be moved; those before it were.
    """
    for blob in blobs:
        goal = layout.discarded / f"{blob.digest.hex}-{os.urandom(4).hex()}"
        with (
            raising(CacheError, f"cannot remove the blob `{blob.digest}`"),
            suppress(FileNotFoundError),  # it is gone already
        ):
            layout.blob(blob.digest).rename(goal)


def put_back(
    layout: CacheLayout, needs: Callable[[], AbstractSet[Digest]]
) -> frozenset[Digest]:
    """Give discarded blobs that are needed their names back.

    The caller holds ``layout.mutex(shared=False)``.

    Args:
        layout: Which cache.
        needs: What somebody needs by now; asked only if anything was discarded.

    Returns:
        Which ones.

    Raises:
        CacheError: The cache cannot be read, or one cannot be moved.
    """
    with raising(CacheError, "cannot put blobs back"):
        there = discarded(layout)
        returned = set()
        for digest, path in missed(layout, there, needs() if there else ()).items():
            goal = layout.blob(digest)
            goal.parent.mkdir(mode=0o700, exist_ok=True)
            with suppress(FileNotFoundError):  # another `gc` was quicker
                path.rename(goal)
                returned.add(digest)
    return frozenset(returned)


def missed(
    layout: CacheLayout, paths: Iterable[Path], needed: Collection[Digest]
) -> dict[Digest, Path]:
    """Return which of ``discarded`` blobs are needed, and are nowhere else.

    Raises:
        CacheError: The cache cannot be read.
    """
    found = {digest: path for path in paths if (digest := _digest_of(path)) in needed}
    with raising(CacheError, "cannot read the cache"):
        return {
            digest: path
            for digest, path in found.items()
            if digest is not None and lstat_or_none(layout.blob(digest)) is None
        }


def discarded(layout: CacheLayout) -> list[Path]:
    """Return what is on its way out, of this run and of those that were killed.

    Raises:
        CacheError: The cache cannot be read.
    """
    with raising(CacheError, "cannot read the cache"):
        return entries(layout.discarded)


def delete(paths: Iterable[Path]) -> int:
    """Delete files that nobody reads any more; needs no mutex.

    Args:
        paths: What ``discarded`` returned; what is gone already is passed over.

    Returns:
        How many bytes they had.

    Raises:
        CacheError: One cannot be deleted; those before it were.
    """
    freed = 0
    with raising(CacheError, "cannot remove a blob"):
        for path in paths:
            found = lstat_or_none(path)
            if found is not None:
                path.unlink(missing_ok=True)
                freed += found.st_size
    return freed


def old_in_quarantine(layout: CacheLayout, *, now_s: float, grace_s: float) -> list[Path]:
    """Return the damaged blobs that have been in quarantine for longer than the grace.

    Raises:
        CacheError: The cache cannot be read.
    """
    with raising(CacheError, "cannot read the cache"):
        found = [
            (path, lstat_or_none(path))
            for path in entries(layout.quarantine)
            if _DISCARDED.fullmatch(path.name)
        ]
    # Being put there is the last thing that happened to it, and changed its inode's time.
    return [
        path
        for path, status in found
        if status is not None
        and not stat.S_ISDIR(status.st_mode)
        and now_s - max(status.st_mtime, status.st_ctime) >= grace_s
    ]


def size_of(paths: Iterable[Path]) -> int:
    """Return how many bytes files have.

    Raises:
        CacheError: One cannot be looked at.
    """
    with raising(CacheError, "cannot read the cache"):
        return sum(f.st_size for path in paths if (f := lstat_or_none(path)) is not None)


def _digest_of(path: Path) -> Digest | None:
    found = _DISCARDED.fullmatch(path.name)
    return None if found is None else Digest(DigestAlgorithm.BLAKE3, found[1])
