"""Canonical lockfiles a piece at a time, and the rows in which two of them differ.

A row has one spelling, so equal lines are equal rows: only those that differ are decoded.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import chain
from typing import TYPE_CHECKING

from msgspec.structs import replace

from artlock.formats.lockfile_faults import Spot
from artlock.formats.lockfile_pieces import cut_rows, decode_rows
from artlock.formats.lockfile_read import outline_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artlock.formats.lockfile_read import Outline
    from artlock.model.lock import LockedArtifact, LockedObject, Lockfile

_WHERE = Spot("artifacts.lock")


def without_common_rows(old: bytes, new: bytes) -> tuple[Lockfile, Lockfile]:
    """Return what two texts lock, but for the rows that an artifact has in both.

    Where the heads say that equal rows name other objects, all rows are returned. Nothing
    but a piece of each text is ever in memory as rows, beside what is returned.

    Args:
        old: Text that was judged (``survey_lockfile``), and is canonical.
        new: Likewise.

    Raises:
        ValueError: A text is not canonical.
    """
    before, after = outline_of(old, _WHERE), outline_of(new, _WHERE)
    if before is None or after is None:
        raise ValueError("a text was not judged")  # noqa: EM101, TRY003 - a defect
    olds, news = _pieces(old, before), _pieces(new, after)
    kept = {}
    for name in olds.keys() | news.keys():
        both = (olds.get(name, iter(())), news.get(name, iter(())))
        was, now = before.lock.get(name), after.lock.get(name)
        if was is not None and now is not None and not was.addresses_as(now):
            gone, come = ([*chain.from_iterable(lines)] for lines in both)
            kept[name] = (gone, come)
        else:
            kept[name] = _only_in_one(*both)
    return (
        _with_rows(before.lock, {name: gone for name, (gone, _) in kept.items()}),
        _with_rows(after.lock, {name: come for name, (_, come) in kept.items()}),
    )


def in_pieces(data: bytes) -> Iterator[LockedArtifact]:
    """Yield what a text locks: artifacts in order, each again for every piece of its rows.

    Args:
        data: Text that was judged (``survey_lockfile``), and is canonical.

    Raises:
        ValueError: The text is not canonical.
    """
    outline = outline_of(data, _WHERE)
    if outline is None:
        raise ValueError("a text was not judged")  # noqa: EM101, TRY003 - a defect
    for artifact, block in zip(outline.lock.artifacts, outline.blocks, strict=True):
        for piece in cut_rows(block, data):
            yield replace(artifact, objects=tuple(_rows([data[piece]])))


def _with_rows(lock: Lockfile, lines: dict[str, list[bytes]]) -> Lockfile:
    artifacts = [replace(a, objects=tuple(_rows(lines[a.name]))) for a in lock.artifacts]
    return replace(lock, artifacts=tuple(artifacts))


def _pieces(data: bytes, outline: Outline) -> dict[str, Iterator[list[bytes]]]:
    """Return the lines of each artifact, a piece at a time."""
    return {
        artifact.name: (
            data[piece].splitlines(keepends=True) for piece in cut_rows(block, data)
        )
        for artifact, block in zip(outline.lock.artifacts, outline.blocks, strict=True)
    }


def _only_in_one(
    olds: Iterator[list[bytes]], news: Iterator[list[bytes]]
) -> tuple[list[bytes], list[bytes]]:
    """Return the lines that are only in the first, and only in the second."""
    gone: list[bytes] = []
    come: list[bytes] = []
    mine, theirs = next(olds, []), next(news, [])
    while mine and theirs:
        # All that either has up to here is at hand.
        end = min(_path(mine[-1]), _path(theirs[-1]))
        here, there = (
            bisect_right(mine, end, key=_path),
            bisect_right(theirs, end, key=_path),
        )
        some, others = mine[:here], theirs[:there]
        if some != others:
            gone += _missing(some, others)
            come += _missing(others, some)
        mine, theirs = mine[here:] or next(olds, []), theirs[there:] or next(news, [])
    gone += chain(mine, chain.from_iterable(olds))
    come += chain(theirs, chain.from_iterable(news))
    return gone, come


def _missing(lines: list[bytes], others: list[bytes]) -> list[bytes]:
    known = set(others)
    return [line for line in lines if line not in known]


def _path(line: bytes) -> str:
    (row,) = _rows([line])
    return row.path


def _rows(lines: list[bytes]) -> list[LockedObject]:
    rows = decode_rows(b"".join(lines))
    if rows is None:
        raise ValueError("a text was not judged")  # noqa: EM101, TRY003 - a defect
    return rows
