"""One ``[artifacts.<name>]`` table: text to value, with every rule that needs no store."""

from __future__ import annotations

from datetime import date, datetime, time
from enum import StrEnum
from typing import TYPE_CHECKING

from artlock.formats.access import ACCESS_KEYS, read_access
from artlock.formats.moments import canonical_moment
from artlock.model.globs import problem_with_pattern
from artlock.model.manifest import (
    Artifact,
    ChecksumPolicy,
    Declaration,
    MergePolicy,
    problem_with_name,
)
from artlock.model.paths import collisions, problem_with, problem_with_target
from artlock.model.uri import Uri

if TYPE_CHECKING:
    from artlock.formats.fields import Table

ARTIFACT_KEYS = (
    "uri",
    "path",
    "include",
    "exclude",
    "groups",
    "checksum",
    "link",
    "fallback",
    "version",
    "as-of",
    "rename",
    "portable",
    "mirrors",
    "merge",
    "description",
    "meta",
    *ACCESS_KEYS,
)
"""What an artifact's table may have."""
_WEB = ("http", "https")
_BUCKETS = ("s3", "gs")
_CHOICES = ("include", "exclude", "rename")
"""What chooses among the objects of a tree."""
_LOOKED_INTO = (*_CHOICES, "version", "as-of", "checksum")
"""What a link has no use for."""


class _Fallback(StrEnum):
    ERROR = "error"
    LINK = "link"


def read_artifact(
    table: Table, name: str, *, checksum: ChecksumPolicy | None, portable: bool
) -> Artifact | None:
    """Read one artifact; ``None`` if its URI is faulty. Faults go to ``table.faults``.

    Args:
        table: A table that knows ``ARTIFACT_KEYS``.
        name: Of the artifact.
        checksum: The manifest's policy, where the artifact has none of its own.
        portable: The same.
    """
    # The name becomes a folder of the workspace and of the lockfile's parts.
    problem = problem_with_name(name) or problem_with(name)
    if problem is not None:
        table.faults.add(table.place, f"cannot be a name: {problem}")
    uri = _uri(table)
    access = read_access(table, uri)
    own_portable = table.flag("portable")
    portable = portable if own_portable is None else own_portable
    fallback = table.choice("fallback", _Fallback)
    link = table.flag("link") or False
    own_checksum = table.choice("checksum", ChecksumPolicy)
    include = table.texts("include", _problem_with_pattern)
    exclude = table.texts("exclude", _problem_with_pattern)
    version = table.text("version")
    as_of = _as_of(table)
    rename = _rename(table, portable=portable)
    path = _path(table)
    groups = table.texts("groups", problem_with_name)
    mirrors = _mirrors(table, uri)
    merge = table.choice("merge", MergePolicy)
    description = table.prose("description")
    table.entries("meta")
    if uri is None:
        return None
    if link or uri.is_link:
        _check_link(table)
    else:
        _check_source(table, uri, version, portable=portable)
    if link and fallback is not None:
        table.fault("fallback", "has no meaning with `link = true`")
    reads_bytes = uri.scheme not in _BUCKETS or link
    inherited = None if reads_bytes else checksum
    return Artifact(
        name=name,
        declared=Declaration(
            uri=uri,
            include=include,
            exclude=exclude,
            version=version,
            as_of=as_of,
            checksum=own_checksum or inherited or ChecksumPolicy.STORE,
            rename=rename,
            portable=portable,
        ),
        path=path,
        groups=tuple(dict.fromkeys(groups)),
        link=link,
        link_if_denied=fallback is _Fallback.LINK,
        mirrors=mirrors,
        merge=merge or MergePolicy.ROWS,
        access=access,
        description=description,
    )


def _uri(table: Table) -> Uri | None:
    if "uri" not in table:
        table.faults.add(table.place, "has no `uri`")
        return None
    text = table.text("uri")
    if text is None:
        return None
    problem = _problem_with_uri(text)
    if problem is not None:
        table.fault("uri", problem)
        return None
    return Uri.parse(text)


def _problem_with_uri(text: str) -> str | None:
    try:
        Uri.parse(text)
    except ValueError as error:
        return str(error)
    return None


