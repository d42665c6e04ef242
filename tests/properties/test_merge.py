"""Random edits of two branches, against a model of what a merge is."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from artlock.errors import LockfileError
from artlock.formats.lockfile import parse_lockfile
from artlock.formats.lockfile_merge import Markers, format_merge
from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.manifest import ChecksumPolicy, Declaration
from artlock.model.merge import ArtifactConflict, merge
from artlock.model.paths import collisions
from artlock.model.uri import Uri
from artlock.ops.repair import read_with_markers

NAMES = ("a", "b")
PATHS = ("d", "d/1", "d/2", "D/2", "e", "f")
DECLARED = (
    Declaration(uri=Uri.parse("s3://bucket/one/")),
    Declaration(uri=Uri.parse("s3://bucket/two/")),
    Declaration(uri=Uri.parse("s3://bucket/one/"), exclude=("f",)),
    Declaration(uri=Uri.parse("s3://bucket/one/"), checksum=ChecksumPolicy.BLAKE3),
)
Values = dict[str, tuple[int, dict[str, int]]]
"""By name: which declaration, and the size of each path."""

values = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(
        st.integers(0, len(DECLARED) - 1),
        st.dictionaries(st.sampled_from(PATHS), st.integers(0, 2)),
    ),
)


def lock_of(values: Values) -> Lockfile:
    return Lockfile(
        artifacts=tuple(
            LockedArtifact(
                name=name,
                declared=DECLARED[declared],
                kind=Kind.TREE,
                objects=tuple(
                    LockedObject(path, size, "", "")
                    for path, size in sorted(sizes.items())
                    if path not in DECLARED[declared].exclude
                    and not any(path in pair for pair in collisions(sorted(sizes)))
                ),
            )
            for name, (declared, sizes) in sorted(values.items())
        )
    )


def rows_of(artifact: LockedArtifact | None) -> dict[str, LockedObject]:
    return {} if artifact is None else {row.path: row for row in artifact.objects}


def is_disputed(base: object, ours: object, theirs: object) -> bool:
    return ours not in (theirs, base) and theirs != base


def expected(base: Lockfile, ours: Lockfile, theirs: Lockfile) -> dict[str, set[str]]:
    """Say which paths of which artifacts are in conflict; ``*`` is the whole."""
    found: dict[str, set[str]] = {}
    for name in NAMES:
        sides = base.get(name), ours.get(name), theirs.get(name)
        before, mine, other = sides
        if not is_disputed(*sides):
            continue
        if mine is None or other is None:
            found[name] = {"*"}
            continue
        heads = [None if a is None else a.declared for a in sides]
        places = {(d.uri, d.checksum) for d in heads[1:] if d is not None}
        if is_disputed(*heads) or len(places) > 1:
            found[name] = {"*"}
            continue
        chosen = heads[2] if heads[1] in (heads[2], heads[0]) else heads[1]
        assert chosen is not None
        rows = [rows_of(a) for a in (before, mine, other)]
        paths = {path for path in PATHS if is_disputed(*(side.get(path) for side in rows))}
        kept = {
            path: (rows[2] if rows[1].get(path) == rows[0].get(path) else rows[1]).get(path)
            for path in PATHS
            if path not in paths
        }
        for side in rows[1:]:
            there = {p for p in PATHS if (side.get(p) if p in paths else kept[p])}
            if there & set(chosen.exclude) or collisions(sorted(there)):
                found[name] = {"*"}
        if paths and name not in found:
            found[name] = paths
    return found


@given(values, values, values)
@example({"a": (0, {"d/1": 0})}, {"a": (0, {})}, {"a": (0, {"d/1": 1})})
@example({"a": (0, {"e": 0})}, {"a": (1, {"e": 0})}, {"a": (0, {"e": 1})})
@example({"a": (0, {"e": 0})}, {"a": (3, {"e": 0})}, {"a": (0, {"e": 1})})
@example({"a": (0, {"e": 0})}, {"a": (2, {"e": 0})}, {"a": (0, {"e": 0, "f": 1})})
@example({"a": (0, {"f": 0})}, {"a": (2, {})}, {"a": (0, {"f": 1})})
@example({"a": (0, {"d": 0})}, {"a": (0, {"d": 1})}, {"a": (0, {"d/1": 0})})
@example({"a": (0, {"d/2": 0})}, {"a": (0, {"d/2": 1})}, {"a": (0, {"D/2": 0})})
def test_exactly_the_true_conflicts_are_told(b: Values, o: Values, t: Values) -> None:
    base, ours, theirs = map(lock_of, (b, o, t))
    merged = merge(base, ours, theirs)
    found = {
        item.name: {"*"}
        if isinstance(item, ArtifactConflict)
        else {conflict.path for conflict in item.conflicts}
        for item in merged.artifacts
    }
    assert {n: paths for n, paths in found.items() if paths} == expected(base, ours, theirs)


@given(values, values, values)
def test_what_is_not_in_conflict_is_that_of_the_side_that_changed(
    b: Values, o: Values, t: Values
) -> None:
    base, ours, theirs = map(lock_of, (b, o, t))
    for item in merge(base, ours, theirs).artifacts:
        if isinstance(item, ArtifactConflict):
            continue
        disputed = {conflict.path for conflict in item.conflicts}
        before, mine, other, after = (
            rows_of(a)
            for a in (
                base.get(item.name),
                ours.get(item.name),
                theirs.get(item.name),
                item.artifact,
            )
        )
        for path in set(PATHS) - disputed:
            changed = other if mine.get(path) == before.get(path) else mine
            assert after.get(path) == changed.get(path)


@given(values, values, values, st.integers(7, 20))
def test_without_conflict_the_text_is_a_lockfile_and_the_sides_may_swap(
    b: Values, o: Values, t: Values, size: int
) -> None:
    base, ours, theirs = map(lock_of, (b, o, t))
    one, other = merge(base, ours, theirs), merge(base, theirs, ours)
    assert one.conflicts == other.conflicts
    text = format_merge(one, Markers(size=size))
    if not one.conflicts:
        assert text == format_merge(other, Markers(size=size))
        parse_lockfile(text)
        return
    # What `resolve` reads of it: each side, and what they agree on.
    repaired = read_with_markers(text)
    assert repaired.disputed == set(one.conflicts)
    for artifact in repaired.lock.artifacts:
        both = set(rows_of(ours.get(artifact.name)).values()) & set(
            rows_of(theirs.get(artifact.name)).values()
        )
        if artifact.name not in one.conflicts:
            continue
        assert both <= set(artifact.objects)


@given(values, values, values)
def test_an_atomic_artifact_is_never_a_mixture(b: Values, o: Values, t: Values) -> None:
    base, ours, theirs = map(lock_of, (b, o, t))
    for item in merge(base, ours, theirs, atomic=NAMES).artifacts:
        if not isinstance(item, ArtifactConflict):
            assert item.artifact in (ours.get(item.name), theirs.get(item.name))
            assert not item.conflicts


@given(values, values)
def test_one_side_that_did_nothing_changes_nothing(b: Values, o: Values) -> None:
    base, ours = lock_of(b), lock_of(o)
    for merged in (
        merge(base, ours, base),
        merge(base, base, ours),
        merge(base, ours, ours),
    ):
        assert not merged.conflicts
        assert parse_lockfile(format_merge(merged, Markers())) == ours


@given(values, values)
def test_without_a_known_beginning_only_what_is_alike_is_merged(
    o: Values, t: Values
) -> None:
    ours, theirs = lock_of(o), lock_of(t)
    merged = merge(Lockfile(), ours, theirs, unknown=NAMES)
    alike = {name for name in NAMES if ours.get(name) == theirs.get(name)}
    assert (
        set(merged.conflicts)
        == {a.name for a in (*ours.artifacts, *theirs.artifacts)} - alike
    )


def test_keys_of_later_versions_in_a_head_are_not_put_over_other_rows() -> None:
    base = lock_of({"a": (0, {"e": 0})})
    theirs = lock_of({"a": (0, {"e": 1})})
    later = replace(theirs.artifacts[0], extra=(("subset", "two"),))
    ours = lock_of({"a": (0, {"e": 0, "f": 0})})
    merged = merge(base, ours, replace(theirs, artifacts=(later,)))
    assert merged.conflicts == {"a": 0}


def test_keys_of_later_versions_that_both_changed_are_refused() -> None:
    base, ours, theirs = (Lockfile(extra=(("x", n),)) for n in range(3))
    with pytest.raises(LockfileError, match="both sides changed `x`"):
        merge(base, ours, theirs)


def test_keys_of_later_versions_are_merged_too() -> None:
    base = Lockfile(revision=1, extra=(("x", 1), ("y", 1)))
    ours = replace(base, revision=3, extra=(("x", 2), ("y", 1)))
    theirs = replace(base, revision=2, extra=(("x", 1),))
    assert merge(base, ours, theirs).top == Lockfile(revision=3, extra=(("x", 2),))
