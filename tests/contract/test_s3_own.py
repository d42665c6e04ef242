"""What is S3's own, on SeaweedFS: versions, permissions, regions, broken listings."""

import re
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from artlock.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    KeysExpiredError,
    ObjectArchivedError,
    ObjectChangedError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
)
from artlock.model.digest import Checksum, ChecksumAlgorithm, Digest, DigestAlgorithm
from artlock.model.manifest import Access
from artlock.model.objects import Protection, VersionId
from artlock.model.retention import Phase, Retention, Rule, Versioning
from artlock.model.uri import Uri
from artlock.stores.base import Pin, Span, StoreContext, TellsEtag
from artlock.stores.retry import Retrying
from artlock.stores.s3 import S3Store
from testbed.faults import Fault, Matches, access_denied, s3_error, slow_down
from testbed.http_server import HttpServer
from testbed.seaweedfs import Identity, SeaweedFS
from testbed.wire import Recorded
from tests.conftest import ANONYMOUS, GETTER, STRANGER
from tests.contract.s3_place import S3Place
from tests.contract.store_contract import body_of, pin_of, reads_of

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import LifecycleRuleTypeDef


@pytest.fixture(scope="module")
def versioned(seaweedfs: SeaweedFS) -> str:
    name = f"own-{secrets.token_hex(4)}"
    seaweedfs.create_bucket(name, "Enabled")
    return name


@pytest.fixture(scope="module")
def plain(seaweedfs: SeaweedFS) -> str:
    name = f"own-plain-{secrets.token_hex(4)}"
    seaweedfs.create_bucket(name, None)
    return name


@pytest.fixture(scope="module")
def suspended(seaweedfs: SeaweedFS) -> str:
    name = f"own-suspended-{secrets.token_hex(4)}"
    seaweedfs.create_bucket(name, "Enabled")
    return name


@pytest.fixture
def place(seaweedfs: SeaweedFS, versioned: str, monkeypatch: pytest.MonkeyPatch) -> S3Place:
    return S3Place(server=seaweedfs, bucket=versioned, monkeypatch=monkeypatch)


@pytest.fixture
def plain_place(
    seaweedfs: SeaweedFS, plain: str, monkeypatch: pytest.MonkeyPatch
) -> S3Place:
    return S3Place(server=seaweedfs, bucket=plain, monkeypatch=monkeypatch)


def asks_for(text: str) -> Matches:
    return lambda method, _path, query: method == "GET" and text in query


VERSIONS = asks_for("versions")
PLAIN = asks_for("list-type=2")
VERSIONING = asks_for("versioning")


def is_head(method: str, path: str, query: str) -> bool:
    del path, query
    return method == "HEAD"


def asked(place: S3Place, matches: Matches) -> int:
    def predicate(request: Recorded) -> bool:
        return matches(request.method, request.path, request.query)

    assert place.forwarder is not None
    return place.forwarder.count(predicate)


def keys(place: S3Place, store: S3Store) -> dict[str, int | None]:
    return {
        info.uri.key.removeprefix(place.root.key): info.size
        for info in store.scan(place.root)
    }


def fill(place: S3Place, count: int) -> dict[str, int]:
    wanted = {f"{number:03}": number % 5 for number in range(count)}
    for name, size in wanted.items():
        place.put(name, b"x" * size)
    return wanted


# -- versions ------------------------------------------------------------------------------


@pytest.mark.parametrize("page_size", [1, 2, 3, 7])
def test_1_10_versions_over_pages_give_the_latest(place: S3Place, page_size: int) -> None:
    place.page_size = page_size
    for size in (1, 2, 3):
        for name in ("a", "b", "c/d", "deleted"):
            place.put(name, b"x" * size)
    place.delete("deleted")
    with place.open() as store:
        assert keys(place, store) == {"a": 3, "b": 3, "c/d": 3}


def test_1_8_a_listing_costs_one_request_for_a_page_and_two_more(place: S3Place) -> None:
    place.page_size = 10
    place.cross_check = False
    wanted = fill(place, 35)
    with place.open() as store:
        assert keys(place, store) == wanted
    assert place.forwarder is not None
    assert asked(place, VERSIONS) == 4
    assert place.forwarder.count() == 5


