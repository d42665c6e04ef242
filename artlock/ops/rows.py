"""From what was observed to rows: which locked rows stay, which are made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from artlock.model.lock import Kind, LockedObject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artlock.model.lock import LockedArtifact
    from artlock.model.manifest import Artifact
    from artlock.model.objects import ObjectInfo
    from artlock.ops.observe import Observation, Observed

UNKNOWN_SIZE = -1
"""Of a row whose object is read next, because its server did not say how long it is."""


def row_of(observed: Observed) -> LockedObject:
    """Return the row that an observation gives by itself."""
    info = observed.info
    return LockedObject(
        path=observed.path,
        size=UNKNOWN_SIZE if info.size is None else info.size,
        checksum=str(info.tokens),
        version=info.version or "",
    )


def is_weak(etag: str | None) -> bool:
    """Tell whether an etag may stay although bytes change (1.44; RFC 9110 §8.8.1)."""
    return etag is not None and etag.startswith("W/")


def names_state(row: LockedObject) -> bool:
    """Tell whether a row would be another one if its object had other bytes.

    A version, digest, checksum or strong etag does that; size and a weak etag do not.
    """
    if row.version:
        return True
    tokens = row.tokens
    if tokens.digests or tokens.checksums or tokens.unknown:
        return True
    return tokens.etag is not None and not is_weak(tokens.etag)


def same_state(row: LockedObject, info: ObjectInfo) -> bool:
    """Tell whether a store shows the very state that was locked.

    With a version on both sides it decides. Without one, equal size and an equal etag or
    checksum do. Where a store says nothing of the content the answer is no: equal size and
    time are no proof (hazard 4.19), and neither is an equal weak etag (hazard 1.44).
    """
    if info.size is not None and row.size != info.size:
        return False
    if row.version or info.version:
        return row.version == info.version
    locked = row.tokens
    if locked.contradicts(info.tokens):
        return False
    etags = (locked.etag, info.tokens.etag)
    if None not in etags and not any(is_weak(etag) for etag in etags):
        return locked.etag == info.tokens.etag
    return locked.agrees(info.tokens)


def locked_by_path(
    observation: Observation, artifact: Artifact, old: LockedArtifact
) -> dict[str, LockedObject]:
    """Return the rows of ``old`` by the paths that their objects have now.

    An object is known by its key: another ``rename`` moves a file and no pin.
    """
    if observation.kind is not Kind.TREE:
        pairs = zip(observation.objects, old.objects, strict=False)
        return {o.path: msgspec.structs.replace(row, path=o.path) for o, row in pairs}
    root = artifact.uri.as_tree()
    keys = {path: key for key, path in old.declared.rename}
    by_key = {keys.get(row.path, row.path): row for row in old.objects}
    found = {}
    for item in observation.objects:
        row = by_key.get(root.relative(item.info.uri) or "")
        if row is not None:
            same = row.path == item.path
            found[item.path] = row if same else msgspec.structs.replace(row, path=item.path)
    return found


def refreshed(
    observed: tuple[Observed, ...],
    locked: Mapping[str, LockedObject],
    *,
    keep_pins: bool,
) -> list[LockedObject]:
    """Return the rows of an artifact, sorted by path.

    A row whose state did not change stays as it is, with the digest that reading it gave.

    Args:
        observed: What the source holds, sorted by path.
        locked: The rows that were locked, by path.
        keep_pins: Keep locked rows although the source has moved on (``resolve``), or move
            them (``update``).
    """
    rows = []
    for item in observed:
        old = locked.get(item.path)
        keeps = old is not None and (keep_pins or same_state(old, item.info))
        rows.append(old if old is not None and keeps else row_of(item))
    return rows
