"""Refs: how people name what a tracker registered.

::

    classifier-data              the newest version
    classifier-data:v3           the third
    classifier-data@prod         the one that the alias ``prod`` points to
    team#classifier-data:v3      the third, of the tracker that is called ``team``
    sqlite:///data.db#labels     the newest, of the registry in that file
"""

from __future__ import annotations

import re
from typing import Self

import msgspec

LATEST = "latest"
"""The alias of the newest version; every tracker has it, and nobody sets it."""
MAX_NUMBER = 2**31 - 1
_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NUMBER = re.compile(r"v[1-9][0-9]{0,9}")
_LIKE_A_NUMBER = re.compile(r"v[0-9]+", re.IGNORECASE)


class Ref(msgspec.Struct, frozen=True, kw_only=True):
    """A name, and which version of it; without number and alias the newest.

    Attributes:
        name: Under which it was registered.
        number: Of the version, from 1 on; never together with ``alias``.
        alias: What points to the version.
        tracker: Name or URL of the tracker; ``None`` lets the project decide.
    """

    name: str
    number: int | None = None
    alias: str | None = None
    tracker: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a ref.

        Raises:
            ValueError: It is none; the message says why.
        """
        tracker, sign, rest = text.rpartition("#")
        if sign and not tracker:
            message = "has no tracker before its `#`"
            raise ValueError(message)
        name, at, alias = rest.partition("@")
        name, colon, number = name.partition(":")
        if at and colon:
            message = "has both a version and an alias"
            raise ValueError(message)
        if problem := problem_with_registered_name(name):
            raise ValueError(problem)
        if at and (problem := problem_with_label(alias, reserved=())):
            raise ValueError(problem)
        if colon and (not _NUMBER.fullmatch(number) or int(number[1:]) > MAX_NUMBER):
            message = f"`{number}` is no version; they are `v1`, `v2` and so on"
            raise ValueError(message)
        return cls(
            name=name,
            number=int(number[1:]) if colon else None,
            alias=alias if at else None,
            tracker=tracker or None,
        )

    def __str__(self) -> str:
        tracker = f"{self.tracker}#" if self.tracker else ""
        number = f":v{self.number}" if self.number is not None else ""
        alias = f"@{self.alias}" if self.alias is not None else ""
        return f"{tracker}{self.name}{number}{alias}"


def problem_with_registered_name(name: str) -> str | None:
    """Return why nothing can be registered under ``name``, or ``None``."""
    if _NAME.fullmatch(name) and set(name) != {"."}:
        return None
    return "is not a name: letters, digits, `.`, `_` and `-`, at most 128"


def problem_with_label(label: str, *, reserved: tuple[str, ...] = (LATEST,)) -> str | None:
    """Return why ``label`` can be neither alias nor tag, or ``None``."""
    if not _LABEL.fullmatch(label):
        return "a label has letters, digits, `.`, `_` and `-`, at most 64"
    if _LIKE_A_NUMBER.fullmatch(label):
        return "reads like a version"
    if label in reserved:
        return f"`{label}` always points to the newest version"
    return None
