"""Which blob satisfies a row: that of its own digest, or what was learnt of its pin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.cache.pins import pin_key
from artlock.model.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from artlock.model.lock import Lockfile
    from artlock.model.plan import Placement
    from artlock.model.uri import Uri
    from artlock.ops.project import Project
    from artlock.ops.sources import Sources
    from artlock.ops.vault import Vault


class Pinned:
    """The rows of a lockfile with what identifies each: its URI and its pin key.

    A pin key names a row together with the service that answers for it, so that bytes
    learnt from one endpoint never stand for another's. It takes no network.
    """

    def __init__(self, project: Project, lock: Lockfile, sources: Sources) -> None:
        self._locked = {a.name: a for a in lock.artifacts}
        self._identities = {a.name: sources.identity(a) for a in project.manifest.artifacts}
        self._keys: dict[str, bytes] = {}

    def uri(self, placement: Placement) -> Uri:
        """Return the full URI of a placement's object."""
        return self._locked[placement.artifact].uri_of(placement.row)

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

    Whether the cache still has them is another question.
    """
    known: dict[str, Digest] = {}
    asked: dict[str, bytes] = {}
    for placement in placements:
        digest = placement.row.blake3
        if digest is not None:
            known[placement.target] = digest
        elif (key := pinned.key(placement)) is not None:
            asked[placement.target] = key
    learnt = vault.seen.get_many(asked.values()) if asked else {}
    known.update(
        {t: Digest.blake3(learnt[key]) for t, key in asked.items() if key in learnt}
    )
    return known


def remember(
    vault: Vault, pinned: Pinned, learnt: Iterable[tuple[Placement, Digest]]
) -> None:
    """Keep which blobs satisfied rows that do not say so themselves."""
    vault.seen.put_many(
        (key, bytes.fromhex(digest.hex))
        for placement, digest in learnt
        if not placement.row.has_blake3 and (key := pinned.key(placement)) is not None
    )
