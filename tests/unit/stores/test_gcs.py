"""What is Google's own: generations, encodings, listings, credentials, emulators."""

import base64
import gzip
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec.structs import replace

from artlock.errors import (
    AccessDeniedError,
    ArtlockError,
    BucketNotFoundError,
    ObjectNotFoundError,
    PolicyError,
    StoreError,
    StoreUnavailableError,
)
from artlock.model.digest import ChecksumAlgorithm
from artlock.model.manifest import Access
from artlock.model.objects import ObjectInfo, Protection, VersionId
from artlock.model.retention import Retention, Rule, Versioning
from artlock.model.tokens import Tokens
from artlock.model.uri import Uri
from artlock.model.verification import Verification
from artlock.stores.base import Pin, Span, StoreContext
from artlock.stores.gcs import GcsStore
from artlock.stores.retry import Retrying
from testbed.fake_gcs import FakeGCS
from testbed.faults import Fault
from testbed.http_server import HttpServer
from tests.contract.gcs_place import GcsPlace
from tests.contract.store_contract import body_of, pin_of, reads_of

LARGE = os.urandom(300_000)


@pytest.fixture
def place(fake_gcs: FakeGCS, gcs_bucket: str) -> GcsPlace:
    return GcsPlace(server=fake_gcs, client=fake_gcs.client(), bucket=gcs_bucket)


@pytest.fixture
def unversioned(fake_gcs: FakeGCS, gcs_bucket: str) -> GcsPlace:
    bucket = f"{gcs_bucket}-unversioned"
    fake_gcs.create_bucket(bucket, versioning=False)
    return GcsPlace(server=fake_gcs, client=fake_gcs.client(), bucket=bucket)


def is_listing(_method: str, path: str, _query: str) -> bool:
    return path.endswith("/o")


def is_json(_method: str, path: str, _query: str) -> bool:
    return path.startswith("/storage/")


def edited(edit: Callable[[dict[str, Any]], None]) -> Fault:
    """Change what the service describes."""

    def rewrite(body: bytes) -> bytes:
        document = json.loads(body)
        edit(document)
        return json.dumps(document).encode()

    return Fault(kind="rewrite", rewrite=rewrite, matches=is_json)


def passes(info: ObjectInfo, body: bytes) -> bool:
    check = Verification(info.tokens, size=info.size, subject="test")
    check.update(body)
    check.finish()
    return True


# -- what is described -------------------------------------------------------------


def test_1_36_checksums_come_with_listings_and_heads(place: GcsPlace) -> None:
    place.put("a", b"hello")
    expected = Tokens.parse("crc32c:9a71bb4c md5:5d41402abc4b2a76b9719d911017c592")
    with place.open() as store:
        (listed,) = store.scan(place.root)
        head = store.head(place.uri("a"))
    assert listed.tokens == head.tokens == expected
    assert passes(listed, b"hello")


def test_1_36_a_composite_object_has_no_md5(place: GcsPlace) -> None:
    place.put("a", b"hello")

    def compose(document: dict[str, Any]) -> None:
        for item in document.get("items", [document]):
            del item["md5Hash"]

    with place.open(edited(compose)) as store:
        (listed,) = store.scan(place.root)
        assert store.head(place.uri("a")).tokens == listed.tokens
    assert [c.algorithm for c in listed.tokens.checksums] == [ChecksumAlgorithm.CRC32C]


def test_1_37_a_change_of_metadata_is_no_other_version(place: GcsPlace) -> None:
    place.put("a", b"hello")
    with place.open() as store:
        before = store.head(place.uri("a"))
        blob = place.client.bucket(place.bucket).blob("tree/a")
        blob.metadata = {"label": "new"}
        blob.patch()
        assert store.head(place.uri("a")) == before
        assert body_of(store, pin_of(before)) == b"hello"


def test_1_39_a_listing_asks_for_named_fields_only(place: GcsPlace) -> None:
    place.put("a", b"hello")
    with place.open() as store:
        list(store.scan(place.root))
    assert place.forwarder is not None
    (request,) = place.forwarder.requests
    query = parse_qs(request.query)
    assert query["fields"] == [
        "kind,items(name,generation,size,crc32c,md5Hash,contentEncoding,"
        "timeCreated,timeDeleted),nextPageToken"
    ]
    assert query["prefix"] == ["tree/"]
    assert "versions" not in query


def test_a_listing_sends_nothing_behind_our_back(place: GcsPlace) -> None:
    # google-cloud-storage asks for the bucket's metadata in a thread of its own.
    with place.open() as store:
        with pytest.raises(ObjectNotFoundError):
            store.head(place.uri("missing"))
        list(store.scan(place.root))
        time.sleep(0.3)
    assert place.forwarder is not None
    paths = [request.path for request in place.forwarder.requests]
    assert f"/storage/v1/b/{place.bucket}" not in paths


