"""What the web has and buckets have not: redirects, odd servers, unknown lengths."""

import gzip
import os
import re
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from random import Random

import pytest

from artlock.errors import (
    AccessDeniedError,
    ArtlockError,
    ManifestError,
    ObjectChangedError,
    ObjectNotFoundError,
    PolicyError,
    StoreError,
    StoreUnavailableError,
)
from artlock.formats.manifest import parse_manifest
from artlock.model.manifest import Access
from artlock.model.objects import VersionId
from artlock.model.uri import Uri
from artlock.stores.base import Pin, Span, StoreContext
from artlock.stores.http import HttpStore
from artlock.stores.http import store as store_module
from artlock.stores.retry import Retrying
from testbed.faults import READ_FAULTS, Fault
from testbed.http_server import HttpServer
from testbed.proxy import Proxy, Toxics, always
from testbed.wire import Recorded

BODY = os.urandom(100_000)
SECRETS = {
    "Authorization": "Bearer canary-authorization",
    "Cookie": "session=canary-cookie",
    "Proxy-Authorization": "Basic canary-proxy",
    "Referer": "https://example.com/canary-referer",
    "x-amz-security-token": "canary-amz",
    "x-amz-server-side-encryption-customer-key": "canary-sse-c",
    "x-goog-user-project": "canary-goog",
    "X-Api-Key": "canary-key",
}


class Web:
    """Stores on a server of this machine; closed at the end."""

    def __init__(self) -> None:
        self._stores: list[HttpStore] = []

    def open(
        self,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        ca_bundle: str | None = None,
        allowed: tuple[str, ...] = ("127.0.0.1", "localhost"),
        read_timeout_s: float = 10.0,
    ) -> tuple[HttpStore, Uri]:
        uri = Uri.parse(url)
        access = Access(headers=tuple((headers or {}).items()), ca_bundle=ca_bundle)
        context = StoreContext(access=access, may_connect=lambda host: host in allowed)
        store = HttpStore(uri, context, read_timeout_s=read_timeout_s, attempts=1)
        self._stores.append(store)
        return store, uri

    def close(self) -> None:
        for store in self._stores:
            store.close()


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


@pytest.fixture
def other_server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


