"""Retrying over a store whose answers a test writes down."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.errors import (
    AccessDeniedError,
    ObjectChangedError,
    StoreError,
    StoreUnavailableError,
)
from artlock.model.objects import ObjectInfo, VersionId
from artlock.model.retention import Retention, Versioning
from artlock.model.uri import Uri
from artlock.stores.base import Pin, Reconnects, Span, Store, TellsEtag, TellsRetention
from artlock.stores.retry import LONGEST_DELAY_S, RetryBudget, Retrying

URI = Uri("s3", "bucket", "a")
BODY = bytes(range(100))


@dataclass(slots=True)
class Breaking:
    """A store that breaks off after so many bytes, read after read, and then holds.

    Attributes:
        breaks: Bytes that each read yields before it fails.
        asked: The spans that were asked for.
    """

    breaks: list[int]
    error: type[StoreError] = StoreUnavailableError
    chunk: int = 10
    asked: list[Span | None] = field(default_factory=list)
    closed: int = 0
    identity: str = "breaking"

    def scan(self, prefix: Uri, *, as_of: datetime | None = None) -> Iterator[ObjectInfo]:
        yield ObjectInfo(uri=prefix, size=1, modified=as_of)

    def head(self, uri: Uri, version: VersionId | None = None) -> ObjectInfo:
        return ObjectInfo(uri=uri, size=len(BODY), version=version)

    def read(self, pin: Pin, span: Span | None = None) -> Iterator[bytes]:
        self.asked.append(span)
        body = BODY if span is None else BODY[span.start : span.start + span.length]
        limit = self.breaks.pop(0) if self.breaks else None
        part = body if limit is None else body[:limit]
        for start in range(0, len(part), self.chunk):
            yield part[start : start + self.chunk]
        if limit is not None:
            message = "broken"
            raise self.error(message, uri=str(pin.uri))

    def close(self) -> None:
        self.closed += 1


class Telling(Breaking):
    def etag_is_md5(self, pin: Pin) -> bool | None:
        return pin.etag == "md5"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def retrying(store: Store, clock: Clock, **settings: object) -> Retrying:
    return Retrying(
        store,
        sleep=clock.sleep,
        clock=clock,
        jitter=lambda _low, high: high,
        budget=RetryBudget(clock=clock),
        **settings,  # type: ignore[arg-type] # only numbers
    )


def pin(
    *, size: int | None = 100, version: str | None = "v", etag: str | None = None
) -> Pin:
    return Pin(
        uri=URI,
        size=size,
        version=None if version is None else VersionId(version),
        etag=etag,
    )


def read(store: Retrying, pin: Pin, span: Span | None = None) -> bytes:
    return b"".join(bytes(chunk) for chunk in store.read(pin, span))


def test_a_read_that_holds_is_asked_once() -> None:
    clock, store = Clock(), Breaking([])
    assert read(retrying(store, clock), pin()) == BODY
    assert store.asked == [None]
    assert clock.slept == []


def test_a_read_goes_on_where_it_broke_off() -> None:
    clock, store = Clock(), Breaking([30, 0, 25])
    assert read(retrying(store, clock), pin()) == BODY
    assert store.asked == [None, Span(30, 70), Span(30, 70), Span(55, 45)]


def test_a_span_goes_on_within_itself() -> None:
    store = Breaking([10, 5])
    assert read(retrying(store, Clock()), pin(), Span(20, 40)) == BODY[20:60]
    assert store.asked == [Span(20, 40), Span(30, 30), Span(35, 25)]


def test_a_strong_etag_fixes_the_state_too() -> None:
    store = Breaking([30])
    assert read(retrying(store, Clock()), pin(version=None, etag="e")) == BODY


@pytest.mark.parametrize("etag", [None, "W/e"])
def test_1_28_a_state_that_may_change_is_not_gone_on_with(etag: str | None) -> None:
    store = Breaking([30])
    with pytest.raises(StoreUnavailableError):
        read(retrying(store, Clock()), pin(version=None, etag=etag))
    assert len(store.asked) == 1


@pytest.mark.parametrize("etag", [None, "W/e"])
def test_a_read_that_yielded_nothing_is_repeated_whatever_the_pin(
    etag: str | None,
) -> None:
    store = Breaking([0, 0])
    assert read(retrying(store, Clock()), pin(version=None, etag=etag)) == BODY
    assert store.asked == [None, None, None]


def test_a_body_of_unknown_size_is_not_gone_on_with() -> None:
    store = Breaking([30])
    with pytest.raises(StoreUnavailableError):
        read(retrying(store, Clock()), pin(size=None))


def test_a_body_of_unknown_size_is_repeated_from_the_start() -> None:
    assert read(retrying(Breaking([0]), Clock()), pin(size=None)) == BODY


def test_a_break_after_the_last_byte_is_no_loss() -> None:
    store = Breaking([100])
    assert read(retrying(store, Clock()), pin()) == BODY
    assert len(store.asked) == 1


def test_an_empty_object_is_repeated() -> None:
    class Empty(Breaking):
        def read(self, pin: Pin, span: Span | None = None) -> Iterator[bytes]:
            self.asked.append(span)
            if len(self.asked) == 1:
                message = "broken"
                raise StoreUnavailableError(message, uri=str(pin.uri))
            yield from ()

    store = Empty([])
    assert read(retrying(store, Clock()), pin(size=0)) == b""
    assert store.asked == [None, None]


def test_4_1_it_gives_up_after_five_attempts_without_a_byte() -> None:
    clock, store = Clock(), Breaking([0] * 9)
    with pytest.raises(StoreUnavailableError):
        read(retrying(store, clock), pin())
    assert len(store.asked) == 5
    assert clock.slept == [0.5, 1.0, 2.0, 4.0]


def test_bytes_in_between_renew_the_attempts() -> None:
    clock, store = Clock(), Breaking([0, 0, 0, 10, 0, 0, 0, 10, 0, 0, 0])
    assert read(retrying(store, clock), pin()) == BODY
    assert len(store.asked) == 12


def test_4_1_no_delay_is_longer_than_the_cap() -> None:
    clock, store = Clock(), Breaking([0] * 20)
    with pytest.raises(StoreUnavailableError):
        read(retrying(store, clock, attempts=20), pin())
    assert max(clock.slept) == LONGEST_DELAY_S


def test_4_1_it_gives_up_when_its_time_is_over() -> None:
    clock, store = Clock(), Breaking([0] * 200)
    with pytest.raises(StoreUnavailableError):
        read(retrying(store, clock, attempts=200, patience_s=60.0), pin())
    assert sum(clock.slept) <= 60.0
    assert len(store.asked) < 20


class Asking(Breaking):
    """A store that asks to wait, in each of its failures."""

    wait_s = 0.0

    def read(self, pin: Pin, span: Span | None = None) -> Iterator[bytes]:
        try:
            yield from super().read(pin, span)
        except StoreUnavailableError as error:
            error.wait_s = self.wait_s
            raise


def test_4_1_who_asks_for_time_gets_it() -> None:
    clock, store = Clock(), Asking([0, 10])
    store.wait_s = 30.0
    assert read(retrying(store, clock), pin()) == BODY
    assert clock.slept == [30.0, 30.0]
    clock, store = Clock(), Asking([0])
    store.wait_s = 0.1  # less than chance says
    assert read(retrying(store, clock), pin()) == BODY
    assert clock.slept == [0.5]


def test_4_1_nobody_waits_beyond_the_patience() -> None:
    clock, store = Clock(), Asking([0])
    store.wait_s = 3600.0
    with pytest.raises(StoreUnavailableError):
        read(retrying(store, clock), pin())
    assert clock.slept == []


@dataclass(slots=True)
class Slow(Breaking):
    """A store whose bytes take their time: so many seconds for each chunk."""

    clock: Clock = field(default_factory=Clock)
    seconds: float = 0.0
    whole: int = 100

    def read(self, pin: Pin, span: Span | None = None) -> Iterator[bytes]:
        del pin
        self.asked.append(span)
        start, length = (0, self.whole) if span is None else (span.start, span.length)
        for at in range(start, start + length, self.chunk):
            self.clock.now += self.seconds
            yield bytes(min(self.chunk, start + length - at))


def test_4_3_what_comes_too_slowly_is_begun_again_where_it_was() -> None:
    clock = Clock()
    store = Slow([], chunk=1000, whole=5000, clock=clock, seconds=20.0)
    assert read(retrying(store, clock), pin(size=5000)) == bytes(5000)
    # The first chunk's wait does not count: three more of 20 s, and 3,000 bytes.
    assert store.asked == [None, Span(4000, 1000)]


def test_4_3_what_is_just_fast_enough_is_left_alone() -> None:
    clock = Clock()
    store = Slow([], chunk=20_000, whole=10**6, clock=clock, seconds=20.0)
    assert len(read(retrying(store, clock), pin(size=10**6))) == 10**6
    assert store.asked == [None]


def test_4_3_who_takes_the_bytes_may_be_slow() -> None:
    clock = Clock()
    store = Slow([], chunk=10, clock=clock)
    for _ in retrying(store, clock).read(pin()):
        clock.now += 500.0
    assert store.asked == [None]


def test_4_3_a_trickle_has_an_end() -> None:
    clock = Clock()
    store = Slow([], chunk=10, whole=10**9, clock=clock, seconds=59.0)
    with pytest.raises(StoreUnavailableError, match="has stalled: 20 bytes in 118 seconds"):
        read(retrying(store, clock), pin(size=10**9))
    assert clock.now < 1500.0


def test_4_3_breaks_with_a_byte_in_between_have_an_end() -> None:
    clock, store = Clock(), Breaking([1] * 10**6, chunk=1)
    outer = retrying(store, clock, patience_s=30.0)
    with pytest.raises(StoreUnavailableError):
        read(outer, pin(size=10**9))
    assert clock.now <= 31.0
    assert len(store.asked) < 100


def test_4_5_other_connections_are_asked_for_where_there_are_some() -> None:
    class Reconnecting(Breaking):
        count = 0

        def reconnect(self) -> None:
            type(self).count += 1

    outer = retrying(Reconnecting([]), Clock())
    assert isinstance(outer, Reconnects)
    outer.reconnect()
    assert Reconnecting.count == 1
    retrying(Breaking([]), Clock()).reconnect()


@pytest.mark.parametrize("error", [AccessDeniedError, ObjectChangedError, StoreError])
def test_4_1_what_a_retry_cannot_help_is_not_repeated(error: type[StoreError]) -> None:
    store = Breaking([0], error=error)
    with pytest.raises(error):
        read(retrying(store, Clock()), pin())
    assert len(store.asked) == 1


def test_the_rest_passes_through() -> None:
    store = Breaking([])
    outer = retrying(store, Clock())
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert outer.identity == "breaking"
    assert [info.modified for info in outer.scan(URI, as_of=moment)] == [moment]
    assert outer.head(URI, VersionId("v")).version == "v"
    outer.close()
    assert store.closed == 1


def test_it_tells_of_etags_what_the_other_store_tells() -> None:
    assert isinstance(retrying(Breaking([]), Clock()), TellsEtag)
    assert retrying(Breaking([]), Clock()).etag_is_md5(pin(etag="md5")) is None
    assert retrying(Telling([]), Clock()).etag_is_md5(pin(etag="md5")) is True


def test_4_1_workers_that_fail_together_come_back_one_after_the_other() -> None:
    clock = Clock()
    budget = RetryBudget(at_once=32, per_second=8.0, clock=clock)
    waits = [budget.reserve() for _ in range(64)]
    assert waits[:32] == [0.0] * 32
    assert waits[32:] == pytest.approx([(n + 1) / 8.0 for n in range(32)])
    clock.now = 1000.0
    assert [budget.reserve() for _ in range(33)] == [0.0] * 32 + [pytest.approx(1 / 8)]


def test_a_wait_for_the_budget_is_slept() -> None:
    clock = Clock()
    budget = RetryBudget(at_once=1, per_second=0.1, clock=clock)
    budget.reserve()
    outer = Retrying(
        Breaking([0]), budget=budget, sleep=clock.sleep, clock=clock, jitter=lambda *_: 0.0
    )
    assert read(outer, pin()) == BODY
    assert clock.slept == [pytest.approx(10.0)]


def test_threads_share_a_budget() -> None:
    budget = RetryBudget(at_once=100, per_second=1e-9)
    waits: list[float] = []
    threads = [
        threading.Thread(target=lambda: waits.extend(budget.reserve() for _ in range(50)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(wait == 0.0 for wait in waits) == 100


@given(
    breaks=st.lists(st.integers(0, 100), max_size=12),
    chunk=st.integers(1, 40),
    start=st.integers(0, 99),
    length=st.integers(1, 100),
    fixed=st.booleans(),
)
def test_it_yields_what_the_store_has_or_an_error_that_the_store_raised(
    breaks: list[int], chunk: int, start: int, length: int, *, fixed: bool
) -> None:
    span = Span(start, min(length, 100 - start))
    outer = retrying(Breaking(breaks, chunk=chunk), Clock())
    received = b""
    wanted = BODY[span.start : span.start + span.length]
    try:
        for part in outer.read(pin(version="v" if fixed else None), span):
            received += bytes(part)
    except StoreUnavailableError:
        assert wanted.startswith(received)
    else:
        assert received == wanted


class Kept(Breaking):
    def retention(self, uri: Uri) -> Retention | None:
        del uri
        return Retention(versioning=Versioning.SUSPENDED)


def test_1_15_settings_pass_through_where_a_store_has_any() -> None:
    told = Retrying(Kept([]))
    assert isinstance(told, TellsRetention)
    assert told.retention(URI) == Retention(versioning=Versioning.SUSPENDED)
    assert Retrying(Breaking([])).retention(URI) is None
