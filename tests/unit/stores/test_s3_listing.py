"""Pages of a listing: their text, and what may be believed of them."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.stores.s3 import pages
from artlock.stores.s3.listing import (
    MAX_EMPTY_PAGES,
    Marker,
    Rules,
    follow,
    is_mostly_history,
    live_entries,
    problem_with_keys,
)
from artlock.stores.s3.pages import (
    CutPageError,
    Entry,
    Page,
    PageError,
    is_listing,
    parse_page,
)
from artlock.stores.s3.records import MARK, cut_out
from tests.unit.stores.s3_pages import START, Bucket, rendered

KEY_TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=5,
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["t/a", "t/b", "t/b/c", "t/ +%", "t/é"]), st.booleans()),
    max_size=40,
)


def bucket_of(steps: list[tuple[str, bool]]) -> Bucket:
    bucket = Bucket()
    for key, is_put in steps:
        if is_put:
            bucket.put(key)
        else:
            bucket.delete(key)
    return bucket


def paged(entries: list[Entry], size: int, *, url: bool = True) -> Iterator[Page]:
    """Serve a listing as S3 does, by both markers."""

    def ask(marker: Marker) -> Page:
        start = 0
        if marker:
            named = dict(marker)
            place = (named["KeyMarker"], named["VersionIdMarker"])
            start = [(entry.key, entry.version) for entry in entries].index(place) + 1
        page = entries[start : start + size]
        more = start + size < len(entries)
        return parse_page(rendered(page, following=page[-1] if more else None, url=url))

    return follow(ask)


def entry(key: str = "t/a", *, version: str = "v", latest: bool = True) -> Entry:
    return Entry(
        key=key,
        version=version,
        is_latest=latest,
        is_marker=False,
        size=1,
        etag="e",
        storage_class="",
        modified="",
    )


def page(*entries: Entry, more: bool = False, marker: Marker = ()) -> Page:
    return Page(entries=list(entries), is_truncated=more, next=marker)


SORTED = Rules(prefix="t/", is_sorted=True)
UNSORTED = Rules(prefix="t/", is_sorted=False)


@given(steps=STEPS, size=st.integers(1, 7), url=st.booleans())
def test_1_10_any_history_in_any_pages_gives_the_live_objects(
    steps: list[tuple[str, bool]], size: int, *, url: bool
) -> None:
    bucket = bucket_of(steps)
    seen: set[str] = set()
    pages = paged(bucket.listing("t/"), size, url=url)
    found = list(live_entries(pages, SORTED, seen=seen))
    assert [e._replace(is_latest=False) for e in found] == bucket.live("t/")
    assert seen == {e.key for e in found}


@given(steps=STEPS, size=st.integers(1, 7), second=st.integers(0, 41))
def test_as_of_gives_what_was_live_then(
    steps: list[tuple[str, bool]], size: int, second: int
) -> None:
    bucket = bucket_of(steps)
    moment = START + timedelta(seconds=second)
    rules = Rules(prefix="t/", is_sorted=True, as_of=moment)
    seen: set[str] = set()
    found = live_entries(paged(bucket.listing("t/"), size), rules, seen=seen)
    assert [e._replace(is_latest=False) for e in found] == bucket.live("t/", at=moment)
    assert seen == {e.key for e in bucket.live("t/")}


def test_1_13_what_no_version_names_is_told() -> None:
    bucket = Bucket()
    for key in ("t/before", "t/buried", "t/kept", "t/since", "t/buried", "t/since"):
        bucket.put(key)
    unnamed = {"t/before": 1, "t/buried": 2, "t/since": 6}

    def without_version(found: Entry) -> Entry:
        is_unnamed = found.size == unnamed.get(found.key)
        return found._replace(version="null") if is_unnamed else found

    entries = [without_version(entry) for entry in bucket.listing("t/")]
    before, above, buried, kept, since, _ = entries
    rules = Rules(prefix="t/", is_sorted=True, as_of=START + timedelta(seconds=4))
    unknown: list[str] = []
    pages = [page(before, above, buried, kept, since)]
    found = list(live_entries(pages, rules, unknown=unknown))
    assert found == [before, buried, kept]
    assert unknown == ["t/buried", "t/since"]
    now = Rules(prefix="t/", is_sorted=True)
    unknown.clear()
    assert list(live_entries(pages, now, unknown=unknown)) == [before, above, kept, since]
    assert unknown == []


@given(key=KEY_TEXT, url=st.booleans())
def test_1_20_a_key_survives_its_text(key: str, *, url: bool) -> None:
    (found,) = parse_page(rendered([entry(key)], url=url)).entries
    assert found.key == key


def test_1_20_a_control_character_survives_encoded() -> None:
    (found,) = parse_page(rendered([entry("a\rb\x01c\n")])).entries
    assert found.key == "a\rb\x01c\n"


def test_a_plain_listing_has_one_latest_entry_for_each_key() -> None:
    text = (
        b"<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a</Key>"
        b'<Size>3</Size><ETag>"e-2"</ETag><StorageClass>GLACIER</StorageClass>'
        b"<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        b"<NextContinuationToken>t%2B+</NextContinuationToken>"
        b"<EncodingType>url</EncodingType></ListBucketResult>"
    )
    found = parse_page(text)
    assert found.entries == [
        Entry("a", "", True, False, 3, "e-2", "GLACIER", "2026-01-01T00:00:00.000Z")  # noqa: FBT003 - as a row
    ]
    assert found.is_truncated
    assert found.next == (("ContinuationToken", "t%2B+"),)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ((b"<IsTruncated>false</IsTruncated>", b""), "IsTruncated"),
        ((b"false</IsTr", b"maybe</IsTr"), "maybe"),
        ((b"<VersionId>v</VersionId>", b""), "VersionId"),
        ((b"<IsLatest>true</IsLatest>", b""), "IsLatest"),
        ((b"<Size>1</Size>", b""), "Size"),
        ((b"<Size>1</Size>", b"<Size>many</Size>"), "many"),
        ((b"<Key>a</Key>", b"<Key>%ff</Key>"), "UTF-8"),
        ((b"ListVersionsResult", b"Error"), "Error"),
        ((b"<ListVersionsResult", b"<!DOCTYPE x><ListVersionsResult"), "DTD"),
        ((b"<Key>", b"<!ENTITY x 'y'><Key>"), "DTD"),
    ],
)
def test_1_11_a_page_that_lacks_something_is_no_page(
    damage: tuple[bytes, bytes], problem: str
) -> None:
    text = rendered([entry("a")])
    assert len(parse_page(text).entries) == 1
    with pytest.raises(PageError, match=problem):
        parse_page(text.replace(*damage))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ((b"<Size>1<", b"<Size>-1<"), "`t/a` has a size of -1 bytes"),
        ((b"<Size>1<", b"<Size>9223372036854775808<"), "has a size of 9223372036854775808"),
        ((b"<VersionId>v<", b"<VersionId>v w<"), "a version that is none"),
        ((b"<VersionId>v<", b"<VersionId>" + b"v" * 1025 + b"<"), "a version that is none"),
        ((b"&quot;e&quot;", b"&quot;e&#10;&quot;"), "an etag that is none"),
        ((b"&quot;e&quot;", b"&quot;e&quot;f&quot;"), "an etag that is none"),
    ],
)
def test_4_16_a_page_with_what_s3_never_sends_is_no_page(
    damage: tuple[bytes, bytes], problem: str
) -> None:
    text = rendered([entry()])
    assert damage[0] in text
    with pytest.raises(PageError, match=problem):
        parse_page(text.replace(*damage))


@given(st.data())
def test_1_11_a_page_that_is_cut_is_no_page(data: st.DataObject) -> None:
    text = rendered([entry("a"), entry("b")])
    length = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(CutPageError):
        parse_page(text[:length])


@given(st.binary(max_size=60))
def test_4_11_no_bytes_crash_the_parser(body: bytes) -> None:
    with pytest.raises(PageError):
        parse_page(body)


def read_by(read: Callable[[bytes], Page], body: bytes) -> Page | str:
    try:
        return read(body)
    except PageError as error:
        return str(error)


FRAGMENTS = st.sampled_from(
    [
        *("<!--", "-->", "<![CDATA[", "]]>", "<?p ?>", "<x>", "</x>", "<x xmlns='y'>"),
        *("<Version>", "</Version>", "<Version xmlns=''>", "<DeleteMarker>", "<Contents>"),
        *("<Key>", "</Key>", "<Key/>", "<Key xmlns=''>k</Key>", "<Size>2</Size>"),
        *("<ETag> &quot; e &quot; </ETag>", "<Owner><Key>k</Key></Owner>", "<IsLatest/>"),
        *(
            "&quot;",
            "&#34;",
            "&lt;",
            "&amp;",
            '"',
            " ",
            "\n",
            "\x01",
            "\t",
            "\x7f",
            "é",
            ">",
        ),
        f"<{MARK}/>",
        "<Version><Key>z</Key><VersionId>9</VersionId><IsLatest>true</IsLatest>"
        "<Size>9</Size></Version>",
        "<Contents><Key>z</Key><Size>9</Size></Contents>",
    ]
)


@given(steps=STEPS, url=st.booleans(), edits=st.data())
def test_records_that_are_cut_out_are_those_that_the_parser_finds(
    steps: list[tuple[str, bool]], edits: st.DataObject, *, url: bool
) -> None:
    text = rendered(bucket_of(steps).listing(), url=url).decode()
    for _ in range(edits.draw(st.integers(0, 3))):
        at = edits.draw(st.integers(0, len(text)))
        until = at + edits.draw(st.integers(0, 12))
        text = text[:at] + edits.draw(FRAGMENTS) + text[until:]
    body = text.encode()
    by_parser = read_by(lambda page: pages._page(page, None), body)
    assert read_by(parse_page, body) == by_parser


def test_records_of_the_usual_kind_are_cut_out() -> None:
    bucket = bucket_of([("t/a", True), ("t/b", True), ("t/a", False), ("t/c", True)])
    run = cut_out(rendered(bucket.listing()))
    assert run is not None
    assert [record.tag for record in run.records] == ["DeleteMarker", *["Version"] * 3]
    assert run.records[-1].texts["Key"] == "t/c"
    assert "Version>" not in run.rest
    assert cut_out(rendered([entry("t/é")], url=False)) is None


def test_5_12_entities_are_never_expanded() -> None:
    bomb = (
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
        b"<ListVersionsResult><IsTruncated>false</IsTruncated><Name>&b;</Name>"
        b"</ListVersionsResult>"
    )
    with pytest.raises(PageError, match="DTD"):
        parse_page(bomb)
    with pytest.raises(PageError):
        parse_page(bomb.decode().encode("utf-16"))


@pytest.mark.parametrize("url", [True, False])
def test_folders_of_a_page_are_told(*, url: bool) -> None:
    text = rendered([entry()], url=url)
    name = b"t/%C3%A9+%2B/" if url else "t/é +/".encode()
    folders = b"<CommonPrefixes><Prefix>%b</Prefix></CommonPrefixes>" % name
    for end in (b"<Version>", b"</ListVersionsResult>"):
        found = parse_page(text.replace(end, folders + end))
        assert found.folders == ("t/é +/",)
        assert found.entries == parse_page(text).entries
    assert parse_page(text).folders == ()


def test_only_listings_are_taken_for_listings() -> None:
    assert is_listing(rendered([]))
    assert not is_listing(b"<html></html>")
    assert not is_listing(b"<Error><Code>InternalError</Code></Error>")


@pytest.mark.parametrize(
    ("entries", "rules", "problem"),
    [
        ([entry(latest=False)], SORTED, "no version of `t/a` is the latest"),
        (
            [entry(latest=False), entry(version="w", latest=False)],
            SORTED,
            "no version of `t/a` is the latest",
        ),
        ([entry(), entry(version="w")], SORTED, "two versions of `t/a` are the latest"),
        ([entry(), entry(latest=False)], SORTED, "a version of `t/a` comes twice"),
        ([entry("t/b"), entry("t/a")], SORTED, "`t/a` comes after `t/b`"),
        ([entry("t/a"), entry("t/b"), entry("t/a")], UNSORTED, "`t/a` comes twice"),
        ([entry("other")], SORTED, "`other` is not below `t/`"),
        ([entry("")], UNSORTED, "is not below"),
        ([entry()], Rules(prefix="t/", is_sorted=True, as_of=START), "has no time"),
        (
            [entry()._replace(modified="2026-01-01T00:00:00")],
            Rules(prefix="t/", is_sorted=True, as_of=START),
            "has no time",
        ),
    ],
)
def test_1_10_a_listing_that_contradicts_itself_is_not_believed(
    entries: list[Entry], rules: Rules, problem: str
) -> None:
    with pytest.raises(PageError, match=problem):
        list(live_entries([page(*entries)], rules))


def test_1_19_an_unsorted_listing_is_believed_where_order_is_not_promised() -> None:
    found = live_entries([page(entry("t/b"), entry("t/a"))], UNSORTED)
    assert [e.key for e in found] == ["t/b", "t/a"]


def test_4_16_a_marker_that_comes_again_is_an_error() -> None:
    asked = []

    def ask(marker: Marker) -> Page:
        asked.append(marker)
        other = (("KeyMarker", str(len(asked) % 3)),)
        return page(entry(str(len(asked))), more=True, marker=other)

    with pytest.raises(PageError, match="circles"):
        list(islice(follow(ask), 50))
    assert len(asked) <= 5


def test_4_16_a_first_page_again_is_an_error() -> None:
    again = follow(lambda _: page(entry(), more=True, marker=(("KeyMarker", "a"),)))
    with pytest.raises(PageError, match="circles"):
        list(islice(again, 50))


def test_4_16_a_page_that_names_no_successor_is_an_error() -> None:
    with pytest.raises(PageError, match="not where"):
        list(islice(follow(lambda _marker: page(entry(), more=True)), 50))


def test_4_16_empty_pages_without_end_are_an_error() -> None:
    asked = []

    def ask(marker: Marker) -> Page:
        asked.append(marker)
        return page(more=True, marker=(("KeyMarker", str(len(asked))),))

    with pytest.raises(PageError, match="empty"):
        list(islice(follow(ask), 2 * MAX_EMPTY_PAGES))
    assert len(asked) == MAX_EMPTY_PAGES + 1


def test_1_9_history_is_seen() -> None:
    old = entry(latest=False)
    assert is_mostly_history([page(entry(), *[old] * 100)])
    assert not is_mostly_history([page(entry(), *[old] * 99)])
    assert not is_mostly_history([page()])


def test_1_11_keys_that_differ_are_named() -> None:
    assert problem_with_keys({"a"}, {"a"}) is None
    assert "`b`" in (problem_with_keys({"a"}, {"a", "b", "c"}) or "")
    assert "`a`" in (problem_with_keys({"a", "b"}, {"b"}) or "")
