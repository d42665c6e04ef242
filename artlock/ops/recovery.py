"""Where else the bytes of a lost pin may be; a digest or checksum decides about them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from msgspec.structs import replace

from artlock.errors import ArtlockError
from artlock.model.lock import Kind
from artlock.ops.pins import pin_of
from artlock.ops.policy import problem_with_source
from artlock.stores.base import Pin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artlock.model.lock import LockedArtifact, LockedObject, Lockfile
    from artlock.model.manifest import Artifact, Manifest
    from artlock.model.plan import Placement
    from artlock.model.uri import Uri
    from artlock.ops.sources import Sources
    from artlock.stores.base import Store

_BLAKE3 = "blake3:"


class OtherPlaces:
    """Knows other places of locked bytes; may be asked from several threads."""

    def __init__(self, manifest: Manifest, lock: Lockfile, sources: Sources) -> None:
        self._manifest = manifest
        self._lock = lock
        self._sources = sources
        self._mutex = threading.Lock()
        self._twins: dict[str, list[tuple[Artifact, LockedObject, Uri]]] | None = None
        """Rows by digest; made at the first failure, because most runs have none."""

    def of(
        self, artifact: Artifact, placement: Placement, uri: Uri
    ) -> Iterator[tuple[Store, Pin]]:
        """Yield other places that may hold the bytes of a placement, the likeliest first.

        The artifact's mirrors, other rows with the same digest, and the object as it is
        now. A place that cannot be reached is passed over: the failure of the pin itself
        is what counts. A twin whose locked URI the policy refuses is none.
        """
        row = placement.row
        locked = self._lock.get(placement.artifact)
        in_tree = locked is not None and locked.kind is Kind.TREE
        for mirror in artifact.mirrors:
            below = locked.root.relative(uri) if locked is not None and in_tree else None
            at = mirror.as_tree().child(below) if below is not None else mirror
            yield from self._opened(artifact, Pin(uri=at, size=row.size))
        for declared, twin, at in self._rows_with(_digest_text(row)):
            if at != uri:
                yield from self._opened(declared, pin_of(twin, at))
        if row.version:
            yield from self._opened(artifact, Pin(uri=uri, size=row.size))

    def _rows_with(self, digest: str | None) -> list[tuple[Artifact, LockedObject, Uri]]:
        if digest is None:
            return []
        with self._mutex:
            if self._twins is None:
                self._twins = {}
                for declared, row, uri in self._allowed_rows():
                    text = _digest_text(row)
                    if text is not None:
                        self._twins.setdefault(text, []).append((declared, row, uri))
            return self._twins.get(digest, [])

    def _allowed_rows(self) -> Iterator[tuple[Artifact, LockedObject, Uri]]:
        for locked in self._lock.artifacts:
            declared = self._manifest.get(locked.name)
            if declared is not None and self._is_allowed(declared, locked):
                yield from ((declared, row, uri) for row, uri in locked.uris())

    def _is_allowed(self, declared: Artifact, locked: LockedArtifact) -> bool:
        # What was locked counts: a lockfile that is stale may name another place.
        as_locked = replace(declared, declared=locked.declared)
        return problem_with_source(self._manifest.policy, as_locked) is None

    def _opened(self, artifact: Artifact, pin: Pin) -> Iterator[tuple[Store, Pin]]:
        try:
            yield self._sources.store(artifact, pin.uri), pin
        except ArtlockError:
            return  # no way to reach this place; the next one may do


def _digest_text(row: LockedObject) -> str | None:
    """Return the BLAKE3 token of a row, which is its first, without parsing the others."""
    first = row.checksum.partition(" ")[0]
    return first if first.startswith(_BLAKE3) else None
