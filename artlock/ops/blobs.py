"""Which blob satisfies a row: that of its own digest, or what was learnt of its pin."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from artlock.cache.pins import pin_key, place_key
from artlock.engine.threads import each
from artlock.errors import CacheError
from artlock.fs.problems import raising
from artlock.model.digest import Digest
from artlock.model.tokens import Trust
from artlock.model.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from artlock.model.lock import Lockfile
    from artlock.model.plan import Placement
    from artlock.model.uri import Uri
    from artlock.ops.project import Project
    from artlock.ops.sources import Sources
    from artlock.ops.vault import Vault

_PIECE = 2**20
_READERS = 4


class Pinned:
    """The rows of a lockfile with what identifies each: its URI and its pin key.

    A pin key names a row together with the service that answers for it, so that bytes
    learnt from one endpoint never stand for another's. It takes no network.
    """

    def __init__(self, project: Project, lock: Lockfile, sources: Sources) -> None:
        # 20,000 keys take 0.12 s of CPU; with a look at the artifact's head for each, 0.15.
        self._uri_makers = {a.name: a.uri_maker() for a in lock.artifacts}
        self._identities = {a.name: sources.identity(a) for a in project.manifest.artifacts}
        self._keys: dict[str, bytes] = {}

    def uri(self, placement: Placement) -> Uri:
        """Return the full URI of a placement's object."""
        return self._uri_makers[placement.artifact](placement.row)

    def key(self, placement: Placement) -> bytes | None:
        """Return the pin key of a placement; ``None`` where nothing can be learnt of it.

        A row without version and tokens would not change when its object does.
        """
        known = self._keys.get(placement.target)
        if known is not None:
            return known
        row = placement.row
        identity = self._identities.get(placement.artifact)
        if identity is None or not (row.version or row.checksum):
            return None
        key = pin_key(identity, str(self.uri(placement)), row)
        # Asked before and after the files are written: it costs more than remembering it.
        self._keys[placement.target] = key
        return key


def known_digests(
    placements: Sequence[Placement], pinned: Pinned, vault: Vault
) -> dict[str, Digest]:
    """Return the blobs that satisfy placements, by target, as far as they are known.

    Whether the cache still has them is another question. What somebody else says of a row,
    because the cache came from another machine, is believed once the row's own tokens hold
    for the bytes (hazard 3.20).
    """
    known: dict[str, Digest] = {}
    asked: list[tuple[Placement, bytes]] = []
    for placement in placements:
        digest = placement.row.blake3
        if digest is not None:
            known[placement.target] = digest
        elif (key := pinned.key(placement)) is not None:
            asked.append((placement, key))
    if not asked:
        return known
    learnt = vault.seen.get_many(key for _, key in asked)
    known |= {p.target: Digest.blake3(learnt[key]) for p, key in asked if key in learnt}
    claims = vault.seen.claims(key for _, key in asked if key not in learnt)
    if not claims:
        return known
    proven = _proven(
        [(p, Digest.blake3(claims[key])) for p, key in asked if key in claims], vault
    )
    remember(vault, pinned, proven)
    return known | {placement.target: digest for placement, digest in proven}


def _proven(
    claims: Sequence[tuple[Placement, Digest]], vault: Vault
) -> list[tuple[Placement, Digest]]:
    """Return the claims that hold: the blob is there, and the row's tokens prove it."""
    judged = each(lambda claim: _holds(*claim, vault), claims, workers=_READERS)
    # Whatever is wrong with a blob or a claim, the row's bytes are fetched as if it had
    # never been made.
    return [outcome.item for outcome in judged if outcome.result]


def _holds(placement: Placement, digest: Digest, vault: Vault) -> bool:
    row = placement.row
    tokens = row.tokens
    check = Verification(tokens, size=row.size, subject=placement.target, etag_is_md5=True)
    with (
        raising(CacheError, f"cannot read the blob `{digest}`"),
        vault.blobs.open(digest, row.size) as fd,
    ):
        while data := os.read(fd, _PIECE):
            check.update(data)
    verified = check.finish()
    return verified.digest == digest and (
        tokens.trust in {Trust.STRONG, Trust.STORE}
        or (tokens.etag_like_md5 is not None and not verified.etag_differs)
    )


def remember(
    vault: Vault, pinned: Pinned, learnt: Iterable[tuple[Placement, Digest]]
) -> None:
    """Keep which blobs satisfied rows that do not say so themselves.

    Under a second key too, without the service that answered: what `gc` keeps for a
    lockfile must not hang on settings that may be others by then (hazard 3.17).
    """
    records = []
    for placement, digest in learnt:
        row = placement.row
        key = None if row.has_blake3 else pinned.key(placement)
        if key is not None:
            raw = bytes.fromhex(digest.hex)
            records += [(key, raw), (place_key(str(pinned.uri(placement)), row), raw)]
    vault.seen.put_many(records)
