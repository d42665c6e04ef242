"""Transfer against a server whose answers a test programs."""

import threading
from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest

from artlock.errors import (
    AccessDeniedError,
    KeysExpiredError,
    ObjectArchivedError,
    ObjectChangedError,
    ObjectNotFoundError,
    PolicyError,
    StoreError,
    StoreUnavailableError,
)
from artlock.model.objects import VersionId
from artlock.model.uri import Uri
from artlock.stores.base import Pin, Span
from artlock.stores.retry import Retrying
from artlock.stores.transfer import (
    CHUNK_SIZE,
    WHOLE_SIZE,
    Keys,
    Refine,
    Refusal,
    Transfer,
    clients,
    gcs_client,
    is_addressable,
    is_same_etag,
    s3_client,
    unquoted,
)
from testbed.faults import READ_FAULTS, Fault, s3_error
from testbed.http_server import HttpServer
from testbed.proxy import Proxy, Toxics, always

BODY = bytes(range(256)) * 400
VERSION = VersionId("v1")


def pin(
    key: str = "a",
    *,
    size: int | None = len(BODY),
    version: VersionId | None = None,
    etag: str | None = None,
) -> Pin:
    return Pin(uri=Uri("s3", "bucket", key), size=size, version=version, etag=etag)


def read(transfer: Transfer, pin: Pin, span: Span | None = None) -> bytes:
    return b"".join(bytes(chunk) for chunk in transfer.read(pin, span))


@pytest.fixture
def transfer(http_server: HttpServer) -> Transfer:
    return Transfer(
        lambda: s3_client(
            bucket="bucket",
            endpoint=http_server.endpoint,
            region="us-east-1",
            path_style=True,
            keys=None,
        )
    )


@pytest.fixture
def served(http_server: HttpServer) -> HttpServer:
    http_server.put("/bucket/a", BODY, etag='"e1"', headers={"x-amz-version-id": "v1"})
    return http_server


def test_a_version_is_asked_for_by_its_name(served: HttpServer, transfer: Transfer) -> None:
    assert read(transfer, pin(version=VERSION, etag="e1")) == BODY
    (request,) = served.requests
    assert request.query == "versionId=v1"
    assert request.header("If-Match") is None


def test_1_28_a_state_without_a_version_is_asked_for_by_its_etag(
    served: HttpServer, transfer: Transfer
) -> None:
    assert read(transfer, pin(etag="e1")) == BODY
    (request,) = served.requests
    assert request.header("If-Match") == '"e1"'


def test_a_weak_etag_is_no_condition_but_compared(
    served: HttpServer, transfer: Transfer
) -> None:
    served.put("/bucket/a", BODY, etag='W/"e1"')
    assert read(transfer, pin(etag="W/e1")) == BODY
    assert served.requests[-1].header("If-Match") is None
    with pytest.raises(ObjectChangedError):
        read(transfer, pin(etag="W/e2"))


def test_1_28_a_condition_that_fails_is_a_change(
    served: HttpServer, transfer: Transfer
) -> None:
    del served
    with pytest.raises(ObjectChangedError):
        read(transfer, pin(etag="e2"))


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({"ETag": '"other"'}, pin(version=VERSION, etag="e1")),
        ({"ETag": '"other"'}, pin(etag="e1")),
        ({"x-amz-version-id": "v2"}, pin(version=VERSION)),
    ],
)
def test_1_29_an_answer_of_another_state_is_a_change(
    served: HttpServer, transfer: Transfer, headers: dict[str, str], wanted: Pin
) -> None:
    fault = Fault(kind="headers", headers=headers)
    served.put(
        "/bucket/a",
        BODY,
        etag='"e1"',
        headers={"x-amz-version-id": "v1"},
        faults=[fault],
    )
    with pytest.raises(ObjectChangedError):
        read(transfer, wanted)


@pytest.mark.parametrize("span", [None, Span(3, 5)])
def test_an_object_of_another_size_is_a_change(
    served: HttpServer, transfer: Transfer, span: Span | None
) -> None:
    del served
    with pytest.raises(ObjectChangedError):
        read(transfer, pin(size=len(BODY) + 1), span)


