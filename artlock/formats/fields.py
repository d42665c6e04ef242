"""Reading TOML that a person wrote, key by key, without stopping at the first fault."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar, cast

from artlock.formats.faults import render, render_string, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable

    from artlock.formats.faults import Faults
    from artlock.formats.toml_source import Place

_MAX_SHOWN = 60
"""A longer value is cut in messages."""

_Choice = TypeVar("_Choice", bound=StrEnum)


class Table:
    """One table of a document, read key by key; what is wrong goes to ``faults``.

    A reader returns ``None`` (or nothing) both for a key that is absent and for one that is
    faulty: the faults are raised before anybody uses the values.

    Args:
        content: As ``tomllib`` gave it.
        place: Where it stands.
        faults: Where faults go; unknown keys are noted at once.
        known: Every key that the table may have.
    """

    def __init__(
        self,
        content: dict[str, object],
        *,
        place: Place,
        faults: Faults,
        known: tuple[str, ...],
    ) -> None:
        self._content = content
        self._known = known
        self.place = place
        self.faults = faults
        for key in content.keys() - set(known):
            close = suggestion(key.replace("_", "-"), known)
            self.fault(key, f"is not a known key{close}")

    def __contains__(self, key: str) -> bool:
        return self._get(key) is not None

    def fault(self, key: str, problem: str, *further: str | int) -> None:
        """Note a problem of ``key``, or of what is ``further`` below it."""
        self.faults.add((*self.place, key, *further), problem)

    def given(self) -> tuple[str, ...]:
        """Return the known keys that the table has, in the order of the schema."""
        return tuple(key for key in self._known if key in self._content)

    def raw(self, key: str) -> object:
        """Return the value as it is, or ``None``."""
        return self._get(key)

    def text(self, key: str) -> str | None:
        """Read a string; it is not empty and has no control characters."""
        value = self._get(key)
        if value is None:
            return None
        return self._checked_text(value, key)

    def prose(self, key: str) -> str | None:
        """Read a string that may have several lines, or be empty."""
        value = self._get(key)
        if value is None or isinstance(value, str):
            return value
        self.fault(key, f"is not a string: {shown(value)}")
        return None

    def flag(self, key: str) -> bool | None:
        """Read ``true`` or ``false``."""
        value = self._get(key)
        if value is None or isinstance(value, bool):
            return value
        self.fault(key, f"is not true or false: {shown(value)}")
        return None

    def number(self, key: str, *, least: int, most: int) -> int | None:
        """Read a whole number from ``least`` to ``most``."""
        value = self._get(key)
        if value is None:
            return None
        # `True` is an `int` of Python, not a number of TOML.
        if type(value) is int and least <= value <= most:
            return value
        self.fault(key, f"is not a whole number from {least} to {most}: {shown(value)}")
        return None

    def choice(self, key: str, choices: type[_Choice]) -> _Choice | None:
        """Read one of the values of an enumeration."""
        value = self._get(key)
        if value is None:
            return None
        words = [str(choice) for choice in choices]
        if isinstance(value, str) and value in words:
            return choices(value)
        allowed = ", ".join(f'"{word}"' for word in words)
        close = suggestion(value, words) if isinstance(value, str) else ""
        self.fault(key, f"is not one of {allowed}: {shown(value)}{close}")
        return None

    def texts(
        self, key: str, problem_with: Callable[[str], str | None] = lambda _text: None
    ) -> tuple[str, ...]:
        """Read a list of strings, each as ``text`` does; an empty list is a fault.

        Args:
            key: Of the list.
            problem_with: Says what is wrong with one of them, or ``None``.
        """
        value = self._get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.fault(key, f"is not a list: {shown(value)}")
            return ()
        if not value:
            self.fault(key, "is an empty list; leave the key out")
        texts = []
        for index, item in enumerate(value):
            text = self._checked_text(item, key, index)
            if text is None:
                continue
            if problem := problem_with(text):
                self.fault(key, problem, index)
            texts.append(text)
        return tuple(texts)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """Read a table of strings, in the order of the file."""
        found = []
        for name, value in self.entries(key):
            text = self._checked_text(value, key, name)
            if text is not None:
                found.append((name, text))
        return tuple(found)

    def entries(self, key: str) -> tuple[tuple[str, object], ...]:
        """Read a table whose keys are names, in the order of the file."""
        value = self._get(key)
        if value is None:
            return ()
        if isinstance(value, dict):
            return tuple(cast("dict[str, object]", value).items())
        self.fault(key, f"is not a table: {shown(value)}")
        return ()

    def table(self, key: str, known: tuple[str, ...]) -> Table:
        """Read a table of known keys; an absent one reads as empty."""
        return self._below(dict(self.entries(key)), (*self.place, key), known)

    def tables(self, key: str, known: tuple[str, ...]) -> list[tuple[str, Table]]:
        """Read a table of named tables of known keys, in the order of the file."""
        found = []
        for name, value in self.entries(key):
            if isinstance(value, dict):
                place = (*self.place, key, name)
                found.append((name, self._below(value, place, known)))
            else:
                self.fault(key, f"is not a table: {shown(value)}", name)
        return found

    def _below(
        self, content: dict[str, object], place: Place, known: tuple[str, ...]
    ) -> Table:
        return Table(content, place=place, faults=self.faults, known=known)

    def _get(self, key: str) -> object:
        if key not in self._known:
            reason = f"`{key}` is read but is not a known key of {render(self.place)}"
            raise LookupError(reason)
        return self._content.get(key)

    def _checked_text(self, value: object, key: str, *further: str | int) -> str | None:
        if not isinstance(value, str):
            self.fault(key, f"is not a string: {shown(value)}", *further)
        elif not value:
            self.fault(key, "is empty", *further)
        elif any(ord(c) < ord(" ") or c == "\x7f" for c in value):
            self.fault(key, "has a control character", *further)
        else:
            return value
        return None


def shown(value: object) -> str:
    """Return a value as a message shows it: a scalar as TOML spells it, else its kind."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = render_string(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
