import pytest
from msgspec.structs import replace

from artlock.model.diff import ChangeKind, diff
from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.manifest import Declaration
from artlock.model.uri import Uri

MD5 = "md5:" + "0" * 32
OTHER = "md5:" + "1" * 32
CRC = "crc32c:00000000"


def tree(name: str, *rows: LockedObject) -> LockedArtifact:
    declared = Declaration(uri=Uri.parse(f"s3://bucket/{name}/"))
    return LockedArtifact(name=name, declared=declared, kind=Kind.TREE, objects=rows)


def lock(*artifacts: LockedArtifact) -> Lockfile:
    return Lockfile(artifacts=artifacts)


@pytest.mark.parametrize(
    ("old", "new", "kind", "delta"),
    [
        (None, ("", 5, MD5, "v1"), "A", 5),
        (("", 5, MD5, "v1"), None, "D", -5),
        (("", 5, MD5, "v1"), ("", 6, MD5, "v1"), "M", 1),
        (("", 5, MD5, "v1"), ("", 5, OTHER, "v1"), "M", 0),
        (("", 5, MD5, "v1"), ("", 5, MD5, "v2"), "V", 0),
        (("", 5, MD5, "v1"), ("", 5, f"{CRC} {MD5}", "v1"), "V", 0),
        (("", 5, f"{CRC} {MD5}", "v1"), ("", 5, f"{CRC} {OTHER}", "v2"), "M", 0),
        (("", 5, "etag:a", "v1"), ("", 5, "etag:a", "v2"), "V", 0),
        (("", 5, "etag:a", "v1"), ("", 5, "etag:b", "v2"), "M", 0),
        (("", 5, "etag:a", "v1"), ("", 5, f"{MD5} etag:a", "v1"), "V", 0),
        (("", 5, f"{MD5} etag:a", "v1"), ("", 5, f"{OTHER} etag:a", "v2"), "M", 0),
        (("", 5, "", "v1"), ("", 5, "", "v2"), "M", 0),
        (("", 5, CRC, "v1"), ("", 5, MD5, "v2"), "M", 0),
    ],
)
def test_the_kind_of_a_change_says_whether_bytes_differ(
    old: tuple[str, int, str, str] | None,
    new: tuple[str, int, str, str] | None,
    kind: str,
    delta: int,
) -> None:
    before = LockedObject("p", *old[1:]) if old else None
    after = LockedObject("p", *new[1:]) if new else None
    (change,) = diff(
        lock(tree("a", *([before] if before else []))),
        lock(tree("a", *([after] if after else []))),
    )
    assert (change.artifact, change.path, change.kind) == ("a", "p", kind)
    assert (change.old, change.new) == (before, after)
    assert change.bytes_delta == delta


def test_changes_are_sorted_by_artifact_and_path_with_the_whole_artifact_first() -> None:
    row = {name: LockedObject(name, 1, MD5, "") for name in "xyz"}
    old = lock(tree("a", row["x"]), tree("b", row["y"]), tree("d", row["x"]))
    changed = tree("b", row["x"], row["z"])
    declared = replace(changed.declared, include=("x", "z"))
    new = lock(
        replace(changed, declared=declared), tree("c", row["z"]), tree("d", row["x"])
    )
    assert [(c.artifact, c.path, str(c.kind)) for c in diff(old, new)] == [
        ("a", "", "D"),
        ("a", "x", "D"),
        ("b", "", "S"),
        ("b", "x", "A"),
        ("b", "y", "D"),
        ("b", "z", "A"),
        ("c", "", "A"),
        ("c", "z", "A"),
    ]


def test_another_kind_is_another_declaration() -> None:
    artifact = tree("a")
    (change,) = diff(lock(artifact), lock(replace(artifact, kind=Kind.LINK)))
    assert change.kind is ChangeKind.DECLARATION
    assert change.bytes_delta == 0


def test_rows_that_are_equal_are_not_told() -> None:
    kept, old, new = (LockedObject(p, 1, MD5, "") for p in ("a", "b", "c"))
    changes = diff(lock(tree("a", kept, old)), lock(tree("a", kept, new)))
    assert [c.path for c in changes] == ["b", "c"]


def test_equal_lockfiles_do_not_differ() -> None:
    artifact = tree("a", LockedObject("x", 1, MD5, ""))
    assert diff(lock(artifact), lock(artifact)) == ()
