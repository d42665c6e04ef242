import pytest

from artlock.errors import ConfigError
from artlock.model.imports import PinnedObject, Pins, artifacts_of
from artlock.model.lock import Kind, LockedObject
from artlock.model.uri import Uri


def pinned(path: str, uri: str, size: int | None = 1) -> PinnedObject:
    return PinnedObject(path=path, uri=Uri.parse(uri), size=size, version="v")


def pins(*objects: PinnedObject, is_whole: bool = False, place: str | None = None) -> Pins:
    return Pins(objects=objects, is_whole=is_whole, place=place)


def test_objects_of_one_bucket_are_a_tree_of_just_these() -> None:
    objects = (pinned("b", "s3://b/t/b"), pinned("a[1]", "s3://b/t/a[1]"))
    (found,) = artifacts_of(pins(*objects), "x")
    assert found.fields == {"uri": "s3://b/t/", "include": ("a[[]1]", "b")}
    assert found.kind is Kind.TREE
    assert found.rows == (LockedObject("a[1]", 1, "", "v"), LockedObject("b", 1, "", "v"))
    (found,) = artifacts_of(pins(*objects, is_whole=True, place="p/q"), "x")
    assert found.fields == {"uri": "s3://b/t/", "path": "p/q"}


def test_other_paths_are_names_of_keys_below_the_nearest_folder() -> None:
    objects = (pinned("x/1", "s3://b/t/d/1"), pinned("e/2", "s3://b/t/e/2"))
    (found,) = artifacts_of(pins(*objects), "x")
    assert found.fields["uri"] == "s3://b/t/"
    assert found.fields["rename"] == {"d/1": "x/1"}


def test_a_long_list_is_not_repeated_in_the_manifest() -> None:
    objects = [pinned(f"{n:03}", f"gs://b/{n:03}") for n in range(101)]
    (found,) = artifacts_of(pins(*objects), "x")
    assert found.is_open
    assert found.fields == {"uri": "gs://b/"}
    (found,) = artifacts_of(
        pins(pinned("a", "s3://b/t//a"), pinned("c", "s3://b/t/c")), "x"
    )
    assert found.is_open


def test_a_web_address_is_an_artifact_of_its_own() -> None:
    objects = (
        pinned("A b.csv", "https://h/a.csv"),
        pinned("a-b.csv", "https://h/a-b.csv"),
        pinned("n", "https://h/n", size=None),
    )
    one, other, unread = artifacts_of(pins(*objects), "x")
    assert one.fields == {"uri": "https://h/a.csv", "path": "data/x-a-b.csv/A b.csv"}
    assert one.rows == (LockedObject("a.csv", 1, "", "v"),)
    assert (other.name, other.fields) == ("x-a-b.csv-2", {"uri": "https://h/a-b.csv"})
    assert unread.rows is None


def test_buckets_are_apart_and_named() -> None:
    objects = (pinned("a", "s3://b/a"), pinned("c", "s3://b/c"), pinned("d", "gs://b/d"))
    assert [one.name for one in artifacts_of(pins(*objects), "x")] == ["x-b", "x-d"]
    assert [one.name for one in artifacts_of(pins(objects[0]), "x")] == ["x"]


def test_a_path_that_comes_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="`a` is pinned twice"):
        artifacts_of(pins(pinned("a", "s3://b/a"), pinned("a", "s3://c/a")), "x")


def test_an_object_at_two_paths_is_refused() -> None:
    with pytest.raises(ConfigError, match="`s3://b/a` is pinned as `a` and as `c`"):
        artifacts_of(pins(pinned("a", "s3://b/a"), pinned("c", "s3://b/a")), "x")