# -- encodings ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["packed.gz", "a//packed.gz"])
def test_1_33_what_is_stored_packed_arrives_packed(place: GcsPlace, name: str) -> None:
    packed = gzip.compress(b"hello" * 1000)
    blob = place.client.bucket(place.bucket).blob(f"tree/{name}")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed)
    with place.open() as store:
        (listed,) = store.scan(place.root)
        head = store.head(place.uri(name))
        assert (listed.encoding, head.encoding) == ("gzip", "gzip")
        assert head.size == len(packed)
        body = body_of(store, pin_of(head))
    assert body == packed
    assert passes(head, body)


def test_1_33_what_a_server_inflates_nevertheless_is_not_taken(place: GcsPlace) -> None:
    place.put("a.bin", gzip.compress(LARGE))
    inflated = Fault(kind="rewrite", rewrite=gzip.decompress, matches=reads_of("a.bin"))
    with place.open() as store:
        pin = pin_of(store.head(place.uri("a.bin")))
    with place.open(inflated) as store, pytest.raises(StoreError):
        body_of(store, pin)


# -- faults of reads ---------------------------------------------------------------


def test_1_34_a_resumed_read_gives_all_bytes_to_the_gate(place: GcsPlace) -> None:
    # google-cloud-storage's own download gives wrong bytes as a success here.
    place.put("a.bin", LARGE)
    cut = Fault(kind="reset", after=100_000, times=1, matches=reads_of("a.bin"))
    wrong = Fault(kind="corrupt", offset=5, times=1, matches=reads_of("a.bin"))
    with place.open() as store:
        info = store.head(place.uri("a.bin"))
    with place.open(cut, wrong) as store:
        patient = Retrying(store, sleep=lambda _s: None)
        body = body_of(patient, pin_of(info))
        assert len(body) == len(LARGE)
        with pytest.raises(ArtlockError):
            passes(info, body)
        assert body_of(store, pin_of(info)) == LARGE


def test_1_35_wrong_bytes_without_a_checksum_in_the_answer_are_noticed(
    place: GcsPlace,
) -> None:
    place.put("a.bin", LARGE)
    wrong = Fault(kind="corrupt", drop=("x-goog-hash",), matches=reads_of("a.bin"))
    with place.open() as store:
        info = store.head(place.uri("a.bin"))
    with place.open(wrong) as store:
        body = body_of(store, pin_of(info))
    with pytest.raises(ArtlockError):
        passes(info, body)


def test_1_38_an_overwritten_version_that_was_not_kept_is_gone(
    unversioned: GcsPlace,
) -> None:
    unversioned.put("a", b"one")
    with unversioned.open() as store:
        old = pin_of(store.head(unversioned.uri("a")))
        unversioned.put("a", b"two")
        with pytest.raises(ObjectNotFoundError) as caught:
            body_of(store, old)
        current = store.head(unversioned.uri("a")).version
        assert f"`{old.version}`" in caught.value.message
        assert f"the current one is `{current}`" in caught.value.message
        assert "restore" not in str(caught.value.hint)  # it was asked for, and is not there
        with pytest.raises(ObjectNotFoundError) as caught:
            store.head(unversioned.uri("a"), old.version)
        assert f"restore {old.uri}#{old.version}" in str(caught.value.hint)


def asks_for_deleted(_method: str, path: str, query: str) -> bool:
    return is_json("", path, query) and "softDeleted=" in query


def test_1_38_a_soft_deleted_version_names_the_command_that_restores_it(
    unversioned: GcsPlace,
) -> None:
    unversioned.put("a", b"one")
    with unversioned.open() as store:
        old = pin_of(store.head(unversioned.uri("a")))
    unversioned.delete("a")
    deleted = {
        "kind": "storage#object",
        "name": old.uri.key,
        "generation": str(old.version),
        "softDeleteTime": "2026-01-01T00:00:00Z",
    }
    canned = Fault(
        kind="status",
        status=200,
        headers={"Content-Type": "application/json"},
        body=json.dumps(deleted).encode(),
        matches=asks_for_deleted,
    )
    with unversioned.open(canned) as store:
        with pytest.raises(ObjectNotFoundError) as caught:
            body_of(store, old)
        assert f"`gcloud storage restore {old.uri}#{old.version}`" in str(caught.value.hint)
        assert "soft delete still has it" in str(caught.value.hint)
    refused = Fault(kind="status", status=403, matches=asks_for_deleted)
    with unversioned.open(refused) as store:
        with pytest.raises(ObjectNotFoundError) as caught:
            body_of(store, old)
        assert "where the bucket has soft delete" in str(caught.value.hint)


