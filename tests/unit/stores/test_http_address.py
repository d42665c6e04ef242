"""Which addresses HTTP sources may lead to."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.errors import PolicyError, StoreError, StoreUnavailableError
from artlock.model.uri import Uri
from artlock.stores.base import StoreContext
from artlock.stores.http import HttpStore
from artlock.stores.http.address import check_name, checked_addresses, problem_with, resolve
from testbed.http_server import HttpServer

PRIVATE = (
    "0.0.0.0",  # noqa: S104 - not bound to
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:101::5",
    "2001:0:1:2::3",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
)
PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "172.32.0.1",
    "172.15.255.255",
    "192.169.0.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "64:ff9b::808:808",
    "::ffff:8.8.8.8",
    "2002:808:808::1",
)


def nobody(_host: str) -> bool:
    return False


def giving(*addresses: str) -> Callable[[str, int], tuple[str, ...]]:
    return lambda _host, _port: addresses


@pytest.mark.parametrize("address", PRIVATE)
def test_5_6_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(PolicyError) as caught:
        checked_addresses("h", 80, resolver=giving(address), may_connect=nobody)
    assert address in caught.value.message
    assert caught.value.hint is not None


@pytest.mark.parametrize("address", PUBLIC)
def test_5_6_a_public_address_is_taken(address: str) -> None:
    found = checked_addresses("h", 80, resolver=giving(address), may_connect=nobody)
    assert found == (address,)


def test_5_6_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(PolicyError):
        checked_addresses(
            "h", 80, resolver=giving("8.8.8.8", "127.0.0.1"), may_connect=nobody
        )


def test_5_6_the_user_may_allow_a_host() -> None:
    found = checked_addresses(
        "h", 80, resolver=giving("10.0.0.1"), may_connect=lambda host: host == "h"
    )
    assert found == ("10.0.0.1",)


@given(st.integers(min_value=0, max_value=2**32 - 1))
def test_5_6_an_ipv4_address_is_judged_alike_in_every_ipv6_coat(number: int) -> None:
    plain = problem_with(ip_address(number))
    for coat in (0xFFFF << 32, 0xFFFF << 48, 0x64FF9B << 96):
        assert problem_with(ip_address(coat | number)) == plain
    assert problem_with(ip_address(0x2002 << 112 | number << 80)) == plain


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "017700000001",
        "::1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "2852039166",
        "localhost",
        "localhost.",
        "some.localhost",
        "metadata.google.internal",
        "metadata.google.internal.",
    ],
)
def test_5_6_a_host_that_a_proxy_resolves_is_judged_by_its_spelling(host: str) -> None:
    with pytest.raises(PolicyError):
        check_name(host, may_connect=nobody)
    check_name(host, may_connect=lambda _host: True)


@pytest.mark.parametrize("host", ["example.com", "8.8.8.8", "134744072", "localhost.com"])
def test_5_6_other_hosts_may_be_asked_of_a_proxy(host: str) -> None:
    check_name(host, may_connect=nobody)


def test_this_machine_resolves_itself() -> None:
    assert "127.0.0.1" in resolve("localhost", 80)
    assert resolve("127.0.0.1", 80) == ("127.0.0.1",)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_5_6_a_source_on_this_machine_is_refused_before_it_is_connected_to(
    http_server: HttpServer, host: str
) -> None:
    http_server.put("/f", b"1")
    port = http_server.endpoint.rpartition(":")[2]
    uri = Uri.parse(f"http://{host}:{port}/f")
    store = HttpStore(uri, StoreContext())
    with pytest.raises(PolicyError):
        store.head(uri)
    assert http_server.requests == ()


@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "[::ffff:127.0.0.1]"])
def test_5_6_old_notations_are_refused_after_they_were_resolved(
    http_server: HttpServer, host: str
) -> None:
    port = http_server.endpoint.rpartition(":")[2]
    uri = Uri.parse(f"http://{host}:{port}/f")
    # What the C library answers; the guard of the tests lets no such name through.
    store = HttpStore(uri, StoreContext(), resolver=giving("127.0.0.1"))
    with pytest.raises(PolicyError):
        store.head(uri)


def test_5_6_an_answer_that_flips_is_asked_for_once_and_judged(
    http_server: HttpServer,
) -> None:
    http_server.put("/f", b"1")
    port = int(http_server.endpoint.rpartition(":")[2])
    answers = iter([("192.0.2.1",), ("127.0.0.1",)])
    asked: list[str] = []

    def flipping(host: str, _port: int) -> tuple[str, ...]:
        asked.append(host)
        return next(answers)

    uri = Uri.parse(f"http://rebind.example:{port}/f")
    store = HttpStore(uri, StoreContext(), resolver=flipping)
    with pytest.raises(PolicyError) as caught:
        store.head(uri)
    assert "192.0.2.1" in caught.value.message
    assert asked == ["rebind.example"]
    assert http_server.requests == ()


def test_5_6_the_connection_goes_to_the_address_that_was_judged(
    http_server: HttpServer,
) -> None:
    http_server.put("/f", b"12345")
    port = int(http_server.endpoint.rpartition(":")[2])
    uri = Uri.parse(f"http://some.example:{port}/f")
    store = HttpStore(
        uri,
        StoreContext(may_connect=lambda host: host == "some.example"),
        resolver=giving("127.0.0.1"),
    )
    assert store.head(uri).size == 5
    (request,) = http_server.requests
    assert request.header("Host") == f"some.example:{port}"
    store.close()


@contextmanager
def silent(port: int) -> Iterator[str]:
    """Yield an address at which nobody answers who wants to connect, nor refuses."""
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.2", port))
        listener.listen(0)
        while True:  # until no more fit into the queue of who waits to be accepted
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(("127.0.0.2", port))
            except TimeoutError:
                break
        yield "127.0.0.2"


@pytest.mark.parametrize("is_silent", [False, True], ids=["refuses", "silent"])
def test_4_14_the_next_address_is_tried_if_one_does_not_answer(
    http_server: HttpServer, *, is_silent: bool
) -> None:
    http_server.put("/f", b"12345")
    port = int(http_server.endpoint.rpartition(":")[2])
    uri = Uri.parse(f"http://some.example:{port}/f")
    with silent(port) if is_silent else nullcontext("127.0.0.2") as address:
        store = HttpStore(
            uri,
            StoreContext(may_connect=lambda _host: True),
            resolver=giving(address, "127.0.0.1"),
            connect_timeout_s=0.3,
        )
        assert store.head(uri).size == 5
        store.close()


def test_4_14_where_no_address_answers_it_ends(http_server: HttpServer) -> None:
    port = int(http_server.endpoint.rpartition(":")[2])
    uri = Uri.parse(f"http://some.example:{port}/f")
    with silent(port) as address:
        store = HttpStore(
            uri,
            StoreContext(may_connect=lambda _host: True),
            resolver=giving(address),
            connect_timeout_s=0.1,
            attempts=1,
        )
        with pytest.raises(StoreUnavailableError):
            store.head(uri)
        store.close()


def test_a_host_without_addresses_is_told() -> None:
    uri = Uri.parse("https://nowhere.example/f")
    with pytest.raises(StoreError, match="no address"):
        HttpStore(uri, StoreContext(), resolver=giving()).head(uri)


def test_4_14_a_dns_that_does_not_answer_now_is_unavailable() -> None:
    def failing(_host: str, _port: int) -> tuple[str, ...]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    uri = Uri.parse("https://some.example/f")
    store = HttpStore(uri, StoreContext(), resolver=failing, attempts=1)
    with pytest.raises(StoreUnavailableError):
        store.head(uri)


def test_4_14_a_host_that_does_not_exist_is_no_reason_to_try_again() -> None:
    def failing(_host: str, _port: int) -> tuple[str, ...]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    uri = Uri.parse("https://nowhere.example/f")
    store = HttpStore(uri, StoreContext(), resolver=failing)
    with pytest.raises(StoreError) as caught:
        store.head(uri)
    assert type(caught.value) is StoreError
