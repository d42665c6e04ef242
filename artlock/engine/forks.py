"""Two questions at once, where one interpreter would ask them one after the other."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ENDING = (signal.SIGINT, signal.SIGTERM)
"""What ends a command from outside."""


def both(first: Callable[[], bool], second: Callable[[], bool]) -> bool:
    """Tell whether both questions are answered with yes; the second is asked in a fork.

    For work that holds the GIL: two threads would take turns. Where a fork is not possible
    or not safe, the questions are asked in turn, with the same answer.

    Args:
        first: Asked here; what it raises is raised.
        second: Only looks: whatever it changes is lost, and if it raises, that means no.
    """
    if not _may_fork():
        return first() and _holds(second)
    # Held back over the fork: a signal before the child has its own handlers would run the
    # parent's, and unwind the parent's blocks a second time.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    pid = code = -1
    answer = False
    try:
        try:
            with suppress(OSError):  # no process or memory left
                pid = os.fork()
            if pid == 0:
                _answer_and_exit(second, before)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        answer = first()
    finally:
        if pid > 0:
            if not answer:
                os.kill(pid, signal.SIGKILL)  # nobody waits for its answer any more
            code = _ended(pid)
    return answer and (code == 0 if pid > 0 else _holds(second))


def _answer_and_exit(question: Callable[[], bool], before: Iterable[int]) -> NoReturn:
    """Answer as the exit code, in the child, and end nothing that the parent has begun."""
    code = 1
    try:
        for number in _ENDING:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        code = 0 if question() else 1
    finally:
        os._exit(code)


def _ended(pid: int) -> int:
    """Collect the child and return its exit code, or something else if that is lost."""
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:  # somebody else collected it
        return -1
    return os.waitstatus_to_exitcode(status)


def _may_fork() -> bool:
    # Linux only: a fork without exec is not safe with the system libraries of macOS. With
    # other threads running, Python's or a library's, the child could inherit a mutex that
    # nobody gives back: ask before any store is opened.
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) == 1:
        return False
    alone = threading.active_count() == 1
    if not alone or threading.current_thread() is not threading.main_thread():
        return False
    # Where they are ignored, the kernel forgets the child's answer.
    return signal.getsignal(signal.SIGCHLD) is not signal.SIG_IGN


def _holds(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except Exception:  # noqa: BLE001 - as in a fork: what cannot be asked is not certain
        return False
