"""GcsStore on a long listing of a store that passes for Google: ranges of it at once."""

import secrets
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artlock.engine import streams
from artlock.errors import StoreError, StoreUnavailableError
from artlock.model.manifest import Access
from artlock.model.uri import Uri
from artlock.stores import cuts
from artlock.stores.base import StoreContext
from artlock.stores.gcs import GcsStore, scan, store
from testbed.faults import Fault
from testbed.hostile import HostileGcs, Pages
from tests.contract.hostile_place import HostileGcsPlace
from tests.unit.engine.test_streams import ended, running

FOLDERS, FILES, PAGE = 16, 50, 20
EXTRA = cuts.RANGES + cuts.QUESTIONS


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileGcs]:
    """Take loopback for Google."""
    monkeypatch.setattr(streams, "HANDFUL", 5)
    with HostileGcs() as server:
        monkeypatch.setattr(store, "GOOGLE", server.endpoint)
        yield server


@pytest.fixture(params=[None, "2030-01-01T00:00:00Z"])
def as_of(request: pytest.FixtureRequest) -> datetime | None:
    """Ask for what is there, and for a moment at which the same was there."""
    return None if request.param is None else datetime.fromisoformat(request.param)


@pytest.fixture
def place(server: HostileGcs) -> HostileGcsPlace:
    """Give a tree of many folders in small pages; every third object has a past."""
    bucket = server.create_bucket("wide")
    for folder in range(FOLDERS):
        for file in range(FILES):
            for size in range(2 if file % 3 else 1):
                bucket.put(f"tree/{folder:02}/{file:02}", b"x" * (file + size))
    bucket.version_pages = Pages(size=PAGE)
    return HostileGcsPlace(server=server, bucket=bucket)


def is_of_folders(_method: str, _path: str, query: str) -> bool:
    return "delimiter=" in query


def is_in_the_middle(_method: str, _path: str, query: str) -> bool:
    return "startOffset=tree%2F1" in query and "delimiter" not in query


def is_listing(_method: str, path: str, _query: str) -> bool:
    return path.endswith("/o")


def found(
    place: HostileGcsPlace, *faults: Fault, as_of: datetime | None = None
) -> dict[str, str]:
    with place.open(*faults) as opened:
        infos = list(opened.scan(place.root, as_of=as_of))
    versions = {info.uri.key: str(info.version) for info in infos}
    assert len(versions) == len(infos)
    return versions


def live(place: HostileGcsPlace) -> dict[str, str]:
    states = {key: place.bucket.live(key) for key in place.bucket.contents()}
    return {key: state.version for key, state in states.items() if state is not None}


def listings(place: HostileGcsPlace) -> int:
    return place.server.count(lambda r: r.path.endswith("/o"))


def test_a_long_listing_costs_a_constant_number_of_requests_more(
    place: HostileGcsPlace, as_of: datetime | None
) -> None:
    assert found(place, as_of=as_of) == live(place)
    assert place.server.count(lambda r: "delimiter=" in r.query) == 1
    entries = FOLDERS * FILES * (1 if as_of is None else 2)
    assert listings(place) <= entries // PAGE + EXTRA
    assert ended()


def test_ranges_are_listed_at_once(place: HostileGcsPlace) -> None:
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
    assert found(place, fault) == live(place)
    assert 4 <= most <= scan._LISTINGS_AT_ONCE


def test_who_may_not_ask_for_folders_lists_page_by_page(place: HostileGcsPlace) -> None:
    refusal = Fault(kind="status", status=403, matches=is_of_folders)
    assert found(place, refusal) == live(place)
    assert listings(place) == FOLDERS * FILES // PAGE + 1
    assert not running()


def test_1_11_another_server_is_listed_page_by_page(
    place: HostileGcsPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "GOOGLE", "https://storage.googleapis.com")
    assert found(place) == live(place)
    assert listings(place) == FOLDERS * FILES // PAGE


def test_a_short_listing_is_not_divided(place: HostileGcsPlace) -> None:
    place.bucket.version_pages = Pages(size=FOLDERS * FILES // scan._SERIAL_PAGES)
    assert found(place) == live(place)
    assert listings(place) == scan._SERIAL_PAGES


def test_an_early_end_ends_threads(place: HostileGcsPlace) -> None:
    with place.open() as opened:
        infos = opened.scan(place.root)
        for _ in range(PAGE * scan._SERIAL_PAGES + 1):
            next(infos)
        assert running()
        infos.close()  # type: ignore[attr-defined] # a generator
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
    place: HostileGcsPlace, fault: Fault
) -> None:
    with pytest.raises(StoreUnavailableError):
        found(place, fault)
    assert ended()


@pytest.mark.parametrize(
    "wrong",
    [
        Pages(size=PAGE, repeats=True),
        Pages(size=PAGE, loops=True),
        Pages(size=PAGE, shuffled=1),
    ],
)
@pytest.mark.parametrize("first", [1, 8])
def test_1_10_4_16_a_listing_that_is_not_to_be_believed_is_refused(
    place: HostileGcsPlace, wrong: Pages, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "_SERIAL_PAGES", first)
    place.bucket.version_pages = wrong
    with pytest.raises(StoreError, match="not to be believed"):
        found(place)
    assert listings(place) <= FOLDERS * FILES // PAGE + EXTRA
    assert ended()


@pytest.mark.parametrize("parameter", ["startOffset", "endOffset"])
def test_1_11_a_server_that_knows_no_offsets_is_not_believed(
    place: HostileGcsPlace, parameter: str
) -> None:
    place.bucket.version_pages = Pages(size=PAGE, ignores=parameter)
    with pytest.raises(StoreError, match="outside of what was asked for"):
        found(place)
    assert ended()


# -- any history ---------------------------------------------------------------------------

NAMES = st.text("ab/-.é", min_size=1, max_size=5)
DEEDS = st.lists(st.tuples(NAMES, st.sampled_from(["put", "put", "delete"])), max_size=40)


@pytest.fixture(scope="module")
def shared() -> Iterator[HostileGcs]:
    with HostileGcs() as server:
        yield server


@settings(max_examples=60)
@given(
    deeds=DEEDS,
    size=st.integers(1, 7),
    first=st.integers(1, 3),
    workers=st.integers(1, 9),
    moment=st.none() | st.integers(0, 40),
)
def test_1_10_any_history_is_listed_as_page_by_page(
    shared: HostileGcs,
    deeds: list[tuple[str, str]],
    size: int,
    first: int,
    workers: int,
    moment: int | None,
) -> None:
    bucket = shared.create_bucket(f"b-{secrets.token_hex(4)}")
    began = datetime.now(UTC)
    for name, deed in deeds:
        if deed == "put":
            bucket.put(f"t/{name}", b"x" * len(name))
        else:
            bucket.delete(f"t/{name}")
    bucket.version_pages = Pages(size=size)
    uri = Uri("gs", bucket.name, "t/")
    as_of = None if moment is None else began + timedelta(seconds=moment)
    lists = []
    for google in ("https://storage.googleapis.com", shared.endpoint):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scan, "_SERIAL_PAGES", first)
            patch.setattr(scan, "_LISTINGS_AT_ONCE", workers)
            patch.setattr(store, "GOOGLE", google)
            context = StoreContext(access=Access(endpoint=shared.endpoint))
            opened = GcsStore(context, patience_s=0)
            lists.append(
                sorted(opened.scan(uri, as_of=as_of), key=lambda info: str(info.uri))
            )
            opened.close()
    assert lists[0] == lists[1]
    if moment is None:
        assert {info.uri.key for info in lists[1]} == set(bucket.contents())