@contextmanager
def canned(*answers: bytes) -> Iterator[str]:
    """Answer each connection with the next of ``answers``; yield a URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5.0)  # so that a test that fails early does not wait for ever

        def serve() -> None:
            with suppress(TimeoutError):
                for answer in answers:
                    connection, _ = listener.accept()
                    with connection, suppress(ConnectionError):
                        connection.recv(65536)
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/f"
        finally:
            thread.join()


def read(store: HttpStore, pin: Pin, span: Span | None = None) -> bytes:
    return b"".join(bytes(chunk) for chunk in store.read(pin, span))


def text_of(requests: tuple[Recorded, ...]) -> str:
    return repr(requests).lower()


def by_name(endpoint: str) -> str:
    return endpoint.replace("127.0.0.1", "localhost")


# -- redirects ---------------------------------------------------------------------


def test_1_50_credentials_reach_the_source_itself(
    web: Web, http_server: HttpServer
) -> None:
    http_server.redirect("/a", "/b")
    http_server.put("/b", b"1")
    store, uri = web.open(http_server.url("/a"), headers=SECRETS)
    read(store, Pin(uri=uri, size=1))
    assert len(http_server.requests) == 2
    for request in http_server.requests:
        for name, value in SECRETS.items():
            assert request.header(name) == value


def test_1_49_no_password_of_a_netrc_leaves(
    web: Web, http_server: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    entries = ("default", "machine 127.0.0.1", "machine victim")
    netrc.write_text("".join(f"{e} login canary password canary\n" for e in entries))
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    http_server.put("/a", b"1")
    store, uri = web.open(http_server.url("/a"))
    store.head(uri)
    read(store, Pin(uri=uri, size=1))
    assert len(http_server.requests) == 2
    assert all(r.header("Authorization") is None for r in http_server.requests)
    with pytest.raises(ValueError, match="user info"):
        Uri.parse(http_server.url("/a").replace("//", "//victim:x@"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_1_50_no_credential_follows_to_another_port(
    web: Web, http_server: HttpServer, other_server: HttpServer, status: int
) -> None:
    http_server.redirect("/a", other_server.url("/b"), status=status)
    other_server.put("/b", b"1", etag='"e"')
    store, uri = web.open(http_server.url("/a"), headers=SECRETS)
    assert read(store, Pin(uri=uri, size=1, etag="e"), Span(0, 1)) == b"1"
    store.head(uri)
    assert len(other_server.requests) == 2
    assert "canary" not in text_of(other_server.requests)
    sent = {name.lower() for r in other_server.requests for name, _ in r.headers}
    assert sent <= {
        "host",
        "user-agent",
        "accept-encoding",
        "if-match",
        "if-range",
        "range",
    }


def test_1_50_no_credential_follows_to_another_name_of_the_same_server(
    web: Web, http_server: HttpServer
) -> None:
    http_server.redirect("/a", by_name(http_server.url("/b")))
    http_server.put("/b", b"1")
    store, uri = web.open(http_server.url("/a"), headers=SECRETS)
    read(store, Pin(uri=uri, size=1))
    first, second = http_server.requests
    assert "canary" in text_of((first,))
    assert "canary" not in text_of((second,))


def test_1_50_no_credential_comes_back_on_the_word_of_another_origin(
    web: Web, http_server: HttpServer, other_server: HttpServer
) -> None:
    http_server.redirect("/a", other_server.url("/b"))
    other_server.redirect("/b", http_server.url("/private"))
    http_server.put("/private", b"1")
    store, uri = web.open(http_server.url("/a"), headers=SECRETS)
    read(store, Pin(uri=uri, size=1))
    assert http_server.requests[-1].path == "/private"
    assert "canary" not in text_of(http_server.requests[-1:])


def test_1_50_settings_cannot_change_what_is_asked_for(
    web: Web, http_server: HttpServer
) -> None:
    http_server.put("/a", b"12345", etag='"e"')
    headers = {
        "Host": "evil.example",
        "Range": "bytes=0-0",
        "Accept-Encoding": "gzip",
        "If-Match": '"other"',
        "If-None-Match": '"e"',
    }
    store, uri = web.open(http_server.url("/a"), headers=headers)
    assert read(store, Pin(uri=uri, size=5)) == b"12345"
    (request,) = http_server.requests
    assert request.header("Accept-Encoding") == "identity"
    assert request.header("Host") == http_server.endpoint.removeprefix("http://")


def test_1_50_https_does_not_become_http(web: Web, http_server: HttpServer) -> None:
    http_server.put("/b", b"1")
    with HttpServer(tls=True) as secure:
        secure.redirect("/a", http_server.url("/b"))
        store, uri = web.open(secure.url("/a"), ca_bundle=str(secure.ca_file))
        with pytest.raises(PolicyError):
            store.head(uri)
    assert http_server.requests == ()


def test_http_may_become_https(web: Web, http_server: HttpServer) -> None:
    with HttpServer(tls=True) as secure:
        secure.put("/b", b"1")
        http_server.redirect("/a", secure.url("/b"))
        store, uri = web.open(
            http_server.url("/a"), headers=SECRETS, ca_bundle=str(secure.ca_file)
        )
        assert store.head(uri).size == 1
        assert "canary" not in text_of(secure.requests)


def test_1_50_five_redirects_are_followed_and_no_more(
    web: Web, http_server: HttpServer
) -> None:
    for number in range(6):
        http_server.redirect(f"/{number}", f"/{number + 1}")
    http_server.put("/6", b"1")
    store, uri = web.open(http_server.url("/1"))
    assert store.head(uri).size == 1
    store, uri = web.open(http_server.url("/0"))
    with pytest.raises(StoreError):
        store.head(uri)
    assert not any(r.path == "/6" for r in http_server.requests[6:])


@pytest.mark.parametrize(
    "location",
    [
        "http://user:canary@127.0.0.1/",
        "ftp://127.0.0.1/canary",
        "file:///etc/canary",
        "//user@127.0.0.1/canary",
    ],
)
def test_1_50_a_redirect_with_user_info_or_of_another_kind_is_refused(
    web: Web, http_server: HttpServer, location: str
) -> None:
    http_server.redirect("/a", location)
    store, uri = web.open(http_server.url("/a"))
    with pytest.raises(PolicyError) as caught:
        store.head(uri)
    assert "canary" not in repr(caught.value)


@pytest.mark.parametrize("location", ["http://[::1/", "http://a:99999999/"])
def test_a_redirect_to_what_is_no_url_is_refused(
    web: Web, http_server: HttpServer, location: str
) -> None:
    http_server.redirect("/a", location)
    store, uri = web.open(http_server.url("/a"))
    with pytest.raises(StoreError):
        store.head(uri)


def test_a_redirect_to_nowhere_is_refused(web: Web, http_server: HttpServer) -> None:
    http_server.put("/a", b"", faults=[Fault(kind="status", status=302)])
    store, uri = web.open(http_server.url("/a"))
    with pytest.raises(StoreError):
        store.head(uri)


def test_5_6_a_redirect_into_this_machine_is_refused(
    web: Web, http_server: HttpServer, other_server: HttpServer
) -> None:
    http_server.redirect("/a", by_name(other_server.url("/b")) + "?signature=canary")
    other_server.put("/b", b"1")
    store, uri = web.open(http_server.url("/a"), allowed=("127.0.0.1",))
    with pytest.raises(PolicyError) as caught:
        store.head(uri)
    assert other_server.requests == ()
    assert "canary" not in str(caught.value)


def test_5_7_a_signed_redirect_is_never_repeated_in_words(
    web: Web, http_server: HttpServer
) -> None:
    http_server.redirect("/a", "/b?X-Amz-Signature=canary")
    http_server.put("/b", b"1", faults=[Fault(kind="status", status=500)])
    store, uri = web.open(http_server.url("/a"))
    with pytest.raises(StoreError) as caught:
        store.head(uri)
    assert "canary" not in f"{caught.value} {caught.value.hint} {caught.value.facts()}"
    assert http_server.requests[-1].query == "X-Amz-Signature=canary"


# -- portals -----------------------------------------------------------------------

PAGE = {"Content-Type": "text/html; charset=utf-8"}


@pytest.mark.parametrize("etag", [{}, {"ETag": '"other"'}])
def test_4_11_nobody_is_told_to_lock_a_login_page(
    web: Web, http_server: HttpServer, etag: dict[str, str]
) -> None:
    # Who answers in place of a server looks at no condition.
    page = Fault(kind="status", status=200, body=b"<html>", headers={**PAGE, **etag})
    http_server.put("/f.csv", b"", faults=[page])
    store, uri = web.open(http_server.url("/f.csv"))
    with pytest.raises(ObjectChangedError, match="a web page has come, and") as caught:
        read(store, Pin(uri=uri, size=100, etag="locked"))
    assert "portal" in (caught.value.hint or "")
    assert "update" not in (caught.value.hint or "")


@pytest.mark.parametrize("headers", [PAGE, {}])
def test_4_11_nor_what_another_host_answers(
    web: Web, http_server: HttpServer, other_server: HttpServer, headers: dict[str, str]
) -> None:
    http_server.redirect("/f.csv", other_server.url("/login?token=canary"))
    other_server.put("/login", b"<html>", headers=headers)
    store, uri = web.open(http_server.url("/f.csv"))
    with pytest.raises(ObjectChangedError) as caught:
        read(store, Pin(uri=uri, size=100))
    assert f"after a redirect to `{other_server.endpoint}`" in str(caught.value)
    assert "canary" not in str(caught.value)
    assert "update" not in (caught.value.hint or "")


def test_4_11_a_page_without_a_length_is_one_too(web: Web, http_server: HttpServer) -> None:
    http_server.put("/f", b"<html>", headers=PAGE, faults=[Fault(kind="endless")])
    store, uri = web.open(http_server.url("/f"))
    with pytest.raises(ObjectChangedError, match="a web page has come"):
        read(store, Pin(uri=uri, size=3))


@pytest.mark.parametrize(
    ("path", "headers", "is_told"),
    [
        ("/f.csv", PAGE, True),
        ("/download", PAGE, True),
        ("/report.html", PAGE, False),
        ("/f.csv", {"Content-Type": "text/csv"}, False),
        ("/f.csv", {}, False),
    ],
)
def test_4_11_a_page_that_is_about_to_be_locked_is_told(
    http_server: HttpServer, path: str, headers: dict[str, str], *, is_told: bool
) -> None:
    http_server.put(path, b"<html>", headers=headers)
    told: list[str] = []
    uri = Uri.parse(http_server.url(path))
    context = StoreContext(may_connect=lambda _host: True, notice=told.append)
    store = HttpStore(uri, context, attempts=1)
    store.head(uri)
    store.close()
    assert [f"`{uri}` is answered with a web page" in text for text in told] == (
        [True] if is_told else []
    )


# -- faults ------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["short", "nolen", "chunked"])
def test_4_4_a_cut_body_is_never_taken_for_a_whole_one(
    web: Web, http_server: HttpServer, fault: str
) -> None:
    http_server.put("/f", BODY, faults=[READ_FAULTS[fault]])
    store, uri = web.open(http_server.url("/f"))
    with pytest.raises(StoreUnavailableError):
        read(store, Pin(uri=uri, size=len(BODY)))


@pytest.mark.parametrize("fault", ["short", "nolen", "chunked"])
def test_1_47_nor_is_it_where_the_size_is_not_known_yet(
    web: Web, http_server: HttpServer, fault: str
) -> None:
    http_server.put("/f", BODY, faults=[READ_FAULTS[fault]])
    store, uri = web.open(http_server.url("/f"))
    with pytest.raises(StoreError):
        read(store, Pin(uri=uri, size=None))


def test_4_5_a_changed_byte_is_left_to_the_gate(web: Web, http_server: HttpServer) -> None:
    http_server.put("/f", BODY, faults=[READ_FAULTS["corrupt"]])
    store, uri = web.open(http_server.url("/f"))
    assert read(store, Pin(uri=uri, size=len(BODY)))[1:] == BODY[1:]


def test_1_46_a_body_is_never_inflated(web: Web, http_server: HttpServer) -> None:
    packed = gzip.compress(b"hello" * 100)
    http_server.put("/f", packed, headers={"Content-Encoding": "gzip"})
    store, uri = web.open(http_server.url("/f"))
    info = store.head(uri)
    assert (info.size, info.encoding) == (len(packed), "gzip")
    assert read(store, Pin(uri=uri, size=len(packed))) == packed
    assert all(r.header("Accept-Encoding") == "identity" for r in http_server.requests)


def test_1_46_an_encoding_that_comes_later_is_another_size(
    web: Web, http_server: HttpServer
) -> None:
    http_server.put("/f", BODY, faults=[READ_FAULTS["gzip"]])
    store, uri = web.open(http_server.url("/f"))
    with pytest.raises(ObjectChangedError):
        read(store, Pin(uri=uri, size=len(BODY)))


@pytest.mark.parametrize("claims", [None, 10_000_000_000])
def test_4_15_a_body_that_does_not_end_is_left(
    web: Web, http_server: HttpServer, claims: int | None
) -> None:
    http_server.put("/f", b"1", faults=[Fault(kind="endless", claims=claims)])
    store, uri = web.open(http_server.url("/f"))
    with pytest.raises(ObjectChangedError):
        read(store, Pin(uri=uri, size=1_000_000))


def test_4_3_silence_has_an_end(web: Web, http_server: HttpServer) -> None:
    http_server.put("/f", BODY, faults=[Fault(kind="stall", after=10, seconds=120)])
    store, uri = web.open(http_server.url("/f"), read_timeout_s=0.3)
    begun = time.monotonic()
    with pytest.raises(StoreUnavailableError):
        read(store, Pin(uri=uri, size=len(BODY)))
    assert time.monotonic() - begun < 60


def test_4_1_how_long_a_server_asks_to_wait_is_told(
    web: Web, http_server: HttpServer
) -> None:
    fault = Fault(kind="status", status=429, headers={"Retry-After": "17"})
    http_server.put("/f", b"", faults=[fault])
    store, uri = web.open(http_server.url("/f"))
    with pytest.raises(StoreUnavailableError) as caught:
        store.head(uri)
    assert "17" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("17", 17.0, 17.0),
        ("in an hour", 50.0, 60.0),
        ("Mon, 01 Jan 2024 00:00:00 GMT", 0.0, 0.0),
        ("soon", 0.0, 0.0),
        ("-5", 0.0, 0.0),
        ("9" * 400, 0.0, 0.0),
    ],
)
def test_4_1_how_long_to_wait_is_read_from_the_answer(
    web: Web, http_server: HttpServer, asked: str, least: float, most: float
) -> None:
    if asked == "in an hour":
        asked = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    fault = Fault(kind="status", status=503, headers={"Retry-After": asked})
    http_server.put("/f", b"", faults=[fault])
    store, uri = web.open(http_server.url("/f"))
    with pytest.raises(StoreUnavailableError) as caught:
        read(store, Pin(uri=uri, size=1))
    assert least <= caught.value.wait_s <= most


def test_4_1_a_description_is_not_waited_for_as_long_as_anybody_asks(
    http_server: HttpServer,
) -> None:
    fault = Fault(kind="status", status=503, headers={"Retry-After": "3600"})
    http_server.put("/f", b"", faults=[fault])
    uri = Uri.parse(http_server.url("/f"))
    store = HttpStore(uri, StoreContext(may_connect=lambda _host: True))
    with pytest.raises(StoreUnavailableError, match="503"):
        store.head(uri)
    store.close()
    assert len(http_server.requests) == 1


def test_4_3_a_pace_is_seen_before_a_large_piece_is_whole(
    web: Web, http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_LONGEST_SILENCE_S", 0.02)
    http_server.put("/f", BODY)
    choice = always(Toxics(bandwidth=2 * len(BODY), slices=2000))
    with Proxy(http_server.endpoint, choice=choice) as proxy:
        store, uri = web.open(f"{proxy.endpoint}/f")
        pieces = [bytes(p) for p in store.read(Pin(uri=uri, size=len(BODY)))]
    assert b"".join(pieces) == BODY
    assert len(pieces) > 5


def test_4_3_a_trickle_is_given_up(
    http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_LONGEST_SILENCE_S", 0.05)
    http_server.put("/f", BODY, etag='"e"')
    choice = always(Toxics(bandwidth=500, slices=20))
    with Proxy(http_server.endpoint, choice=choice) as proxy:
        uri = Uri.parse(f"{proxy.endpoint}/f")
        store = HttpStore(uri, StoreContext(may_connect=lambda _host: True))
        outer = Retrying(store, window_s=0.3, patience_s=1.0, sleep=lambda _s: None)
        begun = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            for _ in outer.read(Pin(uri=uri, size=len(BODY), etag="e")):
                pass
        outer.close()
    assert time.monotonic() - begun < 60


def test_4_5_a_store_that_reconnects_uses_no_old_connection(
    web: Web, http_server: HttpServer
) -> None:
    http_server.put("/f", BODY)
    connections: list[int] = []

    def choice(_luck: Random) -> Toxics:
        connections.append(1)
        return Toxics()

    with Proxy(http_server.endpoint, choice=choice) as proxy:
        store, uri = web.open(f"{proxy.endpoint}/f")
        wanted = Pin(uri=uri, size=len(BODY))
        for _ in range(3):
            assert read(store, wanted) == BODY
        assert len(connections) == 1
        under_way = store.read(wanted)
        next(under_way)
        store.reconnect()
        assert read(store, wanted) == BODY
        assert len(connections) == 2
        for _ in under_way:
            pass


def test_a_description_is_asked_for_again(http_server: HttpServer) -> None:
    http_server.put("/f", b"1", faults=[Fault(kind="status", status=503, times=1)])
    uri = Uri.parse(http_server.url("/f"))
    store = HttpStore(uri, StoreContext(may_connect=lambda _host: True))
    assert store.head(uri).size == 1
    store.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AccessDeniedError),
        (403, AccessDeniedError),
        (404, ObjectNotFoundError),
        (410, ObjectNotFoundError),
        (412, ObjectChangedError),
        (416, ObjectChangedError),
        (429, StoreUnavailableError),
        (503, StoreUnavailableError),
        (501, StoreError),
        (206, StoreError),
        (204, StoreError),
    ],
)
def test_what_a_status_means(
    web: Web, http_server: HttpServer, status: int, kind: type[ArtlockError]
) -> None:
    http_server.put("/f", b"", faults=[Fault(kind="status", status=status)])
    store, uri = web.open(http_server.url("/f"))
    with pytest.raises(ArtlockError) as caught:
        read(store, Pin(uri=uri, size=1))
    assert type(caught.value) is kind


# -- descriptions ------------------------------------------------------------------


def is_head(method: str, _path: str, _query: str) -> bool:
    return method == "HEAD"


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_a_server_that_refuses_head_is_asked_for_one_byte(
    web: Web, http_server: HttpServer, status: int
) -> None:
    refusal = Fault(kind="status", status=status, matches=is_head)
    http_server.put("/f", BODY, etag='"e"', faults=[refusal])
    store, uri = web.open(http_server.url("/f"))
    info = store.head(uri)
    assert (info.size, info.tokens.etag) == (len(BODY), "e")
    assert http_server.requests[-1].header("Range") == "bytes=0-0"
    assert http_server.requests[-1].response_bytes <= 1


def test_a_head_that_says_zero_is_not_believed(web: Web, http_server: HttpServer) -> None:
    fault = Fault(kind="headers", drop=("Content-Length",), matches=is_head)
    lie = Fault(kind="status", status=200, body=b"", matches=is_head)
    for name, wrong in (("/dropped", fault), ("/zero", lie)):
        http_server.put(name, BODY, faults=[wrong])
        store, uri = web.open(http_server.url(name))
        assert store.head(uri).size == len(BODY)


def test_a_part_of_an_unknown_whole_has_no_size(web: Web, http_server: HttpServer) -> None:
    refusal = Fault(kind="status", status=405, matches=is_head)
    star = Fault(kind="headers", headers={"Content-Range": "bytes 0-0/*"})
    http_server.put("/f", BODY, faults=[refusal, star])
    store, uri = web.open(http_server.url("/f"))
    assert store.head(uri).size is None


def test_a_server_without_ranges_tells_the_length_of_the_whole(
    web: Web, http_server: HttpServer
) -> None:
    refusal = Fault(kind="status", status=405, matches=is_head)
    http_server.put("/f", BODY, accept_ranges=False, faults=[refusal])
    store, uri = web.open(http_server.url("/f"))
    assert store.head(uri).size == len(BODY)


def test_an_empty_file_has_a_size(web: Web, http_server: HttpServer) -> None:
    refusal = Fault(kind="status", status=405, matches=is_head)
    for name, faults in (("/plain", []), ("/refusing", [refusal])):
        http_server.put(name, b"", faults=faults)
        store, uri = web.open(http_server.url(name))
        assert store.head(uri).size == 0
        assert read(store, Pin(uri=uri, size=0)) == b""


def test_1_47_a_body_without_length_and_chunks_is_refused(
    web: Web, http_server: HttpServer
) -> None:
    refusal = Fault(kind="status", status=405, matches=is_head)
    http_server.put("/f", BODY, accept_ranges=False, faults=[refusal, Fault(kind="nolen")])
    store, uri = web.open(http_server.url("/f"))
    with pytest.raises(StoreError) as caught:
        store.head(uri)
    assert type(caught.value) is StoreError
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ('"abc"', "abc"),
        ('W/"abc"', "W/abc"),
        ("abc", "W/abc"),
        ('"a b"', "W/a b"),
        ('""', None),
        ("", None),
    ],
)
def test_1_44_only_a_strong_etag_is_sent_as_a_condition(
    web: Web, http_server: HttpServer, sent: str, kept: str | None
) -> None:
    http_server.put("/f", b"12345", headers={"ETag": sent} if sent else {})
    store, uri = web.open(http_server.url("/f"))
    assert store.head(uri).tokens.etag == kept
    try:
        read(store, Pin(uri=uri, size=5, etag=kept), Span(1, 2))
    except ObjectChangedError:
        assert kept == "abc"  # this server knows only etags of its own
    request = http_server.requests[-1]
    condition = '"abc"' if kept == "abc" else None
    assert request.header("If-Match") == condition
    assert request.header("If-Range") == condition


def test_1_44_another_weak_etag_is_another_state(web: Web, http_server: HttpServer) -> None:
    http_server.put("/f", b"12345", etag='W/"two"')
    store, uri = web.open(http_server.url("/f"))
    assert read(store, Pin(uri=uri, size=5, etag="W/two")) == b"12345"
    with pytest.raises(ObjectChangedError):
        read(store, Pin(uri=uri, size=5, etag="W/one"))


def test_when_a_file_was_modified_is_a_hint(web: Web, http_server: HttpServer) -> None:
    http_server.put("/a", b"1", headers={"Last-Modified": "Fri, 01 May 2026 10:00:00 GMT"})
    http_server.put("/b", b"1", headers={"Last-Modified": "yesterday"})
    for name, modified in (("/a", datetime(2026, 5, 1, 10, tzinfo=UTC)), ("/b", None)):
        store, uri = web.open(http_server.url(name))
        assert store.head(uri).modified == modified


def test_the_web_has_no_listings_and_no_past(web: Web, http_server: HttpServer) -> None:
    store, uri = web.open(http_server.url("/f/"))
    with pytest.raises(StoreError):
        list(store.scan(uri))
    with pytest.raises(StoreError):
        store.head(uri, VersionId("1"))
    with pytest.raises(StoreError):
        read(store, Pin(uri=uri, size=1, version=VersionId("1")))
    assert http_server.requests == ()


# -- the wire ----------------------------------------------------------------------

# Closes, as `canned` does: a client may otherwise ask again on a connection that is ending.
CHUNKED = b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_1_47_a_body_in_chunks_has_no_size_before_it_is_read(web: Web) -> None:
    body = CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with canned(CHUNKED, body, body, body) as url:
        store, uri = web.open(url)
        assert store.head(uri).size is None
        assert read(store, Pin(uri=uri, size=None)) == b"abcde"
        assert read(store, Pin(uri=uri, size=5)) == b"abcde"


def test_1_45_the_part_of_a_body_in_chunks_is_taken(web: Web) -> None:
    body = CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with canned(body, body, body) as url:
        store, uri = web.open(url)
        assert read(store, Pin(uri=uri, size=None), Span(1, 3)) == b"bcd"
        assert read(store, Pin(uri=uri, size=5), Span(4, 1)) == b"e"
        with pytest.raises(StoreError):
            read(store, Pin(uri=uri, size=None), Span(4, 2))


@pytest.mark.parametrize("size", [4, 6])
def test_a_body_in_chunks_of_another_size_is_another_state(web: Web, size: int) -> None:
    with canned(CHUNKED + b"5\r\nabcde\r\n0\r\n\r\n") as url:
        store, uri = web.open(url)
        with pytest.raises(ObjectChangedError):
            read(store, Pin(uri=uri, size=size))


def test_small_chunks_come_in_large_pieces(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_LONGEST_SILENCE_S", 60.0)
    chunk = b"400\r\n" + bytes(1024) + b"\r\n"
    with canned(CHUNKED + chunk * 3000 + b"0\r\n\r\n") as url:
        store, uri = web.open(url)
        pieces = [memoryview(p).nbytes for p in store.read(Pin(uri=uri, size=None))]
    assert sum(pieces) == 3000 * 1024
    assert min(pieces[:-1]) >= 1 << 20


def test_1_47_a_body_that_ends_with_the_connection_is_read_if_its_size_is_known(
    web: Web,
) -> None:
    with canned(*[b"HTTP/1.0 200 OK\r\n\r\nabcde"] * 4) as url:
        store, uri = web.open(url)
        assert read(store, Pin(uri=uri, size=5)) == b"abcde"
        with pytest.raises(StoreUnavailableError):
            read(store, Pin(uri=uri, size=6))
        with pytest.raises(ObjectChangedError):
            read(store, Pin(uri=uri, size=4))
        with pytest.raises(StoreError):
            read(store, Pin(uri=uri, size=None))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        CHUNKED + b"zz\r\nab",
        CHUNKED + b"5\r\nab",
        CHUNKED,
    ],
)
def test_what_is_no_sound_answer_is_an_error_of_ours(web: Web, answer: bytes) -> None:
    with canned(answer) as url:
        store, uri = web.open(url)
        with pytest.raises(StoreError):
            read(store, Pin(uri=uri, size=None))


# -- ranges ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "bytes 10-28/1000",
        "bytes 11-29/1000",
        "bytes 10-29/999",
        "bytes */1000",
        "bytes=10-29/1000",
        "bytes 10-29/1000, bytes 40-50/1000",
    ],
)
def test_1_45_a_part_that_is_not_the_one_is_refused(
    web: Web, http_server: HttpServer, answer: str
) -> None:
    fault = Fault(kind="headers", headers={"Content-Range": answer})
    http_server.put("/f", b"x" * 1000, faults=[fault])
    store, uri = web.open(http_server.url("/f"))
    with pytest.raises(StoreError):
        read(store, Pin(uri=uri, size=1000), Span(10, 20))


def test_1_45_a_whole_that_is_too_short_for_the_part_is_refused(
    web: Web, http_server: HttpServer
) -> None:
    http_server.put("/f", b"x" * 15, accept_ranges=False)
    store, uri = web.open(http_server.url("/f"))
    with pytest.raises(StoreError):
        read(store, Pin(uri=uri, size=None), Span(10, 20))


# -- TLS and proxies ---------------------------------------------------------------


def test_4_12_a_certificate_that_nobody_trusts_is_refused(web: Web) -> None:
    with HttpServer(tls=True) as secure:
        secure.put("/f", b"1")
        store, uri = web.open(secure.url("/f"))
        with pytest.raises(StoreError) as caught:
            store.head(uri)
    assert type(caught.value) is StoreError
    assert "ca-bundle" in str(caught.value.hint)
    assert secure.requests == ()


def test_4_12_a_certificate_of_another_host_is_refused(web: Web) -> None:
    with HttpServer(tls=True) as secure:
        secure.put("/f", b"1")
        port = secure.endpoint.rpartition(":")[2]
        uri = Uri.parse(f"https://some.example:{port}/f")
        context = StoreContext(
            access=Access(ca_bundle=str(secure.ca_file)), may_connect=lambda _host: True
        )
        store = HttpStore(
            uri, context, resolver=lambda _host, _port: ("127.0.0.1",), attempts=1
        )
        with pytest.raises(StoreError) as caught:
            store.head(uri)
        assert type(caught.value) is StoreError
        assert secure.requests == ()
        named, uri = web.open(by_name(secure.url("/f")), ca_bundle=str(secure.ca_file))
        assert named.head(uri).size == 1


def test_4_12_an_expired_certificate_is_refused_although_it_is_trusted(web: Web) -> None:
    with HttpServer(tls=True, is_expired=True) as secure:
        secure.put("/f", b"1")
        store, uri = web.open(secure.url("/f"), ca_bundle=str(secure.ca_file))
        with pytest.raises(StoreError, match=r"certificate .* expired") as caught:
            store.head(uri)
    assert type(caught.value) is StoreError
    assert secure.requests == ()


def test_4_12_nothing_older_than_tls_1_2_is_spoken(web: Web) -> None:
    with HttpServer(tls=True, is_old=True) as secure:
        secure.put("/f", b"1")
        port = int(secure.endpoint.rpartition(":")[2])
        assert tls_version(port) == "TLSv1.1"  # whoever wants to, can
        store, uri = web.open(secure.url("/f"), ca_bundle=str(secure.ca_file))
        with pytest.raises(StoreError):
            store.head(uri)
    assert secure.requests == ()


def tls_version(port: int) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
        context.wrap_socket(connection) as wrapped,
    ):
        return wrapped.version()


@pytest.mark.parametrize("key", ["verify", "insecure", "tls-verify", "proxy", "proxies"])
def test_4_12_4_13_no_manifest_switches_verification_off_or_names_a_proxy(key: str) -> None:
    manifest = (
        f'[artlock]\nversion = 1\n[artifacts.a]\nuri = "https://h.example/f"\n{key} = '
    )
    for value in ("false", '"http://evil.example"'):
        with pytest.raises(ManifestError, match=key):
            parse_manifest(manifest + value)


def test_4_13_what_the_proxy_is_told_stays_with_the_proxy(
    web: Web, http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a proxy, a redirect to another host carries none of the source's headers."""
    http_server.put("http://other.example/g", b"12345")
    http_server.redirect("http://files.example/f", "http://other.example/g")
    proxy = http_server.endpoint.replace("http://", "http://user:canary@")
    monkeypatch.setenv("http_proxy", proxy)
    store, uri = web.open(
        "http://files.example/f", headers={"Authorization": "canary-own"}, allowed=()
    )
    assert read(store, Pin(uri=uri, size=5)) == b"12345"
    first, second = http_server.requests
    for request in (first, second):
        assert request.header("Proxy-Authorization") == "Basic dXNlcjpjYW5hcnk="
    assert first.header("Authorization") == "canary-own"
    assert second.header("Authorization") is None
    # Without the proxy nobody is told its password.
    monkeypatch.delenv("http_proxy")
    http_server.put("/f", b"1")
    store, uri = web.open(http_server.url("/f"))
    assert store.head(uri).size == 1
    assert http_server.requests[-1].header("Proxy-Authorization") is None