# -- how long it is kept -----------------------------------------------------------


def settings(**more: object) -> Fault:
    """Let the bucket have settings that fake-gcs-server does not keep."""
    return Fault(
        kind="rewrite",
        rewrite=lambda body: json.dumps({**json.loads(body), **more}).encode(),
        matches=lambda _m, path, _q: re.fullmatch(r"/storage/v1/b/[^/]+", path) is not None,
    )


def kept(place: GcsPlace, **more: object) -> Retention:
    with place.open(settings(**more)) as store:
        found = store.retention(place.root)
    assert place.forwarder is not None
    assert place.forwarder.count() == 1
    return found


def test_1_38_versioning_is_told(place: GcsPlace, unversioned: GcsPlace) -> None:
    assert kept(place) == Retention(versioning=Versioning.ON)
    assert kept(unversioned) == Retention(versioning=Versioning.OFF)


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ({"age": 30}, {"phase": "either", "days_written": 30}),
        ({"age": 0}, {"phase": "either"}),
        ({"age": 30, "isLive": True}, {"phase": "current", "days_written": 30}),
        ({"age": 30, "isLive": False}, {"phase": "noncurrent", "days_written": 30}),
        ({"numNewerVersions": 3}, {"phase": "noncurrent", "newer": 3}),
        ({"numNewerVersions": 3, "isLive": True}, None),
        (
            {"daysSinceNoncurrentTime": 7, "matchesPrefix": ["p/", "q/"]},
            {"phase": "noncurrent", "days_replaced": 7, "prefixes": ("p/", "q/")},
        ),
        ({"matchesSuffix": [".bin"]}, {"phase": "either", "suffixes": (".bin",)}),
        (
            {"createdBefore": "2026-01-01"},
            {"phase": "either", "provided": ("was written before 2026-01-01",)},
        ),
        (
            {"noncurrentTimeBefore": "2026-01-01"},
            {"phase": "noncurrent", "provided": ("was replaced before 2026-01-01",)},
        ),
        (
            {"matchesStorageClass": ["NEARLINE", "ARCHIVE"]},
            {
                "phase": "either",
                "provided": ("has the storage class NEARLINE or ARCHIVE",),
            },
        ),
        (
            {"daysSinceCustomTime": 5, "customTimeBefore": "2026-01-01"},
            {
                "phase": "either",
                "provided": (
                    "has a custom time 5 days ago",
                    "has a custom time before 2026-01-01",
                ),
            },
        ),
        (
            {"fromTomorrow": 1},
            {"phase": "either", "provided": ("meets the condition `fromTomorrow`",)},
        ),
    ],
)
def test_1_38_the_conditions_of_a_rule_are_told(
    place: GcsPlace, condition: dict[str, Any], wanted: dict[str, Any] | None
) -> None:
    harmless = {"action": {"type": "SetStorageClass", "storageClass": "ARCHIVE"}}
    rules = [
        {**harmless, "condition": {"age": 1}},
        {"action": {"type": "Delete"}, "condition": condition},
        {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 1}},
    ]
    found = kept(place, lifecycle={"rule": rules})
    assert found.unread == ()
    assert found.rules == (() if wanted is None else (Rule(name="#2", **wanted),))


def test_1_38_policies_and_soft_delete_are_told_in_whole_days(place: GcsPlace) -> None:
    found = kept(
        place,
        retentionPolicy={"retentionPeriod": str(3 * 86_400 - 1)},
        softDeletePolicy={"retentionDurationSeconds": str(7 * 86_400)},
    )
    assert (found.least_days, found.restorable_days, found.protects) == (2, 7, True)
    assert kept(place, softDeletePolicy={"retentionDurationSeconds": "0"}) == kept(place)
    assert kept(place, defaultEventBasedHold=True).protects
    assert kept(place, objectRetention={"mode": "Enabled"}).protects


def test_1_38_a_deed_that_is_new_to_us_is_not_passed_over(place: GcsPlace) -> None:
    rule = {"action": {"type": "Shred"}, "condition": {"age": 1}}
    (unread,) = kept(place, lifecycle={"rule": [rule]}).unread
    assert "`#1`" in unread.setting
    assert "`Shred`" in unread.setting


@pytest.mark.parametrize(
    "more",
    [
        {"lifecycle": {"rule": [{"action": {"type": "Delete"}}]}},
        {"lifecycle": {"rule": [{"condition": {}}]}},
        {"lifecycle": {"rule": 1}},
        {"lifecycle": []},
        {"versioning": True},
        {"retentionPolicy": {"retentionPeriod": "long"}},
    ],
)
def test_1_38_settings_that_cannot_be_read_are_an_error(
    place: GcsPlace, more: dict[str, Any]
) -> None:
    with place.open(settings(**more)) as store, pytest.raises(StoreError) as caught:
        store.retention(place.root)
    assert "not to be believed" in caught.value.message


