"""GcsStore on a store that does what it should not: the hazards of GCS, one by one."""

import gzip
import json
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artlock.errors import (
    AccessDeniedError,
    IntegrityError,
    ObjectNotFoundError,
    StoreError,
)
from artlock.model.digest import ChecksumAlgorithm
from artlock.model.manifest import Access
from artlock.model.objects import ObjectInfo
from artlock.model.tokens import Trust
from artlock.model.uri import Uri
from artlock.model.verification import Verification
from artlock.stores.base import Pin, StoreContext
from artlock.stores.gcs import GcsStore
from artlock.stores.retry import Retrying
from testbed.faults import READ_FAULTS, Fault, duplicated, swapped
from testbed.hostile import HostileGcs, Pages, Policy, Upload
from tests.contract.hostile_place import HostileGcsPlace, refuses_pages_without_end
from tests.contract.store_contract import body_of, pin_of, reads_of

BODY = bytes(range(256)) * 64
PACKED = gzip.compress(BODY, mtime=0)


@pytest.fixture
def place() -> Iterator[HostileGcsPlace]:
    with HostileGcs() as server:
        yield HostileGcsPlace(server=server, bucket=server.create_bucket("hostile"))


def judge(info: ObjectInfo, body: bytes) -> None:
    check = Verification(info.tokens, size=info.size, subject="test")
    check.update(body)
    check.finish()


@pytest.mark.parametrize("key", ["a.gz", "b//a.gz"])
def test_1_33_what_would_be_inflated_arrives_as_it_is_stored(
    place: HostileGcsPlace, key: str
) -> None:
    place.put(key, PACKED, Upload(encoding="gzip"))
    with place.open() as store:
        (info,) = store.scan(place.root)
        assert (info.encoding, info.size) == ("gzip", len(PACKED))
        assert body_of(store, pin_of(info)) == PACKED
        judge(info, PACKED)
    reads = [r for r in place.server.requests if not r.path.startswith("/storage/v1/b")]
    assert reads
    assert all("gzip" in (r.header("Accept-Encoding") or "") for r in reads)


BODY_FAULTS = {
    **READ_FAULTS,
    "no hash": Fault(kind="corrupt", drop=("x-goog-hash",)),
    "swapped": swapped(BODY[::-1]),
    "swapped for nothing": swapped(b""),
    "duplicated": duplicated(),
    "endless": Fault(kind="endless"),
    "reset": Fault(kind="reset", after=100),
    "slow": Fault(kind="slow", after=4096, seconds=0.01),
    "another range": Fault(kind="wrong_range"),
    "another generation": Fault(kind="headers", headers={"x-goog-generation": "7"}),
}


@pytest.mark.parametrize("name", BODY_FAULTS)
@pytest.mark.parametrize("key", ["a", "b//a"])
def test_1_34_1_35_1_36_no_fault_of_a_body_passes_for_the_object(
    place: HostileGcsPlace, name: str, key: str
) -> None:
    place.put(key, BODY, Upload(is_composed=True))
    fault = BODY_FAULTS[name]
    fields = {field: getattr(fault, field) for field in Fault.__slots__}

    def is_read(method: str, path: str, query: str) -> bool:
        return reads_of("a")(method, path, query) and not path.startswith("/storage/v1")

    with place.open() as store:
        (info,) = store.scan(place.root)
    assert [c.algorithm for c in info.tokens.checksums] == [ChecksumAlgorithm.CRC32C]
    with place.open(Fault(**{**fields, "matches": is_read})) as store:
        for _ in range(2):
            try:
                body = body_of(store, pin_of(info))
                judge(info, body)
            except (StoreError, IntegrityError):
                continue
            assert body == BODY


def test_1_34_a_read_that_went_on_after_a_reset_is_judged_as_a_whole(
    place: HostileGcsPlace,
) -> None:
    place.put("a", BODY)
    cut = Fault(kind="reset", after=5000, times=1, matches=reads_of("a"))
    wrong = Fault(kind="corrupt", offset=5, times=1, matches=reads_of("a"))
    with place.open() as store:
        (info,) = store.scan(place.root)
    with place.open(cut, wrong) as store:
        patient = Retrying(store, sleep=lambda _seconds: None)
        body = body_of(patient, pin_of(info))
        with pytest.raises(IntegrityError):
            judge(info, body)
        assert body_of(patient, pin_of(info)) == BODY


