"""S3Store on a store that does what it should not: the hazards of S3, one by one."""

import json
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import msgspec
import pytest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from artlock.errors import (
    AccessDeniedError,
    IntegrityError,
    KeysExpiredError,
    ObjectArchivedError,
    ObjectChangedError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
)
from artlock.model.manifest import Access
from artlock.model.objects import ObjectInfo, VersionId
from artlock.model.tokens import Trust
from artlock.model.uri import Uri
from artlock.model.verification import Verification
from artlock.stores.base import Pin, StoreContext
from artlock.stores.retry import Retrying
from artlock.stores.s3 import S3Store, session
from testbed.faults import READ_FAULTS, Fault, duplicated, swapped
from testbed.hostile import Bucket, HostileS3, Pages, Policy, Upload
from testbed.hostile.uploads import HASHERS
from tests.contract.hostile_place import HostileS3Place, refuses_pages_without_end
from tests.contract.store_contract import body_of, pin_of, reads_of

BODY = bytes(range(256)) * 64


@pytest.fixture
def server() -> Iterator[HostileS3]:
    with HostileS3() as server:
        yield server


@pytest.fixture
def place(server: HostileS3, monkeypatch: pytest.MonkeyPatch) -> HostileS3Place:
    bucket = server.create_bucket("hostile")
    return HostileS3Place(server=server, bucket=bucket, monkeypatch=monkeypatch)


