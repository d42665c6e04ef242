"""Where else the bytes of a lost pin may be; a digest or checksum decides about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import ArtlockError
from artlock.model.lock import Kind
from artlock.ops.pins import pin_of
from artlock.stores.base import Pin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artlock.model.lock import Lockfile
    from artlock.model.manifest import Artifact
    from artlock.model.plan import Placement
    from artlock.model.uri import Uri
    from artlock.ops.sources import Sources
    from artlock.stores.base import Store


def other_places(
    sources: Sources, artifact: Artifact, lock: Lockfile, placement: Placement, uri: Uri
) -> Iterator[tuple[Store, Pin]]:
    """Yield other places that may hold the bytes of a placement, the likeliest first.

    The artifact's mirrors, other rows with the same digest, and the object as it is now. A
    place that cannot be reached is passed over: the failure of the pin itself is what
    counts.
    """
    row = placement.row
    locked = lock.get(placement.artifact)
    for mirror in artifact.mirrors:
        below = locked.root.relative(uri) if locked and locked.kind is Kind.TREE else None
        at = mirror.as_tree().child(below) if below is not None else mirror
        yield from _opened(sources, artifact, Pin(uri=at, size=row.size))
    digest = row.tokens.blake3
    for other in lock.artifacts if digest is not None else ():
        declared = sources.artifact(other.name)
        for twin, at in other.uris() if declared is not None else ():
            if at != uri and twin.tokens.blake3 == digest and declared is not None:
                yield from _opened(sources, declared, pin_of(twin, at))
    if row.version:
        yield from _opened(sources, artifact, Pin(uri=uri, size=row.size))


def _opened(sources: Sources, artifact: Artifact, pin: Pin) -> Iterator[tuple[Store, Pin]]:
    try:
        yield sources.store(artifact, pin.uri), pin
    except ArtlockError:
        return  # no way to reach this place; the next one may do