def test_1_13_a_null_version_is_none(
    seaweedfs: SeaweedFS, suspended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = S3Place(server=seaweedfs, bucket=suspended, monkeypatch=monkeypatch)
    place.put("old", b"one")
    place.client.put_bucket_versioning(
        Bucket=suspended, VersioningConfiguration={"Status": "Suspended"}
    )
    place.put("new", b"one")
    with place.open() as store:
        found = {info.uri: info for info in store.scan(place.root)}
        assert found[place.uri("old")].version is not None
        locked = found[place.uri("new")]
        assert locked.version is None
        assert store.head(place.uri("new")).version is None
        place.put("new", b"two")
        with pytest.raises(ObjectChangedError):
            body_of(store, pin_of(locked))
        assert body_of(store, pin_of(found[place.uri("old")])) == b"one"


def test_1_12_what_became_of_an_object_is_told(place: S3Place) -> None:
    place.put("a", b"one")
    with place.open() as store:
        first = store.head(place.uri("a"))
        place.put("a", b"two")
        second = store.head(place.uri("a"))
        assert first.version is not None
        place.client.delete_object(
            Bucket=place.bucket, Key=first.uri.key, VersionId=first.version
        )
        with pytest.raises(ObjectNotFoundError, match=f"`{second.version}`"):
            body_of(store, pin_of(first))


def test_1_12_a_deletion_is_told(place: S3Place) -> None:
    place.put("a", b"one")
    marked = Fault(
        kind="status",
        status=404,
        headers={"x-amz-delete-marker": "true"},
        matches=lambda method, path, _query: method == "HEAD" and path.endswith("/a"),
    )
    with (
        place.open(s3_error(404, "NoSuchKey", matches=reads_of("a")), marked) as store,
        pytest.raises(ObjectNotFoundError, match="deleted at its source"),
    ):
        body_of(store, Pin(uri=place.uri("a"), size=3))


def test_1_12_the_version_of_a_delete_marker_is_not_found(place: S3Place) -> None:
    place.put("a", b"one")
    fault = s3_error(405, "MethodNotAllowed")
    pin = Pin(uri=place.uri("a"), size=3, version=VersionId("marker"))
    with place.open(fault) as store:
        with pytest.raises(ObjectNotFoundError, match="delete marker"):
            body_of(store, pin)
        with pytest.raises(ObjectNotFoundError, match="delete marker"):
            store.head(pin.uri, pin.version)


def test_as_of_goes_back(place: S3Place) -> None:
    # The server keeps times in seconds, so that they are set here.
    place.put("a", b"1")
    place.put("a", b"22")
    place.put("gone", b"1")
    place.delete("gone")
    place.put("late", b"1")
    base = datetime(2026, 1, 1, tzinfo=UTC)
    order = {"late": [9], "gone": [6, 3], "a": [5, 2]}

    def dated(body: bytes) -> bytes:
        left = {name: list(seconds) for name, seconds in order.items()}

        def stamp(found: re.Match[bytes]) -> bytes:
            name = found[1].decode().rpartition("/")[2]
            moment = base + timedelta(seconds=left[name].pop(0))
            text = moment.isoformat().replace("+00:00", "Z").encode()
            return found[0].replace(found[2], text)

        pattern = rb"<Key>([^<]*)</Key>.*?<LastModified>([^<]*)<"
        return re.sub(pattern, stamp, body, flags=re.DOTALL)

    fault = Fault(kind="rewrite", rewrite=dated, matches=VERSIONS)
    with place.open(fault) as store:

        def at(second: int) -> dict[str, int | None]:
            moment = base + timedelta(seconds=second)
            found = list(store.scan(place.root, as_of=moment))
            assert all(info.modified and info.modified <= moment for info in found)
            return {info.uri.file_name: info.size for info in found}

        assert at(1) == {}
        assert at(2) == {"a": 1}
        assert at(3) == {"a": 1, "gone": 1}
        assert at(5) == {"a": 2, "gone": 1}
        assert at(6) == {"a": 2}
        assert at(9) == {"a": 2, "late": 1}


def test_as_of_needs_versions(plain_place: S3Place) -> None:
    plain_place.put("a", b"1")
    with plain_place.open() as store, pytest.raises(StoreError, match="no versions"):
        list(store.scan(plain_place.root, as_of=datetime.now(UTC)))


def test_1_9_a_listing_of_mostly_history_asks_each_live_object(place: S3Place) -> None:
    for _ in range(120):
        place.put("a", b"old")
    place.put("b", b"b")
    place.put("z", b"z")
    place.page_size = 13
    with place.open() as store:
        found = {info.uri: info for info in store.scan(place.root)}
        assert found == {
            place.uri(name): store.head(place.uri(name)) for name in ("a", "b", "z")
        }
    assert any("old ones" in text for text in place.notices)
    assert asked(place, VERSIONS) == 8


# -- permissions ---------------------------------------------------------------------------


def test_1_14_without_the_versions_each_object_is_asked(place: S3Place) -> None:
    wanted = fill(place, 7)
    with place.open(access_denied(matches=VERSIONS)) as store:
        assert keys(place, store) == wanted
        assert all(info.version for info in store.scan(place.root))
    assert any("s3:ListBucketVersions" in text for text in place.notices)


def test_1_14_without_heads_either_rows_have_no_versions(place: S3Place) -> None:
    wanted = fill(place, 3)
    with place.open(
        access_denied(matches=VERSIONS),
        access_denied(matches=is_head),
        *(access_denied(matches=reads_of(name)) for name in wanted),
    ) as store:
        found = list(store.scan(place.root))
        assert {i.uri.file_name: i.size for i in found} == wanted
        assert all(info.version is None and info.tokens.etag for info in found)
    assert any("s3:GetObject" in text for text in place.notices)


def test_1_14_without_the_versions_as_of_is_denied(place: S3Place) -> None:
    place.put("a", b"1")
    with (
        place.open(access_denied(matches=VERSIONS)) as store,
        pytest.raises(AccessDeniedError) as caught,
    ):
        list(store.scan(place.root, as_of=datetime.now(UTC)))
    assert "s3:ListBucketVersions" in (caught.value.hint or "")


def test_1_14_versioning_that_may_not_be_asked_is_found_out(place: S3Place) -> None:
    place.put("a", b"1")
    with place.open(access_denied(matches=VERSIONING)) as store:
        (info,) = store.scan(place.root)
    assert info.version is not None


def test_1_14_a_version_that_may_not_be_read_is_read_as_the_current_state(
    place: S3Place,
) -> None:
    place.put("a", b"one")
    with place.open(access_denied(matches=asks_for("versionId"))) as store:
        pin = pin_of(store.head(place.uri("a")))
        assert body_of(store, pin) == b"one"
        assert body_of(store, pin, Span(1, 1)) == b"n"
        # The first refusal is remembered.
        assert asked(place, asks_for("versionId")) == 1
        place.put("a", b"two")
        with pytest.raises(ObjectChangedError):
            body_of(store, pin)


def test_1_14_a_denied_version_that_is_not_the_current_state_stays_denied(
    place: S3Place,
) -> None:
    place.put("a", b"one")
    with place.open(access_denied(matches=asks_for("versionId"))) as store:
        pin = pin_of(store.head(place.uri("a")))
        place.put("a", b"two")
        with pytest.raises(AccessDeniedError) as caught:
            body_of(store, pin)
    assert "s3:GetObjectVersion" in (caught.value.hint or "")


def test_1_14_a_version_without_an_etag_is_not_read_otherwise(place: S3Place) -> None:
    place.put("a", b"one")
    with place.open(access_denied(matches=asks_for("versionId"))) as store:
        version = store.head(place.uri("a")).version
        with pytest.raises(AccessDeniedError):
            body_of(store, Pin(uri=place.uri("a"), size=3, version=version))


@pytest.mark.parametrize("who", [GETTER, STRANGER], ids=lambda who: who.name)
def test_4_9_a_listing_that_is_refused_names_the_permission(
    place: S3Place, who: Identity
) -> None:
    place.who = who
    with place.open() as store, pytest.raises(AccessDeniedError) as caught:
        list(store.scan(place.root))
    assert "s3:ListBucket" in (caught.value.hint or "")


def test_4_9_a_refusal_says_both_readings(place: S3Place) -> None:
    place.who = STRANGER
    place.put("a", b"1")
    with place.open() as store:
        for deed in (
            lambda: store.head(place.uri("a")),
            lambda: body_of(store, Pin(uri=place.uri("a"), size=1)),
        ):
            with pytest.raises(AccessDeniedError, match="no such object") as caught:
                deed()
            assert "s3:GetObject" in (caught.value.hint or "")


def test_4_10_the_reason_of_a_refused_head_is_asked_for(place: S3Place) -> None:
    place.put("a", b"12")
    expired = s3_error(400, "ExpiredToken", matches=reads_of("a"))
    with (
        place.open(Fault(kind="status", status=400, matches=is_head), expired) as store,
        pytest.raises(AccessDeniedError, match="expired"),
    ):
        store.head(place.uri("a"))


def test_4_10_where_heads_are_refused_a_read_of_a_byte_describes(place: S3Place) -> None:
    place.put("a", b"12")
    with place.open() as store:
        wanted = store.head(place.uri("a"))
    with place.open(Fault(kind="status", status=403, matches=is_head)) as store:
        assert store.head(place.uri("a")) == wanted


@pytest.mark.parametrize(
    ("code", "status", "text"),
    [
        ("ExpiredToken", 400, "expired"),
        ("InvalidAccessKeyId", 403, "access key"),
        ("SignatureDoesNotMatch", 403, "secret key"),
        ("RequestTimeTooSkewed", 403, "clock"),
        ("InvalidToken", 400, "session token"),
    ],
)
def test_4_8_keys_that_are_refused_are_told_from_permissions(
    place: S3Place, code: str, status: int, text: str
) -> None:
    with place.open(s3_error(status, code)) as store:
        with pytest.raises(AccessDeniedError, match=text) as caught:
            list(store.scan(place.root))
        assert caught.value.hint
        with pytest.raises(AccessDeniedError, match=text):
            body_of(
                store, Pin(uri=place.uri("a"), size=1, etag="e", version=VersionId("v"))
            )


def test_4_8_keys_that_expire_in_the_middle_are_looked_for_again(
    place: S3Place, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"

    def sign_in(secret: str) -> None:
        file.write_text(
            "[default]\n"
            f"aws_access_key_id = {place.server.admin.access_key}\n"
            f"aws_secret_access_key = {secret}\n"
        )

    place.put("a", b"1")
    expired = s3_error(400, "ExpiredToken", matches=is_read)
    with place.open() as store:
        # Not from the environment of this process, which nobody else can change.
        place.monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        place.monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        place.monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        sign_in(place.server.admin.secret_key)
        (info,) = store.scan(place.root)
        assert body_of(store, pin_of(info)) == b"1"
        assert place.forwarder is not None
        # They have ended, and nobody has signed in again.
        place.forwarder.inject(expired)
        with pytest.raises(KeysExpiredError, match="the credentials have expired"):
            body_of(store, pin_of(info))

    with place.open() as store:
        place.monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        place.monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        sign_in("of yesterday")
        wanted = pin_of(info)
        assert place.forwarder is not None
        # The old ones are refused, and a person signs in again just then.
        place.forwarder.inject(
            Fault(
                kind="before",
                action=lambda: sign_in(place.server.admin.secret_key),
                times=1,
            ),
            replace(expired, times=1),
        )
        assert body_of(store, wanted) == b"1"
        assert body_of(store, wanted) == b"1"
        assert len(place.forwarder.requests) == 3


def is_read(method: str, _path: str, query: str) -> bool:
    return method == "GET" and "versions" not in query and "list-type" not in query


def test_without_credentials_nothing_is_sent(place: S3Place) -> None:
    with place.open() as store:
        place.monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        place.monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        store.scan(place.root)  # errors rise while it is iterated
        store.read(Pin(uri=place.uri("a"), size=1))
        for deed in (
            lambda: list(store.scan(place.root)),
            lambda: [store.head(place.uri("a"))],
            lambda: [body_of(store, Pin(uri=place.uri("a"), size=1))],
        ):
            with pytest.raises(AccessDeniedError, match="no AWS credentials") as caught:
                deed()
            assert "AWS_PROFILE" in (caught.value.hint or "")
            assert "anonymous = true" in (caught.value.hint or "")
    assert place.forwarder is not None
    assert place.forwarder.requests == ()


def test_a_profile_that_does_not_exist_is_named(place: S3Place) -> None:
    place.access = Access(profile="nobody")
    with place.open() as store, pytest.raises(AccessDeniedError, match="nobody"):
        store.head(place.uri("a"))


def test_1_23_anonymous_reads_send_no_credentials(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = S3Place(
        server=seaweedfs,
        bucket="public",
        monkeypatch=monkeypatch,
        access=Access(anonymous=True),
    )
    place.put("a", b"one")
    with place.open() as store:
        (info,) = store.scan(place.root)
        assert store.head(place.uri("a")).size == 3
        assert body_of(store, pin_of(info)) == b"one"
    assert place.forwarder is not None
    requests = place.forwarder.requests
    assert len(requests) >= 4
    assert all(request.header("Authorization") is None for request in requests)


def test_1_22_requester_pays_on_every_list_head_and_read(place: S3Place) -> None:
    place.access = Access(requester_pays=True)
    place.put("a", b"one")
    place.put("d/", b"")
    with place.open() as store:
        for info in store.scan(place.root):
            store.head(info.uri)
            body_of(store, pin_of(info))
    assert place.forwarder is not None
    for request in place.forwarder.requests:
        if "versioning" not in request.query:
            assert request.header("x-amz-request-payer") == "requester"


def test_a_role_is_assumed_once_and_signs_everything(place: S3Place) -> None:
    who = place.server.admin
    answer = (
        "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
        f"<AccessKeyId>{who.access_key}</AccessKeyId>"
        f"<SecretAccessKey>{who.secret_key}</SecretAccessKey>"
        "<SessionToken></SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    place.put("a", b"one")
    place.access = Access(role_arn="arn:aws:iam::123456789012:role/reader", region="x-1")
    sts = Fault(
        kind="status",
        status=200,
        headers={"Content-Type": "text/xml"},
        body=answer.encode(),
        matches=lambda method, _path, _query: method == "POST",
    )
    with place.open(sts) as store:
        assert place.forwarder is not None
        place.monkeypatch.setenv("AWS_ENDPOINT_URL_STS", place.forwarder.endpoint)
        place.monkeypatch.setenv("AWS_ACCESS_KEY_ID", "source")
        place.monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "source")
        (info,) = store.scan(place.root)
        assert body_of(store, pin_of(info)) == b"one"
        requests = place.forwarder.requests
    assert [request.method for request in requests].count("POST") == 1
    for request in requests:
        signer = "source" if request.method == "POST" else who.access_key
        assert f"Credential={signer}/" in (request.header("Authorization") or "")


def test_a_role_that_is_refused_denies_access(place: S3Place) -> None:
    place.access = Access(role_arn="arn:aws:iam::123456789012:role/reader")
    refusal = access_denied(matches=lambda method, _path, _query: method == "POST")
    with place.open(refusal) as store:
        assert place.forwarder is not None
        place.monkeypatch.setenv("AWS_ENDPOINT_URL_STS", place.forwarder.endpoint)
        with pytest.raises(AccessDeniedError):
            store.head(place.uri("a"))
        with pytest.raises(AccessDeniedError):
            body_of(store, Pin(uri=place.uri("a"), size=1))


# -- listings that are not to be believed --------------------------------------------------


def rewriting(matches: Matches, change: Callable[[bytes], bytes]) -> Fault:
    return Fault(kind="rewrite", rewrite=change, matches=matches)


def without_first(tag: bytes) -> Callable[[bytes], bytes]:
    pattern = rb"<%s>.*?</%s>" % (tag, tag)
    return lambda body: re.sub(pattern, b"", body, count=1, flags=re.DOTALL)


def shuffled(body: bytes) -> bytes:
    rows = re.findall(rb"<Version>.*?</Version>", body, flags=re.DOTALL)
    rest = re.sub(rb"<Version>.*?</Version>", b"", body, flags=re.DOTALL)
    end = b"</ListVersionsResult>"
    return rest.replace(end, b"".join(reversed(rows)) + end)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(rewriting(VERSIONS, without_first(b"Version")), id="a key is lost"),
        pytest.param(rewriting(PLAIN, without_first(b"Contents")), id="a key is extra"),
        pytest.param(
            rewriting(VERSIONS, lambda body: body.replace(b"IsTruncated", b"Truncated")),
            id="IsTruncated is missing",
        ),
        pytest.param(
            rewriting(VERSIONS, lambda body: body.replace(b">true</IsL", b">false</IsL")),
            id="nothing is the latest",
        ),
        pytest.param(
            rewriting(VERSIONS, lambda body: body.replace(b"<Key>tree", b"<Key>other")),
            id="another prefix",
        ),
        pytest.param(
            rewriting(VERSIONS, lambda _body: b"<html><body>Welcome</body></html>"),
            id="a captive portal",
        ),
        pytest.param(
            rewriting(VERSIONS, lambda body: b"<!DOCTYPE x>" + body.partition(b"?>")[2]),
            id="a DTD",
        ),
        pytest.param(
            rewriting(
                VERSIONS,
                lambda body: re.sub(
                    rb"<Next(Key|VersionId)Marker>[^<]*</Next\1Marker>", b"", body
                ),
            ),
            id="no successor",
        ),
        pytest.param(
            rewriting(
                VERSIONS,
                lambda body: re.sub(rb"(IsTruncated>)false", rb"\1true", body).replace(
                    b"<MaxKeys>",
                    b"<NextKeyMarker>k</NextKeyMarker>"
                    b"<NextVersionIdMarker>v</NextVersionIdMarker><MaxKeys>",
                ),
            ),
            id="circles",
        ),
    ],
)
def test_1_11_a_listing_that_is_wrong_is_not_believed(place: S3Place, fault: Fault) -> None:
    fill(place, 9)
    place.page_size = 4
    with (
        place.open(fault) as store,
        pytest.raises(
            StoreError, match=r"not to be believed|not that of a store"
        ) as caught,
    ):
        list(store.scan(place.root))
    assert type(caught.value) is StoreError
    assert place.forwarder is not None
    assert place.forwarder.count() < 20


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(rewriting(VERSIONS, lambda body: body[:-20]), id="cut"),
        pytest.param(
            rewriting(
                VERSIONS,
                lambda _body: (
                    b"<?xml version='1.0'?><Error><Code>InternalError</Code>"
                    b"<Message>m</Message></Error>"
                ),
            ),
            id="an error with status 200",
        ),
    ],
)
def test_4_11_a_listing_that_is_no_answer_is_unavailable(
    place: S3Place, fault: Fault
) -> None:
    place.put("a", b"1")
    with place.open(fault) as store, pytest.raises(StoreUnavailableError):
        list(store.scan(place.root))


