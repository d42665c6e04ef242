"""Ask a source what it holds now, and turn that into paths below the artifact."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from artlock.errors import (
    BucketNotFoundError,
    ManifestError,
    ObjectNotFoundError,
    StoreError,
    UnsafePathError,
)
from artlock.model.globs import selector
from artlock.model.lock import Kind
from artlock.model.objects import ObjectInfo, VersionId

if TYPE_CHECKING:
    from artlock.model.manifest import Artifact
    from artlock.model.uri import Uri
    from artlock.ops.progress import Progress
    from artlock.stores.base import Store

_WITHOUT_LISTING = frozenset({"http", "https"})
_HANDFUL = 100
"""Objects that are told of together: telling of each takes as long as looking at it."""


class Observed(msgspec.Struct, frozen=True, gc=False):
    """One object and the path that its row would have; a struct as ``ObjectInfo`` is."""

    path: str
    info: ObjectInfo


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """A source as it is now.

    Attributes:
        objects: Sorted by path.
        markers: How many zero-byte ``folder/`` keys were skipped.
    """

    kind: Kind
    objects: tuple[Observed, ...]
    markers: int = 0

    @property
    def archived(self) -> int:
        """How many objects must be restored before they can be read."""
        return sum(1 for o in self.objects if o.info.archived)


def observe(artifact: Artifact, store: Store, progress: Progress) -> Observation:
    """Describe every object that ``artifact`` means, without reading bytes.

    A URI without a trailing slash means the object of exactly that key if there is one,
    else the tree below ``key/``; never a sibling that only shares the text.

    Raises:
        ObjectNotFoundError: There is neither such an object nor anything below it.
        ManifestError: The patterns select nothing.
        UnsafePathError: A key that ends in ``/`` has content.
        StoreError: The source refused or failed.
    """
    progress.begin("listing", objects=None, size=None)
    try:
        alone = None if artifact.uri.is_tree else _single(artifact, store)
        if alone is not None:
            progress.advance(objects=1)
            name = artifact.uri.file_name
            named = Observed(_renamed_paths(artifact).get(name, name), alone)
            return Observation(kind=Kind.FILE, objects=(named,))
        return _tree(artifact, store, progress)
    finally:
        progress.end()


def head_at(store: Store, uri: Uri, version: VersionId) -> ObjectInfo:
    """Describe one version of an object, and believe no answer about another one.

    Raises:
        ObjectNotFoundError: There is no such object or version.
        StoreError: The source refused or failed, or answered with another version.
    """
    info = store.head(uri, version)
    if info.version != version:
        # Some services pass over the version where a bucket keeps none.
        came = f"version `{info.version}`" if info.version else "no version"
        message = f"`{uri}` was asked for at version `{version}`, and {came} came"
        raise StoreError(message, uri=str(uri), hint="see whether its bucket has versions")
    return info


def _single(artifact: Artifact, store: Store) -> ObjectInfo | None:
    """Return the object of exactly the declared key, or ``None`` if there is a tree."""
    declared = artifact.declared
    if declared.as_of is not None:
        moment = datetime.fromisoformat(declared.as_of)
        listed = store.scan(artifact.uri, as_of=moment)
        then = next((info for info in listed if info.uri == artifact.uri), None)
        if then is None or then.version is None:
            return then
        # A listing tells less of an object: without this the row would have other tokens
        # than one that was made at that moment.
        return store.head(artifact.uri, then.version)
    version = VersionId(declared.version) if declared.version is not None else None
    try:
        if version is not None:
            return head_at(store, artifact.uri, version)
        return store.head(artifact.uri)
    except BucketNotFoundError:
        raise
    except ObjectNotFoundError:
        if version is not None or artifact.uri.scheme in _WITHOUT_LISTING:
            raise
        return None


def _tree(artifact: Artifact, store: Store, progress: Progress) -> Observation:
    declared = artifact.declared
    root = artifact.uri.as_tree()
    as_of = datetime.fromisoformat(declared.as_of) if declared.as_of else None
    selects = selector(declared.include, declared.exclude)
    paths = _renamed_paths(artifact)
    found: list[Observed] = []
    markers = seen = listed = 0
    for info in store.scan(root, as_of=as_of):
        listed += 1
        if listed % _HANDFUL == 0:
            progress.advance(objects=_HANDFUL)
        key = root.relative(info.uri)
        if key is None:
            continue
        seen += 1
        if not selects(key):
            continue
        if key.endswith("/") or not key:
            if info.size:
                message = (
                    f"`{info.uri}` ends in `/` and has {info.size} bytes, "
                    "so it is no folder marker and no file name"
                )
                raise UnsafePathError(message, paths=[key], hint=_way_around(artifact, key))
            markers += 1
            continue
        found.append(Observed(paths.get(key, key), info))
    progress.advance(objects=listed % _HANDFUL)
    if not found:
        raise _nothing(artifact, seen=seen, markers=markers)
    found.sort(key=lambda o: o.path)
    return Observation(kind=Kind.TREE, objects=tuple(found), markers=markers)


def _renamed_paths(artifact: Artifact) -> dict[str, str]:
    """Return the paths of keys that have others than their own."""
    return dict(artifact.declared.rename)


def _way_around(artifact: Artifact, key: str) -> str:
    if not key:
        return f"remove it at the source, or let `{artifact.name}` begin further below"
    return (
        f'add `exclude = ["{key}"]` to `{artifact.name}`, which leaves out everything '
        "below it, too"
    )


def _nothing(
    artifact: Artifact, *, seen: int, markers: int
) -> ObjectNotFoundError | ManifestError:
    if seen > markers:
        return ManifestError(
            f"`artifacts.{artifact.name}`: none of the {seen} objects below "
            f"`{artifact.uri.as_tree()}` is selected by `include` and `exclude`",
            hint="`*` stays within one folder; `**/*.bin` means every folder",
        )
    when = f" at {artifact.declared.as_of}" if artifact.declared.as_of else ""
    where = f"`{artifact.uri}`" if artifact.uri.is_tree else f"`{artifact.uri}` or below it"
    return ObjectNotFoundError(
        f"there is no object {'below' if artifact.uri.is_tree else 'at'} {where}{when}",
        uri=str(artifact.uri),
        hint="look for a typing error in the URI of "
        f"`artifacts.{artifact.name}`, or upload the data first",
    )