def _check_link(table: Table) -> None:
    for key in _LOOKED_INTO:
        if key in table:
            table.fault(key, "has no meaning for a link, which is never looked into")


def _check_source(table: Table, uri: Uri, version: str | None, *, portable: bool) -> None:
    if uri.scheme in _WEB:
        _check_web(table, uri, portable=portable)
    if "version" in table:
        _check_version(table, uri, version)
    if "as-of" in table and uri.scheme not in _BUCKETS:
        table.fault("as-of", "is only for `s3://` and `gs://`, whose buckets keep versions")
    if "as-of" in table and "version" in table:
        table.fault("as-of", "has no meaning beside `version`; keep one of them")


def _check_web(table: Table, uri: Uri, *, portable: bool) -> None:
    name = uri.file_name
    if uri.is_tree or not name:
        reason = "names no file; a web server has no listing, so declare each file"
        table.fault("uri", reason)
    elif problem := _problem_with_file_name(name, portable=portable):
        table.fault("uri", f"its last segment cannot be a file name: {problem}")
    for key in _CHOICES:
        if key in table:
            table.fault(key, "is only for trees, and a web address is one file")


def _problem_with_file_name(name: str, *, portable: bool) -> str | None:
    return "it has a `/`" if "/" in name else problem_with(name, portable=portable)


def _check_version(table: Table, uri: Uri, version: str | None) -> None:
    if uri.scheme not in _BUCKETS:
        table.fault("version", "is only for `s3://` and `gs://`")
    elif uri.is_tree:
        table.fault("version", "pins one object, and this is a tree; use `as-of`")
    elif version == "null":
        # S3: the `null` version is overwritten in place (hazard 1.13).
        table.fault("version", "`null` pins nothing; its bytes may be replaced")
    elif version is not None and uri.scheme == "gs" and not version.isdecimal():
        table.fault("version", "is not a generation, which is a number")


def _problem_with_pattern(pattern: str) -> str | None:
    problem = problem_with_pattern(pattern)
    return f"`{pattern}` is not a pattern: {problem}" if problem else None


def _as_of(table: Table) -> str | None:
    value = table.raw("as-of")
    if value is None:
        return None
    if isinstance(value, date | time) and not isinstance(value, datetime):
        table.fault("as-of", "needs a date and a time: 2026-05-01T00:00:00Z")
        return None
    if not isinstance(value, datetime):
        value = table.text("as-of")
        if value is None:
            return None
    try:
        return canonical_moment(value)
    except ValueError as error:
        table.fault("as-of", str(error))
        return None


def _path(table: Table) -> str | None:
    path = table.text("path")
    problem = problem_with_target(path) if path is not None else None
    if problem is not None:
        table.fault("path", f"cannot be a place in the project: {problem}")
    return path


def _rename(table: Table, *, portable: bool) -> tuple[tuple[str, str], ...]:
    pairs = table.pairs("rename")
    for key, path in pairs:
        if problem := problem_with(path, portable=portable):
            table.fault("rename", f"`{path}` cannot be a file: {problem}", key)
    for one, other in collisions([path for _, path in pairs]):
        table.fault("rename", f"`{one}` and `{other}` cannot both be files")
    return tuple(sorted(pairs))


def _mirrors(table: Table, uri: Uri | None) -> tuple[Uri, ...]:
    texts = table.texts("mirrors", lambda text: _problem_with_mirror(text, uri))
    # What is faulty is told already, and never used.
    return tuple(Uri.parse(t) for t in texts if _problem_with_mirror(t, uri) is None)


def _problem_with_mirror(text: str, uri: Uri | None) -> str | None:
    problem = _problem_with_uri(text)
    if problem is not None:
        return problem
    mirror = Uri.parse(text)
    if mirror.is_link:
        return f"artlock cannot read `{mirror.scheme}:`"
    if uri is not None and mirror.is_tree != uri.is_tree:
        kinds = ("a tree", "a file") if uri.is_tree else ("a file", "a tree")
        return f"the source is {kinds[0]} and this is {kinds[1]}; mind the last `/`"
    return None