def test_4_11_an_error_with_status_200_is_asked_again(place: S3Place) -> None:
    wanted = fill(place, 2)
    place.attempts = 2
    body = b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>"
    fault = Fault(kind="rewrite", rewrite=lambda _body: body, matches=VERSIONS, times=1)
    with place.open(fault) as store:
        assert keys(place, store) == wanted


def test_1_19_a_shuffled_listing_is_the_same_listing(place: S3Place) -> None:
    wanted = fill(place, 9)
    with place.open(rewriting(VERSIONS, shuffled)) as store:
        assert keys(place, store) == wanted


def test_1_11_the_cross_check_can_be_left_out(place: S3Place) -> None:
    place.put("a", b"1")
    place.cross_check = False
    with place.open() as store:
        assert keys(place, store) == {"a": 1}
    assert asked(place, PLAIN) == 0


def test_a_scan_that_is_given_up_leaves_no_thread(place: S3Place) -> None:
    fill(place, 30)
    place.page_size = 2
    slow = Fault(kind="stall", seconds=0.1, matches=PLAIN)
    with place.open(slow) as store:
        scan = store.scan(place.root)
        next(scan)
        scan.close()  # type: ignore[attr-defined] # a generator
        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if name.startswith("ThreadPool")]
    assert asked(place, PLAIN) < 10