def test_4_6_an_answer_that_names_nothing_is_left_to_the_gate(
    served: HttpServer, transfer: Transfer
) -> None:
    served.put("/bucket/a", BODY)
    assert read(transfer, pin(version=VERSION)) == BODY


def test_1_29_a_server_without_conditions_is_asked_again_without(
    served: HttpServer, transfer: Transfer
) -> None:
    fault = s3_error(501, "NotImplemented", times=1)
    served.put("/bucket/a", BODY, etag='"e1"', faults=[fault])
    assert read(transfer, pin(etag="e1")) == BODY
    assert [request.header("If-Match") for request in served.requests] == ['"e1"', None]
    served.put("/bucket/a", BODY, etag='"e2"', faults=[fault])
    with pytest.raises(ObjectChangedError):
        read(transfer, pin(etag="e1"))


def test_1_29_what_is_never_implemented_is_an_error(
    served: HttpServer, transfer: Transfer
) -> None:
    served.put("/bucket/a", BODY, faults=[s3_error(501, "NotImplemented")])
    with pytest.raises(StoreError, match="501") as caught:
        read(transfer, pin(etag="e1"))
    assert type(caught.value) is StoreError


@pytest.mark.parametrize("name", ["short", "nolen", "chunked"])
def test_4_4_a_body_that_is_cut_is_unavailable(
    served: HttpServer, transfer: Transfer, name: str
) -> None:
    served.put("/bucket/a", BODY, faults=[READ_FAULTS[name]])
    with pytest.raises(StoreUnavailableError):
        read(transfer, pin())


def test_4_4_a_compressed_answer_is_never_inflated(
    served: HttpServer, transfer: Transfer
) -> None:
    served.put("/bucket/a", BODY, faults=[READ_FAULTS["gzip"]])
    with pytest.raises(ObjectChangedError):
        read(transfer, pin())


def test_4_15_a_body_without_end_ends(served: HttpServer, transfer: Transfer) -> None:
    served.put("/bucket/a", BODY, faults=[Fault(kind="endless")])
    with pytest.raises(StoreUnavailableError):
        read(transfer, pin())
    claim = 10 * WHOLE_SIZE
    served.put("/bucket/a", BODY, faults=[Fault(kind="endless", claims=claim)])
    with pytest.raises(ObjectChangedError):
        read(transfer, pin())


def test_4_3_a_silent_server_is_unavailable(
    served: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "READ_TIMEOUT", timedelta(milliseconds=200))
    client = s3_client(
        bucket="bucket", endpoint=served.endpoint, region="x", path_style=True, keys=None
    )
    served.put("/bucket/a", BODY, faults=[Fault(kind="stall", seconds=5)])
    with pytest.raises(StoreUnavailableError):
        read(Transfer(lambda: client), pin())


def transfer_to(
    endpoint: str,
    *,
    keys: Callable[[], Keys] | None = None,
    refine: Refine = lambda _refusal: None,
    renew: Callable[[], bool] = lambda: False,
) -> Transfer:
    return Transfer(
        lambda: s3_client(
            bucket="bucket", endpoint=endpoint, region="x", path_style=True, keys=keys
        ),
        refine=refine,
        renew=renew,
    )


def test_4_3_a_slow_network_loses_nothing_that_came(
    served: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "REQUEST_TIMEOUT", timedelta(milliseconds=300))
    body = BODY * 3
    served.put("/bucket/a", body, etag='"e1"')
    choice = always(Toxics(bandwidth=len(body), slices=4000))
    with Proxy(served.endpoint, choice=choice) as proxy:
        transfer = transfer_to(proxy.endpoint)
        wanted = pin(size=len(body), etag="e1")
        # In one piece it would never come.
        with pytest.raises(StoreUnavailableError):
            next(transfer.read(wanted))
        retrying = Retrying(transfer, sleep=lambda _s: None)  # type: ignore[arg-type] # reads only
        assert b"".join(bytes(chunk) for chunk in retrying.read(wanted)) == body
    assert len(served.requests) > 2


