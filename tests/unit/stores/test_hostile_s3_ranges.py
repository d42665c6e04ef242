"""S3Store on a long listing of a store that passes for AWS: ranges of it at once."""

import secrets
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artlock.engine import streams
from artlock.errors import StoreError, StoreUnavailableError
from artlock.model.manifest import Access
from artlock.model.uri import Uri
from artlock.stores import cuts
from artlock.stores.base import StoreContext
from artlock.stores.s3 import S3Store, scan, session
from testbed.faults import Fault, access_denied
from testbed.hostile import Bucket, HostileS3, Pages, Policy
from tests.contract.hostile_place import HostileS3Place
from tests.unit.engine.test_streams import ended, running

FOLDERS, FILES, PAGE = 16, 50, 20
EXTRA = cuts.RANGES + cuts.QUESTIONS


@pytest.fixture(autouse=True)
def as_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take loopback for AWS."""
    monkeypatch.setattr(session, "_AWS_HOSTS", ("127.0.0.1",))
    monkeypatch.setattr(streams, "HANDFUL", 5)


@pytest.fixture
def server() -> Iterator[HostileS3]:
    with HostileS3() as server:
        yield server


@pytest.fixture(params=["Enabled", None])
def place(
    server: HostileS3, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> HostileS3Place:
    """Give a tree of many folders in small pages, with and without versions."""
    bucket = server.create_bucket("wide", versioning=request.param)
    for folder in range(FOLDERS):
        for file in range(FILES):
            bucket.put(f"tree/{folder:02}/{file:02}", b"x" * file)
    bucket.version_pages = bucket.plain_pages = Pages(size=PAGE)
    return HostileS3Place(
        server=server,
        bucket=bucket,
        monkeypatch=monkeypatch,
        access=Access(region="us-east-1"),
    )


def is_of_folders(_method: str, _path: str, query: str) -> bool:
    return "delimiter=" in query


def is_in_the_middle(_method: str, _path: str, query: str) -> bool:
    return "=tree%2F1" in query


def is_listing(_method: str, _path: str, query: str) -> bool:
    return "prefix=" in query


def keys(place: HostileS3Place, *faults: Fault) -> list[str]:
    with place.open(*faults) as store:
        return sorted(info.uri.key for info in store.scan(place.root))


def listings(place: HostileS3Place) -> int:
    return place.server.count(lambda r: "prefix=" in r.query)


def test_a_long_listing_costs_a_constant_number_of_requests_more(
    place: HostileS3Place,
) -> None:
    assert keys(place) == sorted(place.bucket.contents())
    assert place.server.count(lambda r: "delimiter=" in r.query) == 1
    assert listings(place) <= FOLDERS * FILES // PAGE + EXTRA
    assert ended()


def test_ranges_are_listed_at_once(place: HostileS3Place) -> None:
    mutex = threading.Lock()
    now = most = 0

    def wait() -> None:
        nonlocal now, most
        with mutex:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with mutex:
            now -= 1

    fault = Fault(kind="before", action=wait, matches=is_listing)
    assert keys(place, fault) == sorted(place.bucket.contents())
    assert 4 <= most <= scan._LISTINGS_AT_ONCE


def test_who_may_not_ask_for_folders_lists_page_by_page(place: HostileS3Place) -> None:
    found = keys(place, access_denied(matches=is_of_folders))
    assert found == sorted(place.bucket.contents())
    assert listings(place) == FOLDERS * FILES // PAGE + 1
    assert not running()


def test_1_11_another_server_is_listed_page_by_page(
    place: HostileS3Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_AWS_HOSTS", ("example.com",))
    assert keys(place) == sorted(place.bucket.contents())
    assert not place.server.count(lambda r: "delimiter=" in r.query)


def test_a_short_listing_is_not_divided(place: HostileS3Place) -> None:
    place.bucket.version_pages = place.bucket.plain_pages = Pages(
        size=FOLDERS * FILES // scan._SERIAL_PAGES
    )
    assert keys(place) == sorted(place.bucket.contents())
    assert listings(place) == scan._SERIAL_PAGES


def test_an_early_end_ends_threads(place: HostileS3Place) -> None:
    with place.open() as store:
        found = store.scan(place.root)
        for _ in range(PAGE * scan._SERIAL_PAGES + 1):
            next(found)
        assert running()
        found.close()  # type: ignore[attr-defined] # a generator
        assert ended()
    assert listings(place) < FOLDERS * FILES // PAGE


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=503, matches=is_in_the_middle),
        Fault(kind="truncate", matches=is_in_the_middle),
    ],
)
def test_4_16_a_page_that_fails_fails_the_listing(
    place: HostileS3Place, fault: Fault
) -> None:
    with pytest.raises(StoreUnavailableError):
        keys(place, fault)
    assert ended()


@pytest.mark.parametrize("first", [1, 8])
@pytest.mark.parametrize(
    "wrong",
    [
        Pages(size=PAGE, repeats=True),
        Pages(size=PAGE, loops=True),
        Pages(size=PAGE, shuffled=1),
    ],
)
def test_1_10_4_16_a_listing_that_is_not_to_be_believed_is_refused(
    place: HostileS3Place, wrong: Pages, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "_SERIAL_PAGES", first)
    monkeypatch.setattr(scan, "HISTORY_PAGES", first)
    place.bucket.version_pages = place.bucket.plain_pages = wrong
    with pytest.raises(StoreError, match="not to be believed"):
        keys(place)
    assert listings(place) <= FOLDERS * FILES // PAGE + EXTRA
    assert ended()


def test_1_19_a_directory_bucket_is_listed_page_by_page(
    place: HostileS3Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "is_directory_bucket", lambda _uri: True)
    place.bucket.plain_pages = Pages(size=PAGE, shuffled=1)
    assert keys(place) == sorted(place.bucket.contents())
    assert not place.server.count(lambda r: "delimiter=" in r.query)


# -- any history ---------------------------------------------------------------------------

NAMES = st.text("ab/-.é", min_size=1, max_size=5)
DEEDS = st.lists(st.tuples(NAMES, st.sampled_from(["put", "put", "delete"])), max_size=40)


@pytest.fixture(scope="module")
def shared() -> Iterator[HostileS3]:
    with HostileS3() as server:
        yield server


@settings(max_examples=60)
@given(
    deeds=DEEDS,
    size=st.integers(1, 7),
    first=st.integers(1, 3),
    workers=st.integers(1, 9),
    is_versioned=st.booleans(),
)
def test_1_10_any_history_is_listed_as_it_is(
    shared: HostileS3,
    deeds: list[tuple[str, str]],
    size: int,
    first: int,
    workers: int,
    *,
    is_versioned: bool,
) -> None:
    bucket: Bucket = shared.create_bucket(
        f"b-{secrets.token_hex(4)}", versioning="Enabled" if is_versioned else None
    )
    for name, deed in deeds:
        if deed == "put":
            bucket.put(f"t/{name}", b"x" * len(name))
        else:
            bucket.delete(f"t/{name}")
    bucket.version_pages = bucket.plain_pages = Pages(size=size)
    bucket.policy = Policy()
    access = Access(endpoint=shared.endpoint, anonymous=True, region="us-east-1")
    uri = Uri("s3", bucket.name, "t/")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "_SERIAL_PAGES", first)
        patch.setattr(scan, "HISTORY_PAGES", first)
        patch.setattr(scan, "is_mostly_history", lambda _pages: False)
        patch.setattr(scan, "_LISTINGS_AT_ONCE", workers)
        patch.setattr(session, "_AWS_HOSTS", ("127.0.0.1",))
        store = S3Store(uri, StoreContext(access=access), attempts=1)
        found = list(store.scan(uri))
        store.close()
    assert len(found) == len(bucket.contents())
    assert {info.uri.key: info.size for info in found} == {
        key: len(body) for key, body in bucket.contents().items()
    }
    for info in found:
        live = bucket.live(info.uri.key)
        assert live is not None
        assert info.version == (live.version if is_versioned else None)
