"""Look at the cache, and read its blobs again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from artlock.cache.layout import CacheLayout
from artlock.cache.sweep import StoredBlob, Usage, stored_blobs, usage
from artlock.engine.threads import each
from artlock.ops.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from artlock.model.digest import Digest
    from artlock.ops.runtime import Runtime

_NEVER = float("-inf")


class CacheVerified(msgspec.Struct, frozen=True, kw_only=True):
    """What reading blobs came to.

    Attributes:
        size: Bytes of those that were intact.
        damaged: Digests of those that were put aside, sorted.
        left: How many were not read in this run.
        left_size: Their bytes.
        oldest_s: When the one of all blobs was checked that now waits longest, in seconds
            since the epoch; ``None`` if one never was, or there is none.
    """

    intact: int
    size: int
    damaged: tuple[Digest, ...]
    left: int
    left_size: int
    oldest_s: float | None


def cache_usage(runtime: Runtime) -> Usage:
    """Measure the cache; one that is not there is empty.

    Raises:
        CacheError: It cannot be read.
    """
    return usage(CacheLayout(runtime.cache_root))


def verify_cache(
    runtime: Runtime, *, share: float = 1.0, max_age_s: float | None = None
) -> CacheVerified:
    """Read blobs whole; those that are not what their name says are put aside.

    Those whose last check is longest ago come first, and what was checked is remembered: a
    run that is interrupted, or that reads only a share, is continued by the next one.

    Args:
        runtime: Which cache.
        share: Which part of all bytes to read, above 0; at least one blob is read.
        max_age_s: Pass over what was checked so lately; ``None`` reads it again.

    Raises:
        CacheError: A blob cannot be read.
    """
    intact = size = 0
    damaged: list[Digest] = []
    progress = runtime.progress
    with Vault.open(runtime) as vault, vault.layout.mutex(purpose="verify"):
        blobs = list(stored_blobs(vault.layout))
        moments = vault.checks.moments()
        due = _due(blobs, moments, share=share, max_age_s=max_age_s)
        progress.begin("verifying", objects=len(due), size=sum(b.size for b in due))
        try:
            judged = each(
                lambda blob: vault.blobs.verify(blob.digest), due, workers=runtime.jobs
            )
            for outcome in judged:
                if outcome.error is not None:
                    raise outcome.error
                blob = outcome.item
                progress.advance(objects=1, size=blob.size)
                if outcome.result:
                    intact += 1
                    size += blob.size
                    moments[blob.digest] = time.time()
                    vault.checks.put(blob.digest, moments[blob.digest])
                else:
                    damaged.append(blob.digest)
        finally:
            progress.end()
            vault.forget(damaged)
    bad = frozenset(damaged)
    waiting = [moments.get(b.digest, _NEVER) for b in blobs if b.digest not in bad]
    oldest_s = min(waiting, default=_NEVER)
    return CacheVerified(
        intact=intact,
        size=size,
        damaged=tuple(sorted(damaged)),
        left=len(blobs) - len(due),
        left_size=sum(b.size for b in blobs) - sum(b.size for b in due),
        oldest_s=None if oldest_s == _NEVER else oldest_s,
    )


def _due(
    blobs: Sequence[StoredBlob],
    moments: Mapping[Digest, float],
    *,
    share: float,
    max_age_s: float | None,
) -> list[StoredBlob]:
    """Return what to read, in order: never checked first, then the longest ago."""
    now_s = time.time()
    waiting = sorted(blobs, key=lambda b: (moments.get(b.digest, _NEVER), b.digest))
    if max_age_s is not None:
        waiting = [
            blob
            for blob in waiting
            # A moment that is still to come was taken by a clock that was wrong.
            if not 0 <= now_s - moments.get(blob.digest, _NEVER) < max_age_s
        ]
    budget = share * sum(blob.size for blob in blobs)
    due: list[StoredBlob] = []
    size = 0
    for blob in waiting:
        if share < 1 and due and size >= budget:
            break
        due.append(blob)
        size += blob.size
    return due
