"""Where in TOML text a key stands: for messages with a line, and for careful edits.

The text must be TOML that ``tomllib`` accepts; nothing is judged here. ``tomllib`` gives
values without places, and this gives places without values.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

Place = tuple[str | int, ...]
"""Keys and list indexes from the top of a document; ``()`` is the document."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*+")
_BLANK = re.compile(r"[ \t]*+")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]++")
_STRINGS = (
    re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']|'(?!''))*+'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*+"'),
    re.compile(r"'[^'\n]*+'"),
)
"""In this order: what opens with three quotes is not an empty string and a quote."""
_SCALAR = re.compile(r"[^\n,\]}#]++")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A table header, or a key with its value.

    Attributes:
        place: What it defines, from the top of the document.
        start: Offset of its first character.
        value: Offset of the value's first character; equals ``end`` for a header.
        end: Offset behind its last character, without a comment.
        is_nested: Whether it stands inside of an inline table.
    """

    place: Place
    start: int
    value: int
    end: int
    is_header: bool = False
    is_nested: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlSource:
    """A document's entries and where things start.

    Attributes:
        entries: In the order of their starts.
        offsets: Offset of the first mention of each place, list elements too.
        long_strings: ``(start, end)`` of strings that may span lines, ascending.
    """

    entries: tuple[Entry, ...]
    offsets: dict[Place, int]
    long_strings: tuple[tuple[int, int], ...]


def scan(text: str) -> TomlSource:
    """Find every entry of ``text``.

    Raises:
        ValueError: The text is not TOML, or of a kind that this scanner does not know.
    """
    scanner = _Scanner(text)
    scanner.document()
    return TomlSource(
        entries=tuple(sorted(scanner.entries, key=lambda entry: entry.start)),
        offsets=scanner.offsets,
        long_strings=tuple(scanner.long_strings),
    )


def line_of(text: str, place: Place) -> int | None:
    """Return the line, from 1, of ``place`` or of the nearest thing around it.

    ``None`` if that is the document itself, or the text cannot be scanned.
    """
    try:
        offsets = scan(text).offsets
    except (ValueError, RecursionError):
        return None
    while place:
        if place in offsets:
            return text.count("\n", 0, offsets[place]) + 1
        place = place[:-1]
    return None


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._last_of_array: dict[Place, int] = {}
        self.entries: list[Entry] = []
        self.offsets: dict[Place, int] = {}
        self.long_strings: list[tuple[int, int]] = []

    def document(self) -> None:
        table: Place = ()
        self._skip(_SPACE)
        while self._at < len(self._text):
            if self._next() == "[":
                table = self._header()
            else:
                self._pair(table, is_nested=False)
            self._skip(_SPACE)

    def _header(self) -> Place:
        start = self._at
        is_array = self._text.startswith("[[", start)
        self._at += 2 if is_array else 1
        place: Place = ()
        for part in self._key():
            place = self._inside(place, part)
        if is_array:
            # `_inside` went into the last element if there is one; this is the next.
            array = place[:-1] if isinstance(place[-1], int) else place
            self._last_of_array[array] = self._last_of_array.get(array, -1) + 1
            place = (*array, self._last_of_array[array])
        self._expect("]]" if is_array else "]")
        self._remember(place, start)
        self.entries.append(
            Entry(place=place, start=start, value=self._at, end=self._at, is_header=True)
        )
        return place

    def _inside(self, place: Place, part: str) -> Place:
        place = (*place, part)
        last = self._last_of_array.get(place)
        return place if last is None else (*place, last)

    def _pair(self, table: Place, *, is_nested: bool) -> None:
        start = self._at
        place = (*table, *self._key())
        self._expect("=")
        self._skip(_BLANK)
        value = self._at
        self._remember(place, start)
        self._value(place)
        self.entries.append(
            Entry(place=place, start=start, value=value, end=self._at, is_nested=is_nested)
        )

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip(_BLANK)
            if self._next() in {'"', "'"}:
                raw = self._string()
                parts.extend(tomllib.loads(f"{raw} = 1"))
            else:
                parts.append(self._match(_BARE_KEY))
            self._skip(_BLANK)
            if self._next() != ".":
                return parts
            self._at += 1

    def _value(self, place: Place) -> None:
        opening = self._next()
        if opening == "[":
            self._list(place)
        elif opening == "{":
            self._inline_table(place)
        elif opening in {'"', "'"}:
            self._string()
        else:
            scalar = self._match(_SCALAR)
            self._at -= len(scalar) - len(scalar.rstrip())

    def _list(self, place: Place) -> None:
        self._expect("[")
        index = 0
        self._skip(_SPACE)
        while self._next() != "]":
            self._remember((*place, index), self._at)
            self._value((*place, index))
            index += 1
            self._comma("]")
        self._expect("]")

    def _inline_table(self, place: Place) -> None:
        self._expect("{")
        self._skip(_SPACE)
        while self._next() != "}":
            self._pair(place, is_nested=True)
            self._comma("}")
        self._expect("}")

    def _comma(self, closing: str) -> None:
        self._skip(_SPACE)
        if self._next() != closing:
            self._expect(",")
            self._skip(_SPACE)

    def _string(self) -> str:
        start = self._at
        for pattern in _STRINGS:
            if match := pattern.match(self._text, start):
                self._at = match.end()
                if match[0].startswith(('"""', "'''")):
                    self.long_strings.append(match.span())
                return match[0]
        raise self._unknown()

    def _remember(self, place: Place, start: int) -> None:
        for length in range(len(place), 0, -1):
            if place[:length] in self.offsets:
                break
            self.offsets[place[:length]] = start

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._unknown()
        self._at = match.end()
        return match[0]

    def _expect(self, literal: str) -> None:
        if not self._text.startswith(literal, self._at):
            raise self._unknown()
        self._at += len(literal)

    def _unknown(self) -> ValueError:
        return ValueError(f"not TOML at offset {self._at}")
