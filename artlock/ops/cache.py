"""Look at the cache, read its blobs again, make room."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from artlock.cache.evidence import clear_evidence
from artlock.cache.layout import CacheLayout
from artlock.cache.pins import pin_key
from artlock.cache.projects import known_projects
from artlock.cache.statindex import WorkspaceIndex
from artlock.cache.sweep import GRACE_S, Pruned, Usage, prune, stored_blobs, sweep, usage
from artlock.engine.threads import each
from artlock.errors import ArtlockError, CacheError
from artlock.formats.lockfile import parse_lockfile
from artlock.model.digest import Digest
from artlock.ops.memory import index_path, index_secret
from artlock.ops.project import LOCKFILE, MANIFEST, STATE, Project, read_manifest
from artlock.ops.sources import Sources
from artlock.ops.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from artlock.model.lock import Lockfile
    from artlock.ops.runtime import Runtime

_FORGOTTEN_S = 30 * 24 * 3600.0
"""How long a project that is not there counts: its disk may only be unmounted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheVerified:
    """What reading every blob came to.

    Attributes:
        size: Bytes of those that were intact.
        damaged: Digests of those that were put aside.
    """

    intact: int
    size: int
    damaged: tuple[Digest, ...]


def cache_usage(runtime: Runtime) -> Usage:
    """Measure the cache; one that is not there is empty.

    Raises:
        CacheError: It cannot be read.
    """
    return usage(CacheLayout(runtime.cache_root))


def verify_cache(runtime: Runtime) -> CacheVerified:
    """Read every blob; those that are not what their name says are put aside.

    Raises:
        CacheError: A blob cannot be read.
    """
    intact = size = 0
    damaged: list[Digest] = []
    progress = runtime.progress
    with Vault.open(runtime.cache_root) as vault, vault.layout.mutex(purpose="verify"):
        blobs = list(stored_blobs(vault.layout))
        progress.begin("verifying", objects=len(blobs), size=sum(b.size for b in blobs))
        try:
            judged = each(
                lambda blob: vault.blobs.verify(blob.digest), blobs, workers=runtime.jobs
            )
            for outcome in judged:
                if outcome.error is not None:
                    raise outcome.error
                blob = outcome.item
                progress.advance(objects=1, size=blob.size)
                if outcome.result:
                    intact += 1
                    size += blob.size
                else:
                    damaged.append(blob.digest)
        finally:
            progress.end()
    return CacheVerified(intact=intact, size=size, damaged=tuple(sorted(damaged)))


def prune_cache(
    runtime: Runtime, *, max_size: int | None, grace_s: float = GRACE_S, dry_run: bool
) -> tuple[Pruned, int]:
    """Remove blobs that no known project has locked, and what dead processes left.

    Args:
        runtime: Which cache.
        max_size: Stop as soon as the blobs take no more bytes; ``None`` removes all that
            may go.
        grace_s: What was used so lately stays.
        dry_run: Only tell.

    Returns:
        The blobs, and the bytes that were swept beside them.

    Raises:
        CacheError: The cache cannot be read or written, or the lockfile of a project cannot
            be read, so that nobody knows what it needs.
    """
    with Vault.open(runtime.cache_root) as vault:
        layout = vault.layout
        now = time.time()
        with layout.mutex(purpose="prune", shared=False):
            pruned = prune(
                layout,
                keep=frozenset(_needed(vault, now, runtime)),
                now_s=now,
                max_size=max_size,
                grace_s=grace_s,
                dry_run=dry_run,
                is_right=vault.blobs.is_unwritten,
            )
            swept = sweep(layout, now_s=now, dry_run=dry_run)
            swept += clear_evidence(layout, dry_run=dry_run)
    return pruned, swept


def _needed(vault: Vault, now_s: float, runtime: Runtime) -> Iterator[Digest]:
    """Yield the blobs that projects need, by lockfile and by what is in their workspace."""
    secret = index_secret(runtime.environ)
    for project in known_projects(vault.layout):
        if not project.exists:
            if now_s - project.seen_s < _FORGOTTEN_S:
                message = (
                    f"the project `{project.path}` used this cache and is not there now"
                )
                raise CacheError(
                    message,
                    hint="bring it back, or wait: it is forgotten 30 days after its last "
                    "sync",
                )
            continue
        yield from _locked(project.path, vault, runtime)
        yield from (
            Digest.blake3(entry.digest)
            for entry in WorkspaceIndex.load(
                index_path(project.path / STATE), secret=secret
            ).entries()
        )


def _locked(root: Path, vault: Vault, runtime: Runtime) -> Iterator[Digest]:
    try:
        lock = parse_lockfile((root / LOCKFILE).read_bytes())
    except FileNotFoundError:
        return
    except (OSError, ArtlockError) as error:
        message = f"`{root / LOCKFILE}` cannot be read, so nobody knows what it needs"
        raise CacheError(message, hint="mend it first (`artlock check`)") from error
    undigested = False
    for artifact in lock.artifacts:
        for row in artifact.objects:
            digest = row.tokens.blake3
            if digest is not None:
                yield digest
            undigested = undigested or digest is None
    if undigested:
        yield from _learnt(root, lock, vault, runtime)


def _learnt(root: Path, lock: Lockfile, vault: Vault, runtime: Runtime) -> Iterator[Digest]:
    """Yield the blobs that satisfied rows which do not name one themselves."""
    try:
        project = Project.of(root, read_manifest(root), runtime)
        with Sources(project) as sources:
            keys = [
                pin_key(identity, str(uri), row)
                for locked in lock.artifacts
                if (artifact := project.manifest.get(locked.name)) is not None
                and (identity := sources.identity(artifact)) is not None
                for row, uri in locked.uris()
                if row.tokens.blake3 is None and (row.version or row.checksum)
            ]
    except ArtlockError as error:
        message = f"`{root / MANIFEST}` cannot be read, so nobody knows what it needs"
        raise CacheError(message, hint="mend it first (`artlock check`)") from error
    yield from map(Digest.blake3, vault.seen.get_many(keys).values())
