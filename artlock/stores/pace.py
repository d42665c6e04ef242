"""How many reads of one service go on at once: fewer when it has enough."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from artlock.errors import StoreUnavailableError

_SUCCESSES = 16
"""One more at once after so many successes of each. With one, a service that can take two
at once refuses every fourth read, and some objects five times."""


class Turn(msgspec.Struct):
    """A read that goes on.

    Attributes:
        begun: After how many reductions it began.
        has_bytes: Whether some came; to be set by whoever reads.
    """

    begun: int
    has_bytes: bool = False


class Pace:
    """Lets reads begin; after a refusal half as many, and slowly more again.

    There is no limit before the first refusal: how many workers there are is somebody
    else's choice. Additive increase, multiplicative decrease (RFC 5681 §3.1), so that
    whatever a service can take is found, and found again when it changes. A refusal is a
    ``StoreUnavailableError`` before the first byte: what breaks off later was not refused.
    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._limit = float("inf")
        self._reading: dict[int, Turn] = {}
        self._waiting: deque[int] = deque()
        self._reductions = 0

    @property
    def limit(self) -> float:
        """How many reads may go on at once; at least 1."""
        with self._changed:
            return self._limit

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Wait until another read may begin, and count it until the end of the block.

        A thread counts once, and does not wait if it is counted: its read before is over,
        though an error that tells of it may keep it from its end.
        """
        thread = threading.get_ident()
        with self._changed:
            self._waiting.append(thread)
            try:
                self._changed.wait_for(
                    lambda: thread in self._reading or self._is_next(thread)
                )
                turn = self._reading[thread] = Turn(self._reductions)
            finally:
                self._waiting.remove(thread)  # also where an interruption ends the wait
                self._changed.notify_all()
        try:
            yield turn
        except StoreUnavailableError:
            self._slow_down(turn)
            raise
        else:
            self._speed_up()
        finally:
            with self._changed:
                if self._reading.get(thread) is turn:
                    del self._reading[thread]
                self._changed.notify_all()

    def _is_next(self, thread: int) -> bool:
        # In order of coming: else who just ended would begin again before all that wait,
        # and what was refused would be the first to be refused again.
        return self._waiting[0] == thread and len(self._reading) + 1 <= self._limit

    def _slow_down(self, turn: Turn) -> None:
        with self._changed:
            # Those that began before the last reduction were refused for the same reason.
            if not turn.has_bytes and turn.begun == self._reductions:
                self._limit = max(1.0, len(self._reading) / 2)
                self._reductions += 1

    def _speed_up(self) -> None:
        with self._changed:
            self._limit += 1 / (_SUCCESSES * self._limit)
