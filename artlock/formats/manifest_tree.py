"""Edits of ``artifacts.toml`` through tomlkit. Its import costs 50 ms, so import this late.

One correction: tomlkit gives comments above a header to the table before; here the lines
directly above it are the header's own. Only lists of tomlkit's ``body`` are changed, and
the document is printed and thrown away: its mappings refuse tables that are scattered over
the file. Whatever tomlkit raises leaves here as it is.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

import tomlkit
from tomlkit.items import AoT, Comment, InlineTable, Item, Key, Null, Table, Whitespace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tomlkit import TOMLDocument

_ARTIFACTS = "artifacts"
_SEAM = "\0\n"
"""A line where something was cut out; no TOML has one like it."""
_SEAMS = re.compile(r"(?:\A|(?<=\n\n))(?:\0\n(?:[ \t]*\n)*+)+|\0\n")
"""With the blank lines behind them, if there are some above."""
_Body = list[tuple[Key | None, Item]]


def with_table(text: str, name: str, values: Mapping[str, object]) -> str:
    r"""Return ``text`` with one more artifact behind the last one, or at the end.

    Args:
        text: Lines that end in ``\n``; the last one may be open.
        name: Of the artifact.
        values: What its table holds, in this order.
    """
    if text and not text.endswith("\n"):
        text += "\n"
    document = _parse(text)
    table = tomlkit.table()
    table.update(values)
    homes = [pair for pair in document.body if pair[0] == _ARTIFACTS]
    key, home = homes[-1] if homes else (None, Null())
    if isinstance(home, InlineTable):
        home[name] = inline = tomlkit.inline_table()
        inline.update(values)
    elif sections := _sections(key, home):
        behind = _cut_behind(key, home)
        sections[0].value.body.append((tomlkit.key(name), table))
        table.trivia.indent = "\n"
        table.add(Whitespace(behind))
    else:
        parent = tomlkit.table(is_super_table=True)
        parent.append(name, table)
        document.body.append((tomlkit.key(_ARTIFACTS), parent))
        table.trivia.indent = "\n" if text and not text.endswith("\n\n") else ""
    return document.as_string()


def without_tables(text: str, name: str) -> tuple[str, str]:
    r"""Return ``text`` without an artifact, and its tables and keys that were cut out.

    Args:
        text: Lines that end in ``\n``; the last one may be open.
        name: Of the artifact.
    """
    document = _parse(text)
    cut = tomlkit.document()
    for home_key, home in document.body:
        if home_key == _ARTIFACTS and isinstance(home, InlineTable):
            home.remove(name)
        elif home_key == _ARTIFACTS and isinstance(home, Table):
            body = home.value.body
            for index, (key, item) in enumerate(body):
                if key == name:
                    body[index] = (None, Whitespace(_SEAM + _cut_behind(key, item)))
                    cut.body.append((key, item))
    edited = document.as_string()
    head = edited.rstrip(_SEAM)
    if head and "\0" in edited[len(head) :]:
        edited = head + "\n"
    return _SEAMS.sub("", edited), cut.as_string()


def _parse(text: str) -> TOMLDocument:
    document = tomlkit.parse(text)
    # The comment that begins the file speaks of the file.
    start = len(list(takewhile(lambda pair: isinstance(pair[1], Comment), document.body)))
    _give_headers_their_comments(document.body, start, [])
    if document.as_string() != text:
        message = "tomlkit prints this in another way than it is written"
        raise ValueError(message)
    return document


def _give_headers_their_comments(
    body: _Body, start: int, above: list[tuple[_Body, int]]
) -> None:
    """Move comment lines into the headers that they stand directly above.

    Args:
        body: Of a table, or the document.
        start: Where to begin in it.
        above: Where the comment lines stand that were met last.
    """
    for index in range(start, len(body)):
        key, item = body[index]
        sections = _sections(key, item)
        for table in sections:
            if not table.is_super_table():
                texts = [lines[at][1].as_string() for lines, at in above]
                table.trivia.indent = "".join(texts) + table.trivia.indent
                for lines, at in above:
                    lines[at] = (None, Null())
                above.clear()
            _give_headers_their_comments(table.value.body, 0, above)
        if isinstance(item, Comment):
            above.append((body, index))
        elif not sections:
            above.clear()


def _sections(key: Key | None, item: Item) -> list[Table]:
    """Return the tables of an item that have headers, or tables with headers."""
    if isinstance(item, AoT):
        return item.body
    if isinstance(item, Table) and key is not None and not key.is_dotted():
        return [item]
    return []


def _cut_behind(key: Key | None, item: Item) -> str:
    """Cut off what stands behind an item, from the first blank line behind its last key."""
    body: _Body = [(key, item)]
    while body and (sections := _sections(*body[-1])):
        body = sections[-1].value.body
    end = len(body)
    while end and body[end - 1][0] is None:
        end -= 1
    while end < len(body) and not isinstance(body[end][1], Whitespace):
        end += 1
    behind = "".join(item.as_string() for _, item in body[end:])
    del body[end:]
    return behind
