"""YAML as the pins of others are written in it, and nothing that would be a guess.

PyYAML splits the text into events, here they become values: so that nothing is nested
without end, a key that is there twice is refused, and no plain word becomes a date. Numbers
are whole decimal ones of 19 digits at most, as a size is; what YAML 1.1 and 1.2 read in
different ways is text, as in 1.2.
"""

from __future__ import annotations

import re

import msgspec
import yaml

from artlock.formats.imports.faults import refuse

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""That of libyaml, where PyYAML was built with it: ten times as fast."""
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_DEEPEST = 50


class _Level(msgspec.Struct):
    """A mapping or sequence that is not complete; ``key`` waits for its value."""

    value: dict[str, object] | list[object]
    key: str | None = None


def read_yaml(text: str, name: str) -> object:
    """Read a document; ``None`` if there is nothing in it.

    Args:
        text: YAML, or JSON.
        name: What it is called in messages.

    Raises:
        ConfigError: It is not YAML, or has what artlock does not read; with the line.
    """
    document = _Document(name)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            document.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"`{name}:{mark.line + 1}`" if mark else f"`{name}`"
        refuse(place, f"is not YAML: {error.problem or error.context}")
    except yaml.YAMLError:  # a character that no YAML has
        refuse(f"`{name}`", "is not YAML")
    return document.value


class _Document:
    def __init__(self, name: str) -> None:
        self.value: object = None
        self._name = name
        self._levels: list[_Level] = []
        self._is_begun = False

    def take(self, event: yaml.Event) -> None:
        """Take the next event of the text."""
        if getattr(event, "anchor", None) or getattr(event, "tag", None):
            self._refuse(event, "has an anchor, an alias or a tag")
        match event:
            case yaml.DocumentStartEvent():
                if self._is_begun:
                    self._refuse(event, "begins a second document")
                self._is_begun = True
            case yaml.ScalarEvent():
                self._add(_scalar(event), event)
            case yaml.MappingStartEvent():
                self._open({}, event)
            case yaml.SequenceStartEvent():
                self._open([], event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._add(self._levels.pop().value, event)
            case _:
                pass  # begins and ends of streams and documents

    def _open(self, value: dict[str, object] | list[object], event: yaml.Event) -> None:
        if len(self._levels) >= _DEEPEST:
            self._refuse(event, "is nested too deeply")
        self._levels.append(_Level(value))

    def _add(self, value: object, event: yaml.Event) -> None:
        if not self._levels:
            self.value = value
            return
        level = self._levels[-1]
        if isinstance(level.value, list):
            level.value.append(value)
        elif level.key is not None:
            level.value[level.key] = value
            level.key = None
        elif not isinstance(value, str):
            self._refuse(event, "has a key that is no text")
        elif value in level.value:
            self._refuse(event, f"has `{value}` twice")
        else:
            level.key = value

    def _refuse(self, event: yaml.Event, problem: str) -> None:
        mark = event.start_mark
        refuse(f"`{self._name}:{mark.line + 1}`" if mark else f"`{self._name}`", problem)


def _scalar(event: yaml.ScalarEvent) -> object:
    text: str = event.value
    if event.style:  # quoted, or a block
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _NUMBER.fullmatch(text) else text
