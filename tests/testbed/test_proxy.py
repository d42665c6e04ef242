"""Each toxic does what it says, where it says, and again for the same seed."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException, IncompleteRead
from random import Random
from urllib.parse import urlsplit

import pytest

from testbed.http_server import HttpServer
from testbed.proxy import HARMLESS, Proxy, Toxics, always

BODY = bytes(range(256)) * 4096


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        server.put("/f", BODY)
        server.put("/g", BODY[::-1])
        yield server


def connect(proxy: Proxy) -> HTTPConnection:
    parts = urlsplit(proxy.endpoint)
    assert parts.hostname is not None
    return HTTPConnection(parts.hostname, parts.port, timeout=10)


def get(proxy: Proxy, path: str = "/f") -> bytes:
    connection = connect(proxy)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def differing_bits(one: bytes, other: bytes) -> int:
    assert len(one) == len(other)
    return sum((a ^ b).bit_count() for a, b in zip(one, other, strict=True))


def test_without_toxics_all_passes_and_is_counted(server: HttpServer) -> None:
    with Proxy(server.endpoint) as proxy:
        assert get(proxy) == BODY
        assert len(BODY) < proxy.moved < len(BODY) + 500
        assert proxy.faults == {}


def test_a_connection_stays_for_several_requests(server: HttpServer) -> None:
    with Proxy(server.endpoint) as proxy:
        connection = connect(proxy)
        for path, body in (("/f", BODY), ("/g", BODY[::-1])):
            connection.request("GET", path)
            assert connection.getresponse().read() == body
        connection.close()


@pytest.mark.parametrize(
    "toxics",
    [
        Toxics(slices=1000),
        Toxics(latency_s=0.05),
        Toxics(bandwidth=10 << 20),
        Toxics(stall_after=50_000, stall_s=0.05),
        Toxics(slow_close_s=0.05),
    ],
    ids=str,
)
def test_4_7_what_only_delays_changes_nothing(server: HttpServer, toxics: Toxics) -> None:
    with Proxy(server.endpoint, choice=always(toxics)) as proxy:
        connection = connect(proxy)
        connection.request("GET", "/f", headers={"Connection": "close"})
        assert connection.getresponse().read() == BODY
        connection.close()
        wait_until(lambda: sum(proxy.faults.values()) > 0)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_delays_take_as_long_as_they_say(server: HttpServer) -> None:
    choice = always(Toxics(latency_s=0.2, bandwidth=len(BODY) * 5))
    with Proxy(server.endpoint, choice=choice) as proxy:
        begun = time.monotonic()
        get(proxy)
        assert time.monotonic() - begun >= 0.4


def test_a_stall_keeps_back_all_that_follows(server: HttpServer) -> None:
    choice = always(Toxics(stall_after=1000, stall_s=30.0))
    with Proxy(server.endpoint, choice=choice) as proxy:
        end = raw_request(proxy)
        end.settimeout(0.3)
        left = 1000
        while left:
            left -= len(end.recv(left))
        with pytest.raises(TimeoutError):
            end.recv(1)
        end.close()


def raw_request(proxy: Proxy, path: str = "/f") -> socket.socket:
    parts = urlsplit(proxy.endpoint)
    end = socket.create_connection((parts.hostname, parts.port), timeout=10)
    end.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    return end


def test_4_7_a_reset_comes_after_its_bytes(server: HttpServer) -> None:
    with Proxy(server.endpoint, choice=always(Toxics(reset_after=500))) as proxy:
        with pytest.raises(ConnectionResetError):
            get(proxy)
        assert proxy.moved == 500
        assert proxy.faults == {"reset_after": 1}


def test_4_7_a_truncation_looks_like_the_end(server: HttpServer) -> None:
    with Proxy(server.endpoint, choice=always(Toxics(truncate_after=5000))) as proxy:
        with pytest.raises(IncompleteRead):
            get(proxy)
        assert proxy.moved == 5000
        assert proxy.faults == {"truncate_after": 1}


def test_4_7_flips_are_as_rare_as_they_say_and_only_in_bodies(server: HttpServer) -> None:
    with Proxy(server.endpoint, choice=always(Toxics(flip_every=10_000))) as proxy:
        connection = connect(proxy)
        flipped = 0
        for number in range(20):
            connection.request("HEAD" if number % 5 == 0 else "GET", "/f")
            answer = connection.getresponse()
            assert answer.getheader("Content-Length") == str(len(BODY))
            body = answer.read()
            if body:
                flipped += differing_bits(body, BODY)
        connection.close()
        assert proxy.faults["flip_every"] == flipped
        assert flipped == pytest.approx(16 * len(BODY) / 10_000, rel=0.2)


def test_4_7_everything_can_be_flipped(server: HttpServer) -> None:
    choice = always(Toxics(flip_every=3, flips="everything"))
    with Proxy(server.endpoint, choice=choice) as proxy:
        end = raw_request(proxy)
        received = end.recv(65536)
        end.close()
    assert not received.startswith(b"HTTP/1.1 200 OK\r\n")


def test_the_same_seed_flips_the_same_bits(server: HttpServer) -> None:
    choice = always(Toxics(flip_every=10_000))

    def bodies(seed: int) -> list[bytes]:
        with Proxy(server.endpoint, seed=seed, choice=choice) as proxy:
            return [get(proxy), get(proxy)]

    first = bodies(7)
    assert bodies(7) == first
    assert bodies(8) != first
    assert first[0] != first[1]


def test_4_6_crossed_connections_get_each_others_answers(server: HttpServer) -> None:
    with Proxy(server.endpoint, choice=always(Toxics(is_crossed=True))) as proxy:
        received: dict[str, bytes] = {}

        def ask(path: str) -> None:
            received[path] = get(proxy, path)

        threads = [threading.Thread(target=ask, args=(path,)) for path in ("/f", "/g")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert received == {"/f": BODY[::-1], "/g": BODY}
        assert proxy.faults == {"is_crossed": 1}
        # One alone waits for a partner, and then goes its own way.
        assert get(proxy) == BODY


def test_each_connection_draws_its_own_toxics_until_all_is_healed(
    server: HttpServer,
) -> None:
    numbers: list[float] = []

    def choice(luck: Random) -> Toxics:
        numbers.append(luck.random())
        return Toxics(truncate_after=10) if len(numbers) == 2 else HARMLESS

    with Proxy(server.endpoint, seed=3, choice=choice) as proxy:
        assert get(proxy) == BODY
        with pytest.raises((HTTPException, ConnectionError)):
            get(proxy)
        proxy.begin(3, choice)
        assert get(proxy) == BODY
        assert numbers[2] == numbers[0] != numbers[1]
        kept = connect(proxy)
        kept.request("GET", "/f")
        kept.getresponse().read()
        proxy.heal()
        assert get(proxy) == BODY
        assert len(numbers) == 4
        assert kept.sock is not None
        assert kept.sock.recv(1) == b""
        kept.close()


def test_a_server_that_is_not_there_hangs_up() -> None:
    with HttpServer() as gone:
        endpoint = gone.endpoint
    with Proxy(endpoint) as proxy, pytest.raises(ConnectionError):
        get(proxy)


def test_the_end_of_the_block_ends_a_stall(server: HttpServer) -> None:
    begun = time.monotonic()
    choice = always(Toxics(stall_after=10, stall_s=60.0))
    with Proxy(server.endpoint, choice=choice) as proxy:
        end = raw_request(proxy)
        assert len(end.recv(100)) == 10
    assert time.monotonic() - begun < 40
    end.close()
