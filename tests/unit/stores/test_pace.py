"""Reads that go on at once, at a service that has had enough."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from artlock.engine.threads import each
from artlock.errors import ObjectNotFoundError, StoreError, StoreUnavailableError
from artlock.model.objects import ObjectInfo, VersionId
from artlock.model.uri import Uri
from artlock.stores.base import Pin, Span, reading
from artlock.stores.pace import Pace
from artlock.stores.retry import RetryBudget, Retrying

URI = Uri("s3", "bucket", "a")


@dataclass(slots=True)
class Crowded:
    """A store that refuses whoever comes when so many are there."""

    room: int
    mutex: threading.Lock = field(default_factory=threading.Lock)
    inside: int = 0
    refused: int = 0
    identity: str = "crowded"

    def scan(self, prefix: Uri, *, as_of: datetime | None = None) -> Iterator[ObjectInfo]:
        raise NotImplementedError

    def head(self, uri: Uri, version: VersionId | None = None) -> ObjectInfo:
        raise NotImplementedError

    def read(self, pin: Pin, span: Span | None = None) -> Iterator[bytes]:  # noqa: ARG002 - as a store
        with self.mutex:
            if self.inside >= self.room:
                self.refused += 1
                message = "slow down"
                raise StoreUnavailableError(message, uri=str(pin.uri))
            self.inside += 1
        time.sleep(0.002)
        yield b"x"
        with self.mutex:
            self.inside -= 1

    def close(self) -> None:
        pass


def read_all(store: Crowded, count: int) -> int:
    """Read so many objects with 16 workers; return how many failed in the end."""
    outer = Retrying(
        store,
        budget=RetryBudget(at_once=10**6),
        jitter=lambda _low, high: high / 10,  # reads are as much faster than real ones
    )

    def work(_: int) -> None:
        assert b"".join(map(bytes, outer.read(Pin(uri=URI, size=1)))) == b"x"

    return sum(
        outcome.error is not None for outcome in each(work, range(count), workers=16)
    )


def end(pace: Pace, error: type[StoreError], before: Callable[[], object] = int) -> None:
    """Have a turn, do something, and fail."""

    def turn() -> None:
        with pace.turn():
            before()
            message = "so it ends"
            raise error(message, uri=str(URI))

    with pytest.raises(error):
        turn()


def refuse(pace: Pace) -> None:
    end(pace, StoreUnavailableError)


@pytest.mark.parametrize(("room", "most"), [(1, 60), (2, 45), (4, 25)])
def test_4_1_a_crowded_store_is_asked_by_as_many_as_it_can_take(
    room: int, most: int
) -> None:
    store = Crowded(room=room)
    assert read_all(store, 600) == 0
    assert store.refused < most  # 70 and 40 if nobody slows down, and some fail


def test_nobody_waits_before_the_first_refusal() -> None:
    store = Crowded(room=16)
    assert read_all(store, 100) == 0
    assert store.refused == 0


def test_a_refusal_halves_how_many_go_on_and_each_success_adds_a_little() -> None:
    pace = Pace()
    assert pace.limit == float("inf")
    in_turns(pace, 8, lambda: refuse(pace))
    assert pace.limit == 4.5
    for _ in range(16 * 5):
        with pace.turn():
            pass
    assert 5.4 < pace.limit < 5.6


def test_those_that_are_refused_together_count_once() -> None:
    pace = Pace()
    together = threading.Barrier(4)

    def refused() -> None:
        end(pace, StoreUnavailableError, together.wait)

    threads = [threading.Thread(target=refused) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pace.limit >= 1
    assert pace._reductions == 1


def test_a_read_that_breaks_off_was_not_refused() -> None:
    pace = Pace()

    def broken() -> None:
        with pace.turn() as turn:
            turn.has_bytes = True
            message = "broken"
            raise StoreUnavailableError(message, uri=str(URI))

    with pytest.raises(StoreUnavailableError):
        broken()
    assert pace.limit == float("inf")


def test_one_read_always_goes_on() -> None:
    pace = Pace()
    for _ in range(5):
        refuse(pace)
    assert pace.limit == 1
    with pace.turn():
        pass


def test_a_thread_that_reads_does_not_wait_for_itself() -> None:
    pace = Pace()
    refuse(pace)
    with pace.turn(), pace.turn():
        pass


def test_a_read_that_failed_between_two_chunks_keeps_nobody_waiting() -> None:
    outer = Retrying(Crowded(room=2))
    pin = Pin(uri=URI, size=1)
    refuse(outer._pace)

    def fail() -> None:
        with reading(outer, pin) as chunks:
            next(chunks)
            message = "the disk is full"
            raise OSError(message)

    with pytest.raises(OSError, match="full") as kept:
        fail()
    other = threading.Thread(target=lambda: list(outer.read(pin)), daemon=True)
    other.start()
    other.join(5)
    assert not other.is_alive()
    assert kept.tb is not None


def test_a_thread_that_left_a_read_open_counts_once() -> None:
    pace = Pace()
    refuse(pace)
    left = [pace.turn(), pace.turn()]
    for turn in left:
        turn.__enter__()
    assert len(pace._reading) == 1
    for turn in left:
        turn.__exit__(None, None, None)
    assert not pace._reading


def test_who_waits_goes_before_who_comes() -> None:
    pace = Pace()
    refuse(pace)
    order: list[str] = []

    def wait() -> None:
        with pace.turn():
            order.append("waited")

    waiting = threading.Thread(target=wait)
    with pace.turn():
        waiting.start()
        while not pace._waiting:
            time.sleep(0.001)
    with pace.turn():
        order.append("came")
    waiting.join()
    assert order == ["waited", "came"]


def test_another_failure_changes_nothing() -> None:
    pace = Pace()
    refuse(pace)
    end(pace, ObjectNotFoundError)
    assert pace.limit == 1


def in_turns(pace: Pace, count: int, deed: Callable[[], None]) -> None:
    """Do something while so many other threads have a turn."""
    have, leave = threading.Barrier(count + 1), threading.Event()

    def hold() -> None:
        end(pace, ObjectNotFoundError, lambda: (have.wait(), leave.wait()))

    threads = [threading.Thread(target=hold) for _ in range(count)]
    for thread in threads:
        thread.start()
    have.wait()
    deed()
    leave.set()
    for thread in threads:
        thread.join()