@pytest.fixture
def as_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take loopback for AWS."""
    monkeypatch.setattr(session, "_AWS_HOSTS", ("127.0.0.1",))


def judge(info: ObjectInfo, body: bytes) -> None:
    """Let the gate look at bytes.

    Raises:
        IntegrityError: They are not those that were locked.
    """
    check = Verification(info.tokens, size=info.size, subject="test")
    check.update(body)
    check.finish()


def listed(store: S3Store, place: HostileS3Place) -> dict[str, ObjectInfo]:
    return {info.uri.key.removeprefix(place.tree): info for info in store.scan(place.root)}


# -- etags and checksums -------------------------------------------------------------------

UPLOADS = {
    "plain": Upload(checksum=""),
    "s3 keys": Upload(checksum="", encryption="AES256"),
    "kms": Upload(checksum="", encryption="aws:kms"),
    "parts": Upload(checksum="", part_size=1000),
    "one part": Upload(checksum="", part_size=len(BODY)),
    "made up": Upload(checksum="", etag="random"),
}


@pytest.mark.parametrize("how", UPLOADS)
def test_1_1_1_2_no_etag_is_ever_a_checksum(place: HostileS3Place, how: str) -> None:
    place.put("a", BODY, UPLOADS[how])
    with place.open() as store:
        (scanned,) = store.scan(place.root)
        for info in (scanned, store.head(place.uri("a"))):
            assert info.tokens.trust is Trust.ETAG
            assert not info.tokens.checksums
            assert not info.tokens.digests
        assert body_of(store, pin_of(scanned)) == BODY


@pytest.mark.usefixtures("as_aws")
@pytest.mark.parametrize("how", UPLOADS)
def test_1_1_which_etags_are_an_md5_is_asked_of_aws(
    place: HostileS3Place, how: str
) -> None:
    place.put("a", BODY, UPLOADS[how])
    with place.open() as store:
        (info,) = store.scan(place.root)
        told = store.etag_is_md5(pin_of(info))
    # What AWS never does cannot be told: its plain etags are all MD5.
    assert told == (how in {"plain", "s3 keys", "made up"})


@pytest.mark.parametrize("algorithm", sorted(HASHERS))
@pytest.mark.parametrize("part_size", [0, 1000, len(BODY)])
@pytest.mark.parametrize("kind", ["FULL_OBJECT", "COMPOSITE", None])
@pytest.mark.parametrize(("says", "counts"), [(1, 1), (1, 0), (0, 1), (0, 0)])
def test_1_4_1_5_a_checksum_becomes_a_token_only_if_it_is_of_the_whole(
    place: HostileS3Place,
    algorithm: str,
    part_size: int,
    kind: str | None,
    *,
    says: bool,
    counts: bool,
) -> None:
    if not says and not counts and (algorithm == "CRC64NVME" or not part_size):
        says = True  # nothing else could tell that it is composite
    upload = Upload(
        part_size=part_size,
        checksum=algorithm,  # type: ignore[arg-type] # one of Algorithm
        checksum_type=kind,  # type: ignore[arg-type] # one of ChecksumType
        checksum_says=bool(says),
        checksum_counts=bool(counts),
    )
    place.put("a", BODY, upload)
    with place.open() as store:
        info = store.head(place.uri("a"))
    known = {*map(str, info.tokens.digests), *map(str, info.tokens.checksums)}
    value = f"{algorithm.lower()}:{HASHERS[algorithm](BODY).hex()}"
    assert known <= {value}
    judge(info, BODY)  # what is composite is unknown, never a mismatch
    if says and kind == "FULL_OBJECT" and algorithm in {"CRC32C", "CRC64NVME"}:
        assert known == {value}
        with pytest.raises(IntegrityError):
            judge(info, BODY[::-1])


@pytest.mark.parametrize("kind", ["XXHASH3", "SHA512", "MD5", "", "<&>", "x" * 300])
def test_1_7_algorithms_of_later_days_do_no_harm(place: HostileS3Place, kind: str) -> None:
    state = place.bucket.put("tree/a", BODY, Upload(checksum=""))
    place.bucket.amend(
        "tree/a",
        state.version,
        headers={
            "x-amz-checksum-xxhash3": "AAAAAAAAAAA=",
            "x-amz-checksum-crc64nvme": "no base64",
            "x-amz-checksum-sha256": "AAAA",
            "x-amz-checksum-type": kind or "?",
        },
    )
    name = kind.replace("&", "&amp;").replace("<", "&lt;").encode()
    fault = Fault(
        kind="rewrite",
        matches=lambda _method, _path, query: "versions" in query,
        rewrite=lambda body: body.replace(
            b"</Size>", b"</Size><ChecksumAlgorithm>%b</ChecksumAlgorithm>" % name
        ),
    )
    with place.open(fault) as store:
        (info,) = store.scan(place.root)
        head = store.head(place.uri("a"))
    assert info.tokens.trust is head.tokens.trust is Trust.ETAG
    judge(head, BODY)


# -- bodies --------------------------------------------------------------------------------

BODY_FAULTS = {
    **READ_FAULTS,
    "swapped": swapped(BODY[::-1]),
    "swapped for a longer one": swapped(BODY + b"x"),
    "swapped for nothing": swapped(b""),
    "duplicated": duplicated(),
    "endless": Fault(kind="endless"),
    "endless within its length": Fault(kind="endless", claims=len(BODY)),
    "extra": Fault(kind="extra", body=b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"),
    "slow": Fault(kind="slow", after=4096, seconds=0.01),
    "reset": Fault(kind="reset", after=100),
    "another range": Fault(kind="wrong_range"),
}


@pytest.mark.parametrize("name", BODY_FAULTS)
@pytest.mark.parametrize("checksum", ["CRC64NVME", "CRC32C"])
def test_1_5_1_6_no_fault_of_a_body_passes_for_the_object(
    place: HostileS3Place, name: str, checksum: str
) -> None:
    place.put("a", BODY, Upload(checksum=checksum))  # type: ignore[arg-type] # one of Algorithm
    place.put("b", BODY, Upload(checksum=checksum))  # type: ignore[arg-type] # one of Algorithm
    fault = BODY_FAULTS[name]
    with place.open() as store:
        info, other = store.head(place.uri("a")), store.head(place.uri("b"))
    matching = Fault(**{**_fields(fault), "matches": reads_of("a")})  # type: ignore[arg-type] # a copy
    with place.open(matching) as store:
        for _ in range(2):
            try:
                body = body_of(store, pin_of(info))
                judge(info, body)
            except (StoreError, IntegrityError):
                continue
            assert body == BODY
        # Nothing of it is taken for another object that comes on the same connection: what
        # was sent too much is noticed at the latest when it stands where an answer should.
        patient = Retrying(store, sleep=lambda _seconds: None)
        try:
            assert body_of(patient, pin_of(other)) == BODY
        except ObjectChangedError:
            patient.reconnect()
            assert body_of(patient, pin_of(other)) == BODY


def _fields(fault: Fault) -> dict[str, object]:
    return {name: getattr(fault, name) for name in Fault.__slots__}


# -- listings ------------------------------------------------------------------------------

DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 4), st.integers(0, 3)),
        st.tuples(st.just("delete"), st.integers(0, 4), st.just(0)),
        st.tuples(st.just("forget"), st.integers(0, 4), st.integers(0, 3)),
        st.tuples(st.just("versioning"), st.integers(0, 1), st.just(0)),
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[HostileS3]:
    with HostileS3() as server:
        yield server


def do(bucket: Bucket, deed: str, which: int, how: int) -> None:
    key = f"tree/{'ab/c+é'[which]}"
    match deed:
        case "put":
            bucket.put(key, b"x" * how)
        case "delete":
            bucket.delete(key)
        case "forget":
            history = bucket.history(key)
            if history:
                bucket.forget(key, history[how % len(history)].version)
        case _:
            bucket.versioning = "Suspended" if which else "Enabled"


@settings(max_examples=40)
@given(deeds=DEEDS, size=st.integers(1, 7))
def test_1_10_1_12_1_13_any_history_is_listed_as_it_is(
    shared_server: HostileS3, deeds: list[tuple[str, int, int]], size: int
) -> None:
    bucket = shared_server.create_bucket(f"b-{secrets.token_hex(4)}")
    for deed in deeds:
        do(bucket, *deed)
    bucket.version_pages = Pages(size=size)
    bucket.plain_pages = Pages(size=max(1, 8 - size))
    access = Access(endpoint=shared_server.endpoint, anonymous=True)
    store = S3Store(Uri("s3", bucket.name, ""), StoreContext(access=access), attempts=1)
    found = list(store.scan(Uri("s3", bucket.name, "")))
    assert {info.uri.key: info.size for info in found} == {
        key: len(body) for key, body in bucket.contents().items()
    }
    assert len(found) == len(bucket.contents())
    for info in found:
        live = bucket.live(info.uri.key)
        assert live is not None
        assert (info.version or "null") == live.version
        assert body_of(store, pin_of(info)) == live.body
    store.close()


WRONG_PAGES = {
    "a key is lost": Pages(lost=frozenset({"tree/004"})),
    "pages overlap": Pages(size=4, repeats=True),
    "circles": Pages(size=4, loops=True),
    "circles at the end": Pages(size=8, loops=True),
    "an early end": Pages(size=4, ends_after=1),
    "no IsTruncated": Pages(size=4, is_mute=True),
}


@pytest.mark.parametrize("wrong", WRONG_PAGES)
@pytest.mark.parametrize("which", ["version_pages", "plain_pages"])
def test_1_11_a_listing_that_is_partial_or_repeats_itself_is_refused(
    place: HostileS3Place, wrong: str, which: str
) -> None:
    for number in range(9):
        place.put(f"{number:03}", b"x")
    setattr(place.bucket, which, WRONG_PAGES[wrong])
    with place.open() as store, pytest.raises(StoreError, match="not to be believed"):
        list(store.scan(place.root))
    assert place.server.count() < 120


def test_1_11_a_bucket_without_versions_is_not_listed_in_circles(
    place: HostileS3Place,
) -> None:
    place.bucket.versioning = None
    for number in range(9):
        place.put(f"{number:03}", b"x")
    for pages in (
        Pages(size=4, loops=True),
        Pages(size=8, loops=True),
        Pages(size=4, repeats=True),
        Pages(empty=-1),
    ):
        place.bucket.plain_pages = pages
        with place.open() as store, pytest.raises(StoreError, match="believed"):
            list(store.scan(place.root))
    assert place.server.count() < 150


def test_5_12_a_page_without_an_end_is_not_read_to_it(
    place: HostileS3Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuses_pages_without_end(place, monkeypatch)


def test_1_11_pages_without_entries_are_passed_over(place: HostileS3Place) -> None:
    place.bucket.versioning = None
    place.put("a", b"x")
    place.bucket.plain_pages = Pages(empty=20)
    with place.open() as store:
        assert list(listed(store, place)) == ["a"]


def test_1_9_a_long_history_costs_eight_pages_and_a_request_for_each_key(
    place: HostileS3Place,
) -> None:
    for number in range(9000):
        place.put(f"{number % 9}", b"x" * (number % 7))
    with place.open() as store:
        assert len(listed(store, place)) == 9
    assert place.server.count(lambda r: "versions" in r.query) == 8
    assert place.server.count(lambda r: r.method == "HEAD") == 9
    assert place.server.count() == 1 + 8 + 1 + 9
    assert any("old ones" in text for text in place.notices)


# -- what became of an object --------------------------------------------------------------


def test_1_12_what_became_of_a_locked_object_is_told(place: HostileS3Place) -> None:
    place.put("a", b"one")
    with place.open() as store:
        locked = store.head(place.uri("a"))
        place.delete("a")
        marker = place.bucket.history("tree/a")[0].version
        assert body_of(store, pin_of(locked)) == b"one"  # the version is still there
        with pytest.raises(ObjectNotFoundError, match="deleted at its source"):
            store.head(place.uri("a"))
        with pytest.raises(ObjectNotFoundError, match="delete marker"):
            store.head(place.uri("a"), VersionId(marker))
        with pytest.raises(ObjectNotFoundError, match="deleted at its source"):
            body_of(store, Pin(uri=place.uri("a"), size=3, version=VersionId(marker)))
        assert locked.version is not None
        place.bucket.forget("tree/a", locked.version)
        with pytest.raises(ObjectNotFoundError, match="deleted at its source"):
            body_of(store, pin_of(locked))
        place.put("a", b"two")
        current = place.bucket.history("tree/a")[0].version
        with pytest.raises(ObjectNotFoundError, match=f"is gone; the current.*{current}"):
            body_of(store, pin_of(locked))


def test_1_13_a_null_version_is_overwritten_under_its_name(place: HostileS3Place) -> None:
    place.bucket.versioning = "Suspended"
    place.put("a", b"one")
    with place.open() as store:
        (locked,) = store.scan(place.root)
        assert locked.version is None
        place.put("a", b"two")
        with pytest.raises(ObjectChangedError):
            body_of(store, pin_of(locked))
        # Later versions make it an old one; it is still the state that `null` names.
        place.bucket.versioning = "Enabled"
        place.put("a", b"three")
        (current,) = store.scan(place.root)
        assert current.version is not None
        assert body_of(store, pin_of(current)) == b"three"


def test_1_13_a_past_that_no_version_names_is_told(place: HostileS3Place) -> None:
    place.put("named", b"one")
    place.bucket.versioning = "Suspended"
    place.put("a", b"one")
    time.sleep(0.003)
    moment = datetime.now(UTC)
    time.sleep(0.003)
    place.put("a", b"two")
    for cross_check in (True, False):
        place.cross_check = cross_check
        place.notices.clear()
        with place.open() as store:
            found = list(store.scan(place.root, as_of=moment))
        assert [info.uri.file_name for info in found] == ["named"]
        (notice,) = (text for text in place.notices if "without a version" in text)
        assert notice.startswith(f"below `{place.root}` some keys (1), such as `tree/a`")


# -- permissions ---------------------------------------------------------------------------

PERMISSIONS = (
    "s3:ListBucketVersions",
    "s3:ListBucket",
    "s3:GetObjectVersion",
    "s3:GetObject",
)
MATRIX = [
    frozenset(name for name, gone in zip(PERMISSIONS, bits, strict=True) if gone)
    for bits in product([False, True], repeat=4)
]


def _id(denied: frozenset[str]) -> str:
    return "without " + (" ".join(sorted(denied)) or "nothing")


@pytest.mark.parametrize("denied", MATRIX, ids=_id)
@pytest.mark.usefixtures("as_aws")
def test_1_14_a_listing_needs_one_of_two_permissions(
    place: HostileS3Place, denied: frozenset[str]
) -> None:
    place.put("a", b"old")
    place.put("a", b"one")
    place.access = Access(region="us-east-1")
    place.bucket.policy = Policy(denied=denied | {"s3:GetBucketVersioning"})
    with place.open() as store:
        if {"s3:ListBucketVersions", "s3:ListBucket"} <= denied:
            with pytest.raises(AccessDeniedError) as caught:
                list(store.scan(place.root))
            assert "s3:ListBucket" in (caught.value.hint or "")
            return
        found = listed(store, place)
    assert {name: info.size for name, info in found.items()} == {"a": 3}
    is_told = "s3:ListBucketVersions" not in denied or "s3:GetObject" not in denied
    assert (found["a"].version is not None) == is_told
    assert found["a"].tokens.etag
    for name in denied - {"s3:GetObjectVersion", "s3:ListBucket"}:
        if "s3:ListBucketVersions" in denied:
            assert any(name in text for text in place.notices)


@pytest.mark.parametrize("denied", MATRIX, ids=_id)
def test_1_14_a_read_needs_one_of_two_permissions(
    place: HostileS3Place, denied: frozenset[str]
) -> None:
    state = place.bucket.put("tree/a", b"one")
    pin = Pin(uri=place.uri("a"), size=3, version=VersionId(state.version), etag=state.etag)
    place.bucket.policy = Policy(denied=denied)
    with place.open() as store:
        if {"s3:GetObjectVersion", "s3:GetObject"} <= denied:
            with pytest.raises(AccessDeniedError) as caught:
                body_of(store, pin)
            assert "s3:GetObjectVersion" in (caught.value.hint or "")
            return
        assert body_of(store, pin) == b"one"
        place.put("a", b"two")
        if "s3:GetObjectVersion" not in denied:
            assert body_of(store, pin) == b"one"
        else:
            with pytest.raises((AccessDeniedError, ObjectChangedError)):
                body_of(store, pin)


@pytest.mark.parametrize("denied", MATRIX, ids=_id)
def test_4_9_a_missing_object_is_told_to_who_may_list(
    place: HostileS3Place, denied: frozenset[str]
) -> None:
    place.bucket.policy = Policy(denied=denied)
    expected: type[StoreError] = ObjectNotFoundError
    if denied & {"s3:GetObject", "s3:ListBucket"}:
        expected = AccessDeniedError
    with place.open() as store:
        with pytest.raises(expected):
            store.head(place.uri("missing"))
        with pytest.raises(expected):
            body_of(store, Pin(uri=place.uri("missing"), size=1))


def test_4_8_keys_that_expire_on_the_way_are_told(place: HostileS3Place) -> None:
    for number in range(9):
        place.put(f"{number}", b"x")
    place.page_size = 2
    for after in range(6):
        place.server.expire(place.access_key, after=after)
        with place.open() as store, pytest.raises(AccessDeniedError, match="expired"):
            list(store.scan(place.root))
    place.server.expire(place.access_key, after=1)
    with place.open() as store:
        info = store.head(place.uri("1"))
        for deed in (
            lambda: [store.head(place.uri("1"))],
            lambda: [body_of(store, pin_of(info))],
        ):
            with pytest.raises(AccessDeniedError, match="expired"):
                deed()


def test_4_8_whatever_asks_goes_on_with_keys_of_a_new_login(
    place: HostileS3Place, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    looked_for = 0

    def sign_in(who: str) -> None:
        file.write_text(
            f"[default]\naws_access_key_id = {who}\naws_secret_access_key = secret\n"
        )

    def sign_in_again() -> None:
        nonlocal looked_for
        looked_for += 1
        sign_in(f"KEY-{looked_for}")

    def is_old(authorization: str) -> bool:
        return f"Credential=KEY-{looked_for}/" not in authorization

    for number in range(5):
        place.put(f"{number}", b"x")
    place.put("a//b", b"odd")
    place.page_size = 2
    place.monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    place.monkeypatch.setattr(place.server, "_is_expired", is_old)
    with place.open() as store:
        place.monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        place.monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        sign_in("KEY-0")
        (odd_info,) = (i for i in store.scan(place.root) if i.uri.key.endswith("a//b"))
        for deed in (
            lambda: list(store.scan(place.root)),
            lambda: [store.head(place.uri("1"))],
            lambda: [store.retention(place.root)],
            lambda: [body_of(store, pin_of(odd_info))],
            lambda: [body_of(store, pin_of(store.head(place.uri("1"))))],
        ):
            sign_in_again()
            assert deed()
        # Nobody signs in any more: asked once where keys come from, and told.
        place.monkeypatch.setattr(place.server, "_is_expired", lambda _: True)
        for _ in range(3):
            with pytest.raises(KeysExpiredError):
                list(store.scan(place.root))
            with pytest.raises(KeysExpiredError):
                store.head(place.uri("1"))


def test_4_8_what_botocore_signed_with_a_session_of_its_own_is_sent_once_more() -> None:
    keys = session._KeySource(lambda: Credentials("a", "b"), Uri.parse("s3://b/"))
    expired = (None, {"Error": {"Code": "ExpiredToken"}})
    request: dict[str, object] = {"context": {}}
    assert keys.retry(response=expired, request_dict=request) == 0
    assert keys.retry(response=expired, request_dict=request) is None
    assert keys.retry(response=None, request_dict=request) is None


def test_1_22_without_a_payer_nothing_is_told_and_with_one_everything(
    place: HostileS3Place,
) -> None:
    place.put("a", b"one")
    place.bucket.policy = Policy(requester_pays=True)
    pin = Pin(uri=place.uri("a"), size=3)
    with place.open() as store:
        for deed in (
            lambda: list(store.scan(place.root)),
            lambda: [store.head(place.uri("a"))],
            lambda: [body_of(store, pin)],
        ):
            with pytest.raises(AccessDeniedError) as caught:
                deed()
            assert "requester-pays" in (caught.value.hint or "")
    place.access = Access(requester_pays=True)
    place.put("b//c", b"one")  # which boto3 reads
    with place.open() as store:
        for info in store.scan(place.root):
            assert store.head(info.uri).size == 3
            assert body_of(store, pin_of(info)) == b"one"


def test_1_23_a_bucket_that_refuses_signatures_is_read_without(
    place: HostileS3Place,
) -> None:
    place.put("a", b"one")
    place.bucket.policy = Policy(
        refuses_signed=True, denied=frozenset({"s3:ListBucketVersions"})
    )
    with place.open() as store, pytest.raises(AccessDeniedError):
        list(store.scan(place.root))
    place.access = Access(anonymous=True)
    with place.open() as store:
        (info,) = store.scan(place.root)
        assert info.version is not None
        assert body_of(store, pin_of(info)) == b"one"


# -- archives, keys of customers, conditions -----------------------------------------------


@pytest.mark.parametrize(
    ("storage_class", "tier"),
    [
        ("GLACIER", ""),
        ("DEEP_ARCHIVE", ""),
        ("INTELLIGENT_TIERING", "ARCHIVE_ACCESS"),
        ("INTELLIGENT_TIERING", "DEEP_ARCHIVE_ACCESS"),
    ],
)
def test_1_17_1_18_what_is_archived_is_told_and_read_once_it_is_restored(
    place: HostileS3Place, storage_class: str, tier: str
) -> None:
    state = place.bucket.put("tree/a", b"one", Upload(storage_class=storage_class))
    place.bucket.amend("tree/a", state.version, archive=tier)
    with place.open() as store:
        (info,) = store.scan(place.root)
        head = store.head(place.uri("a"))
        assert head.archived == f"{storage_class} {tier}".strip()
        assert info.archived == (None if tier else storage_class)
        for pin in (pin_of(info), Pin(uri=info.uri, size=3)):
            with pytest.raises(ObjectArchivedError):
                body_of(store, pin)
        place.bucket.amend("tree/a", state.version, restored=True)
        assert store.head(place.uri("a")).archived is None
        assert body_of(store, pin_of(info)) == b"one"


@pytest.mark.parametrize("storage_class", ["STANDARD_IA", "GLACIER_IR", "ONEZONE_IA"])
def test_1_17_what_is_only_cold_is_read(place: HostileS3Place, storage_class: str) -> None:
    place.put("a", b"one", Upload(storage_class=storage_class))
    with place.open() as store:
        (info,) = store.scan(place.root)
        assert info.archived is store.head(place.uri("a")).archived is None
        assert body_of(store, pin_of(info)) == b"one"


def test_1_16_the_lock_of_an_object_changes_nothing_of_what_is_locked(
    place: HostileS3Place,
) -> None:
    state = place.bucket.put("tree/a", b"one")
    with place.open() as store:
        before = store.head(place.uri("a"))
        place.bucket.amend(
            "tree/a",
            state.version,
            headers={
                "x-amz-object-lock-mode": "COMPLIANCE",
                "x-amz-object-lock-retain-until-date": "2100-01-01T00:00:00Z",
                "x-amz-object-lock-legal-hold": "ON",
            },
        )
        locked = store.head(place.uri("a"))
        assert locked.protection is not None
        assert msgspec.structs.replace(locked, protection=None) == before
        place.bucket.policy = Policy(denied=frozenset({"s3:GetObjectRetention"}))
        assert store.head(place.uri("a")) == before


def test_1_30_an_object_under_a_customers_key_is_refused_and_not_asked_again(
    place: HostileS3Place,
) -> None:
    place.put("a", b"one", Upload(encryption="customer"))
    with place.open() as store:
        (info,) = store.scan(place.root)
        assert info.tokens.trust is Trust.ETAG
        for deed in (
            lambda: [store.head(place.uri("a"))],
            lambda: [body_of(store, pin_of(info))],
        ):
            with pytest.raises(StoreError) as caught:
                deed()
            assert not isinstance(caught.value, StoreUnavailableError)


@pytest.mark.parametrize("key", ["a", "b//c"])
def test_1_29_a_condition_that_is_taken_and_not_kept_changes_nothing(
    place: HostileS3Place, key: str
) -> None:
    place.bucket.versioning = None
    place.put(key, b"one")
    with place.open() as store:
        (info,) = store.scan(place.root)
        for conditions in ("ignored", "kept"):
            place.bucket.policy = Policy(conditions=conditions)
            assert body_of(store, pin_of(info)) == b"one"
        place.put(key, b"two")
        for conditions in ("ignored", "kept", "refused"):
            place.bucket.policy = Policy(conditions=conditions)  # type: ignore[arg-type] # one of them
            with pytest.raises(StoreError):
                body_of(store, pin_of(info))


def test_1_29_a_server_without_conditions_is_read_all_the_same(
    place: HostileS3Place,
) -> None:
    place.bucket.versioning = None
    place.bucket.policy = Policy(conditions="refused")
    place.put("a", b"one")
    with place.open() as store:
        (info,) = store.scan(place.root)
        assert body_of(store, pin_of(info)) == b"one"


def test_1_27_no_read_asks_for_what_other_servers_do_not_know(
    place: HostileS3Place,
) -> None:
    place.put("a", b"one")
    place.put("b//c", b"one")
    with place.open() as store:
        for info in store.scan(place.root):
            store.head(info.uri)
            body_of(store, pin_of(info))
    for request in place.server.requests:
        names = {name.lower() for name, _ in request.headers}
        assert not {name for name in names if name.startswith("x-amz-checksum-")} - {
            "x-amz-checksum-mode"
        }
        assert "x-amz-trailer" not in names
        assert "x-amz-sdk-checksum-algorithm" not in names


def test_1_28_every_read_says_which_state_it_means(place: HostileS3Place) -> None:
    place.put("versioned", b"one")
    place.put("odd//key", b"one")
    with place.open() as store:
        for info in store.scan(place.root):
            body_of(store, pin_of(info))
            body_of(store, Pin(uri=info.uri, size=info.size, etag=info.tokens.etag))
    reads = [
        request
        for request in place.server.requests
        if request.method == "GET" and request.path.startswith("/hostile/tree/")
    ]
    assert len(reads) == 4
    for request in reads:
        assert "versionId=" in request.query or request.header("If-Match")


# -- directory buckets ---------------------------------------------------------------------


@pytest.mark.usefixtures("as_aws")
def test_1_19_a_directory_bucket_in_any_order_is_the_same(
    server: HostileS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = server.create_bucket("data--use1-az4--x-s3", versioning=None)
    place = HostileS3Place(
        server=server,
        bucket=bucket,
        monkeypatch=monkeypatch,
        access=Access(region="us-east-1"),
    )
    wanted = {f"{number:02}/x": bytes([number]) for number in range(12)}
    for name, body in wanted.items():
        place.put(name, body, Upload(etag="random", checksum=""))
    orders = []
    for seed in range(3):
        bucket.plain_pages = Pages(size=5, shuffled=seed)
        with place.open() as store:
            found = list(store.scan(place.root))
            orders.append([info.uri.key for info in found])
            for info in found:
                assert info.version is None
                name = info.uri.key.removeprefix("tree/")
                assert body_of(store, pin_of(info)) == wanted[name]
    assert len({tuple(order) for order in orders}) == 3
    assert {tuple(sorted(order)) for order in orders} == {
        tuple(f"tree/{name}" for name in sorted(wanted))
    }


def test_the_rules_of_a_bucket_are_answered(place: HostileS3Place) -> None:
    # For whoever asks about retention: what is set is told, and what is not is not there.
    import boto3  # noqa: PLC0415 - stores alone import it elsewhere

    client = boto3.client(
        "s3",
        endpoint_url=place.server.endpoint,
        aws_access_key_id="a",
        aws_secret_access_key="b",  # noqa: S106 - of a server that checks none
        region_name="us-east-1",
    )
    name = place.bucket.name
    assert client.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert client.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    for ask in (
        client.get_bucket_lifecycle_configuration,
        client.get_object_lock_configuration,
    ):
        with pytest.raises(client.exceptions.ClientError):
            ask(Bucket=name)
    place.bucket.answers["lifecycle"] = (
        b"<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status>"
        b"<Filter><Prefix>p/</Prefix></Filter><NoncurrentVersionExpiration>"
        b"<NoncurrentDays>30</NoncurrentDays></NoncurrentVersionExpiration></Rule>"
        b"</LifecycleConfiguration>"
    )
    rules = client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert json.dumps(rules[0]["NoncurrentVersionExpiration"]) == '{"NoncurrentDays": 30}'
    place.bucket.policy = Policy(denied=frozenset({"s3:GetLifecycleConfiguration"}))
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.get_bucket_lifecycle_configuration(Bucket=name)
    client.close()
