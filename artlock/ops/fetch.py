"""Store to cache: read what the cache lacks, through the gate, in parallel.

Small objects are one read each. Large ones are read in ranges, several at once, and go on
after an interruption where they stopped. Nothing gets a name in the cache before every
token of its row held; what was verified stays there although something else failed.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from artlock.cache.ranges import RANGE_LENGTH, PartialFile, object_key
from artlock.engine.threads import Stop, each
from artlock.errors import (
    AccessDeniedError,
    ArtlockError,
    CacheError,
    IntegrityError,
    ObjectArchivedError,
    ObjectChangedError,
    ObjectNotFoundError,
)
from artlock.model.tokens import Trust
from artlock.ops.rows import is_weak
from artlock.stores.base import Pin, Reconnects, Span, TellsEtag, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from artlock.cache.batch import Batch
    from artlock.cache.blobs import BlobCache
    from artlock.model.digest import Digest
    from artlock.model.tokens import Tokens
    from artlock.model.verification import Buffer, Verified
    from artlock.ops.progress import Progress
    from artlock.stores.base import Store

LARGE = 64 * 2**20
"""Bytes from which an object is read in ranges, so that several overlap."""
_PATIENCE_S = 2.0
"""How long an interrupted fetch waits for reads that may be stuck; they write no more."""
_SLICE_OBJECTS = 8192
_SLICE_BYTES = 2**30
"""One durable publication for so much: a crash loses at most this, a flush costs little."""
_ELSEWHERE = (ObjectNotFoundError, ObjectChangedError, AccessDeniedError, IntegrityError)
"""Failures after which the same bytes may still be found at another place."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes to get into the cache.

    Attributes:
        key: What the caller knows it by; unique within one call.
        pin: The state to read.
        tokens: What must hold.
        store: Where to read it.
        elsewhere: Called if this place fails; gives other places of the same content, tried
            in order. Only where a digest or checksum can prove the bytes.
    """

    key: str
    pin: Pin
    tokens: Tokens
    store: Store
    elsewhere: Callable[[], Iterable[tuple[Store, Pin]]] = tuple


class Fetched(msgspec.Struct, frozen=True):
    """Bytes that are in the cache now.

    Attributes:
        size: In bytes, as counted.
        from_elsewhere: Whether another place than the pinned one had them.
    """

    digest: Digest
    size: int
    from_elsewhere: bool = False


class FetchReport(msgspec.Struct):
    """What became of a fetch.

    Attributes:
        fetched: By the key of what was wanted.
        errors: Failures by the key of what was wanted.
    """

    fetched: dict[str, Fetched] = msgspec.field(default_factory=dict)
    errors: dict[str, ArtlockError] = msgspec.field(default_factory=dict)


def fetch(
    cache: BlobCache,
    wanted: Iterable[Wanted],
    report: FetchReport,
    *,
    jobs: int,
    progress: Progress,
) -> None:
    """Get everything that is wanted into the cache.

    One failure does not stop the others, but a full disk, an archived object and an
    interruption do: then what was verified so far is published all the same. May be run
    again, and by several processes at once.

    Args:
        cache: Where the bytes go.
        wanted: What to get.
        report: Filled as objects come, so that it tells of them whatever ends this early.
        jobs: Reads at once.
        progress: Told of bytes and objects.

    Raises:
        CacheError: The cache cannot be written.
        ObjectArchivedError: An object must be restored first; nothing more is read.
    """
    for part in _slices(wanted):
        with cache.batch() as batch:
            try:
                _Fetch(cache, batch, progress, report).run(part, jobs=jobs)
            finally:
                batch.commit()


def _slices(wanted: Iterable[Wanted]) -> Iterator[list[Wanted]]:
    part: list[Wanted] = []
    size = 0
    for item in wanted:
        part.append(item)
        size += item.pin.size or 0
        if len(part) >= _SLICE_OBJECTS or size >= _SLICE_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


class _InRanges(msgspec.Struct):
    """A large object on its way: how many of its ranges are still open."""

    wanted: Wanted
    partial: PartialFile
    open: int
    mutex: threading.Lock = msgspec.field(default_factory=threading.Lock)
    error: ArtlockError | None = None

    def close_one(self, error: ArtlockError | None) -> bool:
        """Count a range as ended; tell whether it was the last."""
        with self.mutex:
            self.open -= 1
            self.error = self.error or error
            return self.open <= 0


class _Range(msgspec.Struct, frozen=True):
    whole: _InRanges
    span: Span | None


class _Fetch:
    """One slice: a batch that is published once, and the threads that fill it."""

    def __init__(
        self, cache: BlobCache, batch: Batch, progress: Progress, report: FetchReport
    ) -> None:
        self._cache = cache
        self._batch = batch
        self._progress = progress
        self._report = report
        self._stop = Stop()
        self._opaque_etags: set[str] = set()
        """Identities of stores whose etags look like an MD5 and are none."""

    def run(self, wanted: Sequence[Wanted], *, jobs: int) -> None:
        """Fetch a slice; large objects begin first, because they take longest."""
        partials: list[_InRanges] = []
        try:
            units = self._units(wanted, partials)
            for outcome in each(
                self._work, units, workers=jobs, stop=self._stop, patience_s=_PATIENCE_S
            ):
                self._note(outcome.item, outcome.result, outcome.error)
        finally:
            for whole in partials:
                whole.partial.close()

    def _units(
        self, wanted: Sequence[Wanted], partials: list[_InRanges]
    ) -> Iterator[Wanted | _Range]:
        large = [item for item in wanted if _in_ranges(item)]
        for item in large:
            yield from self._ranges(item, partials)
        if len(large) < len(wanted):
            yield from (item for item in wanted if not _in_ranges(item))

    def _ranges(self, item: Wanted, partials: list[_InRanges]) -> Iterator[_Range]:
        size = item.pin.size or 0
        pin = item.pin
        partial = PartialFile(
            self._cache.layout,
            object_key(item.store.identity, str(pin.uri), _state(item), size),
            size,
            tokens=item.tokens,
            subject=str(pin.uri),
            etag_is_md5=item.tokens.trust is Trust.ETAG,
        )
        missing = [Span(start, length) for start, length in partial.missing()]
        whole = _InRanges(item, partial, open=max(len(missing), 1))
        partials.append(whole)
        self._progress.advance(size=size - sum(span.length for span in missing))
        yield from (
            _Range(whole, span) for span in (*missing, *([] if missing else [None]))
        )

    def _note(
        self,
        unit: Wanted | _Range,
        result: Fetched | None,
        error: ArtlockError | None,
    ) -> None:
        key = (unit.whole.wanted if isinstance(unit, _Range) else unit).key
        if isinstance(error, (CacheError, ObjectArchivedError)):
            raise error
        if error is not None:
            self._report.errors[key] = error
        elif result is not None:
            self._report.fetched[key] = result
            self._progress.advance(objects=1)

    def _work(self, unit: Wanted | _Range) -> Fetched | None:
        if isinstance(unit, _Range):
            return self._range(unit)
        return self._somewhere(unit, lambda: self._whole(unit, unit.store, unit.pin))

    def _somewhere(self, item: Wanted, first: Callable[[], Verified]) -> Fetched:
        try:
            return _fetched(first())
        except _ELSEWHERE as failure:
            for store, pin in item.elsewhere():
                try:
                    return _fetched(self._whole(item, store, pin), from_elsewhere=True)
                except _ELSEWHERE:
                    continue  # the first failure says more than that of a fallback
            raise failure from None

    def _whole(
        self, item: Wanted, store: Store, pin: Pin, *, is_second: bool = False
    ) -> Verified:
        """Read an object in one piece; once more if its bytes were not right.

        The second reading tells damage on the way from an object that differs at its source
        (hazard 4.5), and an etag that is no MD5 from one that is (hazard 1.2).
        """
        judges = (
            item.tokens.trust is Trust.ETAG and store.identity not in self._opaque_etags
        )
        try:
            put = self._put_again if is_second else self._put
            first = put(item, store, pin, etag_is_md5=judges)
        except IntegrityError:
            if is_second:
                raise
            first = self._put_again(item, store, pin, etag_is_md5=judges)
        if not first.etag_differs:
            return first
        verdict = store.etag_is_md5(pin) if isinstance(store, TellsEtag) else None
        if verdict is False:
            return first
        second = self._put_again(item, store, pin, etag_is_md5=True)
        if not second.etag_differs:
            return second
        if verdict is None and second.digest == first.digest:
            # Twice the same bytes under the same etag: it is no MD5 at this store.
            self._opaque_etags.add(store.identity)
            return second
        raise IntegrityError(
            subject=str(pin.uri),
            expected=f"etag:{item.tokens.etag}",
            actual=str(second.digest),
        )

    def _put(
        self,
        item: Wanted,
        store: Store,
        pin: Pin,
        *,
        etag_is_md5: bool,
        is_last: bool = False,
    ) -> Verified:
        with reading(store, pin) as chunks:
            return self._batch.put(
                self._counted(chunks),
                item.tokens,
                size=pin.size,
                subject=str(pin.uri),
                etag_is_md5=etag_is_md5,
                keep_refused=is_last,
            )

    def _put_again(
        self, item: Wanted, store: Store, pin: Pin, *, etag_is_md5: bool
    ) -> Verified:
        if isinstance(store, Reconnects):
            # Whatever stands in the way of a connection spoils all that passes (4.5, 4.6).
            store.reconnect()
        return self._put(item, store, pin, etag_is_md5=etag_is_md5, is_last=True)

    def _counted(self, chunks: Iterator[Buffer]) -> Iterator[Buffer]:
        """Pass chunks on, tell of them, and end where the run was stopped."""
        for chunk in chunks:
            self._stop.check()
            yield chunk
            self._progress.advance(size=len(chunk))

    def _range(self, unit: _Range) -> Fetched | None:
        whole = unit.whole
        failure: ArtlockError | None = None
        if unit.span is not None and whole.error is None:
            try:
                with reading(whole.wanted.store, whole.wanted.pin, unit.span) as chunks:
                    whole.partial.write(unit.span.start, self._counted(chunks))
            except CacheError:
                raise
            except ArtlockError as error:
                failure = error
        if not whole.close_one(failure):
            return None
        return self._somewhere(whole.wanted, lambda: self._joined(whole))

    def _joined(self, whole: _InRanges) -> Verified:
        """Verify a large object whose ranges have all come, or read it once more."""
        item = whole.wanted
        if whole.error is not None:
            raise whole.error
        try:
            verified = whole.partial.finish(self._batch)
        except IntegrityError:
            return self._whole(item, item.store, item.pin, is_second=True)
        if verified.etag_differs:
            return self._whole(item, item.store, item.pin)
        return verified


def _fetched(verified: Verified, *, from_elsewhere: bool = False) -> Fetched:
    return Fetched(verified.digest, verified.size, from_elsewhere=from_elsewhere)


def reads_of(size: int) -> int:
    """Return how many requests an object of ``size`` bytes is read with."""
    return 1 if size < LARGE else -(-size // RANGE_LENGTH)


def _in_ranges(item: Wanted) -> bool:
    return (item.pin.size or 0) >= LARGE and bool(_state(item))


def _state(item: Wanted) -> str:
    """Name the state of an object that ranges must share; empty if nothing tells it.

    A weak etag tells nothing (hazard 1.44); a digest or checksum judges what was joined.
    """
    if item.pin.version:
        return item.pin.version
    if item.pin.etag and not is_weak(item.pin.etag):
        return item.pin.etag
    proves = item.tokens.trust in {Trust.STRONG, Trust.STORE}
    return str(item.tokens) if proves else ""
