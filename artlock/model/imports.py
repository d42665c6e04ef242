"""Pins of other tools: what they say of objects, and the artifacts that this becomes."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec

from artlock.errors import ConfigError
from artlock.model.globs import problem_with_pattern
from artlock.model.lock import Kind, LockedObject
from artlock.model.tokens import Tokens
from artlock.model.uri import Uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_WEB = frozenset({"http", "https"})
_MOST_PATTERNS = 100
"""More objects than these are not listed in ``include``."""
_SPECIAL = re.compile(r"[*?\[]")

Fields = dict[str, "str | tuple[str, ...] | dict[str, str]"]


class PinnedObject(msgspec.Struct, frozen=True, kw_only=True):
    """One object as another tool pins it.

    Attributes:
        path: Where that tool puts it; not judged yet.
        size: In bytes; ``None`` if the pin does not tell.
        tokens: What it says of the bytes, as far as artlock has a token for it.
        version: S3 version ID or GCS generation; empty where there is none.
        digest: ``algorithm:hex`` to compare once the bytes are read, for pins without size
            whose algorithm may be none of a token.
    """

    path: str
    uri: Uri
    size: int | None = None
    tokens: Tokens = Tokens()
    version: str = ""
    digest: str | None = None


class Pins(msgspec.Struct, frozen=True, kw_only=True):
    """What one file pins.

    Attributes:
        objects: In the order of the file; at least one.
        is_whole: Whether they are all that was below one place when they were pinned.
        place: Where that tool puts them, relative to the folder of the file.
    """

    objects: tuple[PinnedObject, ...]
    is_whole: bool = False
    place: str | None = None


class ImportedArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact to be declared, and locked if the pins suffice.

    Attributes:
        fields: Of its table in the manifest.
        rows: Sorted by path; ``None`` if a size is missing.
        is_open: Whether the declaration means more than these objects.
    """

    name: str
    fields: Fields
    kind: Kind
    objects: tuple[PinnedObject, ...]
    rows: tuple[LockedObject, ...] | None
    is_open: bool = False

    def path_of(self, found: PinnedObject) -> str:
        """Return the path of the row of one of the objects."""
        return found.uri.file_name if self.kind is Kind.FILE else found.path

    def rows_with(self, others: Mapping[str, LockedObject]) -> list[LockedObject]:
        """Return all rows.

        Args:
            others: By path, those of objects whose pins tell no size.
        """
        return [
            others[self.path_of(found)]
            if found.size is None
            else _row(found, self.path_of(found), found.size)
            for found in self.objects
        ]


def artifacts_of(pins: Pins, name: str) -> tuple[ImportedArtifact, ...]:
    """Return the artifacts that some pins become.

    A web address is an artifact of its own; objects of one bucket are one.

    Args:
        pins: What was pinned.
        name: Of the artifact; where there are several, the beginning of their names.

    Raises:
        ConfigError: Two objects have one path, or one has two.
    """
    _refuse_twice(pins.objects)
    groups: dict[tuple[str, ...], list[PinnedObject]] = {}
    for found in pins.objects:
        uri = found.uri
        apart = (str(uri),) if uri.scheme in _WEB else ()
        groups.setdefault((uri.scheme, uri.authority or "", *apart), []).append(found)
    made = []
    names: set[str] = set()
    for members in groups.values():
        own = name if len(groups) == 1 else _own_name(name, members, names)
        names.add(own)
        made.append(_artifact(pins, own, members))
    return tuple(made)


def _refuse_twice(objects: Iterable[PinnedObject]) -> None:
    seen: set[str] = set()
    places: dict[Uri, str] = {}
    for found in objects:
        if found.path in seen:
            message = f"`{found.path}` is pinned twice"
            raise ConfigError(message, hint="the file was edited by hand, or is damaged")
        seen.add(found.path)
        other = places.setdefault(found.uri, found.path)
        if other != found.path:
            # In an artifact a key has one path.
            message = f"`{found.uri}` is pinned as `{other}` and as `{found.path}`"
            raise ConfigError(message, hint="leave one of them out")


def _own_name(name: str, members: Sequence[PinnedObject], taken: set[str]) -> str:
    """Return a free name: of the file if there is one object, else of the bucket."""
    uri = members[0].uri
    of = members[0].path if len(members) == 1 else uri.authority or uri.scheme
    base = f"{name}-{re.sub(r'[^a-z0-9._-]+', '-', of.lower()).strip('-.')}".rstrip("-")
    candidates = (base, *(f"{base}-{number}" for number in range(2, len(taken) + 3)))
    return next(found for found in candidates if found not in taken)


def _artifact(pins: Pins, name: str, members: list[PinnedObject]) -> ImportedArtifact:
    if len(members) == 1 and not pins.is_whole:
        return _file(pins, name, members[0])
    root = _root(members)
    keys = {found.path: root.relative(found.uri) or "" for found in members}
    fields: Fields = {"uri": str(root)}
    if pins.place is not None:
        fields["path"] = pins.place
    patterns = tuple(sorted(_SPECIAL.sub(r"[\g<0>]", key) for key in keys.values()))
    is_open = not pins.is_whole and (
        len(patterns) > _MOST_PATTERNS or any(map(problem_with_pattern, patterns))
    )
    if not pins.is_whole and not is_open:
        fields["include"] = patterns
    renamed = {key: path for path, key in keys.items() if key != path}
    if renamed:
        fields["rename"] = renamed
    return ImportedArtifact(
        name=name,
        fields=fields,
        kind=Kind.TREE,
        objects=tuple(members),
        rows=_rows((found, found.path) for found in members),
        is_open=is_open,
    )


def _file(pins: Pins, name: str, found: PinnedObject) -> ImportedArtifact:
    fields: Fields = {"uri": str(found.uri)}
    if pins.place is not None:
        fields["path"] = pins.place
    elif found.path != found.uri.file_name:
        fields["path"] = f"data/{name}/{found.path}"
    return ImportedArtifact(
        name=name,
        fields=fields,
        kind=Kind.FILE,
        objects=(found,),
        rows=_rows([(found, found.uri.file_name)]),
    )


def _rows(
    pairs: Iterable[tuple[PinnedObject, str]],
) -> tuple[LockedObject, ...] | None:
    rows = []
    for found, path in pairs:
        if found.size is None:
            return None
        rows.append(_row(found, path, found.size))
    return tuple(sorted(rows, key=lambda row: row.path))


def _row(found: PinnedObject, path: str, size: int) -> LockedObject:
    return LockedObject(path, size, str(found.tokens), found.version)


def _root(members: Sequence[PinnedObject]) -> Uri:
    """Return the tree below which the objects stand at their paths, else the nearest."""
    first = members[0].uri
    for cut in (len(first.key) - len(members[0].path), first.key.rfind("/") + 1):
        root = Uri(first.scheme, first.authority, first.key[: max(cut, 0)])
        if root.is_tree and all(root.child(m.path) == m.uri for m in members):
            return root
    keys = [member.uri.key for member in members]
    common = takewhile(lambda column: len(set(column)) == 1, zip(*keys, strict=False))
    shared = "".join(column[0] for column in common)
    return Uri(first.scheme, first.authority, shared[: shared.rfind("/") + 1])