# -- throttling ----------------------------------------------------------------------------


def test_4_1_a_storm_passes(place: S3Place) -> None:
    place.put("a", b"one")
    place.attempts = 3
    with place.open() as store:
        pin = pin_of(store.head(place.uri("a")))
    with place.open(
        slow_down(matches=VERSIONS, times=2), slow_down(matches=reads_of("a"), times=3)
    ) as store:
        assert keys(place, store) == {"a": 3}
        outer = Retrying(store, jitter=lambda _low, _high: 0.0)
        assert body_of(outer, pin) == b"one"
    assert isinstance(store, TellsEtag)


def test_4_1_a_storm_that_stays_is_unavailable(place: S3Place) -> None:
    place.attempts = 2
    with place.open(slow_down()) as store:
        with pytest.raises(StoreUnavailableError):
            list(store.scan(place.root))
        with pytest.raises(StoreUnavailableError):
            store.head(place.uri("a"))


def test_4_4_a_read_that_is_cut_goes_on(place: S3Place) -> None:
    body = secrets.token_bytes(12 << 20)
    place.put("big.bin", body)
    with place.open(
        Fault(kind="truncate", after=5 << 20, matches=reads_of("big.bin"), times=2),
        Fault(kind="reset", after=1 << 20, matches=reads_of("big.bin"), times=1),
    ) as store:
        pin = pin_of(store.head(place.uri("big.bin")))
        outer = Retrying(store, jitter=lambda _low, _high: 0.0)
        assert body_of(outer, pin) == body
    assert asked(place, reads_of("big.bin")) == 4