def test_1_37_a_change_of_metadata_is_no_other_version(place: HostileGcsPlace) -> None:
    state = place.bucket.put("tree/a", BODY)
    with place.open() as store:
        before = store.head(place.uri("a"))
        changed = {"metageneration": "2", "metadata": '{"label": "new"}'}
        place.bucket.amend("tree/a", state.version, headers=changed)
        assert store.head(place.uri("a")) == before
        assert list(store.scan(place.root)) == [before]
        assert body_of(store, pin_of(before)) == BODY


@pytest.mark.parametrize("keeps_deleted", [True, False])
def test_1_38_an_overwritten_generation_that_was_not_kept_is_gone_with_a_way_out(
    place: HostileGcsPlace, *, keeps_deleted: bool
) -> None:
    place.bucket.versioning = None
    place.bucket.keeps_deleted = keeps_deleted
    place.put("a", b"one")
    with place.open() as store:
        (info,) = store.scan(place.root)
        place.put("a", b"two")
        # A head asks nothing more, and tells of the way that there may be.
        with pytest.raises(ObjectNotFoundError) as caught:
            store.head(place.uri("a"), info.version)
        assert "gcloud storage restore" in (caught.value.hint or "")
        with pytest.raises(ObjectNotFoundError) as caught:
            body_of(store, pin_of(info))
        assert ("gcloud storage restore" in (caught.value.hint or "")) is keeps_deleted


def test_1_39_a_listing_asks_for_what_it_uses(place: HostileGcsPlace) -> None:
    # The server sends only the fields that are asked for.
    place.put("a", BODY, Upload(encoding="gzip"))
    with place.open() as store:
        (info,) = store.scan(place.root)
        head = store.head(place.uri("a"))
    assert (info.tokens, info.size, info.version) == (head.tokens, head.size, head.version)
    assert info.tokens.trust is Trust.STORE
    (listing, _) = place.server.requests
    assert "items(" in parse_qs(listing.query)["fields"][0]


def test_1_40_folders_beside_the_objects_are_passed_over(place: HostileGcsPlace) -> None:
    place.put("d/", b"")
    place.put("d/a", b"one")

    def with_folders(body: bytes) -> bytes:
        document = json.loads(body)
        document["prefixes"] = ["tree/d/", "tree/managed/"]
        return json.dumps(document).encode()

    fault = Fault(
        kind="rewrite",
        rewrite=with_folders,
        matches=lambda _method, path, _query: path.endswith("/o"),
    )
    with place.open(fault) as store:
        found = {info.uri.key: info.size for info in store.scan(place.root)}
    assert found == {"tree/d/": 0, "tree/d/a": 3}
    assert not any("includeFoldersAsPrefixes" in r.query for r in place.server.requests)


def test_1_41_without_a_payer_nothing_is_told_and_with_one_everything(
    place: HostileGcsPlace,
) -> None:
    place.put("a", b"one")
    place.put("b//c", b"one")
    place.bucket.policy = Policy(requester_pays=True)
    with place.open() as store:
        for deed in (
            lambda: list(store.scan(place.root)),
            lambda: [store.head(place.uri("a"))],
            lambda: [body_of(store, Pin(uri=place.uri("a"), size=3))],
            lambda: [body_of(store, Pin(uri=place.uri("b//c"), size=3))],
        ):
            with pytest.raises(AccessDeniedError) as caught:
                deed()
            assert "user-project" in (caught.value.hint or "")
    place.access = Access(user_project="payer")
    with place.open() as store:
        for info in list(store.scan(place.root)):
            assert store.head(info.uri).size == 3
            assert body_of(store, pin_of(info)) == b"one"


@pytest.mark.parametrize(
    "denied",
    [
        frozenset({"storage.objects.list"}),
        frozenset({"storage.objects.get"}),
        frozenset({"storage.objects.list", "storage.objects.get"}),
        frozenset({"storage.buckets.get"}),
    ],
    ids=lambda denied: " ".join(sorted(denied)),
)
def test_4_9_each_refusal_names_its_permission(
    place: HostileGcsPlace, denied: frozenset[str]
) -> None:
    place.put("a", b"one")
    place.bucket.policy = Policy(denied=denied)
    pin = Pin(uri=place.uri("a"), size=3)
    with place.open() as store:
        deeds: dict[str, Callable[[], int]] = {
            "storage.objects.list": lambda: len(list(store.scan(place.root))),
            "storage.objects.get": lambda: len(list(store.read(pin))),
        }
        for permission, deed in deeds.items():
            if permission in denied:
                with pytest.raises(AccessDeniedError) as caught:
                    deed()
                assert permission in (caught.value.hint or "")
            else:
                assert deed() == 1
        is_told = denied == {"storage.buckets.get"}
        with pytest.raises(ObjectNotFoundError if is_told else AccessDeniedError):
            store.head(place.uri("missing"))