def test_4_5_a_transfer_that_reconnects_uses_no_old_connection(served: HttpServer) -> None:
    connections: list[int] = []

    def choice(_luck: Random) -> Toxics:
        connections.append(1)
        return Toxics()

    with Proxy(served.endpoint, choice=choice) as proxy:
        transfer = transfer_to(proxy.endpoint)
        for _ in range(3):
            assert read(transfer, pin()) == BODY
        # One, or two where a connection is given back later than the next read begins.
        before = len(connections)
        assert before < 3
        transfer.reconnect()
        assert read(transfer, pin()) == BODY
        assert len(connections) == before + 1


@pytest.mark.parametrize(
    ("toxics", "words"),
    [
        (Toxics(truncate_after=0), "the connection broke off"),
        (Toxics(truncate_after=500), "the connection broke off"),
        (Toxics(reset_after=500), "the connection broke off"),
        (Toxics(stall_after=500, stall_s=5), "the store was silent for too long"),
    ],
)
def test_4_7_what_happened_is_told_in_words(
    served: HttpServer, monkeypatch: pytest.MonkeyPatch, toxics: Toxics, words: str
) -> None:
    monkeypatch.setattr(clients, "READ_TIMEOUT", timedelta(milliseconds=200))
    with (
        Proxy(served.endpoint, choice=always(toxics)) as proxy,
        pytest.raises(StoreUnavailableError, match=f"failed: {words}$"),
    ):
        read(transfer_to(proxy.endpoint), pin())
    with pytest.raises(
        StoreUnavailableError, match=r"no connection to http://127.0.0.1:9$"
    ):
        read(transfer_to("http://127.0.0.1:9"), pin())


def expired(refusal: Refusal) -> StoreError | None:
    if refusal.code == "ExpiredToken":
        return KeysExpiredError("expired", uri=str(refusal.uri))
    return None


def test_4_8_expired_keys_are_renewed_once_for_all_threads(served: HttpServer) -> None:
    given = ["old"]
    renewed: list[str] = []

    def keys() -> Keys:
        return Keys(access=given[-1], secret="s", token=None)  # noqa: S106 - made up

    def renew() -> bool:
        renewed.append(given[-1])
        given.append("new")
        return True

    transfer = transfer_to(served.endpoint, keys=keys, refine=expired, renew=renew)
    workers = 8
    together = threading.Barrier(workers)
    # All are refused with the old keys before the first has new ones.
    fault = s3_error(400, "ExpiredToken", times=workers)
    served.put("/bucket/a", BODY, faults=[fault, meeting(together, workers)])
    bodies: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: bodies.append(read(transfer, pin())))
        for _ in range(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [BODY] * workers
    assert renewed == ["old"]
    used = [r.header("Authorization") or "" for r in served.requests]
    assert sum("Credential=old/" in text for text in used) == workers
    assert sum("Credential=new/" in text for text in used) == workers


def meeting(barrier: threading.Barrier, times: int) -> Fault:
    """Let requests wait for one another."""

    def wait() -> None:
        barrier.wait(10)

    return Fault(kind="before", action=wait, times=times)


def test_4_8_without_other_keys_nothing_more_is_asked(served: HttpServer) -> None:
    tried: list[int] = []

    def renew() -> bool:
        tried.append(1)
        return False

    transfer = transfer_to(served.endpoint, refine=expired, renew=renew)
    served.put("/bucket/a", BODY, faults=[s3_error(400, "ExpiredToken", times=1)])
    for key in ("a", "b", "c"):
        with pytest.raises(KeysExpiredError) as caught:
            read(transfer, pin(key))
        assert caught.value.uri == f"s3://bucket/{key}"
    assert tried == [1]
    assert len(served.requests) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (s3_error(403, "AccessDenied"), AccessDeniedError),
        (s3_error(401, "X"), AccessDeniedError),
        (s3_error(403, "InvalidObjectState"), ObjectArchivedError),
        (s3_error(404, "NoSuchKey"), ObjectNotFoundError),
        (Fault(kind="status", status=404), ObjectNotFoundError),
        (s3_error(416, "InvalidRange"), ObjectChangedError),
        (s3_error(412, "PreconditionFailed"), ObjectChangedError),
        (s3_error(429, "TooMany"), StoreUnavailableError),
        (s3_error(500, "InternalError"), StoreUnavailableError),
        (s3_error(503, "SlowDown"), StoreUnavailableError),
        (Fault(kind="reset", after=0), StoreUnavailableError),
        (Fault(kind="reset", after=100), StoreUnavailableError),
        (s3_error(301, "PermanentRedirect"), StoreError),
        (s3_error(400, "Whatever"), StoreError),
        (s3_error(409, "Whatever"), StoreError),
    ],
)
def test_4_1_each_failure_has_its_class(
    served: HttpServer, transfer: Transfer, fault: Fault, error: type[StoreError]
) -> None:
    served.put("/bucket/a", BODY, etag='"e1"', faults=[fault])
    with pytest.raises(StoreError) as caught:
        read(transfer, pin())
    assert type(caught.value) is error
    assert caught.value.uri == "s3://bucket/a"
    assert len(served.requests) == 1


