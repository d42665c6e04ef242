import pytest
from msgspec.structs import replace

from artlock.model.diff import ChangeKind, diff, locked_otherwise
from artlock.model.renames import with_renames
from artlock.model.review import Doubt, by_artifact, doubts, says_otherwise
from artlock.model.uri import Uri
from tests.unit.model.test_diff import CRC, MD5, OTHER, lock, tree
from tests.unit.model.test_renames import B3, row

SHA = "sha256:" + "0" * 64


def test_objects_and_bytes_of_each_artifact_add_up() -> None:
    old = lock(
        tree("a", row("moved", size=7), row("x", size=3), row("y")), tree("b", row("in"))
    )
    new = lock(
        tree("a", row("new", OTHER, 11), row("x", OTHER, 4), row("y", version="v2")),
        tree("b", row("inside"), row("moved", size=7)),
    )
    reviews = by_artifact(with_renames(diff(old, new)))
    assert [r.name for r in reviews] == ["a", "b"]
    a, b = reviews
    assert (a.objects_delta, a.bytes_delta) == (0, 11 + 1 - 7)
    assert (b.objects_delta, b.bytes_delta) == (1, 7)
    assert a.counts() == {"A": 1, "M": 1, "V": 1}
    assert [c.path for c in a.left] == ["moved"]
    assert b.counts() == {"R": 2}
    for review, before, after in zip(reviews, old.artifacts, new.artifacts, strict=True):
        assert review.bytes_delta == after.size - before.size
        assert review.objects_delta == len(after.objects) - len(before.objects)


def test_an_artifact_that_only_lost_rows_is_told() -> None:
    old = lock(tree("a", row("x")), tree("b"))
    reviews = by_artifact(with_renames(diff(old, lock(tree("a"), tree("b", row("x"))))))
    assert [(r.name, r.objects_delta, r.bytes_delta) for r in reviews] == [
        ("a", -1, -5),
        ("b", 1, 5),
    ]
    assert (reviews[0].whole, reviews[0].rows) == (None, ())


@pytest.mark.parametrize(
    ("old", "new", "otherwise"),
    [
        (row("x"), row("x", OTHER), True),
        (row("x"), row("x", size=6), True),
        (row("x", "etag:a"), row("x", "etag:b"), True),
        (row("x", f"{MD5} etag:a"), row("x", "etag:a"), False),
        (row("x"), row("x", f"{B3} {MD5}"), False),
        (row("x"), row("x", CRC), True),
        (row("x"), row("x", "other:1"), True),
        (row("x", "etag:a"), row("x", CRC), True),
        (row("x", "other:1"), row("x", CRC), True),
        (row("x"), row("x", ""), False),
        (row("x", "etag:a"), row("x", f"{CRC} etag:a"), False),
        (row("x", f"{SHA} {MD5}"), row("x", f"{B3} {MD5}"), True),
        (row("x", f"{B3} {MD5}"), row("x", MD5), False),
        (row("x", f"{MD5} etag:a", version=""), row("x", f"{B3} etag:a", version=""), True),
        (row("x", f"{MD5} etag:a"), row("x", f"{B3} etag:a", version=""), True),
        (row("x", f"{MD5} etag:a"), row("x", f"{B3} etag:a", version="v2"), False),
        (
            row("x", f"{MD5} etag:a", version=""),
            row("x", f"{B3} etag:b", version=""),
            False,
        ),
        (
            row("x", f"{MD5} etag:W/a", version=""),
            row("x", f"{B3} etag:W/a", version=""),
            False,
        ),
        (row("x"), row("x", OTHER, version="v2"), False),
        (row("x", version=""), row("x", OTHER, version=""), False),
    ],
)
def test_5_2_a_state_never_changes(old: object, new: object, *, otherwise: bool) -> None:
    assert says_otherwise(old, new) is otherwise  # type: ignore[arg-type] # rows


def test_doubts_name_the_rows_to_look_at_twice() -> None:
    old = lock(tree("a", row("w", f"{B3} {MD5}"), row("x"), row("y")))
    new = lock(tree("a", row("w"), row("x", OTHER), row("y", OTHER, version="v2")))
    found = doubts(diff(old, new))
    assert {doubt: [c.path for c in told] for doubt, told in found.items()} == {
        Doubt.ALTERED: ["x"],
        Doubt.WEAKER: ["w"],
    }
    assert doubts(()) == {}


def test_under_another_uri_a_version_is_that_of_another_object() -> None:
    new = tree("a", row("x", OTHER))
    moved = replace(new.declared, uri=Uri.parse("s3://other/a/"))
    changes = diff(lock(tree("a", row("x"))), lock(replace(new, declared=moved)))
    assert changes[0].kind is ChangeKind.DECLARATION
    assert changes[0].keys == ("uri",)
    assert doubts(changes) == {}


def test_rows_that_another_head_leads_elsewhere_are_other_rows() -> None:
    old = tree("a", row("x"), row("y"))
    keys = replace(old.declared, rename=(("k", "y"),))
    moved = replace(old.declared, uri=Uri.parse("s3://other/a/"))
    found = {
        what: [r.path for a in locked_otherwise(lock(old), lock(new)) for r in a.objects]
        for what, new in {
            "nothing": old,
            "include": replace(old, declared=replace(old.declared, include=("*",))),
            "rename": replace(old, declared=keys),
            "uri": replace(old, declared=moved),
            "name": replace(old, name="b"),
            "row": tree("a", row("x"), row("y", OTHER)),
        }.items()
    }
    assert found == {
        "nothing": [],
        "include": [],
        "rename": ["y"],
        "uri": ["x", "y"],
        "name": ["x", "y"],
        "row": ["y"],
    }
