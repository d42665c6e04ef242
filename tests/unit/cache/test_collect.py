import os
import time
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest

from artlock.cache.blobs import BlobCache
from artlock.cache.collect import (
    GRACE_S,
    Choice,
    choose,
    delete,
    discard,
    discarded,
    old_in_quarantine,
    put_back,
    size_of,
)
from artlock.cache.layout import CacheLayout
from artlock.cache.sweep import stored_blobs
from artlock.errors import CacheError
from artlock.model.digest import Digest
from tests.unit.cache.conftest import fill

DAY = 24 * 3600.0
NOW = time.time() + 2 * DAY


def chosen(
    cache: BlobCache,
    *,
    keep: AbstractSet[Digest] = frozenset(),
    now_s: float = NOW,
    max_size: int | None = None,
    grace_s: float = GRACE_S,
) -> Choice:
    return choose(cache.layout, keep=keep, now_s=now_s, max_size=max_size, grace_s=grace_s)


def removed(cache: BlobCache, keep: AbstractSet[Digest]) -> Choice:
    choice = chosen(cache, keep=keep)
    discard(cache.layout, choice.removed)
    delete(discarded(cache.layout))
    return choice


def stored(cache: BlobCache) -> set[Digest]:
    return {blob.digest for blob in stored_blobs(cache.layout)}


def test_what_is_needed_stays(cache: BlobCache) -> None:
    digests = fill(cache, 3)
    found = removed(cache, {digests[1]})
    assert [blob.digest for blob in found.removed] == [digests[0], digests[2]]
    assert (found.size, found.kept, found.kept_size) == (20, 1, 10)
    assert stored(cache) == {digests[1]}
    assert discarded(cache.layout) == []


def test_3_16_what_is_young_stays(cache: BlobCache) -> None:
    fill(cache, 2)
    assert chosen(cache, now_s=time.time()).removed == ()
    assert chosen(cache, grace_s=3 * DAY).removed == ()
    assert len(chosen(cache).removed) == 2


def test_the_least_recently_used_go_until_the_rest_fits(cache: BlobCache) -> None:
    digests = fill(cache, 4)
    os.utime(cache.path(digests[0]))  # used just now
    found = chosen(cache, max_size=25)
    assert [blob.digest for blob in found.removed] == digests[1:3]
    assert (found.kept, found.kept_size) == (2, 20)
    assert chosen(cache, max_size=40).removed == ()


def test_choosing_changes_nothing(cache: BlobCache) -> None:
    digests = fill(cache, 2)
    assert len(chosen(cache).removed) == 2
    assert stored(cache) == set(digests)


def test_3_17_links_decide_nothing(cache: BlobCache, tmp_path: Path) -> None:
    needed, other = fill(cache, 2)
    os.link(cache.path(other), tmp_path / "link")
    removed(cache, {needed})
    assert stored(cache) == {needed}


def test_3_16_what_is_needed_after_all_comes_back(cache: BlobCache) -> None:
    one, two = fill(cache, 2)
    before = cache.path(one).read_bytes()
    choice = chosen(cache)
    discard(cache.layout, choice.removed)
    assert stored(cache) == set()
    back = put_back(cache.layout, lambda: {one})
    assert back == stored(cache) == {one}
    assert cache.path(one).read_bytes() == before
    rest = choice.without(back)
    assert [blob.digest for blob in rest.removed] == [two]
    assert (rest.size, rest.kept, rest.kept_size) == (10, 1, 10)
    assert size_of(discarded(cache.layout)) == 10
    assert delete(discarded(cache.layout)) == 10
    assert cache.verify(one)


def test_3_16_one_that_was_fetched_again_meanwhile_is_left_alone(cache: BlobCache) -> None:
    (one,) = fill(cache, 1)
    discard(cache.layout, chosen(cache).removed)
    fill(cache, 1)
    inode = cache.path(one).stat().st_ino
    assert put_back(cache.layout, lambda: {one}) == frozenset()
    assert cache.path(one).stat().st_ino == inode
    assert delete([*discarded(cache.layout), cache.layout.discarded / "gone"]) == 10
    assert cache.verify(one)


def test_3_8_what_a_killed_run_moved_is_found_by_the_next(cache: BlobCache) -> None:
    one, two = fill(cache, 2)
    discard(cache.layout, chosen(cache).removed)
    (cache.layout.discarded / "README").write_bytes(b"1")
    cache.path(one).parent.rmdir()
    assert put_back(cache.layout, lambda: {one}) == {one}
    delete(discarded(cache.layout))
    assert stored(cache) == {one}
    assert discarded(cache.layout) == []
    assert two not in stored(cache)


def test_needs_are_not_asked_for_when_nothing_went(cache: BlobCache) -> None:
    def ask() -> set[Digest]:
        raise AssertionError

    assert put_back(cache.layout, ask) == frozenset()


def test_a_blob_that_went_by_itself_is_no_error(cache: BlobCache) -> None:
    (one,) = fill(cache, 1)
    choice = chosen(cache)
    cache.path(one).unlink()
    discard(cache.layout, choice.removed)
    assert discarded(cache.layout) == []


def test_a_blob_that_cannot_be_moved_is_an_error(cache: BlobCache) -> None:
    fill(cache, 1)
    choice = chosen(cache)
    cache.layout.discarded.rmdir()
    cache.layout.discarded.touch()
    with pytest.raises(CacheError, match="cannot remove the blob"):
        discard(cache.layout, choice.removed)


def test_3_14_quarantine_is_emptied_by_age(cache: BlobCache) -> None:
    for digest in fill(cache, 2):
        cache.quarantine(digest)
    layout = cache.layout
    (layout.quarantine / "folder").mkdir()
    assert old_in_quarantine(layout, now_s=time.time(), grace_s=DAY) == []
    assert len(old_in_quarantine(layout, now_s=NOW, grace_s=DAY)) == 2


def test_an_empty_cache_has_nothing_to_collect(tmp_path: Path) -> None:
    layout = CacheLayout(tmp_path / "none")
    assert choose(layout, keep=set(), now_s=NOW).removed == ()
    assert discarded(layout) == []
    assert old_in_quarantine(layout, now_s=NOW, grace_s=0) == []
