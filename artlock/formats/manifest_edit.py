"""Changing ``artifacts.toml`` without touching what is not meant.

``manifest_tree`` edits, and each edit is proved before it is given back: the new text reads
as the old one with one artifact more or less, and has every comment that is not of that
artifact. What cannot be edited so is refused.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from typing import TYPE_CHECKING, cast

from artlock.errors import ManifestError
from artlock.formats.artifact import ARTIFACT_KEYS
from artlock.formats.faults import load_toml, render_string
from artlock.formats.manifest import MANIFEST_NAME
from artlock.formats.toml_source import STRING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Value = str | bool | tuple[str, ...] | dict[str, str]
"""What a new artifact's keys may hold."""
_ARTIFACTS = "artifacts"
_LONE_NEWLINE = re.compile(r"(?<!\r)\n")
_PIECE = re.compile(rf"(?P<string>{STRING}) | \#[^\n]*+ | [ \t\n]++", re.VERBOSE)


def add_artifact(
    text: str, name: str, fields: Mapping[str, Value], *, file: str = MANIFEST_NAME
) -> str:
    """Return ``text`` with one more artifact, behind those that are there.

    Args:
        text: The manifest.
        name: Of the new artifact.
        fields: Its keys and values; written in the order of the schema.
        file: What the manifest is called in messages.

    Raises:
        ManifestError: Not TOML, the name is taken, or there is no safe place for it.
    """
    from artlock.formats.manifest_tree import with_table

    before = load_toml(text, name=file, error=ManifestError)
    artifacts = before.get(_ARTIFACTS, {})
    if not isinstance(artifacts, dict):
        raise _unsafe(file)
    if name in artifacts:
        message = f"`{file}` has an artifact `{name}` already"
        hint = f"choose another `--name`, or `artlock rm {name}` first"
        raise ManifestError(message, hint=hint)
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}
    ordered = {key: values[key] for key in ARTIFACT_KEYS if key in values}
    edited = _edited(text, lambda text: (with_table(text, name, ordered), ""), file)
    _prove(edited, {**_plain(text), _ARTIFACTS: {**_artifacts(text), name: values}}, file)
    return edited


def remove_artifact(text: str, name: str, *, file: str = MANIFEST_NAME) -> str:
    """Return ``text`` without the artifact: its tables, wherever they stand, and its keys.

    Comments inside of its tables and directly above their headers go too, except those that
    begin the file.

    Args:
        text: The manifest.
        name: Of the artifact.
        file: What the manifest is called in messages.

    Raises:
        ManifestError: Not TOML, there is no such artifact, or it cannot be cut out safely.
    """
    from artlock.formats.manifest_tree import without_tables

    before = load_toml(text, name=file, error=ManifestError)
    artifacts = before.get(_ARTIFACTS, {})
    if not isinstance(artifacts, dict) or name not in artifacts:
        message = f"`{file}` has no artifact `{name}`"
        raise ManifestError(message, hint="see `artlock ls`")
    edited = _edited(text, lambda text: without_tables(text, name), file)
    kept = {key: value for key, value in _artifacts(text).items() if key != name}
    _prove(edited, {**_plain(text), _ARTIFACTS: kept}, file)
    return edited


def initial_manifest(name: str) -> str:
    """Return the text that ``artlock init`` writes.

    Args:
        name: Of the project; what ``push`` registers.
    """
    return f"""\
# The data of this project. `artlock resolve` pins it in artifacts.lock, and
# `artlock sync` brings exactly those bytes here.

[artlock]
version = 1
name = {render_string(name)}
# checksum = "blake3"            # read each object once; the default reads no bytes

# [policy]                       # what `artlock check` enforces
# allow = ["s3://bucket/"]       # where data may come from
# require = "store"              # least trust of a row: strong, store, etag or none

# [artifacts.my-data]
# uri = "s3://bucket/my-data/"   # s3://, gs://, https://, file:/// or a path; `/` is a tree
# path = "data/my-data"          # where the files land; this is the default
# include = ["**/*.parquet"]
"""


def format_manifest(text: str, *, file: str = MANIFEST_NAME) -> str:
    r"""Return ``text`` in one spelling, with its order, comments and meaning.

    Lines end in ``\n`` and have no space at the end, no two blank lines stand together or
    begin or end the file, and the last line is ended. What strings hold stays as it is.
    Formatting twice changes nothing more.

    Raises:
        ManifestError: Not TOML.
    """
    load_toml(text, name=file, error=ManifestError)
    tidied = _PIECE.sub(_tidied, text.replace("\r\n", "\n"))
    formatted = tidied.lstrip("\n").rstrip(" \t\n")
    formatted += "\n" if formatted else ""
    _prove(formatted, _plain(text), file)
    return formatted


def _tidied(match: re.Match[str]) -> str:
    piece = match[0]
    if match["string"]:
        return piece
    if piece.startswith("#"):
        return piece.rstrip(" \t")
    newlines = min(piece.count("\n"), 2)
    return "\n" * newlines + piece.rpartition("\n")[2] if newlines else piece


def _unsafe(file: str) -> ManifestError:
    message = f"`{file}` cannot be edited without changing something else"
    return ManifestError(message, hint="edit it by hand")


def _plain(text: str) -> dict[str, object]:
    # Floats as text: NaN is not equal to itself.
    content: dict[str, object] = tomllib.loads(text, parse_float=str)
    return content


def _artifacts(text: str) -> dict[str, object]:
    return cast("dict[str, object]", _plain(text).get(_ARTIFACTS, {}))


def _prove(edited: str, expected: dict[str, object], file: str) -> None:
    """Refuse an edit that reads as anything else than ``expected``."""
    try:
        actual = _plain(edited)
    except ValueError as error:
        raise _unsafe(file) from error
    # A table of no artifacts may stay or go.
    if {_ARTIFACTS: {}, **actual} != {_ARTIFACTS: {}, **expected}:
        raise _unsafe(file)


def _edited(text: str, edit: Callable[[str], tuple[str, str]], file: str) -> str:
    """Return the text after ``edit``, with its line ends.

    Args:
        text: Before.
        edit: Returns the text after it, and what it cut out. No other comment may be gone.
        file: For messages.
    """
    has_windows_ends = "\n" in text and not _LONE_NEWLINE.search(text)
    if has_windows_ends:
        text = text.replace("\r\n", "\n")
    try:
        edited, cut = edit(text)
    except Exception as error:
        # Not all that tomlkit stumbles over is an error of its own.
        raise _unsafe(file) from error
    if _comments(text) != _comments(edited) + _comments(cut):
        raise _unsafe(file)
    return edited.replace("\n", "\r\n") if has_windows_ends else edited


def _comments(text: str) -> Counter[str]:
    pieces = (match[0] for match in _PIECE.finditer(text))
    return Counter(piece for piece in pieces if piece.startswith("#"))
