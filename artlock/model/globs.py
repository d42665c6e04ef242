"""Include and exclude patterns, with a meaning that is written down and will not change.

A pattern is matched against the whole path below an artifact's URI, case-sensitively:

* ``*`` is any run of characters within one segment, ``?`` one such character;
* ``[abc]``, ``[a-z]``, ``[!abc]`` is one character of a set, never ``/``;
* ``**`` as a whole segment is any number of segments, none included;
* a trailing ``/`` means everything below: ``logs/`` is ``logs/**``.

There is no brace expansion, and a pattern without ``/`` is anchored like any other:
``*.pb`` is a file at the top, ``**/*.pb`` one at any depth.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


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
        _compiled(pattern)
    except re.error:
        return "a set in brackets is malformed"
    return None


def selector(include: tuple[str, ...], exclude: tuple[str, ...]) -> Callable[[str], bool]:
    """Return a function that tells whether a path is meant.

    A path is meant if some ``include`` matches (or there is none) and no ``exclude`` does.
    """
    included = [_compiled(pattern).fullmatch for pattern in include]
    excluded = [_compiled(pattern).fullmatch for pattern in exclude]

    def selects(path: str) -> bool:
        if included and not any(match(path) for match in included):
            return False
        return not any(match(path) for match in excluded)

    return selects


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    segments = (pattern + "**" if pattern.endswith("/") else pattern).split("/")
    last = len(segments) - 1
    expression = ""
    for index, segment in enumerate(segments):
        if segment == "**":
            # `a/**` needs something below `a`; `**/a` also matches `a` itself.
            expression += ".+" if index == last else "(?:[^/]+/)*"
        else:
            expression += _segment(segment) + ("" if index == last else "/")
    return re.compile(expression, re.DOTALL)


def _segment(segment: str) -> str:
    expression = ""
    position = 0
    while position < len(segment):
        character = segment[position]
        position += 1
        if character == "*":
            expression += "[^/]*"
        elif character == "?":
            expression += "[^/]"
        elif character == "[":
            end = segment.find("]", position + (segment[position : position + 1] == "!") + 1)
            if end < 0:
                raise re.error("no closing bracket")  # noqa: EM101, TRY003 - caught above
            body = segment[position:end].replace("\\", "\\\\").replace("^", "\\^")
            body = body.replace("[", "\\[").replace("&&", "&\\&").replace("~~", "~\\~")
            body = body.replace("||", "|\\|")
            negated = body.startswith("!")
            expression += "(?!/)[" + ("^" + body[1:] if negated else body) + "]"
            position = end + 1
        else:
            expression += re.escape(character)
    return expression
