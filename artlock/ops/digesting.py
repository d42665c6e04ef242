"""Read objects once, through the cache, to lock what their bytes are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from artlock.cache.pins import pin_key, place_key
from artlock.errors import ManyErrors
from artlock.model.digest import Digest
from artlock.ops.fetch import FetchReport, Wanted, fetch
from artlock.ops.pins import pin_of
from artlock.ops.rows import UNKNOWN_SIZE, names_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artlock.model.lock import LockedArtifact, LockedObject
    from artlock.model.manifest import Artifact
    from artlock.ops.project import Project
    from artlock.ops.sources import Sources
    from artlock.ops.vault import Vault


def with_digests(
    project: Project,
    sources: Sources,
    artifact: Artifact,
    vault: Vault,
    locked: LockedArtifact,
    missing: Sequence[LockedObject],
) -> tuple[tuple[LockedObject, ...], int]:
    """Return the rows of ``locked``, ``missing`` ones with a digest, and the bytes read.

    What was read stays in the cache, so the next ``sync`` fetches none of it; what the
    cache already knows of a pin that cannot change is not read again.

    Raises:
        ManyErrors: Objects could not be read, or were not what the listing had said. What
            was read stays in the cache, so that a second run goes on where this one ended.
        CacheError: The cache cannot be written.
    """
    store = sources.store(artifact)
    identity = sources.identity(artifact) or store.identity
    uris = {row.path: uri for row, uri in locked.uris()}
    # A row that says nothing of its content would not change when its object does.
    keys = {
        row.path: pin_key(identity, str(uris[row.path]), row)
        for row in missing
        if names_state(row)
    }
    learnt = vault.seen.get_many(keys.values())
    digests: dict[str, Digest] = {}
    sizes: dict[str, int] = {}
    for row in missing:
        known = learnt.get(keys.get(row.path, b""))
        if known is None:
            continue
        digest = Digest.blake3(known)
        size = vault.blobs.size_of(digest)
        if size is not None and row.size in {size, UNKNOWN_SIZE}:
            digests[row.path] = digest
            sizes[row.path] = size
    wanted = [
        Wanted(
            key=row.path,
            pin=pin_of(row, uris[row.path]),
            tokens=row.tokens,
            store=store,
        )
        for row in missing
        if row.path not in digests
    ]
    progress = project.runtime.progress
    total = sum(item.pin.size or 0 for item in wanted)
    progress.begin("reading", objects=len(wanted), size=total)
    report = FetchReport()
    try:
        fetch(vault.blobs, wanted, report, jobs=project.runtime.jobs, progress=progress)
    finally:
        progress.end()
        digests |= {path: fetched.digest for path, fetched in report.fetched.items()}
        # As in `blobs.remember`: by the row and its service, and by the row alone.
        vault.seen.put_many(
            (key, bytes.fromhex(digests[row.path].hex))
            for row in missing
            if row.path in keys and row.path in digests
            for key in (keys[row.path], place_key(str(uris[row.path]), row))
        )
    if report.errors:
        errors = [report.errors[path] for path in sorted(report.errors)]
        message = (
            f"{len(errors)} of {len(wanted)} objects of `{artifact.name}` could not be "
            "read; `artifacts.lock` is as it was"
        )
        raise ManyErrors(
            message,
            errors,
        )
    sizes |= {path: fetched.size for path, fetched in report.fetched.items()}
    rows = tuple(
        msgspec.structs.replace(
            row,
            size=sizes.get(row.path, row.size),
            checksum=str(row.tokens.with_digest(digests[row.path])),
        )
        if row.path in digests
        else row
        for row in locked.objects
    )
    return rows, sum(fetched.size for fetched in report.fetched.values())
