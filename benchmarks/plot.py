"""The plot of growth, as SVG that is the same for the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.growth import Point, Series

_MARKERS = "osD^v<>"


def draw(lines: Sequence[Series], path: Path) -> None:
    """Draw time and memory against the number of objects, both on logarithmic scales."""
    with mpl.rc_context({"svg.hashsalt": "artlock", "svg.fonttype": "none"}):
        figure = Figure(figsize=(11, 5), layout="constrained")
        time, memory = figure.subplots(1, 2)
        for number, line in enumerate(lines):
            counts = [point.count for point in line.points]
            marker = _MARKERS[number % len(_MARKERS)]
            for axes, values in (
                (time, [point.wall for point in line.points]),
                (memory, [_megabytes(point) for point in line.points]),
            ):
                axes.plot(counts, values, marker=marker, label=line.what)
        for axes, title in ((time, "seconds"), (memory, "memory, MB")):
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xlabel("objects, rows or files")
            axes.set_title(title)
            axes.grid(visible=True, which="major", alpha=0.4)
        time.legend()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _megabytes(point: Point) -> float:
    return point.peak / 1e6
