"""HttpStore: the contract, over http, over https, and through a redirect."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from artlock.model.manifest import Access
from artlock.model.uri import Uri
from artlock.stores.base import Pin, Span, StoreContext
from artlock.stores.http import HttpStore
from testbed.faults import Fault
from testbed.forwarder import Forwarder
from testbed.http_server import HttpServer
from tests.contract.store_contract import Place, StoreContract, body_of, pin_of, reads_of


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPlace:
    """A folder of a server, reached through a forwarder unless it speaks https."""

    server: HttpServer
    forwarder: Forwarder | None = None

    @property
    def root(self) -> Uri:
        endpoint = self.forwarder.endpoint if self.forwarder else self.server.endpoint
        return Uri.parse(f"{endpoint}/tree/")

    @property
    def nowhere(self) -> Uri:
        return Uri.parse("http://127.0.0.1:1/")

    def uri(self, path: str) -> Uri:
        return self.root.child(quote(path, safe="/"))

    def put(self, path: str, body: bytes) -> None:
        etag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'
        self.server.put(f"/tree/{quote(path, safe='/')}", body, etag=etag)

    def delete(self, path: str) -> None:
        self.server.remove(f"/tree/{quote(path, safe='/')}")

    @contextmanager
    def open(self, *faults: Fault) -> Iterator[HttpStore]:
        if self.forwarder is not None:
            self.forwarder.inject(*faults)
        store = HttpStore(self.root, context_for(self.server), attempts=1)
        try:
            yield store
        finally:
            store.close()
            if self.forwarder is not None:
                self.forwarder.heal()


def context_for(server: HttpServer) -> StoreContext:
    ca_bundle = None if server.ca_file is None else str(server.ca_file)
    return StoreContext(
        access=Access(ca_bundle=ca_bundle), may_connect=lambda host: host == "127.0.0.1"
    )


class _HttpContract(StoreContract):
    has_listings = False
    has_versions = False
    has_markers = False
    has_buckets = False


class TestHttp(_HttpContract):
    @pytest.fixture
    def place(self, http_server: HttpServer) -> Iterator[HttpPlace]:
        with Forwarder(http_server.endpoint) as forwarder:
            yield HttpPlace(server=http_server, forwarder=forwarder)

    @pytest.mark.parametrize("kind", ["wrong_range"])
    def test_an_answer_of_another_range_is_refused(self, place: Place, kind: str) -> None:
        super().test_an_answer_of_another_range_is_refused(place, kind)

    @pytest.mark.parametrize(("start", "length"), [(0, 20), (10, 20), (990, 10)])
    def test_1_45_of_an_answer_that_ignores_the_range_the_range_is_taken(
        self, place: HttpPlace, start: int, length: int
    ) -> None:
        # Other stores refuse it; on the web it is common, and RFC 9110 §14.2 allows it.
        body = bytes(number % 251 for number in range(1000))
        place.put("range.bin", body)
        fault = Fault(kind="ignore_range", matches=reads_of("range.bin"))
        with place.open(fault) as store:
            pin = pin_of(store.head(place.uri("range.bin")))
            assert body_of(store, pin, Span(start, length)) == body[start : start + length]


class TestHttps(_HttpContract):
    has_network = False  # the forwarder does not speak TLS; faults are above

    @pytest.fixture
    def place(self) -> Iterator[HttpPlace]:
        with HttpServer(tls=True) as server:
            yield HttpPlace(server=server)


def test_a_redirected_file_is_the_file_it_leads_to(http_server: HttpServer) -> None:
    http_server.put("/real", b"hello", etag='"e"')
    http_server.redirect("/link", "/real", status=308)
    uri = Uri.parse(http_server.url("/link"))
    store = HttpStore(uri, context_for(http_server))
    info = store.head(uri)
    assert (info.uri, info.size, info.tokens.etag) == (uri, 5, "e")
    assert body_of(store, Pin(uri=uri, size=5, etag="e"), Span(1, 3)) == b"ell"
    store.close()
