"""Where in TOML text a key stands: for messages with a line.

The text must be TOML that ``tomllib`` accepts; nothing is judged here. ``tomllib`` gives
values without places, and this gives places without values, in linear time: whoever clones
a repository meets the faults of its manifest (hazard 5.11).
"""

from __future__ import annotations

import re
import tomllib

Place = tuple[str | int, ...]
"""Keys and list indexes from the top of a document; ``()`` is the document."""

# No possessive quantifiers: the `re` of Python 3.11.2 matches those of groups wrongly.
# Nothing is tried twice all the same: in valid TOML each piece matches at once.
# In this order: what opens with three quotes is not an empty string and a quote.
STRING = r"""
    \"{3} (?: [^"\\] | \\[\s\S] | "(?!"") )* "{3,5}
  | '{3}  (?: [^'] | '(?!'') )* '{3,5}
  | "     (?: [^"\\\n] | \\. )* "
  | '     [^'\n]* '
"""
"""Any TOML string, as a verbose pattern."""
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(rf"[ \t]* ([A-Za-z0-9_-]+ | {STRING}) [ \t]*", re.VERBOSE)
_SCALAR = re.compile(rf"""[ \t]* (?: {STRING} | [^\n,\]}}\#"']+ )""", re.VERBOSE)


def line_of(text: str, place: Place) -> int | None:
    """Return the line, from 1, of ``place`` or of the nearest thing around it.

    ``None`` if that is the document itself, or the text cannot be scanned.
    """
    try:
        offsets = _Scanner(text).offsets
    except (ValueError, RecursionError):
        return None
    while place:
        if place in offsets:
            return text.count("\n", 0, offsets[place]) + 1
        place = place[:-1]
    return None


class _Scanner:
    """Finds the offset of the first mention of each place, list elements too."""

    def __init__(self, text: str) -> None:
        self.offsets: dict[Place, int] = {}
        self._text = text
        self._at = 0
        self._last_of_array: dict[Place, int] = {}
        table: Place = ()
        self._match(_SPACE)
        while self._at < len(text):
            if text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._match(_SPACE)

    def _header(self) -> Place:
        start = self._at
        is_array = self._text.startswith("[[", start)
        self._expect("[[" if is_array else "[")
        *parents, name = self._key()
        place: Place = ()
        for part in parents:
            place = self._inside((*place, part))
        place = (*place, name)
        if is_array:
            self._last_of_array[place] = self._last_of_array.get(place, -1) + 1
        place = self._inside(place)
        self._expect("]]" if is_array else "]")
        self._remember(place, start)
        return place

    def _inside(self, place: Place) -> Place:
        last = self._last_of_array.get(place)
        return place if last is None else (*place, last)

    def _pair(self, table: Place) -> None:
        start = self._at
        place = (*table, *self._key())
        self._expect("=")
        self._remember(place, start)
        self._value(place)

    def _key(self) -> list[str]:
        parts: list[str] = []
        while not parts or self._has("."):
            raw = self._match(_KEY)[1]
            # A quoted key may have escapes, which tomllib reads.
            parts += tomllib.loads(f"{raw} = 1") if raw[0] in "\"'" else [raw]
        return parts

    def _value(self, place: Place) -> None:
        self._match(_SPACE)
        if self._has("["):
            index = 0
            while not self._closes("]"):
                self._remember((*place, index), self._at)
                self._value((*place, index))
                index += 1
        elif self._has("{"):
            while not self._closes("}"):
                self._pair(place)
        else:
            self._match(_SCALAR)

    def _closes(self, bracket: str) -> bool:
        self._match(_SPACE)
        if self._has(","):
            self._match(_SPACE)
        return self._has(bracket)

    def _remember(self, place: Place, start: int) -> None:
        for length in range(len(place), 0, -1):
            if place[:length] in self.offsets:
                break
            self.offsets[place[:length]] = start

    def _has(self, literal: str) -> bool:
        found = self._text.startswith(literal, self._at)
        self._at += len(literal) * found
        return found

    def _expect(self, literal: str) -> None:
        if not self._has(literal):
            raise self._unknown()

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._unknown()
        self._at = match.end()
        return match

    def _unknown(self) -> ValueError:
        return ValueError(f"not TOML at offset {self._at}")
