"""What ``artlock.stores.base.Store`` promises, as tests that every store runs.

A store's file subclasses ``StoreContract``, gives the fixture ``place``, and says by class
attributes what its world lacks. Nothing else may differ.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import ClassVar, Protocol

import pytest

from artlock.errors import (
    BucketNotFoundError,
    ObjectChangedError,
    ObjectNotFoundError,
    PolicyError,
    StoreError,
    StoreUnavailableError,
)
from artlock.model.objects import ObjectInfo, VersionId
from artlock.model.retention import Versioning
from artlock.model.uri import Uri
from artlock.stores.base import Pin, Span, Store, TellsRetention
from testbed.faults import Fault, Matches, s3_error

AWKWARD_NAMES = (
    "hash#1",
    "question?x=1",
    "percent%20",
    "percent%2e",
    "sp ace",
    "plus+k",
    "quote'\"",
    "brackets[1]{2}(3)",
    "colon:c",
    "comma,semi;",
    "at@amp&eq=",
    "tilde~",
    "dollar$bang!star*",
    "pipe|caret^",
    "back`tick",
    "<less&more>",
    "..hidden",
    "trail.",
    "trail ",
    " lead",
    "caf\u00e9",
    "cafe\u0301",
    "\U0001f600",
    "\u202ertl",
    "A",
    "CON",
    "x" * 200,
    "back\\slash",
)
LARGE = bytes(range(256)) * 4096 * 9 + b"tail"
"""More than ``transfer.WHOLE_SIZE``, so that it is streamed."""


BAD_STATUSES = (300, 304, 400, 401, 403, 404, 405, 409, 410, 412, 416, 500, 501, 503)
BAD_BODIES = (b"", b"<html>not here</html>", b"<Error>")


class Place(Protocol):
    """A fresh, empty tree in a store, and how to reach it."""

    @property
    def root(self) -> Uri:
        """The tree; ends in a slash."""

    @property
    def nowhere(self) -> Uri:
        """A tree in a bucket, host or folder that does not exist."""

    def uri(self, path: str) -> Uri:
        """Return the URI of a path below the tree."""

    def put(self, path: str, body: bytes) -> None:
        """Write an object, or a new state of it."""

    def delete(self, path: str) -> None:
        """Delete an object as its users do: a version may be kept."""

    def open(self, *faults: Fault) -> AbstractContextManager[Store]:
        """Open a store on it that does not retry, with faults on the way."""


def pin_of(info: ObjectInfo) -> Pin:
    """Return the pin that a lockfile would keep."""
    return Pin(uri=info.uri, size=info.size, version=info.version, etag=info.tokens.etag)


def body_of(store: Store, pin: Pin, span: Span | None = None) -> bytes:
    return b"".join(bytes(chunk) for chunk in store.read(pin, span))


def reads_of(name: str) -> Matches:
    """Match the requests that read the body of the object called ``name``."""
    ends = (f"/{name}", f"%2F{name}")
    return lambda method, path, _query: method == "GET" and path.endswith(ends)


class StoreContract:
    """Subclass it as ``TestX`` and give the fixture ``place``."""

    has_listings: ClassVar[bool] = True
    """Whether ``scan`` answers; a single URL has nothing to list."""
    has_versions: ClassVar[bool] = True
    """Whether the place keeps old states and names them."""
    has_etags: ClassVar[bool] = True
    """Whether a change that keeps the size is seen without reading."""
    has_markers: ClassVar[bool] = True
    """Whether a key may end in a slash."""
    has_buckets: ClassVar[bool] = True
    """Whether the store tells a missing bucket from a missing object."""
    has_network: ClassVar[bool] = True
    """Whether ``Place.open`` takes faults."""
    has_ranges: ClassVar[bool] = True
    """Whether an answer of a range says so by its status."""
    refused_names: ClassVar[frozenset[str]] = frozenset()
    """Of ``AWKWARD_NAMES``, those that the server of this test does not take."""
    many: ClassVar[int] = 1500
    """More than one page of a listing."""

    @pytest.fixture
    def place(self) -> Place:
        raise NotImplementedError

    @pytest.fixture
    def store(self, place: Place) -> Iterator[Store]:
        with place.open() as store:
            yield store

    def _needs(self, *, here: bool, what: str) -> None:
        if not here:
            pytest.skip(f"this store has no {what}")

    # -- scan ----------------------------------------------------------------------

    def test_an_empty_tree_has_no_objects(self, place: Place, store: Store) -> None:
        self._needs(here=self.has_listings, what="listings")
        assert list(store.scan(place.root)) == []

    def test_a_scan_describes_an_object(self, place: Place, store: Store) -> None:
        self._needs(here=self.has_listings, what="listings")
        place.put("folder/a.bin", b"hello")
        (info,) = store.scan(place.root)
        assert info.uri == place.uri("folder/a.bin")
        assert info.size == 5
        assert (info.version is not None) == self.has_versions
        assert info.archived is None
        if self.has_etags:
            assert info.tokens.etag
            assert '"' not in info.tokens.etag

    def test_1_11_a_scan_over_several_pages_is_complete(
        self, place: Place, store: Store
    ) -> None:
        self._needs(here=self.has_listings, what="listings")
        names = [f"part-{number % 7}/{number:05}.bin" for number in range(self.many)]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda name: place.put(name, name.encode()), names))
        found = [info.uri for info in store.scan(place.root)]
        assert sorted(found) == sorted(place.uri(name) for name in names)

    def test_a_sibling_that_shares_text_with_the_prefix_is_not_met(
        self, place: Place, store: Store
    ) -> None:
        self._needs(here=self.has_listings, what="listings")
        for name in ("a/x", "a/deep/er/y", "ab", "a.txt", "a-b/x", "A/x"):
            place.put(name, b"1")
        found = {str(info.uri) for info in store.scan(place.uri("a/"))}
        assert found == {str(place.uri("a/x")), str(place.uri("a/deep/er/y"))}

    def test_1_12_a_deleted_object_is_not_met(self, place: Place, store: Store) -> None:
        self._needs(here=self.has_listings, what="listings")
        for name in ("kept", "deleted", "back"):
            place.put(name, b"1")
        place.delete("deleted")
        place.delete("back")
        place.put("back", b"22")
        found = {info.uri: info.size for info in store.scan(place.root)}
        assert found == {place.uri("kept"): 1, place.uri("back"): 2}

    def test_1_10_a_scan_gives_the_last_state_of_each_object_once(
        self, place: Place, store: Store
    ) -> None:
        self._needs(here=self.has_listings, what="listings")
        for size in (1, 2, 3):
            place.put("a", b"x" * size)
            place.put("b", b"x" * size)
        found = sorted((info.uri, info.size) for info in store.scan(place.root))
        assert found == [(place.uri("a"), 3), (place.uri("b"), 3)]

    def test_1_20_awkward_names_survive_scan_head_and_read(
        self, place: Place, store: Store
    ) -> None:
        names = [name for name in AWKWARD_NAMES if name not in self.refused_names]
        for name in names:
            place.put(f"d/{name}", name.encode())
        uris = {place.uri(f"d/{name}"): name.encode() for name in names}
        if self.has_listings:
            assert {info.uri for info in store.scan(place.root)} == set(uris)
        for uri, body in uris.items():
            info = store.head(uri)
            assert info.uri == uri
            assert body_of(store, pin_of(info)) == body

    def test_an_empty_object_is_an_object(self, place: Place, store: Store) -> None:
        place.put("empty", b"")
        if self.has_listings:
            assert [info.size for info in store.scan(place.root)] == [0]
        info = store.head(place.uri("empty"))
        assert info.size == 0
        assert body_of(store, pin_of(info)) == b""

    def test_1_21_a_key_that_ends_in_a_slash_is_yielded(
        self, place: Place, store: Store
    ) -> None:
        self._needs(here=self.has_listings and self.has_markers, what="markers")
        place.put("d/", b"")
        place.put("d/f", b"1")
        found = {str(info.uri): info.size for info in store.scan(place.root)}
        assert found == {str(place.uri("d/")): 0, str(place.uri("d/f")): 1}

    def test_a_scan_of_a_missing_bucket_says_so(self, place: Place, store: Store) -> None:
        self._needs(here=self.has_listings and self.has_buckets, what="buckets")
        scan = store.scan(place.nowhere)  # errors rise while it is iterated
        with pytest.raises(BucketNotFoundError):
            list(scan)

    # -- head ----------------------------------------------------------------------

    def test_head_and_scan_agree(self, place: Place, store: Store) -> None:
        self._needs(here=self.has_listings, what="listings")
        place.put("a", b"1")
        place.put("a", b"22")
        (listed,) = store.scan(place.root)
        head = store.head(place.uri("a"))
        assert (head.uri, head.size, head.version) == (
            listed.uri,
            listed.size,
            listed.version,
        )
        assert head.tokens.etag == listed.tokens.etag
        assert not head.tokens.contradicts(listed.tokens)

    def test_head_describes_an_old_version(self, place: Place, store: Store) -> None:
        self._needs(here=self.has_versions, what="versions")
        place.put("a", b"1")
        old = store.head(place.uri("a"))
        place.put("a", b"22")
        assert store.head(place.uri("a"), old.version).size == 1
        assert store.head(place.uri("a")).size == 2

    def test_head_of_a_missing_object_says_so(self, place: Place, store: Store) -> None:
        place.put("a", b"1")
        with pytest.raises(ObjectNotFoundError) as caught:
            store.head(place.uri("b"))
        assert caught.value.uri == str(place.uri("b"))
        assert not isinstance(caught.value, BucketNotFoundError)

    def test_head_in_a_missing_bucket_says_so(self, place: Place, store: Store) -> None:
        self._needs(here=self.has_buckets, what="buckets")
        with pytest.raises(BucketNotFoundError):
            store.head(place.nowhere.child("a"))

    # -- read ----------------------------------------------------------------------

    @pytest.mark.parametrize("body", [b"1", b"x" * 100_000, LARGE])
    def test_a_read_gives_the_bytes(self, place: Place, store: Store, body: bytes) -> None:
        place.put("a.bin", body)
        assert body_of(store, pin_of(store.head(place.uri("a.bin")))) == body

    def test_a_large_body_comes_in_large_pieces(self, place: Place, store: Store) -> None:
        place.put("a.bin", LARGE)
        chunks = store.read(pin_of(store.head(place.uri("a.bin"))))
        sizes = [memoryview(chunk).nbytes for chunk in chunks]
        assert sum(sizes) == len(LARGE)
        assert len(sizes) > 1
        assert min(sizes[:-1]) >= 1 << 20

    @pytest.mark.parametrize(
        ("start", "length"), [(0, 1), (0, 1000), (999, 1), (500, 500), (10, 20)]
    )
    def test_a_span_gives_its_bytes(
        self, place: Place, store: Store, start: int, length: int
    ) -> None:
        self._needs(here=self.has_ranges, what="ranges")
        body = bytes(number % 251 for number in range(1000))
        place.put("a.bin", body)
        pin = pin_of(store.head(place.uri("a.bin")))
        assert body_of(store, pin, Span(start, length)) == body[start : start + length]

    @pytest.mark.parametrize(("start", "length"), [(999, 2), (1000, 1), (5000, 1)])
    def test_a_span_beyond_the_end_is_refused(
        self, place: Place, store: Store, start: int, length: int
    ) -> None:
        place.put("a.bin", b"x" * 1000)
        pin = pin_of(store.head(place.uri("a.bin")))
        with pytest.raises(StoreError):
            body_of(store, pin, Span(start, length))

    def test_an_old_version_is_read_after_it_was_overwritten(
        self, place: Place, store: Store
    ) -> None:
        self._needs(here=self.has_versions, what="versions")
        place.put("a", b"one")
        old = pin_of(store.head(place.uri("a")))
        place.put("a", b"two")
        assert body_of(store, old) == b"one"
        assert body_of(store, old, Span(1, 2)) == b"ne"

    def test_an_old_version_is_read_after_it_was_deleted(
        self, place: Place, store: Store
    ) -> None:
        self._needs(here=self.has_versions, what="versions")
        place.put("a", b"one")
        old = pin_of(store.head(place.uri("a")))
        place.delete("a")
        assert body_of(store, old) == b"one"
        with pytest.raises(ObjectNotFoundError):
            store.head(place.uri("a"))

    def test_1_28_an_object_that_was_overwritten_is_not_read(
        self, place: Place, store: Store
    ) -> None:
        place.put("a", b"one")
        info = store.head(place.uri("a"))
        place.put("a", b"two" if self.has_etags else b"three")
        pin = Pin(uri=info.uri, size=info.size, etag=info.tokens.etag)
        with pytest.raises(ObjectChangedError):
            body_of(store, pin)
        with pytest.raises(ObjectChangedError if self.has_ranges else StoreError):
            body_of(store, pin, Span(1, 1))

    def test_an_object_of_another_size_is_not_read(
        self, place: Place, store: Store
    ) -> None:
        place.put("a", b"one")
        with pytest.raises(ObjectChangedError):
            body_of(store, Pin(uri=place.uri("a"), size=4))

    def test_an_object_of_unknown_size_is_read(self, place: Place, store: Store) -> None:
        place.put("a", b"one")
        assert body_of(store, Pin(uri=place.uri("a"), size=None)) == b"one"

    def test_a_deleted_object_is_not_found(self, place: Place, store: Store) -> None:
        place.put("a", b"one")
        info = store.head(place.uri("a"))
        place.delete("a")
        pin = Pin(uri=info.uri, size=info.size, etag=info.tokens.etag)
        with pytest.raises(ObjectNotFoundError):
            body_of(store, pin)

    def test_a_missing_object_is_not_found(self, place: Place, store: Store) -> None:
        place.put("a", b"one")
        chunks = store.read(Pin(uri=place.uri("b"), size=3))
        with pytest.raises(ObjectNotFoundError) as caught:
            list(chunks)
        assert caught.value.uri == str(place.uri("b"))

    def test_a_version_of_another_object_is_not_read(
        self, place: Place, store: Store
    ) -> None:
        self._needs(here=self.has_versions, what="versions")
        place.put("a", b"one")
        place.put("b", b"two")
        version = store.head(place.uri("b")).version
        with pytest.raises(StoreError):
            body_of(store, Pin(uri=place.uri("a"), size=3, version=version))

    def test_an_object_in_a_missing_bucket_is_not_found(
        self, place: Place, store: Store
    ) -> None:
        with pytest.raises(StoreError):
            body_of(store, Pin(uri=place.nowhere.child("a"), size=3))

    def test_threads_share_a_store(self, place: Place, store: Store) -> None:
        names = [f"{number}.bin" for number in range(16)]
        for name in names:
            place.put(name, name.encode() * 1000)

        def check(name: str) -> bool:
            info = store.head(place.uri(name))
            return body_of(store, pin_of(info)) == name.encode() * 1000

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(check, names * 8))

    def test_a_reader_may_stop_early(self, place: Place, store: Store) -> None:
        place.put("a.bin", LARGE)
        pin = pin_of(store.head(place.uri("a.bin")))
        for _ in range(20):
            chunks = iter(store.read(pin))
            next(chunks)
            del chunks
        assert body_of(store, pin) == LARGE

    def test_a_store_may_be_closed_twice(self, place: Place) -> None:
        with place.open() as store:
            store.close()
            store.close()

    # -- faults --------------------------------------------------------------------

    @pytest.mark.parametrize("kind", ["truncate", "reset", "nolen", "chunked"])
    def test_4_4_a_body_that_is_cut_is_unavailable(self, place: Place, kind: str) -> None:
        self._needs(here=self.has_network, what="network")
        place.put("cut.bin", b"x" * 100_000)
        fault = Fault(kind=kind, matches=reads_of("cut.bin"))  # type: ignore[arg-type] # one of Kind
        with place.open() as whole:
            pin = pin_of(whole.head(place.uri("cut.bin")))
        with place.open(fault) as store, pytest.raises(StoreUnavailableError):
            body_of(store, pin)

    def test_4_4_a_streamed_body_that_is_cut_is_unavailable(self, place: Place) -> None:
        self._needs(here=self.has_network, what="network")
        place.put("cut.bin", LARGE)
        fault = Fault(kind="truncate", matches=reads_of("cut.bin"))
        with place.open() as whole:
            pin = pin_of(whole.head(place.uri("cut.bin")))
        with place.open(fault) as store:
            chunks = store.read(pin)
            received = 0
            with pytest.raises(StoreUnavailableError):  # noqa: PT012 - what came before counts
                for chunk in chunks:
                    received += memoryview(chunk).nbytes
            assert 0 < received < len(LARGE)

    @pytest.mark.parametrize("kind", ["ignore_range", "wrong_range"])
    def test_an_answer_of_another_range_is_refused(self, place: Place, kind: str) -> None:
        self._needs(here=self.has_network, what="network")
        place.put("range.bin", b"x" * 1000)
        fault = Fault(kind=kind, matches=reads_of("range.bin"))  # type: ignore[arg-type] # one of Kind
        with place.open() as whole:
            pin = pin_of(whole.head(place.uri("range.bin")))
        with place.open(fault) as store, pytest.raises(StoreError):
            body_of(store, pin, Span(10, 20))

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_4_1_a_busy_store_is_unavailable(self, place: Place, status: int) -> None:
        self._needs(here=self.has_network, what="network")
        place.put("busy.bin", b"1")
        with place.open() as whole:
            pin = pin_of(whole.head(place.uri("busy.bin")))
        with (
            place.open(s3_error(status, "SlowDown", matches=reads_of("busy.bin"))) as store,
            pytest.raises(StoreUnavailableError),
        ):
            body_of(store, pin)

    def test_1_15_the_settings_of_a_bucket_are_told(
        self, place: Place, store: Store
    ) -> None:
        self._needs(here=isinstance(store, TellsRetention), what="settings")
        assert isinstance(store, TellsRetention)
        found = store.retention(place.root)
        assert found is not None
        assert (found.versioning is Versioning.ON) == self.has_versions
        assert not found.unread
        with pytest.raises(BucketNotFoundError):
            store.retention(place.nowhere)

    def test_only_our_errors_leave(self, place: Place) -> None:
        self._needs(here=self.has_network, what="network")
        cases = [(status, body) for status in BAD_STATUSES for body in BAD_BODIES]
        now = cases[0]
        pin = Pin(uri=place.uri("a"), size=1, etag="e")
        faults = [
            Fault(
                kind="status",
                status=case[0],
                body=case[1],
                matches=lambda *_, case=case: case == now,
            )
            for case in cases
        ]
        with place.open(*faults) as store:
            for now in cases:  # noqa: B007 - the faults look at it
                with pytest.raises((StoreError, PolicyError)):
                    store.head(place.uri("a"))
                with pytest.raises((StoreError, PolicyError)):
                    body_of(store, pin)
                if self.has_listings:
                    with pytest.raises((StoreError, PolicyError)):
                        list(store.scan(place.root))
                if isinstance(store, TellsRetention):
                    try:
                        retention = store.retention(place.root)
                    except StoreError:
                        continue
                    assert retention is not None
                    assert retention.unread  # a refusal; nothing else is an answer

    def test_only_our_errors_leave_when_nobody_answers(self, place: Place) -> None:
        self._needs(here=self.has_network, what="network")
        with place.open(Fault(kind="reset", after=0)) as store:
            with pytest.raises(StoreUnavailableError):
                store.head(place.uri("a"))
            with pytest.raises(StoreUnavailableError):
                body_of(store, Pin(uri=place.uri("a"), size=1))
            if self.has_listings:
                with pytest.raises(StoreUnavailableError):
                    list(store.scan(place.root))

    def test_1_29_an_answer_with_another_etag_is_not_read(self, place: Place) -> None:
        self._needs(here=self.has_network and self.has_etags, what="etags")
        place.put("swap.bin", b"one")
        with place.open() as whole:
            info = whole.head(place.uri("swap.bin"))
        fault = Fault(kind="headers", headers={"ETag": '"other"'})
        pin = Pin(uri=info.uri, size=info.size, etag=info.tokens.etag)
        with place.open(fault) as store, pytest.raises(ObjectChangedError):
            body_of(store, pin)

    def test_a_missing_version_is_not_found(self, place: Place, store: Store) -> None:
        self._needs(here=self.has_versions, what="versions")
        place.put("a", b"one")
        place.put("b", b"one")
        gone = self.gone_version(store.head(place.uri("b")))
        with pytest.raises(StoreError):
            body_of(store, Pin(uri=place.uri("a"), size=3, version=gone))
        with pytest.raises(StoreError):
            store.head(place.uri("a"), gone)

    def gone_version(self, other: ObjectInfo) -> VersionId:
        """Return a version that no object of the test has, well-formed for the store."""
        assert other.version is not None
        last = other.version[-1]
        return VersionId(other.version[:-1] + ("1" if last != "1" else "2"))
