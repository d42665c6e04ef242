"""Compare bytes that were read with digests that another tool had pinned."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from artlock.errors import IntegrityError, ManyErrors
from artlock.model.verification import new_hasher

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from artlock.errors import ArtlockError
    from artlock.model.digest import Checksum, Digest
    from artlock.model.imports import PinnedObject
    from artlock.model.lock import LockedObject
    from artlock.model.verification import Hasher
    from artlock.ops.vault import Vault

HINT = "the object was replaced since it was pinned; look for the bytes elsewhere"
_PIECE = 1 << 20


def differences(
    vault: Vault, pairs: Iterable[tuple[PinnedObject, LockedObject]], *, record: str
) -> list[IntegrityError]:
    """Compare objects whose rows have the digest of a blob, because they were just read.

    Every digest and checksum of a pin is compared.

    Args:
        vault: Where the blobs are.
        pairs: What was pinned, and the row that it would be.
        record: The file of pins, for messages.

    Returns:
        An error for each object that has other bytes than were pinned.
    """
    found = (_difference(vault, *pair, record) for pair in pairs)
    return [error for error in found if error is not None]


def raise_all(errors: Sequence[ArtlockError]) -> None:
    """Raise one error, or several together; nothing if there is none.

    Raises:
        ArtlockError: There is one.
        ManyErrors: There are several.
    """
    if len(errors) == 1:
        raise errors[0]
    if errors:
        message = f"{len(errors)} objects are not what was pinned; nothing was written"
        raise ManyErrors(message, errors)


def _difference(
    vault: Vault, pinned: PinnedObject, row: LockedObject, record: str
) -> IntegrityError | None:
    expected = _expected(pinned)
    blob = row.blake3
    if not expected:
        return None
    if blob is None:
        raise AssertionError
    with vault.blobs.open(blob, row.size) as fd:
        while data := os.read(fd, _PIECE):
            for _, hasher in expected.values():
                hasher.update(data)
    for algorithm, (value, hasher) in expected.items():
        actual = hasher.hexdigest()
        if actual != value:
            return IntegrityError(
                subject=str(pinned.uri),
                expected=f"{algorithm}:{value}",
                actual=f"{algorithm}:{actual}",
                hint=HINT,
                record=record,
            )
    return None


def _expected(pinned: PinnedObject) -> dict[str, tuple[str, Hasher]]:
    """Return the value that was pinned and a hasher, by algorithm."""
    known: tuple[Digest | Checksum, ...] = (
        *pinned.tokens.digests,
        *pinned.tokens.checksums,
    )
    found: dict[str, tuple[str, Hasher]] = {
        str(token.algorithm): (token.hex, new_hasher(token.algorithm)) for token in known
    }
    if pinned.digest is not None:
        algorithm, _, value = pinned.digest.partition(":")
        hasher = hashlib.new(algorithm, usedforsecurity=False)
        found[algorithm] = value, hasher
    return found
