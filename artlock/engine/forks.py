"""Two questions at once, where one interpreter would ask them one after the other."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def both(first: Callable[[], bool], second: Callable[[], bool]) -> bool:
    """Tell whether both questions are answered with yes; the second is asked in a fork.

    For work that holds the GIL: two threads would take turns. Where a fork is not possible
    or not safe, the questions are asked in turn, with the same answer.

    Args:
        first: Asked here; what it raises is raised.
        second: Only looks: whatever it changes is lost, and if it raises, that means no.
    """
    pid = _forked()
    if pid is None:
        return first() and _holds(second)
    if pid == 0:
        code = 1
        try:
            code = 0 if second() else 1
        finally:
            # Whatever happened: nothing that the parent has begun is ended or flushed here.
            os._exit(code)
    try:
        answer = first()
    finally:
        _, status = os.waitpid(pid, 0)
    return answer and os.waitstatus_to_exitcode(status) == 0


def _forked() -> int | None:
    # Linux only: a fork without exec is not safe with the system libraries of macOS. With
    # other threads running, the child could inherit a mutex that nobody gives back.
    if sys.platform != "linux" or threading.active_count() > 1:
        return None
    if len(os.sched_getaffinity(0)) == 1:
        return None
    try:
        return os.fork()
    except OSError:  # no process or memory left
        return None


def _holds(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except Exception:  # noqa: BLE001 - as in a fork: what cannot be asked is not certain
        return False