@pytest.mark.parametrize("kind", ["ignore_range", "wrong_range"])
def test_an_answer_of_another_range_is_an_error(
    served: HttpServer, transfer: Transfer, kind: str
) -> None:
    fault = Fault(kind=kind)  # type: ignore[arg-type] # one of Kind
    served.put("/bucket/a", BODY, faults=[fault])
    with pytest.raises(StoreError, match="range"):
        read(transfer, pin(), Span(3, 5))


def test_a_range_that_cannot_be_read_is_an_error(
    served: HttpServer, transfer: Transfer
) -> None:
    fault = Fault(kind="headers", headers={"Content-Range": "nonsense"})
    served.put("/bucket/a", BODY, faults=[fault])
    with pytest.raises(StoreError, match="range"):
        read(transfer, pin(), Span(3, 5))


def test_a_range_that_is_cut_at_the_end_is_an_error(
    served: HttpServer, transfer: Transfer
) -> None:
    del served
    with pytest.raises(StoreError, match="instead of"):
        read(transfer, pin(), Span(len(BODY) - 3, 5))


def test_nobody_there_is_unavailable() -> None:
    with HttpServer() as gone:
        endpoint = gone.endpoint
    client = s3_client(
        bucket="bucket", endpoint=endpoint, region="x", path_style=True, keys=None
    )
    with pytest.raises(StoreUnavailableError):
        read(Transfer(lambda: client), pin())


def test_4_12_a_certificate_that_is_not_trusted_is_no_reason_to_retry() -> None:
    with HttpServer(tls=True) as server:
        client = s3_client(
            bucket="bucket",
            endpoint=server.endpoint,
            region="x",
            path_style=True,
            keys=None,
        )
        with pytest.raises(StoreError, match="certificate") as caught:
            read(Transfer(lambda: client), pin())
    assert type(caught.value) is StoreError
    assert "ca-bundle" in (caught.value.hint or "")


def test_4_12_expired_and_old_servers_are_refused_although_they_are_trusted() -> None:
    for server in (
        HttpServer(tls=True, is_expired=True),
        HttpServer(tls=True, is_old=True),
    ):
        with server:
            server.put("/bucket/a", BODY)
            assert server.ca_file is not None
            bundle = server.ca_file.read_bytes()
            transfer = secure_transfer(server.endpoint, bundle)
            with pytest.raises(StoreError) as caught:
                read(transfer, pin())
        assert server.requests == ()
        assert "certificate" in str(caught.value) or "connection" in str(caught.value)


def secure_transfer(endpoint: str, bundle: bytes) -> Transfer:
    return Transfer(
        lambda: s3_client(
            bucket="bucket",
            endpoint=endpoint,
            region="x",
            path_style=True,
            keys=None,
            ca_bundle=bundle,
        )
    )


def test_4_12_a_certificate_that_is_named_is_trusted() -> None:
    with HttpServer(tls=True) as server:
        server.put("/bucket/a", BODY)
        assert server.ca_file is not None
        transfer = secure_transfer(server.endpoint, server.ca_file.read_bytes())
        assert read(transfer, pin()) == BODY


