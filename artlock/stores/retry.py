"""Try again what a store could not do just now; the only place that decides about it.

A read goes on where it broke off, if the pin makes sure that the rest is of the same state.
Listings and heads pass through: the clients below them repeat single requests, and a
listing that was half told cannot be taken back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from artlock.errors import StoreUnavailableError
from artlock.model.objects import ObjectInfo, VersionId
from artlock.model.retention import Retention
from artlock.model.uri import Uri
from artlock.model.verification import Buffer
from artlock.stores.base import Pin, Reconnects, Span, Store, TellsEtag, TellsRetention
from artlock.stores.pace import Pace

ATTEMPTS = 5
"""How often in all, without a byte in between."""
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 20.0
PATIENCE_S = 900.0
"""How long to go on with hardly a byte, however few the attempts were."""
LEAST_RATE = 1000.0
"""Bytes a second; what comes more slowly for ``WINDOW_S`` has stalled (hazard 4.3)."""
WINDOW_S = 60.0


def _between(least: float, most: float) -> float:
    """Return a delay by chance: clients that failed together do not come back together."""
    import random  # noqa: PLC0415 - costs 3 ms, and little fails

    return random.uniform(least, most)  # noqa: S311 - no secret


class RetryBudget:
    """What all workers together may repeat: so many at once, then so many a second.

    Without it, sixty workers that fail together would come back together (hazard 4.1).
    Safe to use from several threads.

    Args:
        at_once: How many repetitions are free at first.
        per_second: How many more become free each second.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        *,
        at_once: int = 32,
        per_second: float = 8.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._at_once = float(at_once)
        self._per_second = per_second
        self._clock = clock
        self._mutex = threading.Lock()
        self._left = float(at_once)
        self._counted_at = clock()

    def reserve(self) -> float:
        """Take one repetition, and return in how many seconds it may begin."""
        with self._mutex:
            now = self._clock()
            gained = (now - self._counted_at) * self._per_second
            self._left = min(self._at_once, self._left + gained) - 1
            self._counted_at = now
            return max(0.0, -self._left / self._per_second)


class Retrying:
    """A ``Store`` that repeats reads of another one while that is unavailable.

    What it yields is what the other one yields, without a gap and nothing twice, or an
    error that the other one raised. Only ``StoreUnavailableError`` is repeated.

    Args:
        store: The other one; closed with this one.
        budget: Shared by every store of a run.
        attempts: How often in all, without a byte in between.
        patience_s: How long in all, with less than ``LEAST_RATE`` in between.
        window_s: After so long below ``LEAST_RATE`` a read is begun again.
        sleep: Waits for seconds.
        jitter: Gives a delay between two bounds, in seconds.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        store: Store,
        *,
        budget: RetryBudget | None = None,
        attempts: int = ATTEMPTS,
        patience_s: float = PATIENCE_S,
        window_s: float = WINDOW_S,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[float, float], float] = _between,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._budget = budget or RetryBudget(clock=clock)
        self._attempts = attempts
        self._patience_s = patience_s
        self._window_s = window_s
        self._sleep = sleep
        self._jitter = jitter
        self._clock = clock
        self._pace = Pace()

    @property
    def identity(self) -> str:
        """That of the other store."""
        return self._store.identity

    def scan(self, prefix: Uri, *, as_of: datetime | None = None) -> Iterator[ObjectInfo]:
        """Yield what the other store yields; see ``Store.scan``."""
        return self._store.scan(prefix, as_of=as_of)

    def head(self, uri: Uri, version: VersionId | None = None) -> ObjectInfo:
        """Return what the other store returns; see ``Store.head``."""
        return self._store.head(uri, version)

    def read(self, pin: Pin, span: Span | None = None) -> Iterator[Buffer]:
        """Yield the bytes, going on after a break; see ``Store.read``.

        Until the iteration ends or is closed it counts among the reads that go on at once,
        of which there are fewer while the store has enough to do (``Pace``).

        Without a version or a strong etag in ``pin``, and without a known end, only a read
        that has yielded nothing yet is repeated: the rest could be of another state.

        Raises:
            StoreUnavailableError: The last attempt broke off too.
        """
        start, length = (0, pin.size) if span is None else (span.start, span.length)
        delivered = failures = before = 0
        failing_since: float | None = None
        while True:
            rest = span
            if delivered and length is not None:
                rest = Span(start + delivered, length - delivered)
            try:
                with self._pace.turn() as turn:
                    for chunk in self._paced(pin, self._store.read(pin, rest)):
                        delivered += memoryview(chunk).nbytes
                        failures = 0
                        turn.has_bytes = True
                        yield chunk
            except StoreUnavailableError as error:
                if length is not None and 0 < length <= delivered:
                    return  # nothing is missing
                if delivered and (length is None or not _is_fixed(pin)):
                    raise
                now = self._clock()
                # A byte now and then renews the attempts, but not the patience.
                if failing_since is None or (
                    delivered - before > LEAST_RATE * (now - failing_since)
                ):
                    failing_since, before = now, delivered
                failures += 1
                if not self._waited(failures, failing_since, error.wait_s):
                    raise
            else:
                return

    def etag_is_md5(self, pin: Pin) -> bool | None:
        """Return what the other store tells; ``None`` if it is not one that tells."""
        store = self._store
        return store.etag_is_md5(pin) if isinstance(store, TellsEtag) else None

    def retention(self, uri: Uri) -> Retention | None:
        """Return what the other store returns; ``None`` if it is not one that tells."""
        store = self._store
        return store.retention(uri) if isinstance(store, TellsRetention) else None

    def reconnect(self) -> None:
        """Pass it on; see ``Reconnects``."""
        if isinstance(self._store, Reconnects):
            self._store.reconnect()

    def close(self) -> None:
        """Close the other store."""
        self._store.close()

    def _paced(self, pin: Pin, chunks: Iterator[Buffer]) -> Iterator[Buffer]:
        """Pass chunks on, unless they come so slowly that they have stalled.

        Only waiting for the store counts, from the first chunk on: whoever takes the chunks
        may be slow too.
        """
        waited, came = 0.0, 0
        chunk = next(chunks, None)
        while chunk is not None:
            yield chunk
            if waited >= self._window_s:
                if came < LEAST_RATE * waited:
                    message = (
                        f"`{pin.uri}` has stalled: {came} bytes in {waited:.0f} seconds"
                    )
                    raise StoreUnavailableError(message, uri=str(pin.uri))
                waited, came = 0.0, 0
            asked = self._clock()
            chunk = next(chunks, None)
            waited += self._clock() - asked
            came += 0 if chunk is None else memoryview(chunk).nbytes

    def _waited(self, failures: int, failing_since: float, asked_s: float) -> bool:
        """Wait until the next attempt, or return ``False`` if there is none.

        At least as long as the store asks for (RFC 9110 §10.2.3).
        """
        if failures >= self._attempts:
            return False
        # Full jitter: a fixed delay would bring all workers back at the same moment.
        bound = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** (failures - 1))
        delay = max(self._jitter(0.0, bound), self._budget.reserve(), asked_s)
        if self._clock() + delay - failing_since > self._patience_s:
            return False
        self._sleep(delay)
        return True


def _is_fixed(pin: Pin) -> bool:
    """Tell whether every answer to ``pin`` is of one state."""
    has_strong_etag = pin.etag is not None and not pin.etag.startswith("W/")
    return pin.version is not None or has_strong_etag
