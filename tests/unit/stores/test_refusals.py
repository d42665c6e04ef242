"""Answers that are errors and have no end, or a trickle of one (hazard 4.15)."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from artlock.errors import AccessDeniedError, StoreError, StoreUnavailableError
from artlock.model.manifest import Access
from artlock.model.uri import Uri
from artlock.stores import base
from artlock.stores.base import Pin, Store, StoreContext
from artlock.stores.gcs import GcsStore
from artlock.stores.http import HttpStore
from artlock.stores.s3 import S3Store


class Endless:
    """A server that answers everything with one status and a body that never ends."""

    def __init__(self, status: int, pause_s: float) -> None:
        self._status = status
        self._pause_s = pause_s
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.is_open = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while self.is_open:
                client, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        piece = b"x" * (1 if self._pause_s else 1 << 16)
        with client, suppress(OSError):
            asked = client.recv(1 << 16)
            # Closing is told, or a client might send its next question into the closing.
            head = f"HTTP/1.1 {self._status} X\r\nConnection: close\r\n"
            client.sendall(f"{head}Content-Length: {1 << 40}\r\n\r\n".encode())
            while self.is_open and not asked.startswith(b"HEAD"):
                client.sendall(piece)
                time.sleep(self._pause_s)

    def close(self) -> None:
        self.is_open = False
        # First, or the thread would go on accepting with the number of the closed socket.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


@pytest.fixture(params=["fast", "slow"])
def serve(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], Endless]]:
    monkeypatch.setattr(base, "REFUSAL_TIMEOUT_S", 0.3)
    servers: list[Endless] = []

    def start(status: int) -> Endless:
        servers.append(Endless(status, 0.02 if request.param == "slow" else 0.0))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def _s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, Uri]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    uri = Uri.parse("s3://bucket/k")
    access = Access(endpoint=endpoint, region="us-east-1")
    return S3Store(uri, StoreContext(access=access), attempts=1), uri


def _gcs(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, Uri]:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
    return GcsStore(StoreContext(), patience_s=0), Uri.parse("gs://bucket/k")


def _http(endpoint: str, _: pytest.MonkeyPatch) -> tuple[Store, Uri]:
    uri = Uri.parse(f"{endpoint}/k")
    context = StoreContext(may_connect=lambda _host: True)
    return HttpStore(uri, context, attempts=1), uri


@pytest.mark.parametrize("connect", [_s3, _gcs, _http])
@pytest.mark.parametrize(
    ("status", "kind"), [(403, AccessDeniedError), (500, StoreUnavailableError)]
)
def test_4_15_an_error_without_an_end_is_the_error_that_it_is(
    connect: Callable[[str, pytest.MonkeyPatch], tuple[Store, Uri]],
    status: int,
    kind: type[StoreError],
    serve: Callable[[int], Endless],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, uri = connect(serve(status).endpoint, monkeypatch)
    began = time.monotonic()
    with pytest.raises(kind):
        store.head(uri)
    if uri.scheme.startswith("http"):
        with pytest.raises(kind):  # buckets read through a client that has no bound
            list(store.read(Pin(uri=uri, size=1)))
    else:
        with pytest.raises(kind):
            list(store.scan(Uri.parse(f"{uri.scheme}://bucket/")))
    store.close()
    assert time.monotonic() - began < 60


def test_4_15_a_page_that_trickles_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "ANSWER_TIMEOUT_S", 0.3)
    server = Endless(200, 0.02)
    for connect in (_s3, _gcs):
        store, uri = connect(server.endpoint, monkeypatch)
        with pytest.raises(StoreUnavailableError):
            list(store.scan(Uri.parse(f"{uri.scheme}://bucket/")))
        store.close()
    server.close()


def test_5_12_no_more_of_an_error_is_taken_than_says_something() -> None:
    taken = base.refusal(b"x".__mul__)
    assert len(taken) == base.LONGEST_REFUSAL
