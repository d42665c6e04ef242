"""Many small pieces of work on a few threads, with results as they come.

The work releases the GIL (obstore, blake3, file reads), so threads are enough. One thread
takes its next item itself, under a mutex: that costs a fraction of a future for each item,
which shows at 10,000 objects a second.
"""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

from artlock.errors import ArtlockError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")


class Cancelled(Exception):  # noqa: N818 - not a failure: the run was stopped on purpose
    """Raised inside of work that was told to stop; never leaves this package's callers."""


class Stop:
    """A flag that long work looks at between its steps."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask for an end; may be called from any thread, any number of times."""
        self._event.set()

    def check(self) -> None:
        """Go on, or raise.

        Raises:
            Cancelled: An end was asked for.
        """
        if self._event.is_set():
            raise Cancelled

    @property
    def is_set(self) -> bool:
        """Whether an end was asked for."""
        return self._event.is_set()


class Outcome(Generic[Item, Result]):
    """What became of one item: a result or an error that was foreseen."""

    __slots__ = ("error", "item", "result")

    def __init__(
        self, item: Item, result: Result | None, error: ArtlockError | None
    ) -> None:
        self.item = item
        self.result = result
        self.error = error


def each(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    stop: Stop | None = None,
    patience_s: float | None = None,
) -> Iterator[Outcome[Item, Result]]:
    """Do ``work`` on every item, at most ``workers`` at once, and yield as they end.

    An ``ArtlockError`` belongs to its item and is yielded; the others go on. Anything else
    is a defect, or an interruption: no new item is begun, work in progress ends or notices
    ``stop``, and the exception is raised here. Leaving the iteration early does the same.

    Args:
        work: Called in several threads at once.
        items: Taken one by one, in order, as threads become free.
        workers: At least 1.
        stop: Set when the iteration ends early; pass the one that ``work`` looks at.
        patience_s: How long to wait then for work in progress; ``None`` waits for its end.
            Only for work that looks at ``stop`` before every deed that others could see: a
            read from a network that is stuck must not keep a person who pressed Ctrl-C.
    """
    stop = stop or Stop()
    if workers == 1 and patience_s is None:
        # Nobody could go on meanwhile, so there is nothing to gain from another thread.
        yield from _each_here(work, items, stop)
        return
    source = iter(items)
    taking = threading.Lock()
    done: SimpleQueue[Outcome[Item, Result] | BaseException | None] = SimpleQueue()

    def run() -> None:
        try:
            while not stop.is_set:
                with taking:
                    item = next(source, source)
                if item is source:
                    return
                done.put(_outcome(work, item))  # type: ignore[arg-type] # not the sentinel
        except Cancelled:
            return
        except BaseException as error:  # noqa: BLE001 - handed over, raised by the caller
            done.put(error)
        finally:
            done.put(None)

    threads = [
        threading.Thread(target=run, name=f"artlock-{n}", daemon=True)
        for n in range(workers)
    ]
    running = 0
    try:
        for thread in threads:
            thread.start()
            running += 1
        while running:
            outcome = done.get()
            if outcome is None:
                running -= 1
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                yield outcome
    finally:
        deadline = None
        if running and any(thread.is_alive() for thread in threads):
            stop.set()
            deadline = None if patience_s is None else time.monotonic() + patience_s
        for thread in threads:
            if thread.ident is None:
                continue  # an interruption came before it was started
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            thread.join(left)


def _each_here(
    work: Callable[[Item], Result], items: Iterable[Item], stop: Stop
) -> Iterator[Outcome[Item, Result]]:
    try:
        for item in items:
            if stop.is_set:
                return
            yield _outcome(work, item)
    except Cancelled:
        return
    except BaseException:
        stop.set()
        raise


def _outcome(work: Callable[[Item], Result], item: Item) -> Outcome[Item, Result]:
    try:
        return Outcome(item, work(item), None)
    except ArtlockError as error:
        return Outcome(item, None, error)
