import gzip
import socket
import ssl
import time
import urllib.request
import zlib

import pytest

from testbed.faults import READ_FAULTS, Fault, duplicated, slow_down, swapped
from testbed.http_server import HttpServer, checksum_header

from .web import ask

BODY = bytes(range(256)) * 40


def test_a_resource_is_read_back(http_server: HttpServer) -> None:
    http_server.put("/a%20b", BODY, etag='"x"', headers={"Content-Type": "text/x"})
    answer = ask(http_server.endpoint, "/a%20b?q=1", headers={"Authorization": "secret"})
    assert (answer.status, answer.body, answer.error) == (200, BODY, None)
    assert answer.headers["ETag"] == '"x"'
    assert answer.headers["Content-Type"] == "text/x"
    assert answer.headers["Content-Length"] == str(len(BODY))
    (request,) = http_server.requests
    assert (request.method, request.path, request.query) == ("GET", "/a%20b", "q=1")
    assert request.header("authorization") == "secret"
    assert (request.status, request.response_bytes) == (200, len(BODY))


def test_head_has_the_headers_of_get(http_server: HttpServer) -> None:
    http_server.put("/a", BODY, etag='"x"')
    answer = ask(http_server.endpoint, "/a", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(BODY))
    assert answer.headers["ETag"] == '"x"'


def test_what_is_missing_or_not_allowed(http_server: HttpServer) -> None:
    http_server.put("/a", BODY)
    assert ask(http_server.endpoint, "/b").status == 404
    assert ask(http_server.endpoint, "/a", method="PUT", body=b"x").status == 405
    http_server.remove("/a")
    assert ask(http_server.endpoint, "/a").status == 404


@pytest.mark.parametrize(
    ("asked", "status", "got", "content_range"),
    [
        ("bytes=0-9", 206, BODY[:10], "bytes 0-9/10240"),
        ("bytes=10230-", 206, BODY[10230:], "bytes 10230-10239/10240"),
        ("bytes=10230-99999", 206, BODY[10230:], "bytes 10230-10239/10240"),
        ("bytes=-5", 206, BODY[-5:], "bytes 10235-10239/10240"),
        ("bytes=10240-", 416, b"", "bytes */10240"),
        ("bytes=-0", 416, b"", "bytes */10240"),
        ("bytes=9-3", 200, BODY, None),
        ("bytes=-", 200, BODY, None),
        ("bytes=0-1,3-4", 200, BODY, None),
        ("lines=0-1", 200, BODY, None),
    ],
)
def test_ranges(
    http_server: HttpServer,
    asked: str,
    status: int,
    got: bytes,
    content_range: str | None,
) -> None:
    http_server.put("/a", BODY)
    answer = ask(http_server.endpoint, "/a", headers={"Range": asked})
    assert (answer.status, answer.body) == (status, got)
    assert answer.headers["Content-Range"] == content_range


@pytest.mark.parametrize(
    ("etag", "name", "sent", "status"),
    [
        ('"x"', "If-Match", '"x"', 206),
        ('"x"', "If-Match", '"y", "x"', 206),
        ('"x"', "If-Match", "*", 206),
        ('"x"', "If-Match", '"y"', 412),
        ('W/"x"', "If-Match", 'W/"x"', 412),
        (None, "If-Match", '"x"', 412),
        ('"x"', "If-None-Match", 'W/"x"', 304),
        ('"x"', "If-None-Match", '"y"', 206),
        ('"x"', "If-Range", '"x"', 206),
        ('"x"', "If-Range", '"y"', 200),
        ('W/"x"', "If-Range", 'W/"x"', 200),
    ],
)
def test_preconditions(
    http_server: HttpServer, etag: str | None, name: str, sent: str, status: int
) -> None:
    http_server.put("/a", BODY, etag=etag)
    answer = ask(http_server.endpoint, "/a", headers={"Range": "bytes=1-2", name: sent})
    assert answer.status == status


def test_ranges_may_be_unknown_ignored_or_wrong(http_server: HttpServer) -> None:
    http_server.put("/unknown", BODY, accept_ranges=False)
    http_server.put("/ignored", BODY, faults=[Fault(kind="ignore_range")])
    http_server.put("/wrong", BODY, faults=[Fault(kind="wrong_range")])
    wanted = {"Range": "bytes=1-2"}
    for path in ("/unknown", "/ignored"):
        answer = ask(http_server.endpoint, path, headers=wanted)
        assert (answer.status, answer.body) == (200, BODY)
    answer = ask(http_server.endpoint, "/wrong", headers=wanted)
    assert (answer.status, answer.body) == (206, BODY[1:3])
    assert answer.headers["Content-Range"] == "bytes 2-3/10240"


def test_redirections(http_server: HttpServer) -> None:
    http_server.redirect("/old", "/new", status=307)
    answer = ask(http_server.endpoint, "/old", headers={"If-Match": '"x"'})
    assert (answer.status, answer.headers["Location"]) == (307, "/new")


