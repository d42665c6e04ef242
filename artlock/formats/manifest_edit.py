"""Changing ``artifacts.toml`` without touching what is not meant: every other byte stays.

Edits cut and insert text at places that ``toml_source`` finds, and are proved before they
are given back: the new text must read as the old one with one artifact more or less. A
comment belongs to the header that it stands directly above. (A parser that keeps comments
gives them to the table before; removing one artifact took along what was said of the next.)
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, cast

from artlock.errors import ManifestError
from artlock.formats.artifact import ARTIFACT_KEYS
from artlock.formats.faults import load_toml, render_key, render_string
from artlock.formats.manifest import MANIFEST_NAME
from artlock.formats.toml_source import Entry, TomlSource, scan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value = str | bool | tuple[str, ...]
"""What a new artifact's keys may hold."""
_ARTIFACTS = "artifacts"
_BLANK_LINES = re.compile(r"(?:[ \t]*\r?\n)*+")
_COMMENT_LINES = re.compile(r"(?:[ \t]*#[^\n]*(?:\n|\Z))*+")
_COMMA_AFTER = re.compile(r"\s*,\s*")
_COMMA_BEFORE = re.compile(r",\s*\Z")


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
    before = load_toml(text, name=file, error=ManifestError)
    artifacts = before.get(_ARTIFACTS, {})
    if not isinstance(artifacts, dict):
        raise _unsafe(file)
    if name in artifacts:
        message = f"`{file}` has an artifact `{name}` already"
        hint = f"choose another `--name`, or `artlock rm {name}` first"
        raise ManifestError(message, hint=hint)
    pairs = [(key, _render(fields[key])) for key in ARTIFACT_KEYS if key in fields]
    source = _scanned(text, file)
    inline = _inline_artifacts(source)
    if inline is None:
        edited = _with_table(text, source, name, pairs)
    else:
        edited = _with_inline_table(text, inline, name, pairs)
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}
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
    before = load_toml(text, name=file, error=ManifestError)
    artifacts = before.get(_ARTIFACTS, {})
    if not isinstance(artifacts, dict) or name not in artifacts:
        message = f"`{file}` has no artifact `{name}`"
        raise ManifestError(message, hint="see `artlock ls`")
    edited = _without_tables(text, _scanned(text, file), name)
    while nested := _first_of(_scanned(edited, file), name):
        edited = _without_nested(edited, nested)
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
    text = text.replace("\r\n", "\n")
    source = _scanned(text, file)
    pieces = []
    position = 0
    for start, end in source.long_strings:
        pieces += [_tidied(text[position:start]), text[start:end]]
        position = end
    formatted = "".join([*pieces, _tidied(text[position:])]).strip("\n")
    formatted = formatted.rstrip(" \t") + "\n" if formatted.strip() else ""
    _prove(formatted, _plain(text), file)
    return formatted


def _tidied(text: str) -> str:
    without_spaces = re.sub(r"[ \t]+(?=\n)", "", text)
    return re.sub(r"\n{3,}", "\n\n", without_spaces)


