"""Compare bytes that were read with digests that another tool had pinned."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from artlock.errors import IntegrityError, ManyErrors
from artlock.ops.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from artlock.errors import ArtlockError
    from artlock.model.imports import ImportedArtifact, PinnedObject
    from artlock.model.lock import LockedArtifact, LockedObject
    from artlock.ops.project import Project

_PIECE = 1 << 20


def prove(
    project: Project,
    pairs: Iterable[tuple[ImportedArtifact, LockedArtifact]],
    *,
    record: str,
) -> None:
    """Compare objects whose rows have the digest of a blob, because they were just read.

    Args:
        project: Whose cache it is.
        pairs: What was pinned, and as what it would be locked.
        record: The file of pins, for messages.

    Raises:
        IntegrityError: One has other bytes than were pinned.
        ManyErrors: Several have.
    """
    errors: list[ArtlockError] = []
    with Vault.open(project.runtime) as vault:
        for imported, locked in pairs:
            rows = {str(uri): row for row, uri in locked.uris()}
            for found in imported.objects:
                error = _difference(vault, found, rows[str(found.uri)], record)
                errors += [] if error is None else [error]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        message = f"{len(errors)} objects are not what was pinned; nothing was written"
        raise ManyErrors(message, errors)


def _difference(
    vault: Vault, found: PinnedObject, row: LockedObject, record: str
) -> IntegrityError | None:
    blob = row.blake3
    if found.digest is None:
        return None
    if blob is None:
        raise AssertionError
    algorithm = found.digest.partition(":")[0]
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    with vault.blobs.open(blob, row.size) as fd:
        while data := os.read(fd, _PIECE):
            hasher.update(data)
    actual = f"{algorithm}:{hasher.hexdigest()}"
    if actual == found.digest:
        return None
    hint = "the object was replaced since it was pinned; look for the bytes elsewhere"
    return IntegrityError(
        subject=str(found.uri),
        expected=found.digest,
        actual=actual,
        hint=hint,
        record=record,
    )
