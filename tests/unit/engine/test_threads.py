import threading
import time
from collections.abc import Iterator

import pytest

from artlock.engine.threads import Cancelled, Stop, each
from artlock.errors import CacheError


def running() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("artlock-")]


def test_every_item_is_done_once_whatever_the_number_of_threads() -> None:
    for workers in (1, 2, 7):
        found = list(each(lambda n: n * n, range(50), workers=workers))
        assert sorted(o.item for o in found) == list(range(50))
        assert all(o.result == o.item**2 and o.error is None for o in found)
    assert running() == []


def test_nothing_to_do_ends_at_once() -> None:
    assert list(each(lambda n: n, [], workers=4)) == []


def test_no_more_items_run_at_once_than_there_are_workers() -> None:
    mutex, now, most = threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal now, most
        with mutex:
            now += 1
            most = max(most, now)
        time.sleep(0.002)
        with mutex:
            now -= 1

    list(each(work, range(30), workers=3))
    assert 1 < most <= 3


def test_a_foreseen_failure_belongs_to_its_item_and_the_others_go_on() -> None:
    def work(n: int) -> int:
        if n == 3:
            message = "full"
            raise CacheError(message)
        return n

    found = {o.item: o for o in each(work, range(6), workers=2)}
    assert isinstance(found[3].error, CacheError)
    assert found[3].result is None
    assert [n for n, o in found.items() if o.error is None] == sorted({0, 1, 2, 4, 5})


def test_a_defect_is_raised_and_no_new_item_is_begun() -> None:
    begun: list[int] = []

    def work(n: int) -> None:
        begun.append(n)
        if n == 2:
            message = "a defect"
            raise ValueError(message)

    with pytest.raises(ValueError, match="a defect"):
        list(each(work, range(1000), workers=1))
    assert begun == [0, 1, 2]
    assert running() == []


def test_a_failing_source_of_items_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        message = "no more"
        raise ValueError(message)

    with pytest.raises(ValueError, match="no more"):
        list(each(lambda n: n, items(), workers=3))


def test_leaving_early_stops_what_looks_at_the_flag() -> None:
    stop = Stop()
    stopped = threading.Event()

    def work(n: int) -> int:
        if n == 0:
            return n
        try:
            while True:
                stop.check()
                time.sleep(0.001)
        except Cancelled:
            stopped.set()
            raise

    for outcome in each(work, [0, 1], workers=2, stop=stop):
        assert outcome.item == 0
        break
    assert stopped.wait(5)
    assert stop.is_set


def test_a_run_that_ended_by_itself_sets_no_flag() -> None:
    stop = Stop()
    list(each(lambda n: n, range(3), workers=2, stop=stop))
    assert not stop.is_set


def test_3_24_work_that_is_stuck_does_not_keep_who_is_patient_only_so_long() -> None:
    free = threading.Event()

    def work(n: int) -> int:
        if n:
            free.wait(30)
        return n

    begun = time.monotonic()
    for _ in each(work, [0, 1], workers=2, patience_s=0.05):
        break
    assert time.monotonic() - begun < 20
    free.set()
    for thread in running():
        thread.join()