def test_4_9_settings_that_may_not_be_read_name_the_permission(place: GcsPlace) -> None:
    with place.open(Fault(kind="status", status=403)) as store:
        found = store.retention(place.root)
    assert found.versioning is Versioning.UNKNOWN
    (unread,) = found.unread
    assert "storage.buckets.get" in unread.hint
    with place.open() as store, pytest.raises(BucketNotFoundError):
        store.retention(place.nowhere)
    with (
        place.open(Fault(kind="status", status=503)) as store,
        pytest.raises(StoreUnavailableError),
    ):
        store.retention(place.root)


@pytest.mark.parametrize(
    ("item", "until", "is_held"),
    [
        ({"temporaryHold": True}, None, True),
        ({"eventBasedHold": True}, None, True),
        ({"retentionExpirationTime": "2031-01-01T00:00:00Z"}, 2031, False),
        (
            {
                "retentionExpirationTime": "2031-01-01T00:00:00Z",
                "retention": {
                    "mode": "Locked",
                    "retainUntilTime": "2032-01-01T00:00:00+00:00",
                },
            },
            2032,
            False,
        ),
    ],
)
def test_1_38_what_protects_an_object_is_told(
    place: GcsPlace, item: dict[str, Any], until: int | None, *, is_held: bool
) -> None:
    place.put("a", b"one")
    with place.open(edited(lambda document: document.update(item))) as store:
        found = store.head(place.uri("a")).protection
    moment = None if until is None else datetime(until, 1, 1, tzinfo=UTC)
    assert found == Protection(until=moment, is_held=is_held)
    with place.open() as store:
        assert store.head(place.uri("a")).protection is None


@pytest.mark.parametrize("version", ["one", "-1", "1.5", "", "²"])
def test_a_version_that_is_no_number_is_not_found(place: GcsPlace, version: str) -> None:
    place.put("a", b"one")
    with place.open() as store, pytest.raises(StoreError):
        store.head(place.uri("a"), VersionId(version))


def test_a_read_in_a_bucket_that_is_gone_says_so(place: GcsPlace) -> None:
    body = b"<Error><Code>NoSuchBucket</Code></Error>"
    pin = Pin(uri=place.uri("a"), size=1, version=VersionId("1"))
    with (
        place.open(Fault(kind="status", status=404, body=body)) as store,
        pytest.raises(BucketNotFoundError),
    ):
        body_of(store, pin)


# -- keys that obstore cannot ask for ----------------------------------------------


@pytest.mark.parametrize("name", ["a//b", "a/./b", "a/../b", "ends/", "tab\tk"])
def test_1_53_odd_keys_are_read_through_the_client(place: GcsPlace, name: str) -> None:
    body = bytes(number % 251 for number in range(1000))
    place.put(name, b"old")
    place.put(name, body)
    with place.open() as store:
        (listed,) = store.scan(place.root)
        assert listed.uri == place.uri(name)
        pin = pin_of(listed)
        assert body_of(store, pin) == body
        assert body_of(store, pin, Span(10, 20)) == body[10:30]
        with pytest.raises(StoreError):
            body_of(store, pin, Span(990, 11))
        with pytest.raises(StoreError):
            body_of(store, Pin(uri=pin.uri, size=999, version=pin.version))
        place.put(name, b"new")
        assert body_of(store, pin) == body


def test_a_large_object_of_an_odd_key_comes_in_pieces(place: GcsPlace) -> None:
    body = os.urandom(9 << 20)
    place.put("a//b", body)
    with place.open() as store:
        pieces = [
            bytes(piece) for piece in store.read(Pin(uri=place.uri("a//b"), size=None))
        ]
    assert len(pieces) == 2
    assert b"".join(pieces) == body


def test_an_empty_object_of_an_odd_key_is_read(place: GcsPlace) -> None:
    place.put("a//b", b"")
    with place.open() as store:
        assert body_of(store, Pin(uri=place.uri("a//b"), size=0)) == b""


@pytest.mark.parametrize("kind", ["truncate", "reset", "status"])
def test_4_4_a_cut_body_of_an_odd_key_is_unavailable(place: GcsPlace, kind: str) -> None:
    place.put("a//b", LARGE)
    fault = Fault(
        kind=kind,  # type: ignore[arg-type] # one of Kind
        matches=lambda _method, path, _query: path.startswith("/download/"),
    )
    with place.open(fault) as store, pytest.raises(StoreUnavailableError):
        body_of(store, Pin(uri=place.uri("a//b"), size=len(LARGE)))