def test_4_13_buckets_are_read_through_the_proxy_of_the_environment(
    http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = "http://store.example/bucket/a"
    http_server.put(target, BODY)
    proxy = http_server.endpoint.replace("http://", "http://user:pass@")
    monkeypatch.setenv("http_proxy", proxy)
    assert read(transfer_to("http://store.example"), pin()) == BODY
    (request,) = http_server.requests
    assert request.header("Host") == "store.example"
    assert request.header("Proxy-Authorization") == "Basic dXNlcjpwYXNz"


def test_4_15_headers_without_end_are_refused(served: HttpServer) -> None:
    headers = {f"x-amz-meta-{number}": "x" * 1000 for number in range(2000)}
    served.put("/bucket/a", BODY, headers=headers)
    with pytest.raises(StoreError):
        read(transfer_to(served.endpoint), pin())


@pytest.mark.parametrize(
    "key",
    [
        "certificates/InvalidCertificate",
        "source: NotPartial",
        "returned non-2xx status code: 503 ",
        "status: 503,",
    ],
)
def test_a_key_cannot_pass_for_the_cause_of_a_failure(
    served: HttpServer, transfer: Transfer, key: str
) -> None:
    with pytest.raises(ObjectNotFoundError):
        read(transfer, pin(key))
    assert len(served.requests) == 1


def test_an_adapter_may_read_a_refusal_first(served: HttpServer) -> None:
    asked: list[Refusal] = []

    def refine(refusal: Refusal) -> StoreError | None:
        asked.append(refusal)
        return StoreError("mine", uri="x") if refusal.code == "Mine" else None

    client = s3_client(
        bucket="bucket", endpoint=served.endpoint, region="x", path_style=True, keys=None
    )
    transfer = Transfer(lambda: client, refine=refine)
    served.put("/bucket/a", BODY, faults=[s3_error(403, "Mine", times=1)])
    with pytest.raises(StoreError, match="mine"):
        read(transfer, pin(version=VERSION))
    assert (asked[0].status, asked[0].code) == (403, "Mine")
    assert asked[0].pin.version == VERSION
    served.put("/bucket/a", BODY, faults=[s3_error(403, "Other", times=1)])
    with pytest.raises(AccessDeniedError):
        read(transfer, pin())


@pytest.mark.parametrize(
    ("key", "addressable"),
    [
        ("a", True),
        ("a/b.c/d", True),
        ("..a/...", True),
        (".a/b.", True),
        ("a b#?%20+~\\:é", True),
        ("", False),
        ("/a", False),
        ("a/", False),
        ("a//b", False),
        (".", False),
        ("..", False),
        ("./a", False),
        ("a/..", False),
        ("a/../b", False),
        ("a\x01", False),
        ("a\tb", False),
        ("a\n", False),
        ("a\x7f", False),
    ],
)
def test_what_obstore_cannot_name_is_known(
    served: HttpServer, transfer: Transfer, key: str, *, addressable: bool
) -> None:
    assert is_addressable(key) == addressable
    with pytest.raises(StoreError) as caught:
        read(transfer, pin(key, size=3))
    if addressable and key != "a":
        assert isinstance(caught.value, ObjectNotFoundError)
    assert len(served.requests) == addressable


def test_a_small_body_comes_in_one_piece_and_a_large_one_in_large_pieces(
    served: HttpServer, transfer: Transfer
) -> None:
    large = BODY * 120
    assert len(large) > WHOLE_SIZE
    served.put("/bucket/a", large)
    sizes = [memoryview(c).nbytes for c in transfer.read(pin(size=len(large)))]
    assert sum(sizes) == len(large)
    assert len(sizes) > 1
    assert min(sizes[:-1]) >= CHUNK_SIZE
    served.put("/bucket/a", BODY)
    assert len(list(transfer.read(pin()))) == 1
    served.put("/bucket/a", b"")
    assert list(transfer.read(pin(size=0))) == []


def test_keys_sign_requests_and_are_asked_for_once(served: HttpServer) -> None:
    calls: list[int] = []

    def keys() -> Keys:
        calls.append(1)
        return Keys(access="AKIDEXAMPLE", secret="not one", token="session")  # noqa: S106 - made up

    client = s3_client(
        bucket="bucket",
        endpoint=f"{served.endpoint}/bucket",
        region="eu-west-1",
        path_style=False,
        keys=keys,
        requester_pays=True,
    )
    transfer = Transfer(lambda: client)
    threads = [threading.Thread(target=read, args=(transfer, pin())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    for request in served.requests:
        assert "AKIDEXAMPLE" in (request.header("Authorization") or "")
        assert "/eu-west-1/s3/" in (request.header("Authorization") or "")
        assert request.header("x-amz-security-token") == "session"
        assert request.header("x-amz-request-payer") == "requester"


def test_keys_that_cannot_be_had_deny_access(served: HttpServer) -> None:
    def keys() -> Keys:
        message = "the oracle is silent"
        raise RuntimeError(message)

    client = s3_client(
        bucket="bucket", endpoint=served.endpoint, region="x", path_style=True, keys=keys
    )
    with pytest.raises(AccessDeniedError, match="the oracle is silent"):
        read(Transfer(lambda: client), pin())
    assert served.requests == ()


@pytest.fixture
def _foreign_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_S3_EXPRESS": "true",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_REQUEST_PAYER": "true",
        "AWS_ALLOW_INVALID_CERTIFICATES": "true",
        "AWS_ACCESS_KEY_ID": "foreign",
        "AWS_SECRET_ACCESS_KEY": "foreign",
        "AWS_SESSION_TOKEN": "foreign",
        "AWS_REGION": "foreign",
        "GOOGLE_SKIP_SIGNATURE": "true",
        "GOOGLE_BASE_URL": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, text)


@pytest.mark.usefixtures("_foreign_environment")
def test_5_6_the_environment_changes_nothing(served: HttpServer) -> None:
    def mine() -> Keys:
        return Keys(access="mine", secret="s", token=None)  # noqa: S106 - made up

    def client(*, signed: bool) -> Transfer:
        return Transfer(
            lambda: s3_client(
                bucket="bucket",
                endpoint=served.endpoint,
                region="mine",
                path_style=True,
                keys=mine if signed else None,
            )
        )

    assert read(client(signed=True), pin()) == BODY
    assert read(client(signed=False), pin()) == BODY
    signed, anonymous = served.requests
    assert "Credential=mine/" in (signed.header("Authorization") or "")
    assert "/mine/s3/" in (signed.header("Authorization") or "")
    assert anonymous.header("Authorization") is None
    for request in served.requests:
        assert request.header("x-amz-request-payer") is None
        assert "foreign" not in str(request.headers)


@pytest.mark.usefixtures("_foreign_environment")
def test_gcs_is_read_by_generation_and_never_inflated(served: HttpServer) -> None:
    headers = {
        "x-goog-generation": "7",
        "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",  # the client insists on it
    }
    served.put("/bucket/a", BODY, etag='"e"', headers=headers)
    signed = gcs_client(
        bucket="bucket",
        endpoint=served.endpoint,
        token=lambda: ("bearer", None),
        headers={"x-goog-user-project": "payer"},
    )
    anonymous = gcs_client(bucket="bucket", endpoint=served.endpoint, token=None)
    seven = pin(version=VersionId("7"))
    assert read(Transfer(lambda: signed), seven) == BODY
    assert read(Transfer(lambda: anonymous), seven) == BODY
    first, second = served.requests
    assert first.header("Authorization") == "Bearer bearer"
    assert first.header("x-goog-user-project") == "payer"
    assert second.header("Authorization") is None
    for request in served.requests:
        assert request.query == "generation=7"
        assert request.header("Accept-Encoding") == "gzip"
    with pytest.raises(ObjectChangedError):
        read(Transfer(lambda: anonymous), pin(version=VersionId("8")))


def test_etags_are_compared_without_quotes_and_weakness() -> None:
    assert unquoted('"a"') == "a"
    assert unquoted('W/"a"') == "W/a"
    assert unquoted("a") == "a"
    assert is_same_etag('W/"a"', "a")
    assert not is_same_etag('"a"', "b")


def test_only_our_errors_leave(served: HttpServer, transfer: Transfer) -> None:
    for status in range(300, 600, 7):
        served.put("/bucket/a", BODY, faults=[Fault(kind="status", status=status)])
        with pytest.raises((StoreError, PolicyError)):
            read(transfer, pin(etag="e"))