def _render(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return render_string(value)
    return "[" + ", ".join(render_string(item) for item in value) + "]"


def _scanned(text: str, file: str) -> TomlSource:
    try:
        return scan(text)
    except (ValueError, RecursionError) as error:
        raise _unsafe(file) from error


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


def _inline_artifacts(source: TomlSource) -> Entry | None:
    """Return the entry ``artifacts = { ... }``, if that is how they are written."""
    written = (e for e in source.entries if e.place == (_ARTIFACTS,) and not e.is_header)
    return next(written, None)


def _with_table(
    text: str, source: TomlSource, name: str, pairs: Sequence[tuple[str, str]]
) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    header = f"[{_ARTIFACTS}.{render_key(name)}]"
    lines = [header, *(f"{key} = {value}" for key, value in pairs)]
    block = newline.join(lines) + newline
    at = _end_of_artifacts(text, source)
    if at is None:
        before = text if text.endswith("\n") or not text else text + newline
        gap = newline if before and not before.endswith(newline * 2) else ""
        return before + gap + block
    before, after = text[:at], text[at:]
    if not before.endswith("\n"):
        before += newline
    return before + newline + block + after


def _end_of_artifacts(text: str, source: TomlSource) -> int | None:
    """Return where the last table of an artifact ends, before what follows it."""
    tops = [entry for entry in source.entries if not entry.is_nested]
    ends = [
        _end_of_section(text, tops, index)
        for index, entry in enumerate(tops)
        if entry.is_header and entry.place[0] == _ARTIFACTS
    ]
    return ends[-1] if ends else None


def _with_inline_table(
    text: str, artifacts: Entry, name: str, pairs: Sequence[tuple[str, str]]
) -> str:
    inner = text[artifacts.value + 1 : artifacts.end - 1].rstrip()
    body = ", ".join(f"{key} = {value}" for key, value in pairs)
    comma = ", " if inner.strip() and not inner.endswith(",") else " "
    table = f"{render_key(name)} = {{ {body} }}"
    start = text[: artifacts.value + 1] + inner
    return f"{start}{comma}{table} {text[artifacts.end - 1 :]}"


def _is_of(entry: Entry, name: str) -> bool:
    return entry.place[:2] == (_ARTIFACTS, name)


def _without_tables(text: str, source: TomlSource, name: str) -> str:
    """Cut out every section of the artifact, and its keys in other sections."""
    tops = [entry for entry in source.entries if not entry.is_nested]
    cuts: list[tuple[int, int]] = []
    for index, entry in enumerate(tops):
        if not _is_of(entry, name):
            continue
        if entry.is_header:
            start = _start_of_section(text, entry.start)
            end = _end_of_section(text, tops, index)
            end = _match_end(_BLANK_LINES, text, end)
            cuts.append((start, end))
        else:
            cuts.append((_line_start(text, entry.start), _line_end(text, entry.end)))
    kept = []
    position = 0
    for start, end in cuts:
        kept.append(text[position:start])
        position = max(position, end)
    rest = text[position:]
    if cuts and not rest:
        # What ended the file took the blank lines behind it along; so those before it.
        return re.sub(r"(?<=\n)(?:[ \t]*\r?\n)+\Z", "", "".join(kept))
    return "".join([*kept, rest])


def _start_of_section(text: str, header: int) -> int:
    """Return where a header's line starts, or the comment lines directly above it."""
    start = _line_start(text, header)
    above = start
    while above > 0:
        line = _line_start(text, above - 1)
        if not text[line:above].lstrip(" \t").startswith("#"):
            return above
        above = line
    # The comment that begins a file speaks of the file.
    return start


def _end_of_section(text: str, tops: Sequence[Entry], index: int) -> int:
    """Return where the section of the header ``tops[index]`` ends.

    That is behind its last key and the comment lines that follow it directly, unless those
    stand directly above another header.
    """
    last = tops[index]
    following: Entry | None = None
    for entry in tops[index + 1 :]:
        if entry.is_header:
            following = entry
            break
        last = entry
    end = _line_end(text, last.end)
    behind = _match_end(_COMMENT_LINES, text, end)
    if following is not None and behind >= _line_start(text, following.start):
        return end
    return behind


def _first_of(source: TomlSource, name: str) -> Entry | None:
    return next((e for e in source.entries if e.is_nested and _is_of(e, name)), None)


def _without_nested(text: str, entry: Entry) -> str:
    """Cut one key out of an inline table, with one of the commas beside it."""
    after = _COMMA_AFTER.match(text, entry.end)
    if after is not None:
        return text[: entry.start] + text[after.end() :]
    before = _COMMA_BEFORE.search(text, 0, entry.start)
    start = before.start() if before is not None else entry.start
    return text[:start] + text[entry.end :]


def _match_end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1
