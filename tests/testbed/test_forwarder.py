import time
from collections.abc import Iterator
from http.client import HTTPConnection, RemoteDisconnected

import pytest

from testbed.faults import Fault, access_denied, slow_down
from testbed.forwarder import Forwarder
from testbed.http_server import HttpServer

from .web import ask

BODY = bytes(range(256)) * 40


@pytest.fixture
def forwarder(http_server: HttpServer) -> Iterator[Forwarder]:
    http_server.put("/a", BODY, etag='"x"', headers={"X-Twice": "1"})
    with Forwarder(http_server.endpoint) as forwarder:
        yield forwarder


def test_requests_pass_and_are_recorded(
    forwarder: Forwarder, http_server: HttpServer
) -> None:
    wanted = {"Range": "bytes=1-3", "X-Mixed": "Case"}
    answer = ask(forwarder.endpoint, "/a?b=c", headers=wanted)
    assert (answer.status, answer.body) == (206, BODY[1:4])
    assert answer.headers["Content-Range"] == "bytes 1-3/10240"
    (here,), (there,) = forwarder.requests, http_server.requests
    assert (here.method, here.path, here.query) == ("GET", "/a", "b=c")
    assert (here.status, here.response_bytes) == (206, 3)
    # Host too: it names the forwarder, as the client was told.
    assert there.headers == here.headers
    assert f"http://{there.header('Host')}" == forwarder.endpoint
    assert forwarder.count() == 1
    assert forwarder.count(lambda request: request.method == "PUT") == 0
    forwarder.clear()
    assert forwarder.requests == ()


def test_connections_are_kept(forwarder: Forwarder) -> None:
    connection = HTTPConnection(forwarder.endpoint.removeprefix("http://"), timeout=5)
    sockets = set()
    for method in ("GET", "HEAD", "GET", "PUT"):
        body = b"x" * 100_000 if method == "PUT" else None
        connection.request(method, "/a", body=body)
        with connection.getresponse() as response:
            response.read()
            assert response.status == (405 if method == "PUT" else 200)
        sockets.add(connection.sock)
    connection.close()
    assert len(sockets) == 1


def test_statuses_replace_the_answer(forwarder: Forwarder, http_server: HttpServer) -> None:
    forwarder.inject(
        slow_down(times=1), access_denied(matches=lambda method, _p, _q: method == "HEAD")
    )
    throttled = ask(forwarder.endpoint, "/a", method="POST", body=b"x" * 1000)
    assert (throttled.status, throttled.headers["Content-Type"]) == (503, "application/xml")
    assert b"<Code>SlowDown</Code>" in throttled.body
    assert http_server.requests == ()
    assert ask(forwarder.endpoint, "/a", method="HEAD").status == 403
    assert ask(forwarder.endpoint, "/a").body == BODY
    forwarder.heal()
    assert ask(forwarder.endpoint, "/a", method="HEAD").status == 200


def test_truncate(forwarder: Forwarder) -> None:
    forwarder.inject(Fault(kind="truncate", after=100, times=1))
    answer = ask(forwarder.endpoint, "/a")
    assert answer.headers["Content-Length"] == str(len(BODY))
    assert answer.body == BODY[:100]
    assert ask(forwarder.endpoint, "/a").body == BODY


def test_corrupt_and_headers(forwarder: Forwarder) -> None:
    fault = Fault(kind="corrupt", offset=7, drop=("etag",), headers={"x-twice": "2"})
    forwarder.inject(fault)
    answer = ask(forwarder.endpoint, "/a")
    assert answer.body == BODY[:7] + bytes([7 ^ 0xFF]) + BODY[8:]
    assert answer.headers["ETag"] is None
    assert answer.headers.get_all("X-Twice") == ["2"]


def test_rewrite(forwarder: Forwarder) -> None:
    forwarder.inject(Fault(kind="rewrite", rewrite=lambda body: body[:3] + b"!"))
    answer = ask(forwarder.endpoint, "/a")
    assert (answer.body, answer.headers["Content-Length"]) == (BODY[:3] + b"!", "4")


def test_reset(forwarder: Forwarder) -> None:
    forwarder.inject(
        Fault(kind="reset", after=0, times=1), Fault(kind="reset", after=10, times=1)
    )
    with pytest.raises(ConnectionResetError) as caught:
        ask(forwarder.endpoint, "/a")
    assert not isinstance(caught.value, RemoteDisconnected)
    # What was sent before the RST may arrive, or be lost with it.
    try:
        later = ask(forwarder.endpoint, "/a")
    except ConnectionResetError:
        pass
    else:
        assert isinstance(later.error, ConnectionResetError)
    assert [request.status for request in forwarder.requests] == [0, 200]


def test_stall(forwarder: Forwarder) -> None:
    forwarder.inject(Fault(kind="stall", after=0, seconds=0.3))
    started = time.monotonic()
    assert ask(forwarder.endpoint, "/a").body == BODY
    assert time.monotonic() - started > 0.3


@pytest.mark.parametrize("claims", [None, 10**12])
def test_endless(forwarder: Forwarder, claims: int | None) -> None:
    forwarder.inject(Fault(kind="endless", claims=claims))
    connection = HTTPConnection(forwarder.endpoint.removeprefix("http://"), timeout=5)
    connection.request("GET", "/a")
    with connection.getresponse() as response:
        assert response.length == claims
        assert response.read(len(BODY)) == BODY
        assert len(response.read(2_000_000)) == 2_000_000
    connection.close()


def test_ignore_range(forwarder: Forwarder, http_server: HttpServer) -> None:
    forwarder.inject(Fault(kind="ignore_range"))
    answer = ask(forwarder.endpoint, "/a", headers={"Range": "bytes=0-1"})
    assert (answer.status, answer.body) == (200, BODY)
    assert http_server.requests[0].header("Range") is None


def test_before_runs_once_and_may_use_the_forwarder(
    forwarder: Forwarder, http_server: HttpServer
) -> None:
    def overwrite() -> None:
        assert ask(forwarder.endpoint, "/a").body == BODY
        http_server.put("/a", b"new")

    forwarder.inject(
        Fault(kind="before", action=overwrite, times=1),
        Fault(kind="headers", headers={"X-Also": "this"}, times=2),
    )
    answer = ask(forwarder.endpoint, "/a")
    assert (answer.body, answer.headers["X-Also"]) == (b"new", "this")


def test_a_dead_server_is_a_hang_up() -> None:
    with HttpServer() as gone:
        endpoint = gone.endpoint
    with Forwarder(endpoint) as forwarder, pytest.raises(ConnectionError):
        ask(forwarder.endpoint, "/a")
