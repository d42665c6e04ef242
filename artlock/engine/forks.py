"""Work that holds the GIL, in two processes, where two threads would take turns.

The second process is a fork: it begins with everything in memory, and what it changes there
is lost. Where a fork is not possible or not safe the same is done here, one by one.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Item = TypeVar("Item")

_ENDING = (signal.SIGINT, signal.SIGTERM)
"""What ends a command from outside."""
_NUMBER = struct.Struct("<I")
_HEADER = struct.Struct("<II")
_PIECE = 1 << 16
_NO = b"no"


def all_hold(questions: Sequence[Callable[[], bool]]) -> bool:
    """Tell whether every question is answered with yes; some are asked in a fork.

    A process that knows of a no asks no more.

    Args:
        questions: Only look: what they change in the fork is lost. What one raises is
            raised. Of some milliseconds each, as in ``share_out``.
    """
    refused: list[bytes] = []

    def ask(question: Callable[[], bool]) -> bytes:
        if not refused and not question():
            refused.append(_NO)
        return _NO if refused else b""

    def take(_: Callable[[], bool], answer: bytes) -> None:
        if answer:
            refused.append(answer)

    share_out(ask, questions, take)
    return not refused


def share_out(
    work: Callable[[Item], bytes],
    items: Sequence[Item],
    take: Callable[[Item, bytes], None],
) -> None:
    """Do ``work`` on every item, in this process and in a fork, as each becomes free.

    ``take`` hears of all that was done, also if this is left by an exception: so whoever
    calls can undo it. The fork outlives neither this call nor, by more than an item, this
    process.

    Args:
        work: Leaves nothing behind if it raises. What raises in the fork is done again
            here, so that the error is raised here.
        items: Pieces of some milliseconds each: a signal waits for those in hand.
        take: Called here, with each item and what ``work`` returned; not in order.
    """
    done: set[int] = set()

    def taken(index: int, result: bytes) -> None:
        done.add(index)
        take(items[index], result)

    if len(items) > 1 and _may_fork():
        _share_with_fork(work, items, taken)
    for index, item in enumerate(items):
        if index not in done:
            taken(index, work(item))


def _share_with_fork(
    work: Callable[[Item], bytes],
    items: Sequence[Item],
    taken: Callable[[int, bytes], None],
) -> None:
    with _Queue(len(items)) as queue, _Reports() as reports:
        pid = -1
        try:
            # Released only here: the child holds signals back to its end. A person who
            # presses Ctrl-C reaches both, and the parent then gives out no more.
            with _held_back():
                pid = _fork()
                if pid == 0:
                    _work_and_exit(work, items, queue, reports)
            while pid > 0 and (index := queue.next()) is not None:
                taken(index, work(items[index]))
                with _held_back():
                    for report in reports.waiting():
                        taken(*report)
        finally:
            with _held_back():
                queue.empty()
                try:
                    for report in reports.rest():
                        taken(*report)
                finally:
                    if pid > 0:
                        _collect(pid)


class _Queue:
    """Numbers from 0, each given out once among this process and its forks.

    They lie in a pipe, which the kernel reads for one process at a time; the position of a
    nameless file is not guarded so. What does not fit into the pipe is not given out.
    """

    def __init__(self, count: int) -> None:
        self._fd, writing = os.pipe()
        try:
            os.set_blocking(writing, False)
            os.write(writing, b"".join(_NUMBER.pack(number) for number in range(count)))
        finally:
            os.close(writing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def next(self) -> int | None:
        """Return the next number, or ``None`` if all are given out."""
        data = os.read(self._fd, _NUMBER.size)
        number: int | None = _NUMBER.unpack(data)[0] if data else None
        return number

    def empty(self) -> None:
        """Give out no more."""
        while os.read(self._fd, _PIECE):
            pass


class _Reports:
    """What a fork reports to its parent, through a pipe: a number, and bytes.

    To be read with signals held back: a report that is lost on its way, or half of one, is
    work that nobody can undo.
    """

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self._data = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._reading)
        self._end_writing()

    def only_write(self) -> None:
        """Say in the fork that only the parent reads: if that ends, a report fails."""
        os.close(self._reading)

    def write(self, number: int, result: bytes) -> None:
        """Report, from the fork.

        Raises:
            OSError: The parent has ended.
        """
        data = memoryview(_HEADER.pack(number, len(result)) + result)
        while data:
            data = data[os.write(self._writing, data) :]

    def waiting(self) -> Iterator[tuple[int, bytes]]:
        """Yield what has come."""
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        while any(event & select.POLLIN for _, event in poll.poll(0)):
            self._data += os.read(self._reading, _PIECE)
            yield from self._complete()

    def rest(self) -> Iterator[tuple[int, bytes]]:
        """Yield what comes until the fork ends; what it had not reported whole is lost."""
        self._end_writing()
        while data := os.read(self._reading, _PIECE):
            self._data += data
            yield from self._complete()

    def _end_writing(self) -> None:
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1

    def _complete(self) -> Iterator[tuple[int, bytes]]:
        while len(self._data) >= _HEADER.size:
            index, length = _HEADER.unpack_from(self._data)
            end = _HEADER.size + length
            if len(self._data) < end:
                return
            result = bytes(self._data[_HEADER.size : end])
            del self._data[:end]
            yield index, result


def _work_and_exit(
    work: Callable[[Item], bytes], items: Sequence[Item], queue: _Queue, reports: _Reports
) -> NoReturn:
    """Work and report, in the child, until nothing is left or nobody listens."""
    code = 1
    try:
        reports.only_write()
        while (index := queue.next()) is not None:
            reports.write(index, work(items[index]))
        code = 0
    finally:
        os._exit(code)


def _fork() -> int:
    """Fork; return -1 where no process or memory is left."""
    with suppress(OSError):
        return os.fork()
    return -1


@contextmanager
def _held_back() -> Iterator[None]:
    """Let what ends a command wait until the block ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _collect(pid: int) -> None:
    """Wait for the child's end."""
    with suppress(ChildProcessError):  # somebody else collected it
        os.waitpid(pid, 0)


def _may_fork() -> bool:
    # Linux only: a fork without exec is not safe with the system libraries of macOS. With
    # other threads running, Python's or a library's, the child could inherit a mutex that
    # nobody gives back: ask before any store is opened.
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) == 1:
        return False
    alone = threading.active_count() == 1
    return alone and threading.current_thread() is threading.main_thread()
