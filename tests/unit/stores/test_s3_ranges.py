"""Ranges of a sorted listing: together they are the listing, wherever it is cut."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.stores.s3.listing import Marker, Rules, follow, live_entries
from artlock.stores.s3.pages import Entry, Page, PageError, parse_page
from artlock.stores.s3.ranges import (
    QUESTIONS,
    RANGES,
    Range,
    find_cuts,
    last_key,
    ranges,
)
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


# -- where to cut --------------------------------------------------------------------------


class Tree:
    """Tells folders of keys as S3 does, and counts how often."""

    def __init__(self, *keys: str, names_own: bool = False, most: int = 1000) -> None:
        self.keys = keys
        self.behind = ""
        self.names_own = names_own
        self.most = most
        self.asked: list[str] = []

    def cuts(self, behind: str) -> list[str]:
        self.behind = behind
        return find_cuts(self.folders, "t/", behind)

    def folders(self, folder: str) -> list[str]:
        self.asked.append(folder)
        below = [k for k in self.keys if k.startswith(folder) and k > self.behind]
        names = {
            k[: k.index("/", len(folder)) + 1] for k in below if "/" in k[len(folder) :]
        }
        return sorted(n for n in names if self.names_own or n > self.behind)[: self.most]


def test_folders_behind_the_last_key_are_where_it_is_cut() -> None:
    tree = Tree("t/a/1", "t/a/2", "t/a-b/1", "t/b/1", "t/c")
    assert tree.cuts("t/a-b/1") == ["t/a/", "t/b/"]
    assert Tree("t/a", "t/b").cuts("t/a") == []
    assert Tree("t/a/1", "t/a/2").cuts("t/a/1") == []


@pytest.mark.parametrize("names_own", [True, False])
def test_a_few_folders_are_looked_into_also_the_one_that_is_begun(
    *, names_own: bool
) -> None:
    keys = [f"t/{half}/{n:03}/x" for half in ("train", "val") for n in range(100)]
    tree = Tree(*keys, names_own=names_own)
    cuts = tree.cuts("t/train/005/x")
    assert tree.asked == ["t/", "t/train/", "t/val/"]
    assert len(cuts) == RANGES - 1
    assert cuts == sorted(cuts)
    assert sum(cut.startswith("t/train/") for cut in cuts) in {7, 8}


def test_many_folders_are_divided_evenly() -> None:
    tree = Tree(*(f"t/{n:03}/x" for n in range(320)))
    assert tree.cuts("t/") == [f"t/{n:03}/" for n in range(20, 320, 20)]
    assert tree.asked == ["t/"]


def test_folders_are_not_asked_for_without_end() -> None:
    deep = Tree("t/" + "/".join("abcdefgh"), "t/z")
    assert deep.cuts("t/0") == ["t/a/", "t/a/b/", "t/a/b/c/", "t/a/b/c/d/"]
    assert len(deep.asked) == QUESTIONS
    wide = Tree(*(f"t/{n}/{m}/x" for n in range(9) for m in range(9)))
    assert len(wide.cuts("t/")) == 9
    assert wide.asked == ["t/"]


@given(
    keys=st.lists(st.text("ab/-", min_size=1, max_size=8), min_size=1, max_size=40),
    lies=st.lists(st.text("abtz/-", max_size=4), max_size=5),
    names_own=st.booleans(),
)
def test_cuts_are_sorted_behind_the_last_key_and_few(
    keys: list[str], lies: list[str], *, names_own: bool
) -> None:
    tree = Tree(*(f"t/{key}" for key in keys), names_own=names_own)
    behind = f"t/{keys[0]}"
    tree.behind = behind
    cuts = find_cuts(lambda folder: [*tree.folders(folder), *lies], "t/", behind)
    assert cuts == sorted(set(cuts))
    assert len(cuts) < RANGES
    assert all(cut > behind for cut in cuts)
    assert len(tree.asked) <= QUESTIONS
