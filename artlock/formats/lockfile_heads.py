"""Tables to values: the parts of a lockfile that are not rows.

Both readers (``lockfile_read``) build with this module, so that they cannot disagree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from artlock.errors import PolicyError
from artlock.formats.lockfile_faults import MAKE_ANEW
from artlock.formats.lockfile_write import COLUMNS, FORMAT
from artlock.formats.moments import canonical_moment
from artlock.model.globs import problem_with_pattern
from artlock.model.lock import MAX_SIZE, Kind, LockedArtifact
from artlock.model.manifest import ChecksumPolicy, Declaration, problem_with_name
from artlock.model.uri import Uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artlock.formats.lockfile_faults import Spot

_TOP_KEYS = frozenset({"version", "revision", "columns", "artifact"})
_HEAD_KEYS = frozenset(
    {
        "name",
        "uri",
        "include",
        "exclude",
        "version",
        "as-of",
        "checksum",
        "rename",
        "portable",
        "kind",
        "root",
        "objects",
        "parts",
    }
)
_Extra = tuple[tuple[str, object], ...]
_WEB = frozenset({"http", "https"})
_MAX_DEPTH = 16
"""Deepest nesting in a key that this version does not know."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_top(document: Mapping[str, object], spot: Spot) -> int:
    """Check the format's numbers and columns; return the revision.

    Raises:
        LockfileError: Another format, or a key is missing or not valid.
    """
    version, revision = document.get("version"), document.get("revision")
    if type(version) is not int or version < 1:
        spot.refuse("it has no `version = 1`")
    if version > FORMAT:
        spot.refuse_format(version)
    if type(revision) is not int or not 0 <= revision <= MAX_SIZE:
        spot.refuse("it has no `revision` that is a whole number")
    if document.get("columns") != list(COLUMNS):
        spot.refuse(f"`columns` is not {list(COLUMNS)}")
    return revision


def extra_of(table: Mapping[str, object], spot: Spot, *, top: bool) -> _Extra:
    """Return the keys that this version does not know, sorted.

    Raises:
        LockfileError: A value is none that every version could keep.
    """
    unknown = sorted(table.keys() - (_TOP_KEYS if top else _HEAD_KEYS))
    for key in unknown:
        _check_value(table[key], spot.at(f"`{key}`"), depth=0)
    return tuple((key, table[key]) for key in unknown)


def _check_value(value: object, spot: Spot, depth: int) -> None:
    if depth > _MAX_DEPTH:
        spot.refuse("it is nested too deeply")
    if isinstance(value, list):
        for item in value:
            _check_value(item, spot, depth + 1)
    elif isinstance(value, dict):
        for item in value.values():
            _check_value(item, spot, depth + 1)
    elif isinstance(value, int):
        if not -MAX_SIZE - 1 <= value <= MAX_SIZE:
            spot.refuse("a whole number is beyond 64 bits")
    elif not isinstance(value, str):
        kind = "a float" if isinstance(value, float) else "a date or time"
        spot.refuse(f"it is {kind}, which a lockfile does not hold; write a string")


def name_of(table: Mapping[str, object], spot: Spot) -> str:
    """Return the name of an artifact.

    Raises:
        LockfileError: It is missing or not valid.
    """
    name = _text(table, "name", spot)
    if name is None:
        spot.refuse("it has no `name`")
    if problem := problem_with_name(name):
        spot.refuse(f"`name`: {problem}")
    return name


def head_of(table: Mapping[str, object], name: str, spot: Spot) -> LockedArtifact:
    """Build an artifact without its rows.

    Raises:
        LockfileError: A key is missing or not valid.
        PolicyError: The URI is none that may be in a lockfile.
    """
    uri = _uri(table, spot)
    artifact = LockedArtifact(
        name=name,
        declared=_declaration(table, uri, spot),
        kind=_kind(table, uri, spot),
        extra=extra_of(table, spot, top=False),
    )
    root = _text(table, "root", spot)
    if (root or str(uri)) != str(artifact.root):
        wanted = f'"{artifact.root}"' if artifact.root != uri else "absent, as it is `uri`"
        spot.refuse(f"`root` must be {wanted}")
    return artifact


def _uri(table: Mapping[str, object], spot: Spot) -> Uri:
    text = _text(table, "uri", spot)
    if text is None:
        spot.refuse("it has no `uri`")
    try:
        return Uri.parse(text)
    except ValueError as error:
        # The text is not repeated: it may be a credential.
        reason = f"`{spot.name}`: {spot.inside}: `uri`: {error}"
        raise PolicyError(reason, hint=MAKE_ANEW) from error


def _kind(table: Mapping[str, object], uri: Uri, spot: Spot) -> Kind:
    text = _text(table, "kind", spot)
    kinds = {str(kind): kind for kind in Kind}
    if text not in kinds:
        spot.refuse('`kind` is not "file", "tree" or "link"')
    kind = kinds[text]
    if uri.is_link and kind is not Kind.LINK:
        spot.refuse(f"`kind`: `{uri.scheme}:` can only be a link")
    if uri.is_tree and kind is Kind.FILE:
        spot.refuse("`kind`: a URI that ends in `/` is not a file")
    if uri.scheme in _WEB and kind is Kind.TREE:
        # Its rows would be addresses below the one that is declared (hazard 5.1).
        spot.refuse("`kind`: a web address is one file, not a tree")
    return kind


def _declaration(table: Mapping[str, object], uri: Uri, spot: Spot) -> Declaration:
    policies = {str(policy): policy for policy in ChecksumPolicy}
    checksum = _text(table, "checksum", spot) or str(ChecksumPolicy.STORE)
    if checksum not in policies:
        spot.refuse('`checksum` is not "store" or "blake3"')
    portable = table.get("portable", True)
    if not isinstance(portable, bool):
        spot.refuse("`portable` is not true or false")
    return Declaration(
        uri=uri,
        include=_patterns(table, "include", spot),
        exclude=_patterns(table, "exclude", spot),
        version=_text(table, "version", spot),
        as_of=_moment(table, spot),
        checksum=policies[checksum],
        rename=_rename(table, spot),
        portable=portable,
    )


def _text(table: Mapping[str, object], key: str, spot: Spot) -> str | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value or _CONTROL.search(value):
        spot.refuse(f"`{key}` is not text without control characters")
    return value


def _patterns(table: Mapping[str, object], key: str, spot: Spot) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list):
        spot.refuse(f"`{key}` is not a list")
    for index, pattern in enumerate(value):
        if not isinstance(pattern, str):
            spot.refuse(f"`{key}[{index}]` is not text")
        if problem := problem_with_pattern(pattern):
            spot.refuse(f"`{key}[{index}]`: {problem}")
    return tuple(cast("list[str]", value))


def _moment(table: Mapping[str, object], spot: Spot) -> str | None:
    text = _text(table, "as-of", spot)
    if text is None:
        return None
    try:
        canonical = canonical_moment(text)
    except ValueError as error:
        spot.refuse(f"`as-of` {error}")
    if canonical != text:
        spot.refuse(f'`as-of` is not spelled "{canonical}"')
    return text


def _rename(table: Mapping[str, object], spot: Spot) -> tuple[tuple[str, str], ...]:
    value = table.get("rename", {})
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        spot.refuse("`rename` is not a table of text")
    if len(set(value.values())) != len(value):
        spot.refuse("`rename` gives two keys one path")
    return tuple(sorted(cast("dict[str, str]", value).items()))