def test_4_15_headers_without_end_are_refused(web: Web) -> None:
    for head in (b"X-Long: " + b"x" * 100_000, b"X: y\r\n" * 1_000):
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + head + b"\r\n\r\n1"
        with canned(answer) as url:
            store, uri = web.open(url)
            with pytest.raises(StoreError):
                read(store, Pin(uri=uri, size=1))


def test_a_bundle_that_cannot_be_read_is_told(web: Web, http_server: HttpServer) -> None:
    store, uri = web.open(http_server.url("/f"), ca_bundle="/nowhere/ca.pem")
    with pytest.raises(StoreError, match="ca-bundle"):
        store.head(uri)


def test_4_13_the_proxy_of_the_environment_is_used(
    web: Web, http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy gets the whole URL as its target; our server takes that for a path.
    target = "http://files.example/f"
    http_server.put(target, b"12345")
    proxy = http_server.endpoint.replace("http://", "http://user:pass@")
    monkeypatch.setenv("http_proxy", proxy)
    store, uri = web.open(target, allowed=())
    assert store.head(uri).size == 5
    (request,) = http_server.requests
    assert request.header("Host") == "files.example"
    assert request.header("Proxy-Authorization") == "Basic dXNlcjpwYXNz"


def test_4_13_no_proxy_names_what_is_reached_directly(
    web: Web, http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    http_server.put("/f", b"12345")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    store, uri = web.open(http_server.url("/f"))
    assert store.head(uri).size == 5


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "metadata.google.internal"])
def test_5_6_a_proxy_is_not_asked_for_this_machine(
    web: Web, http_server: HttpServer, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("http_proxy", http_server.endpoint)
    store, uri = web.open(f"http://{host}/f", allowed=())
    with pytest.raises(PolicyError):
        store.head(uri)
    assert http_server.requests == ()


def test_a_proxy_of_another_kind_is_refused(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1")
    store, uri = web.open("https://files.example/f")
    with pytest.raises(StoreError, match="socks5"):
        store.head(uri)


def test_a_header_that_cannot_be_sent_is_told_without_its_value(
    web: Web, http_server: HttpServer
) -> None:
    store, uri = web.open(http_server.url("/f"), headers={"X-Key": "canary\r\nEvil: 1"})
    with pytest.raises(StoreError) as caught:
        store.head(uri)
    assert not re.search("canary|Evil", str(caught.value))
    assert http_server.requests == ()