def test_read_faults(http_server: HttpServer) -> None:
    for name, fault in READ_FAULTS.items():
        headers = checksum_header(BODY, "crc32")
        http_server.put(f"/{name}", BODY, headers=headers, faults=[fault])
    answers = {name: ask(http_server.endpoint, f"/{name}") for name in READ_FAULTS}
    half = BODY[: len(BODY) // 2]
    short = answers["short"]
    assert (short.headers["Content-Length"], short.body) == (str(len(BODY)), half)
    assert answers["corrupt"].body != BODY
    assert zlib.crc32(answers["corrupt"].body) != zlib.crc32(BODY)
    assert answers["corrupt"].body[1:] == BODY[1:]
    assert answers["corrupt"].headers["x-amz-checksum-crc32"]
    assert answers["nolen"].headers["Content-Length"] is None
    assert (answers["nolen"].body, answers["nolen"].error) == (half, None)
    assert answers["chunked"].headers["Transfer-Encoding"] == "chunked"
    assert answers["chunked"].body == half
    assert answers["chunked"].error is not None
    assert answers["gzip"].headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answers["gzip"].body) == BODY


def test_checksum_headers() -> None:
    # The catalogue's check values: cbf43926 and ae8b14860a799888.
    crc32 = checksum_header(b"123456789", "crc32")
    assert crc32 == {"x-amz-checksum-crc32": "y/Q5Jg=="}
    crc64 = checksum_header(b"123456789", "crc64nvme")
    assert crc64 == {"x-amz-checksum-crc64nvme": "rosUhgp5mIg="}


def test_statuses_in_turn(http_server: HttpServer) -> None:
    faults = [Fault(kind="status", status=500, times=2), slow_down(times=1)]
    http_server.put("/a", BODY, faults=faults)
    statuses = [ask(http_server.endpoint, "/a").status for _ in range(4)]
    assert statuses == [500, 500, 503, 200]
    assert [request.status for request in http_server.requests] == statuses


def test_a_stall_is_as_long_as_said(http_server: HttpServer) -> None:
    http_server.put("/a", BODY, faults=[Fault(kind="stall", after=100, seconds=0.3)])
    started = time.monotonic()
    impatient = ask(http_server.endpoint, "/a", timeout_s=0.1)
    assert isinstance(impatient.error, TimeoutError)
    assert impatient.body == BODY[:100]
    assert ask(http_server.endpoint, "/a").body == BODY
    assert time.monotonic() - started > 0.3


def test_a_stall_ends_with_the_server() -> None:
    started = time.monotonic()
    with HttpServer() as server:
        server.put("/a", BODY, faults=[Fault(kind="stall", seconds=60)])
        ask(server.endpoint, "/a", timeout_s=0.1)
    assert time.monotonic() - started < 40


def test_tls_with_a_certificate_of_its_own() -> None:
    with HttpServer(tls=True) as server:
        server.put("/a", BODY)
        trusting = ssl.create_default_context(cafile=server.ca_file)
        with urllib.request.urlopen(server.url("/a"), context=trusting) as answer:  # noqa: S310 - https
            assert answer.read() == BODY
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(server.url("/a"))  # noqa: S310 - https


def test_a_failing_action_is_not_swallowed() -> None:
    def fail() -> None:
        message = "the test is wrong"
        raise KeyError(message)

    server = HttpServer()
    server.__enter__()
    server.put("/a", BODY, faults=[Fault(kind="before", action=fail)])
    with pytest.raises(ConnectionError):
        ask(server.endpoint, "/a")
    with pytest.raises(ExceptionGroup) as caught:
        server.__exit__(None, None, None)
    assert caught.group_contains(KeyError, match="the test is wrong")


def test_a_slow_body_is_whole_and_late(http_server: HttpServer) -> None:
    fault = Fault(kind="slow", after=4096, seconds=0.05)
    http_server.put("/a", BODY, faults=[fault])
    started = time.monotonic()
    answer = ask(http_server.endpoint, "/a")
    assert (answer.status, answer.body, answer.error) == (200, BODY, None)
    assert time.monotonic() - started >= 0.1


def test_a_body_with_something_extra_claims_its_own_length(
    http_server: HttpServer,
) -> None:
    http_server.put("/a", BODY, faults=[Fault(kind="extra", body=b"more")])
    with socket.create_connection(_address(http_server), timeout=5) as connection:
        connection.sendall(b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        received = b""
        while block := connection.recv(1 << 16):
            received += block
    head, _, body = received.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(BODY)}".encode() in head
    assert body == BODY + b"more"


def test_bodies_are_swapped_and_duplicated(http_server: HttpServer) -> None:
    http_server.put("/a", BODY, faults=[swapped(b"other", times=1), duplicated(times=1)])
    assert ask(http_server.endpoint, "/a").body == b"other"
    assert ask(http_server.endpoint, "/a").body == BODY * 2
    assert ask(http_server.endpoint, "/a").body == BODY


def _address(server: HttpServer) -> tuple[str, int]:
    host, _, port = server.endpoint.removeprefix("http://").partition(":")
    return host, int(port)
