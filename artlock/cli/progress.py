"""Progress for people: bars on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

from artlock.cli.output import human_size

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from artlock.cli.output import Output
    from artlock.ops.progress import Progress

_HEARTBEAT_S = 10.0
"""Seconds between lines where no bar can move, so that a CI log shows life."""


def drawn_progress(output: Output, *, moving: bool) -> Progress:
    """Return bars on a terminal, or else lines; notices are warnings in both.

    Args:
        output: Where to speak.
        moving: Whether bars may move at all (``--no-progress``, ``--quiet``).
    """
    if moving and sys.stderr.isatty():
        return _Bars(output)
    return _Lines(output)


class _Lines:
    """A heartbeat line every few seconds of a long phase."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._mutex = threading.Lock()
        self._deed = ""
        self._totals: tuple[int | None, int | None] = (None, None)
        self._done = [0, 0]
        self._next = 0.0

    def begin(self, deed: str, *, objects: int | None, size: int | None) -> None:
        with self._mutex:
            self._deed, self._totals, self._done = deed, (objects, size), [0, 0]
            self._next = time.monotonic() + _HEARTBEAT_S

    def advance(self, *, objects: int = 0, size: int = 0) -> None:
        with self._mutex:
            self._done[0] += objects
            self._done[1] += size
            now = time.monotonic()
            if now < self._next:
                return
            self._next = now + _HEARTBEAT_S
            line = self._line()
        self._output.say(line)

    def _line(self) -> str:
        objects, size = self._totals
        done = f"{self._done[0]:,}" + (f" of {objects:,}" if objects is not None else "")
        total = f" of {human_size(size)}" if size is not None else ""
        moved = f", {human_size(self._done[1])}{total}" if self._done[1] else ""
        return f"{self._deed}: {done} objects{moved}"

    def end(self) -> None:
        pass

    def notice(self, text: str) -> None:
        self._output.warn(text)


class _Bars:
    """One bar for each phase, drawn by rich on stderr."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._rich: RichProgress | None = None
        self._sized = False

    def begin(self, deed: str, *, objects: int | None, size: int | None) -> None:
        # rich costs 80 ms to import: only for a phase on a terminal.
        from rich.console import Console  # noqa: PLC0415 - see above
        from rich.progress import (  # noqa: PLC0415 - see above
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self.end()
        self._sized = bool(size)
        columns = (
            (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            if self._sized
            else (BarColumn(), MofNCompleteColumn())
        )
        self._rich = Progress(
            TextColumn("{task.description:<9}"),
            *columns,
            TextColumn("{task.fields[objects]:,}/{task.fields[of]} objects")
            if self._sized
            else TextColumn(""),
            console=Console(stderr=True),
            transient=True,
        )
        of = "?" if objects is None else f"{objects:,}"
        total = size if self._sized else objects
        self._rich.add_task(deed, total=total, objects=0, of=of)
        self._rich.start()

    def advance(self, *, objects: int = 0, size: int = 0) -> None:
        rich = self._rich
        if rich is None:
            return
        task = rich.tasks[0]
        seen = task.fields["objects"] + objects
        rich.update(task.id, advance=size if self._sized else objects, objects=seen)

    def end(self) -> None:
        if self._rich is not None:
            self._rich.stop()
            self._rich = None

    def notice(self, text: str) -> None:
        self._output.warn(text)
