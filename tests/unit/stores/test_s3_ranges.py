"""Ranges of a sorted listing: together they are the listing, wherever it is cut."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.stores.s3.listing import Marker, Rules, follow, live_entries
from artlock.stores.s3.pages import Entry, Page, PageError, parse_page
from artlock.stores.s3.ranges import Range, last_key, ranges
from tests.unit.stores.s3_pages import Bucket, rendered

RULES = Rules(prefix="t/", is_sorted=True)
KEYS = [
    *("t/a", "t/a-b", "t/a-b/x", "t/a.b", "t/a/", "t/a/x", "t/a/y/z", "t/a0", "t/b/"),
    *("t/b/c/d", "t/b/é", "t/b/\U0001f600", "t/c", "t/ +%/q", "t/\x7f"),
]
STEPS = st.lists(st.tuples(st.sampled_from(KEYS), st.booleans()), max_size=60)
CUTS = st.lists(
    st.one_of(st.sampled_from(KEYS), st.sampled_from(["t/", "t/a", "t/zz", "t/b/\uffff"])),
    unique=True,
    max_size=9,
).map(sorted)


def bucket_of(steps: list[tuple[str, bool]]) -> Bucket:
    bucket = Bucket()
    for key, is_put in steps:
        if is_put:
            bucket.put(key)
        else:
            bucket.delete(key)
    return bucket


def asker(
    entries: list[Entry], size: int, *, begins_at_key: bool = False
) -> Callable[[Marker], Page]:
    """Answer as S3 does, which begins behind a key that is named without a version."""

    def ask(marker: Marker) -> Page:
        named = dict(marker)
        key, version = named.get("KeyMarker", ""), named.get("VersionIdMarker")
        if version is None:
            start = sum(e.key < key if begins_at_key else e.key <= key for e in entries)
        else:
            start = [(e.key, e.version) for e in entries].index((key, version)) + 1
        page = entries[start : start + size]
        more = start + size < len(entries)
        return parse_page(rendered(page, following=page[-1] if more else None))

    return ask


def in_ranges(
    ask: Callable[[Marker], Page], cuts: list[str], rules: Rules = RULES
) -> Iterator[Entry]:
    first, *others = ranges(None, cuts)
    yield from live_entries(first.of(follow(ask)), rules)
    for each in others:
        pages = follow(ask, (("KeyMarker", each.after or ""),))
        yield from live_entries(each.of(pages), rules)


@given(steps=STEPS, size=st.integers(1, 7), cuts=CUTS, begins_at_key=st.booleans())
def test_1_10_ranges_have_together_what_the_listing_has(
    steps: list[tuple[str, bool]], size: int, cuts: list[str], *, begins_at_key: bool
) -> None:
    bucket = bucket_of(steps)
    ask = asker(bucket.listing("t/"), size, begins_at_key=begins_at_key)
    found = list(in_ranges(ask, cuts))
    assert found == list(live_entries(follow(ask), RULES))
    assert [e._replace(is_latest=False) for e in found] == bucket.live("t/")


@given(steps=STEPS.filter(bool), size=st.integers(1, 7), cuts=CUTS, data=st.data())
def test_1_10_ranges_have_the_contradiction_that_the_listing_has(
    steps: list[tuple[str, bool]], size: int, cuts: list[str], data: st.DataObject
) -> None:
    entries = bucket_of(steps).listing("t/")
    at = data.draw(st.integers(0, len(entries) - 1))
    entries[at] = entries[at]._replace(is_latest=not entries[at].is_latest)
    ask = asker(entries, size)
    with pytest.raises(PageError) as serial:
        list(live_entries(follow(ask), RULES))
    with pytest.raises(PageError) as divided:
        list(in_ranges(ask, cuts))
    assert str(divided.value) == str(serial.value)


@given(steps=STEPS, size=st.integers(1, 7), cuts=CUTS)
def test_a_range_costs_a_request_more_at_most(
    steps: list[tuple[str, bool]], size: int, cuts: list[str]
) -> None:
    asked: list[Marker] = []
    answer = asker(bucket_of(steps).listing("t/"), size)

    def ask(marker: Marker) -> Page:
        asked.append(marker)
        return answer(marker)

    list(follow(ask))
    serial = len(asked)
    asked.clear()
    list(in_ranges(ask, cuts))
    assert len(asked) <= serial + len(cuts)


def page(*keys: str, more: bool = True) -> Page:
    bucket = Bucket()
    for key in keys:
        bucket.put(key)
    entries = [bucket.histories[key][0]._replace(is_latest=True) for key in keys]
    return Page(entries=entries, is_truncated=more, next=())


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (["t/a", "t/c"], "`t/a` comes after `t/b`"),
        (["t/b", "t/a", "t/c"], "`t/a` comes after `t/b`"),
        (["t/c", "t/y", "t/d", "t/x"], "`t/d` comes after `t/y`"),
        (["t/c", "t/y", "t/x"], "`t/x` comes after `t/y`"),
    ],
)
def test_1_11_a_range_that_is_not_sorted_where_it_is_cut_is_refused(
    keys: list[str], problem: str
) -> None:
    inner = Range(after="t/b", until="t/m")
    with pytest.raises(PageError, match=problem):
        list(inner.of([page(*keys)]))


def test_no_page_behind_a_range_is_asked_for() -> None:
    def pages() -> Iterator[Page]:
        yield page("t/c", "t/m")
        yield page("t/m/x", "t/n")
        raise AssertionError

    found = Range(after="t/b", until="t/m").of(pages())
    assert [[e.key for e in each.entries] for each in found] == [["t/c", "t/m"], []]


def test_the_last_key_is_known_of_a_listing_that_goes_on() -> None:
    assert last_key([]) is None
    assert last_key([page("a"), page("b", "c"), page()]) == "c"
    assert last_key([page("a"), page("b", more=False)]) is None