WRONG_PAGES = {
    "pages overlap": Pages(size=4, repeats=True),
    "circles": Pages(size=4, loops=True),
    "shuffled": Pages(shuffled=1),
    "empty for ever": Pages(empty=-1),
}


@pytest.mark.parametrize("wrong", WRONG_PAGES)
def test_1_11_4_16_a_listing_that_repeats_itself_is_refused(
    place: HostileGcsPlace, wrong: str
) -> None:
    for number in range(9):
        place.put(f"{number:03}", b"x")
    place.bucket.version_pages = WRONG_PAGES[wrong]
    with place.open() as store, pytest.raises(StoreError, match="not to be believed"):
        list(store.scan(place.root))
    assert place.server.count() < 120


def test_5_12_a_page_without_an_end_is_not_read_to_it(
    place: HostileGcsPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuses_pages_without_end(place, monkeypatch)


def test_4_16_a_listing_of_the_past_that_repeats_itself_is_refused(
    place: HostileGcsPlace,
) -> None:
    for _ in range(3):
        for name in ("a", "b", "c"):
            place.put(name, b"x")
    for size in (2, 8):
        place.bucket.version_pages = Pages(size=size, loops=True)
        with place.open() as store, pytest.raises(StoreError, match="believed"):
            list(store.scan(place.root, as_of=datetime.now(UTC)))
    assert place.server.count() < 20


def test_4_16_pages_of_the_past_may_overlap(place: HostileGcsPlace) -> None:
    for _ in range(3):
        for name in ("a", "b", "c"):
            place.put(name, b"x")
    with place.open() as store:
        now = datetime.now(UTC) + timedelta(seconds=1)
        wanted = list(store.scan(place.root, as_of=now))
        for size in (2, 3, 4):
            place.bucket.version_pages = Pages(size=size, repeats=True)
            assert list(store.scan(place.root, as_of=now)) == wanted
    assert len(wanted) == 3


def test_1_11_pages_without_entries_are_passed_over(place: HostileGcsPlace) -> None:
    place.put("a", b"x")
    place.bucket.version_pages = Pages(empty=20)
    with place.open() as store:
        assert [info.uri for info in store.scan(place.root)] == [place.uri("a")]


@pytest.fixture(scope="module")
def shared_server() -> Iterator[HostileGcs]:
    with HostileGcs() as server:
        yield server


@settings(max_examples=30)
@given(
    deeds=st.lists(
        st.tuples(
            st.sampled_from(["put", "put", "delete", "forget"]),
            st.sampled_from("ab/é"),
            st.integers(0, 3),
        ),
        max_size=20,
    ),
    size=st.integers(1, 7),
    versioning=st.sampled_from(["Enabled", None]),
)
def test_1_10_1_37_any_history_is_listed_as_it_is(
    shared_server: HostileGcs,
    deeds: list[tuple[str, str, int]],
    size: int,
    versioning: str | None,
) -> None:
    name = f"b-{secrets.token_hex(4)}"
    bucket = shared_server.create_bucket(name, versioning=versioning)  # type: ignore[arg-type] # one of Versioning
    bucket.version_pages = Pages(size=size)
    for deed, key, how in deeds:
        match deed:
            case "put":
                bucket.put(f"tree/{key}", b"x" * how)
            case "delete":
                bucket.delete(f"tree/{key}")
            case _:
                history = bucket.history(f"tree/{key}")
                if history:
                    bucket.forget(f"tree/{key}", history[how % len(history)].version)
    access = Access(endpoint=shared_server.endpoint)
    store = GcsStore(StoreContext(access=access), patience_s=0)
    found = list(store.scan(Uri("gs", name, "tree/")))
    assert {info.uri.key: info.size for info in found} == {
        key: len(body) for key, body in bucket.contents().items()
    }
    for info in found:
        live = bucket.live(info.uri.key)
        assert live is not None
        assert info.version == live.version
        assert body_of(store, pin_of(info)) == live.body
    store.close()
