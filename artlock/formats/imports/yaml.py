"""The part of YAML that DVC writes: block mappings and sequences of scalars.

::

    deps:
    - path: s3://bucket/t
      files:
      - relpath: it's a.txt
        size: 7

Scalars are plain, or quoted with one or two marks; a plain one may go on below, further in.
Anchors, tags, flow collections, block scalars and several documents are refused: a guess
would be a wrong pin. JSON is read as JSON.
"""

from __future__ import annotations

import json
import re

from artlock.formats.imports.faults import refuse

_KEY = re.compile(r"([A-Za-z0-9_.-]+|'[^']*'|\"[^\"\\]*\"):(?: +(.*))?$")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_DEEPEST = 50
_HINT = "convert it to JSON, which is read as well"


class _Lines:
    """Lines with what stands at their begin; comments and empty ones are left out."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self.at = 0
        self.lines = [
            (number, len(line) - len(line.lstrip(" ")), line.strip(" "))
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and not line.lstrip().startswith("#")
        ]

    @property
    def here(self) -> tuple[int, int, str] | None:
        return self.lines[self.at] if self.at < len(self.lines) else None

    @property
    def place(self) -> str:
        number = self.lines[min(self.at, len(self.lines) - 1)][0] if self.lines else 1
        return f"`{self._name}:{number}`"

    def replace(self, indent: int, text: str) -> None:
        number, _, _ = self.lines[self.at]
        self.lines[self.at] = (number, indent, text)


def read_yaml(text: str, name: str) -> object:
    """Read a document.

    Raises:
        ConfigError: It is not of this kind; with the line.
    """
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            refuse(f"`{name}`", "is not JSON")
    lines = _Lines(text, name)
    found = _block(lines, 0, 0) if lines.here else None
    if lines.here is not None:
        refuse(lines.place, "is not where it belongs")
    return found


def _block(lines: _Lines, indent: int, depth: int) -> object:
    here = lines.here
    if here is None or here[1] < indent:
        return None
    if depth > _DEEPEST:
        refuse(lines.place, "is nested too deeply")
    if here[2] == "-" or here[2].startswith("- "):
        return _sequence(lines, here[1], depth)
    return _mapping(lines, here[1], depth)


def _sequence(lines: _Lines, indent: int, depth: int) -> list[object]:
    found: list[object] = []
    while (here := lines.here) is not None and here[1] == indent:
        if here[2] != "-" and not here[2].startswith("- "):
            break
        rest = here[2][1:].lstrip(" ")
        if not rest:
            lines.at += 1
            found.append(_block(lines, indent + 1, depth + 1))
        elif _KEY.match(rest) or rest.startswith("- "):
            lines.replace(indent + len(here[2]) - len(rest), rest)
            found.append(_block(lines, indent + 1, depth + 1))
        else:
            found.append(_scalar(lines, rest, indent))
    return found


def _mapping(lines: _Lines, indent: int, depth: int) -> dict[str, object]:
    found: dict[str, object] = {}
    while (here := lines.here) is not None and here[1] == indent:
        match = _KEY.match(here[2])
        if match is None:
            refuse(lines.place, "is not a line that artlock understands", hint=_HINT)
        key, rest = match[1].strip("'\""), match[2] or ""
        if key in found:
            refuse(lines.place, f"has `{key}` twice")
        if rest:
            found[key] = _scalar(lines, rest, indent)
            continue
        lines.at += 1
        after = lines.here
        # A sequence may stand as far out as its key.
        is_list = after is not None and (after[2] == "-" or after[2].startswith("- "))
        found[key] = _block(lines, indent if is_list else indent + 1, depth + 1)
    here = lines.here
    if here is not None and here[1] > indent:
        refuse(lines.place, "is further in than it belongs")
    return found


def _scalar(lines: _Lines, text: str, indent: int) -> object:
    """Read a scalar that begins on the line at hand, and step behind it."""
    place = lines.place
    lines.at += 1
    if text[0] in "'\"":
        return _quoted(text, place)
    if text[0] in "&*!|>{}[]%@`#,?" or " #" in text or ": " in text:
        refuse(place, "has a value that artlock does not understand", hint=_HINT)
    while (here := lines.here) is not None and here[1] > indent:
        text = f"{text} {here[2]}"
        lines.at += 1
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _NUMBER.fullmatch(text) else text


def _quoted(text: str, place: str) -> str:
    if re.fullmatch(r"'(?:[^']|'')*'", text):
        return text[1:-1].replace("''", "'")
    try:
        return str(json.loads(text))  # YAML's escapes that are JSON's, too
    except ValueError:
        refuse(place, "has a value that artlock does not understand", hint=_HINT)
