import pytest

from artlock.errors import EXIT_VIOLATION, PolicyError, UnsafePathError
from artlock.model.lock import Kind, LockedArtifact, LockedObject
from artlock.model.manifest import Declaration
from artlock.model.safety import check_artifact
from artlock.model.uri import Uri


def locked(
    *paths: str,
    uri: str = "s3://b/t/",
    kind: Kind = Kind.TREE,
    include: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    rename: tuple[tuple[str, str], ...] = (),
    portable: bool = True,
    pinned: str | None = None,
    version: str = "v1",
) -> LockedArtifact:
    declared = Declaration(
        uri=Uri.parse(uri),
        include=include,
        exclude=exclude,
        rename=rename,
        portable=portable,
        version=pinned,
    )
    rows = tuple(LockedObject(path, 1, "", version) for path in paths)
    return LockedArtifact(name="a", declared=declared, kind=kind, objects=rows)


@pytest.mark.parametrize(
    "artifact",
    [
        locked(),
        locked("a", "b/c"),
        locked("x.pb", "variables/y", include=("*.pb", "variables/**")),
        locked("a", exclude=("b",)),
        locked("a/b", rename=(("a//b", "a/b"),)),
        locked("a/b", rename=(("a//b", "a/b"),), include=("a//b",)),
        locked("x", rename=(("x", "y"), ("z", "x"))),
        locked("unrenamed", rename=(("a//b", "a/b"),)),
        locked("con", "aux.h", portable=False),
        locked("k", uri="s3://b/k", kind=Kind.FILE),
        locked("k y", uri="https://h.example/d/k%20y?v=1", kind=Kind.FILE),
        locked("other", uri="s3://b/k", kind=Kind.FILE, rename=(("k", "other"),)),
        locked("k", uri="s3://b/k", kind=Kind.FILE, pinned="v1"),
        locked("k", uri="s3://b/k", kind=Kind.FILE, pinned="null", version=""),
        locked(uri="labelbox://p", kind=Kind.LINK),
    ],
    ids=str,
)
def test_rows_that_are_declared_and_safe_pass(artifact: LockedArtifact) -> None:
    check_artifact(artifact)


@pytest.mark.parametrize(
    ("artifact", "outside"),
    [
        (locked("a", "b", include=("a",)), "`b`"),
        (locked("a", "b", exclude=("b",)), "`b`"),
        (locked("a/b", include=("a/b",), rename=(("a//b", "a/b"),)), "`a/b`"),
        (locked("k", rename=(("k", "other"),)), "`k`"),
        (locked("up", rename=(("../up", "up"),)), "`up`"),
        (locked("up", rename=(("a/./up", "up"),)), "`up`"),
        (locked("other", uri="s3://b/k", kind=Kind.FILE), "`other`"),
        (locked("k", uri="s3://b/k", kind=Kind.FILE, rename=(("k", "o"),)), "`k`"),
        (locked("k", "l", uri="s3://b/k", kind=Kind.FILE), "`l`"),
        (locked("k", uri="s3://b/k", kind=Kind.FILE, pinned="v2"), "`k` of version `v1`"),
        (locked("k", uri="s3://b/k", kind=Kind.FILE, pinned="null"), "`k` of version `v1`"),
        (locked("k", uri="labelbox://p/k", kind=Kind.LINK), "`k`"),
    ],
    ids=str,
)
def test_5_1_a_row_outside_of_its_declaration_is_refused(
    artifact: LockedArtifact, outside: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        check_artifact(artifact)
    assert caught.value.message == (
        f"artifact `a` has rows that point outside of its declaration: {outside}"
    )
    assert "resolve --regenerate a" in str(caught.value.hint)
    assert caught.value.exit_code == EXIT_VIOLATION
    assert not isinstance(caught.value, UnsafePathError)


def test_2_1_unsafe_paths_are_all_told() -> None:
    paths = ["../up", "a", "b//c", "con", "d/.git", "e\n", "f.", "g\\h"]
    with pytest.raises(UnsafePathError) as caught:
        check_artifact(locked(*paths))
    assert caught.value.message == (
        "artifact `a` has keys that cannot be file names: `../up`: it has a `..` segment; "
        "`b//c`: it has an empty segment; `con`: `con` is a device on Windows; "
        "`d/.git`: `.git` is where git keeps its own files; "
        "`e\n`: it has a control or direction character; and 2 more"
    )
    assert caught.value.paths == tuple(path for path in paths if path != "a")
    assert caught.value.hint == (
        "in `[artifacts.a]`, `exclude` the keys, or give them other paths with `rename`"
    )


def test_2_7_2_8_paths_that_collide_are_told_in_pairs() -> None:
    with pytest.raises(UnsafePathError) as caught:
        check_artifact(locked("A", "a", "b", "b/c"))
    assert caught.value.message == (
        "artifact `a` has keys that cannot be side by side: `A` and `a`; `b` and `b/c`"
    )
    assert caught.value.paths == ("A", "a", "b", "b/c")


def test_2_6_portable_is_what_the_artifact_declares() -> None:
    check_artifact(locked("con", portable=False))
    with pytest.raises(UnsafePathError):
        check_artifact(locked("con"))
