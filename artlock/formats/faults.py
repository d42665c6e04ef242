"""What is wrong with TOML that a person wrote: every fault, by its place, told at once.

::

    `artifacts.toml:12` is not valid: artifacts.encoder.include[0]: is not a string: 7

    `artifacts.toml` is not valid:
      artifacts.toml:12: artifacts.encoder.include[0]: is not a string: 7
      artifacts.toml:15: artifacts.encoder.pth: is not a known key; did you mean `path`?
"""

from __future__ import annotations

import json
import re
import tomllib
from itertools import islice
from typing import TYPE_CHECKING

from artlock.errors import ConfigError
from artlock.formats.toml_source import Place, line_of

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_TEXT_BYTES = 4 * 1024 * 1024
"""Largest file that a person may have written, in bytes."""
_MAX_TOLD = 20
"""More faults than these are counted, not told."""
_TOKEN = re.compile(
    r'''
      """ (?: [^"\\] | \\. | "(?!"") )*+ (?: "{3,5} | \Z )
    | \'{3} (?: [^'] | '(?!\'\') )*+ (?: '{3,5} | \Z )
    | \# [^\n]*+
    | (?P<long_key> (?<![A-Za-z0-9_-])
        (?: (?: [A-Za-z0-9_-]++ | "(?:[^"\\\n]|\\[^\n])*+" | '[^'\n]*+' )
            [ \t]*+ \. [ \t]*+ ){99} )
    | " (?: [^"\\\n] | \\[^\n] )*+ "?
    | ' [^'\n]*+ '?
    ''',
    re.DOTALL | re.VERBOSE,
)
"""What may hold dots; ``tomllib`` takes time quadratic in those of a key (hazard 5.11)."""
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_CONFLICT = re.compile(r"^<{7}( |$)", re.MULTILINE)


class Faults:
    """What is wrong with one document, each fault once, in the order they were found."""

    def __init__(self) -> None:
        self._found: dict[tuple[Place, str], None] = {}

    def add(self, place: Place, problem: str) -> None:
        """Note that what stands at ``place`` has ``problem``."""
        self._found[place, problem] = None

    def refuse(self, error: type[ConfigError], *, name: str, text: str) -> None:
        """Raise one error that tells every fault, if there is one.

        Args:
            error: What is raised.
            name: Of the file, for people.
            text: The document, to find lines in.

        Raises:
            ConfigError: There was a fault; of the type ``error``.
        """
        if not self._found:
            return
        told = [
            (line_of(text, place), f"{render(place)}: {problem}" if place else problem)
            for place, problem in islice(self._found, _MAX_TOLD)
        ]
        told.sort(key=lambda fault: fault[0] or 0)
        if len(told) == 1:
            line, fault = told[0]
            message = f"`{_position(name, line)}` is not valid: {fault}"
            raise error(message)
        lines = [f"{_position(name, line)}: {fault}" for line, fault in told]
        if more := len(self._found) - len(told):
            lines.append(f"and {more} more")
        raise error("\n  ".join([f"`{name}` is not valid:", *lines]))


def _position(name: str, line: int | None) -> str:
    return name if line is None else f"{name}:{line}"


def render(place: Place) -> str:
    """Return a place as a person would write it: ``artifacts."a.b".include[0]``."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + render_key(part)
    return text


def render_key(key: str) -> str:
    """Return a key as TOML spells it, quoted only if it must be."""
    return key if _BARE_KEY.fullmatch(key) else render_string(key)


def render_string(text: str) -> str:
    """Return ``text`` as a TOML basic string on one line."""
    # JSON escapes all that TOML wants escaped but DEL (TOML 1.0.0, String).
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean `x`?`` for the most similar known word, or an empty text."""
    import difflib  # noqa: PLC0415 - only for a mistake

    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def load_toml(
    text: str, *, name: str, error: type[ConfigError] = ConfigError
) -> dict[str, object]:
    """Read TOML that nobody has looked at.

    Raises:
        ConfigError: Not TOML, too large, or built to exhaust the parser; of the type
            ``error``, with line and column where they are known.
    """
    problem = _problem_with_text(text)
    if problem is not None:
        message = f"`{name}` is not valid: {problem}"
        raise error(message)
    try:
        return tomllib.loads(text)
    except RecursionError:
        message = f"`{name}` is not valid: it is nested too deeply"
        raise error(message) from None
    except ValueError as cause:
        raise _syntax_error(str(cause), text=text, name=name, error=error) from cause


def _problem_with_text(text: str) -> str | None:
    if len(text.encode(errors="replace")) > MAX_TEXT_BYTES:
        return f"it is larger than {MAX_TEXT_BYTES} bytes"
    if text.startswith("\ufeff"):
        return "it starts with a byte order mark; save it as UTF-8 without one"
    if any(token["long_key"] for token in _TOKEN.finditer(text)):
        return "a key has more than 98 dots"
    return None


def _syntax_error(
    reason: str, *, text: str, name: str, error: type[ConfigError]
) -> ConfigError:
    place = re.search(r" \(at line (\d+), column (\d+)\)$", reason)
    position = f"{name}:{place[1]}:{place[2]}" if place else name
    phrase = reason[: place.start()] if place else reason
    hint = None
    if _CONFLICT.search(text):
        hint = "git left conflict markers in the file; resolve the merge first"
    return error(f"`{position}` is not valid: {phrase[:1].lower()}{phrase[1:]}", hint=hint)
