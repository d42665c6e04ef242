"""Include and exclude patterns, with a meaning that is written down and will not change.

A pattern is matched against the whole path below an artifact's URI, case-sensitively:

* ``*`` is any run of characters within one segment, ``?`` one such character;
* ``[abc]``, ``[a-z]``, ``[!abc]`` is one character of a set, never ``/``;
* ``**`` as a whole segment is any number of segments, none included; at the end, at least
  one, which in the marker ``logs/`` of a folder is empty;
* a trailing ``/`` means everything below: ``logs/`` is ``logs/**``.

There is no brace expansion and no escape (``[*]`` is a star), and a pattern without ``/``
is anchored like any other: ``*.pb`` is a file at the top, ``**/*.pb`` one at any depth.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ELEMENT = re.compile(r"\*+|\?|\[(!?)(\]?[^\]]*)\]|\[|.", re.DOTALL)
"""One element of a segment; ``]`` right behind the opening is a member of the set."""
_MEMBER = re.compile(r"(.)-(.)|.", re.DOTALL)


def problem_with_pattern(pattern: str) -> str | None:
    """Return why ``pattern`` can match nothing or is malformed, or ``None``."""
    if not pattern:
        return "it is empty"
    segments = pattern.removesuffix("/").split("/")
    if "" in segments:
        return "it starts with `/` or has an empty segment"
    if any(segment in {".", ".."} for segment in segments):
        return "it has a `.` or `..` segment"
    if any("**" in segment and segment != "**" for segment in segments):
        return "`**` must stand alone between slashes"
    try:
        _expression(pattern)
    except ValueError as error:
        return str(error)
    return None


def selector(include: tuple[str, ...], exclude: tuple[str, ...]) -> Callable[[str], bool]:
    """Return a function that tells whether a path is meant.

    A path is meant if some ``include`` matches (or there is none) and no ``exclude`` does.

    Raises:
        ValueError: A pattern has a problem.
    """
    included = _any_of(include).fullmatch
    excluded = _any_of(exclude).fullmatch
    if not include:
        return lambda path: excluded(path) is None
    if not exclude:
        return lambda path: included(path) is not None
    return lambda path: included(path) is not None and excluded(path) is None


@lru_cache(maxsize=256)
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Return one expression for all; one that matches nothing for none."""
    if not patterns:
        return re.compile(r"(?!)")
    return re.compile("|".join(map(_expression, patterns)), re.DOTALL)


def _expression(pattern: str) -> str:
    """Translate a pattern, so that matching takes no more than quadratic time.

    What lies between two ``**`` (or two ``*``) has a fixed number of segments (or
    characters), so its first match is as good as any, and the atomic groups never go back
    to it: a pattern is the word of a repository, and must not be able to stop a machine
    (hazard 5.11).
    """
    segments = (f"{pattern}**" if pattern.endswith("/") else pattern).split("/")
    chunks: list[list[str]] = [[]]
    for position, segment in enumerate(segments):
        if segment != "**":
            chunks[-1].append(_segment(segment))
        elif segments[position - 1 : position] != ["**"]:
            chunks.append([])
    first, *others = ["/".join(chunk) for chunk in chunks]
    if not others:
        return first
    *middle, last = others
    expression = f"{first}/" if first else ""
    expression += "".join(f"(?>(?:[^/]*/)*?{chunk}/)" for chunk in middle)
    # `a/**` needs the slash behind `a`; `**/a` also matches `a` itself.
    return expression + (f"(?:[^/]*/)*{last}" if last else ".*" if expression else ".+")


def _segment(segment: str) -> str:
    runs = [""]
    for element in _ELEMENT.finditer(segment):
        text = element[0]
        if text.startswith("*"):
            runs.append("")
        elif text == "?":
            runs[-1] += "[^/]"
        elif element[2] is not None:
            runs[-1] += _set(element[2], is_negated=bool(element[1]))
        elif text == "[":
            raise ValueError("a set in brackets is not closed")  # noqa: EM101, TRY003 - one fact
        else:
            runs[-1] += re.escape(text)
    first, *others = runs
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>[^/]*?{run})" for run in middle) + f"[^/]*{last}"


def _set(members: str, *, is_negated: bool) -> str:
    if not members:
        raise ValueError("a set in brackets is empty")  # noqa: EM101, TRY003 - one fact
    expression = ""
    for member in _MEMBER.finditer(members):
        first, last = member[1], member[2]
        if first is None:
            expression += re.escape(member[0])
        elif first <= last:
            expression += f"{re.escape(first)}-{re.escape(last)}"
        else:
            reason = f"a set in brackets has the empty range `{member[0]}`"
            raise ValueError(reason)
    return f"(?!/)[{'^' if is_negated else ''}{expression}]"