# -- what heads tell -----------------------------------------------------------------------


def test_1_4_checksums_of_the_whole_object_become_tokens(place: S3Place) -> None:
    for name in ("CRC64NVME", "CRC32C", "SHA256", "CRC32"):
        place.client.put_object(
            Bucket=place.bucket,
            Key=f"{place.tree}{name}",
            Body=b"hello",
            ChecksumAlgorithm=name,
        )
    with place.open() as store:
        found = {
            name: store.head(place.uri(name)).tokens
            for name in ("CRC64NVME", "CRC32C", "SHA256", "CRC32")
        }
    crc64 = Checksum(ChecksumAlgorithm.CRC64NVME, "33778570065242" + "57")
    assert found["CRC64NVME"].checksums == (crc64,)
    assert found["CRC32C"].checksums == (Checksum(ChecksumAlgorithm.CRC32C, "9a71bb4c"),)
    sha = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert found["SHA256"].digests == (Digest(DigestAlgorithm.SHA256, sha),)
    assert not found["CRC32"].checksums
    assert not found["CRC32"].digests
    assert all(tokens.etag for tokens in found.values())


def test_1_4_a_checksum_of_parts_is_no_token(place: S3Place) -> None:
    key = f"{place.tree}parts"
    upload = place.client.create_multipart_upload(
        Bucket=place.bucket, Key=key, ChecksumAlgorithm="SHA256"
    )["UploadId"]
    part = place.client.upload_part(
        Bucket=place.bucket,
        Key=key,
        UploadId=upload,
        PartNumber=1,
        Body=b"x" * 100,
        ChecksumAlgorithm="SHA256",
    )
    place.client.complete_multipart_upload(
        Bucket=place.bucket,
        Key=key,
        UploadId=upload,
        MultipartUpload={
            "Parts": [
                {
                    "PartNumber": 1,
                    "ETag": part["ETag"],
                    "ChecksumSHA256": part["ChecksumSHA256"],
                }
            ]
        },
    )
    with place.open() as store:
        info = store.head(place.uri("parts"))
        assert not info.tokens.digests
        assert not info.tokens.checksums
        assert (info.tokens.etag or "").endswith("-1")
        assert info.tokens.etag_like_md5 is None
        assert body_of(store, pin_of(info)) == b"x" * 100


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"])
def test_1_17_archived_objects_are_told(place: S3Place, storage_class: str) -> None:
    place.put("a", b"1")
    archived = None if storage_class == "GLACIER_IR" else storage_class
    with place.open(
        rewriting(
            VERSIONS,
            lambda body: body.replace(b"STANDARD", storage_class.encode()),
        ),
        Fault(
            kind="headers", headers={"x-amz-storage-class": storage_class}, matches=is_head
        ),
        s3_error(403, "InvalidObjectState", matches=reads_of("a")),
    ) as store:
        (info,) = store.scan(place.root)
        assert info.archived == archived
        assert store.head(place.uri("a")).archived == archived
        with pytest.raises(ObjectArchivedError):
            body_of(store, pin_of(info))


