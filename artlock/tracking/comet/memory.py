"""How much memory the process of Comet's client may take.

A server may answer without end, and the client reads an answer as a whole.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from artlock.tracking.comet import messages

_ROOM = 1 << 30
"""Bytes of addresses beyond what the client has once it is loaded."""
_ROW = 8 << 10
"""And for each file that is sent or expected: its JSON, and what the client makes of it."""
_MOST_ROWS = 1_000_000
"""What a server tells of its files; more are not believed before they are seen."""


class Memory:
    """A limit that grows with what is asked for."""

    def __init__(self) -> None:
        """Look at what the process has by now; where that cannot be seen, limit nothing."""
        self._start = 0
        with suppress(OSError):  # only Linux tells, and there it is enforced
            pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
            self._start = pages * os.sysconf("SC_PAGE_SIZE")
        self._rows = -1

    def make_room(self, request: messages.Request) -> None:
        """Let the process take what a request may need, and no more."""
        rows = 0
        if isinstance(request, messages.Send):
            rows = len(request.assets)
        elif isinstance(request, messages.ListFiles):
            rows = min(request.expected, _MOST_ROWS)
        if not self._start or rows <= self._rows:
            return
        import resource  # noqa: PLC0415 - only where `/proc` is

        self._rows = rows
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = self._start + _ROOM + rows * _ROW
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