# -- listings that are not to be believed ------------------------------------------


def _page(**spoilt: object) -> bytes:
    item = {"name": "tree/a", "size": "1", "generation": "1", **spoilt}
    return json.dumps({"kind": "storage#objects", "items": [item]}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>please log in</html>",
        b"",
        b"[]",
        b'"text"',
        b"{}",
        b'{"kind": "storage#buckets"}',
        b'{"kind": "storage#objects", "items": [{"name": "tree/a"}]}',
        b'{"kind": "storage#objects", "items": [{"name": "tree/a", "size": "x", '
        b'"generation": "1"}]}',
        b'{"kind": "storage#objects", "items": [{"name": "tree/a", "size": "1", '
        b'"generation": "1", "crc32c": "AAA="}]}',
        b'{"kind": "storage#objects", "items": [{"size": "1", "generation": "1"}]}',
        b'{"kind": "storage#objects", "items": 7}',
        b'{"kind": "storage#objects", "items": null}',
        b'{"kind": "storage#objects", "items": {"tree/a": 1}}',
        b'{"kind": "storage#objects", "nextPageToken": [1]}',
        _page(name=7),
        _page(name="tree/\ud800"),
        _page(size="-1"),
        _page(size=1.5),
        _page(size=float("inf")),
        _page(size=2**63),
        _page(generation=float("inf")),
        _page(generation="-1"),
        _page(generation=True),
        _page(contentEncoding=7),
        b'{"kind": "storage#objects", "items": ["tree/a"]}',
        b'{"kind": "storage#objects", "items": [{"name": "other/a", "size": "1", '
        b'"generation": "1"}]}',
    ],
)
def test_4_11_what_is_no_listing_is_refused(place: GcsPlace, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    fault = Fault(kind="status", status=200, body=body, headers=headers)
    with place.open(fault) as store:
        with pytest.raises(StoreError):
            list(store.scan(place.root))
        with pytest.raises(StoreError):
            store.head(place.uri("a"))


def test_4_16_a_listing_in_a_circle_is_refused(place: GcsPlace) -> None:
    def circle(document: dict[str, Any]) -> None:
        document["nextPageToken"] = "again"

    with place.open(edited(circle)) as store, pytest.raises(StoreError, match="circle"):
        list(store.scan(place.root))


def test_4_16_a_listing_that_repeats_itself_is_refused(place: GcsPlace) -> None:
    place.put("a", b"1")

    def repeat(document: dict[str, Any]) -> None:
        document["items"] *= 2

    with place.open(edited(repeat)) as store, pytest.raises(StoreError, match="after"):
        list(store.scan(place.root))


def test_a_page_that_fails_is_asked_for_again(place: GcsPlace) -> None:
    place.put("a", b"1")
    place.patience_s = 20
    fault = Fault(kind="status", status=503, times=1, matches=is_json)
    with place.open(fault) as store:
        assert len(list(store.scan(place.root))) == 1
    with place.open(fault) as store:
        assert store.head(place.uri("a")).size == 1


# -- the past ----------------------------------------------------------------------


def test_a_listing_of_the_past_has_what_lived_then(place: GcsPlace) -> None:
    for name in ("deleted", "kept", "overwritten", "deleted-before"):
        place.put(name, b"before")
        place.put(name, b"1")
    place.delete("deleted-before")
    time.sleep(0.01)
    moment = datetime.now(UTC)
    time.sleep(0.01)
    place.delete("deleted")
    place.put("overwritten", b"22")
    place.put("later", b"1")
    with place.open() as store:
        listed = list(store.scan(place.root, as_of=moment))
        past = {info.uri: info for info in listed}
        assert len(listed) == 3
        assert past.keys() == {place.uri(n) for n in ("deleted", "kept", "overwritten")}
        assert body_of(store, pin_of(past[place.uri("overwritten")])) == b"1"
        assert body_of(store, pin_of(past[place.uri("deleted")])) == b"1"
        now = {info.uri: info.size for info in store.scan(place.root)}
        assert now == {
            place.uri("kept"): 1,
            place.uri("later"): 1,
            place.uri("overwritten"): 2,
        }


def test_the_past_of_a_bucket_without_versions_is_refused(unversioned: GcsPlace) -> None:
    unversioned.put("a", b"1")
    with unversioned.open() as store, pytest.raises(StoreError, match="no versions"):
        list(store.scan(unversioned.root, as_of=datetime.now(UTC)))


# -- refusals ----------------------------------------------------------------------


def refusal(status: int, reason: str, message: str = "no") -> Fault:
    error = {"code": status, "message": message, "errors": [{"reason": reason}]}
    return Fault(
        kind="status",
        status=status,
        body=json.dumps({"error": error}).encode(),
        headers={"Content-Type": "application/json"},
    )


@pytest.mark.parametrize("status", [401, 403])
def test_4_9_a_refusal_names_the_permission(place: GcsPlace, status: int) -> None:
    with place.open(refusal(status, "forbidden")) as store:
        with pytest.raises(AccessDeniedError) as caught:
            list(store.scan(place.root))
        assert "storage.objects.list" in str(caught.value.hint)
        for ask in (
            lambda: store.head(place.uri("a")),
            lambda: body_of(store, Pin(uri=place.uri("a"), size=1)),
        ):
            with pytest.raises(AccessDeniedError) as caught:
                ask()
            assert "storage.objects.get" in str(caught.value.hint)
            assert "or there is no such object" in caught.value.message


@pytest.mark.parametrize("reason", ["rateLimitExceeded", "userRateLimitExceeded"])
def test_4_1_a_rate_limit_is_no_refusal(place: GcsPlace, reason: str) -> None:
    with place.open(refusal(403, reason)) as store, pytest.raises(StoreUnavailableError):
        list(store.scan(place.root))


def test_1_41_a_bucket_whose_readers_pay_says_so(place: GcsPlace) -> None:
    words = "Bucket is a requester pays bucket but no user project provided."
    with place.open(refusal(400, "required", words)) as store:
        for ask in (
            lambda: list(store.scan(place.root)),
            lambda: store.head(place.uri("a")),
        ):
            with pytest.raises(AccessDeniedError) as caught:
                ask()
            assert "user-project" in str(caught.value.hint)
    fault = Fault(
        kind="status", status=400, body=b"<Error><Code>UserProjectMissing</Code></Error>"
    )
    with place.open(fault) as store, pytest.raises(AccessDeniedError) as caught:
        body_of(store, Pin(uri=place.uri("a"), size=1))
    assert "user-project" in str(caught.value.hint)


def test_1_41_who_pays_is_told_with_every_request(place: GcsPlace) -> None:
    place.put("a", b"1")
    place.put("b//c", b"1")
    place.access = Access(user_project="payer")
    with place.open() as store:
        for info in list(store.scan(place.root)):
            store.head(info.uri)
            body_of(store, pin_of(info))
    assert place.forwarder is not None
    for request in place.forwarder.requests:
        told = parse_qs(request.query).get("userProject", [])
        assert "payer" in (*told, request.header("x-goog-user-project"))


# -- endpoints and credentials -----------------------------------------------------


def test_1_42_the_emulator_of_the_environment_is_used_without_credentials(
    place: GcsPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put("a", b"hello")
    host = place.server.endpoint.removeprefix("http://")
    for spelled in (host, f"http://{host}", f"http://{host}/"):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", spelled)
        store = GcsStore(StoreContext())
        assert store.identity == f"gs+http://{host}"
        (info,) = store.scan(place.root)
        assert body_of(store, pin_of(info)) == b"hello"
        store.close()


def test_1_42_the_setting_comes_before_the_environment(
    place: GcsPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setenv("API_ENDPOINT_OVERRIDE", "http://127.0.0.1:2")
    place.put("a", b"hello")
    with place.open() as store:
        assert len(list(store.scan(place.root))) == 1


def test_5_7_the_identity_has_no_user_info(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://ada:canary@host:1/x")
    assert GcsStore(StoreContext()).identity == "gs+http://host:1/x"


def test_the_identity_without_an_endpoint_is_googles() -> None:
    assert GcsStore(StoreContext()).identity == "gs"


@pytest.mark.parametrize("host", ["http://storage.evil.example", "storage.evil.example:80"])
def test_1_42_credentials_do_not_leave_unencrypted(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", host)
    store = GcsStore(StoreContext(), patience_s=0)
    uri = Uri.parse("gs://bucket/a")
    for ask in (
        lambda: list(store.scan(uri.as_tree())),
        lambda: store.head(uri),
        lambda: body_of(store, Pin(uri=uri, size=1)),
    ):
        with pytest.raises(PolicyError) as caught:
            ask()
        assert "anonymous" in str(caught.value.hint)


def test_a_machine_without_credentials_says_what_to_do() -> None:
    store = GcsStore(StoreContext(), patience_s=0)
    with pytest.raises(AccessDeniedError) as caught:
        store.head(Uri.parse("gs://bucket/a"))
    for way in ("GOOGLE_APPLICATION_CREDENTIALS", "gcloud auth", "anonymous = true"):
        assert way in str(caught.value.hint)


@pytest.mark.parametrize("text", [None, "", "{}", '{"type": "nonsense"}'])
def test_credentials_that_are_no_credentials_are_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    file = tmp_path / "credentials.json"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(AccessDeniedError):
        GcsStore(StoreContext(), patience_s=0).head(Uri.parse("gs://bucket/a"))


class TokenServer:
    """Gives OAuth tokens for anything, or answers with an error."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = 200
        self.answer: dict[str, object] = {
            "access_token": "canary-token",
            "expires_in": 3600,
        }

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler) -> None:  # noqa: N805 - the library's name; `self` is outside
                self.asked += 1
                handler.rfile.read(int(handler.headers["Content-Length"]))
                body = json.dumps(self.answer).encode()
                handler.send_response(self.status)
                handler.send_header("Content-Type", "application/json")
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(handler, *_: object) -> None:  # noqa: N805 - as above
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/token"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenServer]:
    """Yield a server whose tokens this machine's credentials are good for."""
    server = TokenServer()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "client_email": "a@example.com",
        "token_uri": server.url,
        "private_key": pem.decode(),
        "private_key_id": "1",
    }
    file = tmp_path / "account.json"
    file.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    yield server
    server.stop()


@pytest.fixture
def secure() -> Iterator[HttpServer]:
    with HttpServer(tls=True) as server:
        yield server


def access_to(secure: HttpServer) -> Access:
    return Access(endpoint=secure.endpoint, ca_bundle=str(secure.ca_file))


def serve_object(secure: HttpServer) -> None:
    crc = base64.b64encode(bytes.fromhex("9a71bb4c")).decode()
    item = {"name": "a", "size": "5", "generation": "7", "crc32c": crc}
    listing = {"kind": "storage#objects", "items": [item]}
    headers = {"Content-Type": "application/json"}
    secure.put("/storage/v1/b/bucket/o", json.dumps(listing).encode(), headers=headers)
    secure.put("/storage/v1/b/bucket/o/a", json.dumps(item).encode(), headers=headers)
    modified = {"Last-Modified": "Fri, 01 May 2026 10:00:00 GMT"}
    secure.put("/bucket/a", b"hello", etag='"e"', headers=modified)


def test_credentials_sign_listings_heads_and_reads(
    tokens: TokenServer, secure: HttpServer
) -> None:
    serve_object(secure)
    store = GcsStore(StoreContext(access=access_to(secure)), patience_s=0)
    (info,) = store.scan(Uri.parse("gs://bucket/"))
    assert store.head(info.uri) == info
    for _ in range(3):
        assert body_of(store, pin_of(info)) == b"hello"
    store.close()
    assert tokens.asked == 1
    assert len(secure.requests) == 5
    for request in secure.requests:
        assert request.header("Authorization") == "Bearer canary-token"


@pytest.mark.parametrize(
    ("anonymous", "wanted"), [(True, None), (False, "Bearer canary-token")]
)
def test_5_4_a_login_in_netrc_is_not_sent(
    tokens: TokenServer,
    secure: HttpServer,
    anonymous: bool,  # noqa: FBT001 - a parameter of the test
    wanted: str | None,
) -> None:
    netrc = Path(os.environ["HOME"], ".netrc")
    netrc.write_text("default login canary password canary\n")
    netrc.chmod(0o600)
    serve_object(secure)
    access = replace(access_to(secure), anonymous=anonymous)
    store = GcsStore(StoreContext(access=access), patience_s=0)
    (info,) = store.scan(Uri.parse("gs://bucket/"))
    assert body_of(store, pin_of(info)) == b"hello"
    store.close()
    sent = {request.header("Authorization") for request in secure.requests}
    assert sent == {wanted}
    assert tokens.asked == (0 if anonymous else 1)


def test_anonymous_sends_no_credentials(tokens: TokenServer, secure: HttpServer) -> None:
    serve_object(secure)
    access = Access(endpoint=secure.endpoint, ca_bundle=str(secure.ca_file), anonymous=True)
    store = GcsStore(StoreContext(access=access), patience_s=0)
    (info,) = store.scan(Uri.parse("gs://bucket/"))
    assert body_of(store, pin_of(info)) == b"hello"
    store.close()
    assert tokens.asked == 0
    assert len(secure.requests) == 2
    assert all(request.header("Authorization") is None for request in secure.requests)


def test_1_42_a_loopback_emulator_gets_no_credentials(
    tokens: TokenServer, place: GcsPlace
) -> None:
    place.put("a", b"1")
    with place.open() as store:
        assert len(list(store.scan(place.root))) == 1
    assert tokens.asked == 0


def test_4_8_credentials_that_are_not_valid_any_more_are_denied(
    tokens: TokenServer, secure: HttpServer
) -> None:
    tokens.status = 400
    tokens.answer = {"error": "invalid_grant", "error_description": "canary"}
    store = GcsStore(StoreContext(access=access_to(secure)), patience_s=0)
    uri = Uri.parse("gs://bucket/a")
    for ask in (
        lambda: list(store.scan(Uri.parse("gs://bucket/"))),
        lambda: store.head(uri),
        lambda: body_of(store, Pin(uri=uri, size=5)),
    ):
        with pytest.raises(AccessDeniedError) as caught:
            ask()
        assert "gcloud auth" in str(caught.value.hint)
        assert "canary" not in caught.value.message
    store.close()
    assert secure.requests == ()


def test_4_8_a_token_that_ends_in_the_middle_is_renewed_once(
    tokens: TokenServer, secure: HttpServer
) -> None:
    modified = {"Last-Modified": "Fri, 01 May 2026 10:00:00 GMT"}
    ended = Fault(kind="status", status=401, times=1)
    secure.put("/bucket/a", b"hello", etag='"e"', headers=modified)
    store = GcsStore(StoreContext(access=access_to(secure)), patience_s=0)
    wanted = Pin(uri=Uri.parse("gs://bucket/a"), size=5)
    assert body_of(store, wanted) == b"hello"
    tokens.answer = {**tokens.answer, "access_token": "canary-second"}
    secure.put("/bucket/a", b"hello", etag='"e"', headers=modified, faults=[ended])
    assert body_of(store, wanted) == b"hello"
    assert body_of(store, wanted) == b"hello"
    assert tokens.asked == 2
    used = [request.header("Authorization") for request in secure.requests]
    assert used == ["Bearer canary-token"] * 2 + ["Bearer canary-second"] * 2

    # The service gives the same one again, or none: nothing more is asked.
    for status in (200, 400):
        tokens.status = status
        secure.clear()
        refused = Fault(kind="status", status=401)
        secure.put("/bucket/a", b"hello", etag='"e"', headers=modified, faults=[refused])
        other = GcsStore(StoreContext(access=access_to(secure)), patience_s=0)
        for _ in range(3):
            with pytest.raises(AccessDeniedError, match="not valid any more") as caught:
                body_of(other, wanted)
            assert "gcloud auth" in str(caught.value.hint)
        assert len(secure.requests) == (1 if status == 200 else 0)
        other.close()
    store.close()


def test_4_12_a_certificate_that_nobody_trusts_is_refused(
    tokens: TokenServer, secure: HttpServer
) -> None:
    assert tokens.asked == 0
    store = GcsStore(StoreContext(access=Access(endpoint=secure.endpoint)), patience_s=0)
    for ask in (
        lambda: store.head(Uri.parse("gs://bucket/a")),
        lambda: body_of(store, Pin(uri=Uri.parse("gs://bucket/a"), size=5)),
    ):
        with pytest.raises(StoreError) as caught:
            ask()
        assert type(caught.value) is StoreError
        assert "ca-bundle" in str(caught.value.hint)
    store.close()


def test_tokens_that_cannot_be_asked_for_now_are_unavailable(
    tokens: TokenServer, secure: HttpServer, tmp_path: Path
) -> None:
    file = tmp_path / "account.json"
    file.write_text(file.read_text().replace(tokens.url, "http://127.0.0.1:1/token"))
    store = GcsStore(StoreContext(access=access_to(secure)), patience_s=0)
    with pytest.raises(StoreUnavailableError):
        store.head(Uri.parse("gs://bucket/a"))
    with pytest.raises(StoreUnavailableError):
        body_of(store, Pin(uri=Uri.parse("gs://bucket/a"), size=5))
    store.close()


def test_a_token_service_that_fails_is_unavailable(
    tokens: TokenServer, secure: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens.status = 503
    tokens.answer = {"error": "temporarily_unavailable"}
    monkeypatch.setattr(time, "sleep", lambda _s: None)  # google-auth waits in between
    store = GcsStore(StoreContext(access=access_to(secure)), patience_s=0)
    with pytest.raises(StoreUnavailableError):
        store.head(Uri.parse("gs://bucket/a"))
    store.close()


def test_a_service_that_stays_away_is_unavailable_in_the_end(place: GcsPlace) -> None:
    place.patience_s = 0.5
    with (
        place.open(refusal(503, "backendError")) as store,
        pytest.raises(StoreUnavailableError),
    ):
        list(store.scan(place.root))


def test_a_bundle_that_cannot_be_read_is_told(secure: HttpServer) -> None:
    access = Access(endpoint=secure.endpoint, ca_bundle="/nowhere", anonymous=True)
    with pytest.raises(StoreError):
        GcsStore(StoreContext(access=access), patience_s=0).head(Uri.parse("gs://b/a"))