def test_1_17_a_restored_object_is_not_archived(place: S3Place) -> None:
    place.put("a", b"1")
    headers = {"x-amz-storage-class": "GLACIER", "x-amz-restore": 'ongoing-request="false"'}
    with place.open(Fault(kind="headers", headers=headers, matches=is_head)) as store:
        assert store.head(place.uri("a")).archived is None


def test_1_18_an_archive_tier_is_told(place: S3Place) -> None:
    place.put("a", b"1")
    headers = {
        "x-amz-storage-class": "INTELLIGENT_TIERING",
        "x-amz-archive-status": "ARCHIVE_ACCESS",
    }
    with place.open(Fault(kind="headers", headers=headers, matches=is_head)) as store:
        assert store.head(place.uri("a")).archived == "INTELLIGENT_TIERING ARCHIVE_ACCESS"


def test_an_encoding_is_told_and_bytes_come_as_they_are_stored(place: S3Place) -> None:
    place.client.put_object(
        Bucket=place.bucket,
        Key=f"{place.tree}a",
        Body=b"not really gzip",
        ContentEncoding="gzip",
    )
    with place.open() as store:
        info = store.head(place.uri("a"))
        assert info.encoding == "gzip"
        assert body_of(store, pin_of(info)) == b"not really gzip"


def test_1_1_whether_an_etag_is_an_md5_is_not_known_of_other_servers(
    place: S3Place,
) -> None:
    place.put("a", b"1")
    with place.open() as store:
        assert store.etag_is_md5(pin_of(store.head(place.uri("a")))) is None


# -- how long it is kept -------------------------------------------------------------------

EXPIRE_OLD: "LifecycleRuleTypeDef" = {
    "ID": "expire-old",
    "Status": "Enabled",
    "Filter": {"Prefix": "p/"},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 3},
}


@pytest.fixture(scope="module")
def locked(seaweedfs: SeaweedFS) -> str:
    name = f"own-locked-{secrets.token_hex(4)}"
    seaweedfs.create_bucket(name, None, locks=True)
    return name


@pytest.fixture
def locked_place(
    seaweedfs: SeaweedFS, locked: str, monkeypatch: pytest.MonkeyPatch
) -> S3Place:
    return S3Place(server=seaweedfs, bucket=locked, monkeypatch=monkeypatch)


LIFECYCLE = asks_for("lifecycle")
LOCK = asks_for("object-lock")


def test_1_15_a_bucket_without_rules_has_none(place: S3Place, plain_place: S3Place) -> None:
    with place.open() as store:
        assert store.retention(place.root) == Retention(versioning=Versioning.ON)
    assert place.forwarder is not None
    assert place.forwarder.count() == 3
    with plain_place.open() as store:
        assert store.retention(plain_place.root) == Retention(versioning=Versioning.OFF)


