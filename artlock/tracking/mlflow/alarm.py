"""Hang up on a server when the time is over: a body in drops resets each other clock.

Neither MLflow's client nor requests can be told when to be done with an answer, only how
long each piece of it may take, and neither shows the connection that it reads from. But
whoever waits for a socket stands in a frame that has it.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection

_OURS = "artlock."
_AGAIN_S = 0.1
"""A moment later: it may have been busy with what it had got, or be connecting anew."""


@contextmanager
def hanging_up_after(seconds: float) -> Iterator[None]:
    """Shut down each socket that this thread waits for in the block, once it takes longer.

    What it waits for then fails, as if the server had hung up.

    Args:
        seconds: How long the block may take before that.
    """
    done = threading.Event()
    waiting = threading.get_ident()

    def watch() -> None:
        pause_s = max(0.0, seconds)
        while not done.wait(pause_s):
            _hang_up(waiting)
            pause_s = _AGAIN_S

    watcher = threading.Thread(target=watch, name="artlock-mlflow-alarm", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        # Joined, so that it never meets a socket that this thread opens later.
        done.set()
        watcher.join()


def _hang_up(thread: int) -> None:
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - the documented way
    while frame is not None and not frame.f_globals["__name__"].startswith(_OURS):
        found = _socket_of(frame.f_locals.get("self"))
        if found is not None:
            # By the plain class: that of TLS would change what its owner is just using.
            with suppress(OSError):  # the other end was faster
                socket.socket.shutdown(found, socket.SHUT_RDWR)
            return
        frame = frame.f_back


def _socket_of(owner: object) -> socket.socket | None:
    """Return the socket that a method works on, if it is one of those that wait."""
    if isinstance(owner, socket.SocketIO):
        owner = getattr(owner, "_sock", None)
    elif isinstance(owner, HTTPConnection):
        owner = owner.sock
    return owner if isinstance(owner, socket.socket) else None
