"""Figures and tables as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.comparison import Result, Row, Verdict
    from benchmarks.growth import Series

_HEAD = ("", "wall", "CPU", "memory", "artlock / it", "bytes", "requests")
_TARGETS_HEAD = ("what", "against", "this run", "target", "stretch", "")
_GROWTH_HEAD = ("what", "count", "wall", "memory", "power")

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""The head and the lines."""


def seconds(value: float) -> str:
    """Write a duration with three digits that matter."""
    if value < 1:
        return f"{1000 * value:.0f} ms"
    return f"{value:.2f} s" if value < 100 else f"{value:.0f} s"  # noqa: PLR2004 - width


def memory(value: float) -> str:
    """Write a number of bytes in megabytes."""
    return f"{value / 1e6:,.0f} MB"


def figure(value: float | None, unit: str) -> str:
    """Write a figure of the table of targets."""
    if value is None:
        return ""
    return {"ratio": "{:.2f} x".format, "wall": seconds, "peak": memory}[unit](value)


def rows_of(result: Result) -> Table:
    """Return the head and the lines of the table of one comparison."""
    return _HEAD, [_cells(result, row) for row in result.rows]


def _cells(result: Result, row: Row) -> tuple[str, ...]:
    name, measured = row.contender.name, row.measured
    if not measured.runs:
        reason = row.contender.absent or "failed"
        return (name, reason, "", "", "", "", "")
    ratio = result.ratio(row)
    return (
        name,
        seconds(measured.wall),
        seconds(measured.cpu),
        memory(measured.peak),
        "" if row is result.ours or ratio is None else f"{ratio:.2f}",
        "" if row.delivery is None else str(row.delivery),
        "" if row.requests is None else str(row.requests),
    )


def targets_of(
    verdicts: Sequence[Verdict],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the head and the lines of the table of targets."""
    return _TARGETS_HEAD, [
        (
            verdict.what,
            verdict.against,
            figure(verdict.figure, verdict.unit),
            figure(verdict.target, verdict.unit),
            "" if verdict.stretch is None else figure(verdict.stretch, verdict.unit),
            _judged(verdict),
        )
        for verdict in verdicts
    ]


def _judged(verdict: Verdict) -> str:
    if verdict.figure is None:
        return "not measured"
    return "holds" if verdict.figure <= verdict.target else "missed"


def growth_of(lines: Sequence[Series]) -> Table:
    """Return the head and the lines of the table of growth."""
    return _GROWTH_HEAD, [
        (
            line.what if point is line.points[0] else "",
            f"{point.count:,}",
            seconds(point.wall),
            memory(point.peak),
            f"{line.exponent:.2f}" if point is line.points[-1] else "",
        )
        for line in lines
        for point in line.points
    ]


def plain(head: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table for a terminal."""
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    for cells in (head, *lines):
        padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
        yield "  ".join(padded).rstrip()


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table for a page."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for cells in lines:
        yield f"| {' | '.join(cells)} |"