def test_1_15_the_rules_of_a_bucket_are_told(
    seaweedfs: SeaweedFS, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = S3Place(server=seaweedfs, bucket=s3_bucket, monkeypatch=monkeypatch)
    place.client.put_bucket_lifecycle_configuration(
        Bucket=s3_bucket, LifecycleConfiguration={"Rules": [EXPIRE_OLD]}
    )
    with place.open() as store:
        found = store.retention(place.root)
    assert found.rules == (
        Rule(
            name="expire-old",
            phase=Phase.NONCURRENT,
            prefixes=("p/",),
            days_replaced=30,
            newer=4,
        ),
    )
    assert not found.unread


def test_1_13_suspended_versioning_is_told(
    seaweedfs: SeaweedFS, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = S3Place(server=seaweedfs, bucket=s3_bucket, monkeypatch=monkeypatch)
    place.client.put_bucket_versioning(
        Bucket=s3_bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    with place.open() as store:
        assert store.retention(place.root).versioning is Versioning.SUSPENDED


@pytest.mark.parametrize(
    ("setting", "permission", "versioning"),
    [
        (VERSIONING, "s3:GetBucketVersioning", Versioning.UNKNOWN),
        (LIFECYCLE, "s3:GetLifecycleConfiguration", Versioning.ON),
        (LOCK, "s3:GetBucketObjectLockConfiguration", Versioning.ON),
    ],
)
def test_4_9_a_setting_that_may_not_be_read_names_its_permission(
    place: S3Place, setting: Matches, permission: str, versioning: Versioning
) -> None:
    with place.open(access_denied(matches=setting)) as store:
        found = store.retention(place.root)
    (unread,) = found.unread
    assert permission in unread.hint
    assert unread.only_protects == (setting is LOCK)
    assert found.versioning is versioning


def test_4_9_who_may_read_nothing_is_told_each_permission(
    place: S3Place, seaweedfs: SeaweedFS
) -> None:
    place.who = next(who for who in seaweedfs.identities if who.name == STRANGER.name)
    with place.open() as store:
        found = store.retention(place.root)
    assert len(found.unread) == 3
    assert found.versioning is Versioning.UNKNOWN


@pytest.mark.parametrize(
    ("status", "code"), [(501, "NotImplemented"), (405, "MethodNotAllowed")]
)
def test_a_server_that_does_not_know_a_setting_is_no_failure(
    place: S3Place, status: int, code: str
) -> None:
    unknown = s3_error(status, code, matches=LIFECYCLE)
    with place.open(unknown) as store:
        (unread,) = store.retention(place.root).unread
    assert "this server" in unread.hint


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (s3_error(404, "NoSuchBucket"), BucketNotFoundError),
        (slow_down(), StoreUnavailableError),
        (s3_error(403, "InvalidAccessKeyId"), AccessDeniedError),
        (s3_error(400, "Whatever"), StoreError),
    ],
)
def test_4_9_settings_that_cannot_be_read_are_an_error(
    place: S3Place, fault: Fault, error: type[StoreError]
) -> None:
    with place.open(fault) as store, pytest.raises(error):
        store.retention(place.root)


def test_a_rule_without_a_status_is_not_believed(place: S3Place) -> None:
    canned = Fault(
        kind="status",
        status=200,
        matches=LIFECYCLE,
        body=b"<LifecycleConfiguration><Rule><ID>x</ID></Rule></LifecycleConfiguration>",
    )
    with place.open(canned) as store, pytest.raises(StoreError) as caught:
        store.retention(place.root)
    assert "not to be believed" in caught.value.message


def test_1_19_a_directory_bucket_is_asked_for_its_rules_only(
    place: S3Place,
) -> None:
    uri = Uri("s3", "express--use1-az4--x-s3", "p/")
    with place.open(s3_error(404, "NoSuchLifecycleConfiguration")) as store:
        assert store.retention(uri) == Retention(versioning=Versioning.OFF)
    assert place.forwarder is not None
    assert place.forwarder.count() == 1


def test_1_16_object_lock_is_told_of_bucket_and_version(locked_place: S3Place) -> None:
    place = locked_place
    until = datetime(2090, 1, 1, tzinfo=UTC)
    for name in ("free", "kept", "held"):
        place.put(name, b"x")
    place.client.put_object_retention(
        Bucket=place.bucket,
        Key=f"{place.tree}kept",
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until},
    )
    place.client.put_object_legal_hold(
        Bucket=place.bucket, Key=f"{place.tree}held", LegalHold={"Status": "ON"}
    )
    with place.open() as store:
        assert store.retention(place.root).protects
        assert store.head(place.uri("free")).protection is None
        assert store.head(place.uri("kept")).protection == Protection(until=until)
        assert store.head(place.uri("held")).protection == Protection(is_held=True)


def test_1_16_a_lock_that_may_not_be_seen_is_no_promise(locked_place: S3Place) -> None:
    place = locked_place
    place.put("held", b"x")
    place.client.put_object_legal_hold(
        Bucket=place.bucket, Key=f"{place.tree}held", LegalHold={"Status": "ON"}
    )
    hidden = Fault(
        kind="headers",
        drop=(
            "x-amz-object-lock-mode",
            "x-amz-object-lock-retain-until-date",
            "x-amz-object-lock-legal-hold",
        ),
        matches=is_head,
    )
    with place.open(hidden) as store:
        assert store.head(place.uri("held")).protection is None


