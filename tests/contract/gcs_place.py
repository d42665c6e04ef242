"""Trees in fake-gcs-server, for the contract and for what is GCS's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPResponse
from urllib.parse import unquote

import msgspec
from google.cloud import storage

from artlock.model.manifest import Access
from artlock.model.uri import Uri
from artlock.stores.base import StoreContext
from artlock.stores.gcs import GcsStore
from testbed.fake_gcs import FakeGCS
from testbed.faults import Fault
from testbed.forwarder import Forwarder
from testbed.wire import Exchange


class GcsForwarder(Forwarder):
    """Names the server as it knows itself: it takes a path for an object only then."""

    def _send(self, exchange: Exchange, skip: set[str]) -> HTTPResponse:
        exchange.headers.replace_header("Host", f"{self._host}:{self._port}")
        return super()._send(exchange, skip)


@dataclass(slots=True, kw_only=True)
class GcsPlace:
    """A tree in a bucket, reached through a forwarder that notes the requests."""

    server: FakeGCS
    client: storage.Client
    bucket: str
    access: Access = field(default_factory=Access)
    patience_s: float = 0
    forwarder: GcsForwarder | None = None

    @property
    def root(self) -> Uri:
        return Uri("gs", self.bucket, "tree/")

    @property
    def nowhere(self) -> Uri:
        return Uri("gs", f"{self.bucket}-missing", "tree/")

    def uri(self, path: str) -> Uri:
        return self.root.child(path)

    def put(self, path: str, body: bytes) -> None:
        self.client.bucket(self.bucket).blob(f"tree/{path}").upload_from_string(body)

    def delete(self, path: str) -> None:
        self.client.bucket(self.bucket).blob(f"tree/{path}").delete()

    @contextmanager
    def open(self, *faults: Fault) -> Iterator[GcsStore]:
        decoded = map(_by_decoded_path, faults)
        with GcsForwarder(self.server.endpoint, faults=decoded) as forwarder:
            self.forwarder = forwarder
            access = msgspec.structs.replace(self.access, endpoint=forwarder.endpoint)
            store = GcsStore(StoreContext(access=access), patience_s=self.patience_s)
            try:
                yield store
            finally:
                store.close()


def _by_decoded_path(fault: Fault) -> Fault:
    """Return a fault that knows names as they are: obstore sends ``.`` as ``%2E``."""
    return replace(fault, matches=lambda m, path, q: fault.matches(m, unquote(path), q))
