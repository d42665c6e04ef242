"""Several slow iterations at once, as one.

Where each step waits for an answer, eight of them take little longer than one. What comes
is handed over in handfuls: a step between threads for each of a million would show.
"""

from __future__ import annotations

import threading
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from artlock.engine.threads import Cancelled

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from artlock.engine.threads import Stop

Item = TypeVar("Item")

HANDFUL = 1000
_AHEAD = 2
"""How many handfuls of each worker wait to be taken."""


def merged(
    sources: Sequence[Iterator[Item]], *, workers: int, stop: Stop
) -> Generator[Item, None, None]:
    """Yield all that several iterators yield: each in its order, mixed with the others.

    What one raises is raised here, and then no more is taken from any. Leaving the
    iteration early does the same. Neither waits for a step that has begun: its thread ends
    when it is done, and what it got is dropped.

    Memory is bounded: no iterator goes on while ``workers * 2`` handfuls wait here.

    Args:
        sources: Begun in order. Each is used by one thread.
        workers: How many go on at once.
        stop: Set at the end; sources that take long to yield look at it between steps.
    """
    waiting = iter(sources)
    choosing = threading.Lock()
    room = threading.Semaphore(workers * _AHEAD)
    done: SimpleQueue[list[Item] | BaseException | None] = SimpleQueue()

    def take(source: Iterator[Item]) -> list[Item]:
        room.acquire()
        stop.check()
        handful = list(islice(source, HANDFUL))
        if not handful:
            room.release()
        return handful

    def run() -> None:
        try:
            while True:
                with choosing:
                    source = next(waiting, None)
                if source is None:
                    return
                while handful := take(source):
                    done.put(handful)
        except Cancelled:
            return
        except BaseException as error:  # noqa: BLE001 - handed over, raised by the caller
            done.put(error)
        finally:
            done.put(None)

    running = 0
    try:
        for number in range(min(workers, len(sources))):
            threading.Thread(target=run, name=f"artlock-s{number}", daemon=True).start()
            running += 1
        while running:
            taken = done.get()
            if taken is None:
                running -= 1
            elif isinstance(taken, BaseException):
                raise taken
            else:
                room.release()
                yield from taken
    finally:
        stop.set()
        room.release(workers)  # whoever waits for room sees that it is over


def watched(items: Iterable[Item], stop: Stop) -> Iterator[Item]:
    """Yield items until an end is asked for: for sources that take long to yield."""
    for item in items:
        stop.check()
        yield item