# -- keys that obstore cannot name ---------------------------------------------------------


# SeaweedFS keeps no bytes below such names, so a server of resources stands in.

UNNAMEABLE = ("d/", "/abs", "a//b", "x/../y", ".", "tab\tk")


@pytest.fixture
def odd(http_server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    context = StoreContext(access=Access(endpoint=http_server.endpoint))
    store = S3Store(Uri("s3", "bucket", ""), context, attempts=1)
    yield store
    store.close()


def odd_pin(key: str, *, size: int = 6, etag: str | None = "e") -> Pin:
    return Pin(uri=Uri("s3", "bucket", key), size=size, etag=etag)


@pytest.mark.parametrize("key", UNNAMEABLE)
def test_6e_a_key_that_obstore_cannot_name_is_read(
    http_server: HttpServer, odd: S3Store, key: str
) -> None:
    http_server.put(f"/bucket/{quote(key)}", b"marker", etag='"e"')
    http_server.put("/bucket/abs", b"another", etag='"e"')
    assert body_of(odd, odd_pin(key)) == b"marker"
    assert body_of(odd, odd_pin(key), Span(2, 3)) == b"rke"
    with pytest.raises(ObjectChangedError):
        body_of(odd, odd_pin(key, etag="other"))
    with pytest.raises(ObjectChangedError):
        body_of(odd, odd_pin(key, size=7))
    with pytest.raises(StoreError):
        body_of(odd, odd_pin(key), Span(5, 3))
    with pytest.raises(ObjectNotFoundError):
        body_of(odd, odd_pin(key + "/"))


def test_6e_such_a_read_is_conditional_and_compared(
    http_server: HttpServer, odd: S3Store
) -> None:
    http_server.put("/bucket/d/", b"marker", etag='"e"')
    body_of(odd, odd_pin("d/"))
    assert http_server.requests[-1].header("If-Match") == '"e"'
    fault = Fault(kind="headers", headers={"ETag": '"other"'})
    http_server.put("/bucket/d/", b"marker", etag='"e"', faults=[fault])
    with pytest.raises(ObjectChangedError):
        body_of(odd, odd_pin("d/"))


@pytest.mark.parametrize("kind", ["truncate", "reset", "nolen", "chunked"])
def test_6e_such_a_read_that_is_cut_is_unavailable(
    http_server: HttpServer, odd: S3Store, kind: str
) -> None:
    fault = Fault(kind=kind)  # type: ignore[arg-type] # one of Kind
    http_server.put("/bucket/d/", b"x" * 100_000, etag='"e"', faults=[fault])
    with pytest.raises(StoreUnavailableError):
        body_of(odd, odd_pin("d/", size=100_000))


def test_6e_such_a_read_is_refused_like_others(
    http_server: HttpServer, odd: S3Store
) -> None:
    http_server.put("/bucket/d/", b"x", faults=[access_denied()])
    pin = Pin(uri=Uri("s3", "bucket", "d/"), size=1, etag="e", version=VersionId("v"))
    with pytest.raises(AccessDeniedError):
        body_of(odd, pin)


# -- the rest ------------------------------------------------------------------------------


def test_a_missing_bucket_is_told_wherever(place: S3Place) -> None:
    with place.open() as store:
        with pytest.raises(BucketNotFoundError):
            body_of(store, Pin(uri=place.nowhere.child("a"), size=1))
        with pytest.raises(BucketNotFoundError):
            body_of(store, Pin(uri=place.nowhere.child("a/"), size=1))


def test_1_25_another_region_has_a_way_out(place: S3Place) -> None:
    with place.open(s3_error(301, "PermanentRedirect")) as store:
        for deed in (
            lambda: list(store.scan(place.root)),
            lambda: [body_of(store, Pin(uri=place.uri("a"), size=1))],
        ):
            with pytest.raises(StoreError) as caught:
                deed()
            assert "region" in (caught.value.hint or "")


def test_1_25_a_redirect_is_followed_once(place: S3Place) -> None:
    place.put("a", b"1")
    moved = s3_error(301, "PermanentRedirect", matches=VERSIONS, times=1)
    moved = Fault(
        kind="status",
        status=301,
        headers={"x-amz-bucket-region": "eu-west-1"},
        body=moved.body,
        matches=VERSIONS,
        times=1,
    )
    place.access = Access(region="us-east-1")
    with place.open(moved) as store:
        assert keys(place, store) == {"a": 1}


def test_the_identity_names_the_endpoint(place: S3Place) -> None:
    with place.open() as store:
        assert place.forwarder is not None
        assert store.identity == f"s3+{place.forwarder.endpoint}"


def test_the_identity_of_aws_is_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")

    def identity(region: str) -> str:
        context = StoreContext(access=Access(region=region))
        return S3Store(Uri("s3", "bucket", ""), context).identity

    assert identity("eu-west-1") == "s3"
    assert identity("cn-north-1") == "s3+aws-cn"


def test_the_anonymous_identity_of_this_server_may_not_list(place: S3Place) -> None:
    place.who = ANONYMOUS
    place.access = Access(anonymous=True)
    with place.open() as store, pytest.raises(AccessDeniedError):
        list(store.scan(place.root))
