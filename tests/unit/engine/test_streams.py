"""Several iterations at once: all that they give, in bounded memory, and an early end."""

import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.engine import streams
from artlock.engine.streams import merged
from artlock.engine.threads import Stop

PATIENCE_S = 5


def running() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("artlock-s")]


def ended() -> bool:
    """Wait for the threads of a stream, which nobody else does."""
    until = time.monotonic() + PATIENCE_S
    while running() and time.monotonic() < until:
        time.sleep(0.001)
    return not running()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HANDFUL", 3)


@given(lengths=st.lists(st.integers(0, 20), max_size=8), workers=st.integers(1, 9))
def test_all_is_yielded_and_each_in_its_order(lengths: list[int], workers: int) -> None:
    sources = [iter([(name, n) for n in range(many)]) for name, many in enumerate(lengths)]
    found = list(merged(sources, workers=workers, stop=Stop()))
    for name, many in enumerate(lengths):
        assert [pair for pair in found if pair[0] == name] == [
            (name, n) for n in range(many)
        ]
    assert len(found) == sum(lengths)
    assert ended()


def test_they_go_on_at_once() -> None:
    meeting = threading.Barrier(4, timeout=PATIENCE_S)

    def source() -> Iterator[int]:
        meeting.wait()
        yield 1

    found = merged([source() for _ in range(4)], workers=4, stop=Stop())
    assert list(found) == [1] * 4


def test_no_more_than_asked_for_go_on_at_once() -> None:
    names: set[str] = set()

    def source() -> Iterator[int]:
        names.add(threading.current_thread().name)
        yield from range(100)

    assert len(list(merged([source() for _ in range(9)], workers=3, stop=Stop()))) == 900
    assert 1 <= len(names) <= 3


def test_an_error_is_raised_and_ends_the_others() -> None:
    taken = []

    def failing() -> Iterator[int]:
        yield 1
        raise KeyError

    def endless() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    with pytest.raises(KeyError):
        list(merged([endless(), failing(), endless()], workers=3, stop=Stop()))
    assert ended()
    before = len(taken)
    time.sleep(0.01)
    assert len(taken) == before


def test_an_error_does_not_wait_for_who_is_stuck() -> None:
    stuck = threading.Event()

    def waiting() -> Iterator[int]:
        stuck.wait(PATIENCE_S)
        yield 1

    def failing() -> Iterator[int]:
        yield {1: 1}[2]

    begun = time.monotonic()
    with pytest.raises(KeyError):
        list(merged([waiting(), failing()], workers=2, stop=Stop()))
    assert time.monotonic() - begun < PATIENCE_S / 2
    stuck.set()
    assert ended()


def test_what_is_not_taken_is_not_fetched_and_an_early_end_ends_threads() -> None:
    drawn = count()

    def endless() -> Iterator[int]:
        while True:
            yield next(drawn)

    stop = Stop()
    found = merged([endless() for _ in range(4)], workers=2, stop=stop)
    next(found)
    time.sleep(0.05)
    # One handful is in hand, and two of each worker wait.
    assert next(drawn) <= 3 * (1 + 2 * 2)
    found.close()
    assert stop.is_set
    assert ended()


def test_a_source_that_looks_at_the_stop_ends_without_an_error() -> None:
    stop = Stop()
    looked = threading.Event()

    def looking() -> Iterator[int]:
        for _ in count():  # as pages in which nothing is live
            stop.check()
            looked.set()
            time.sleep(0.001)
            yield from ()

    found = merged([iter([1]), looking()], workers=2, stop=stop)
    assert next(found) == 1
    assert looked.wait(PATIENCE_S)
    found.close()
    assert ended()
