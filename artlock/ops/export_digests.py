"""SHA-256 for exports, of bytes that the cache has: lockfiles mostly have BLAKE3."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from blake3 import blake3
from msgspec.structs import replace

from artlock.engine.threads import each
from artlock.errors import ConfigError, IntegrityError
from artlock.formats.exports.sums import value_of
from artlock.model.digest import Digest, DigestAlgorithm
from artlock.model.exports import Export, ExportedFile
from artlock.model.plan import Placement
from artlock.ops.blobs import Pinned, known_digests
from artlock.ops.sources import Sources
from artlock.ops.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artlock.model.lock import Lockfile
    from artlock.ops.project import Project

_READERS = 4
_PIECE = 1 << 20


def with_sha256(project: Project, lock: Lockfile, export: Export) -> Export:
    """Return the export with SHA-256 in every row, taken of blobs where it is missing.

    Raises:
        ConfigError: The cache lacks bytes.
        IntegrityError: A blob is not what its name says.
        CacheError: The cache cannot be read.
    """
    placements = [
        Placement(file.target, artifact.name, file.row)
        for artifact, file in export.files()
        if value_of(file, "sha256") is None
    ]
    with (
        Vault.open(project.runtime) as vault,
        vault.layout.mutex(purpose="export"),
        Sources(project) as sources,
    ):
        known = known_digests(placements, Pinned(project, lock, sources), vault)
        has = vault.blobs.sizes(known.values())
        lacking = [p for p in placements if known.get(p.target) not in has]
        if lacking:
            first = f"{lacking[0].artifact}/{lacking[0].row.path}"
            more = f" and {len(lacking) - 1:,} more" if len(lacking) > 1 else ""
            message = f"the cache has no bytes of `{first}`{more}"
            raise ConfigError(message, hint="run `artlock sync`, which brings them")

        def digest(placement: Placement) -> Digest:
            return _sha256(vault, known[placement.target], placement)

        found = {}
        for outcome in each(digest, placements, workers=_READERS):
            if outcome.error is not None or outcome.result is None:
                raise outcome.error or AssertionError
            found[outcome.item.target] = outcome.result
    artifacts = tuple(
        replace(a, files=tuple(_digested(file, found) for file in a.files))
        for a in export.artifacts
    )
    return replace(export, artifacts=artifacts)


def _sha256(vault: Vault, blob: Digest, placement: Placement) -> Digest:
    """Return SHA-256 of a blob whose bytes are proved to be its own by the same reading."""
    size = placement.row.size
    mine, theirs, read = blake3(), hashlib.sha256(), 0
    with vault.blobs.open(blob, size) as fd:
        while data := os.read(fd, _PIECE):
            mine.update(data)
            theirs.update(data)
            read += len(data)
    actual = f"blake3:{mine.hexdigest()}"
    if actual != str(blob) or read != size:
        hint = "run `artlock cache verify`, which puts damaged blobs aside, then sync"
        raise IntegrityError(
            subject=placement.target, expected=str(blob), actual=actual, hint=hint
        )
    return Digest(DigestAlgorithm.SHA256, theirs.hexdigest())


def _digested(file: ExportedFile, found: Mapping[str, Digest]) -> ExportedFile:
    digest = found.get(file.target)
    if digest is None:
        return file
    checksum = str(file.row.tokens.with_digest(digest))
    row = replace(file.row, checksum=checksum)
    return replace(file, row=row)
