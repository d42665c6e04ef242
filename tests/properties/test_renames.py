"""Renames lose no row, invent none, and say only what identifies bytes says."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from artlock.model.diff import Change, ChangeKind, diff
from artlock.model.lock import LockedArtifact, LockedObject, Lockfile
from artlock.model.renames import with_renames
from tests.unit.model.test_diff import lock, tree

DIGESTS = [f"blake3:{digit * 64}" for digit in "ab"]
CHECKSUMS = [f"md5:{digit * 32}" for digit in "01"]
TOKENS = st.lists(st.sampled_from([*DIGESTS, *CHECKSUMS, "etag:x"]), max_size=3).map(
    lambda some: " ".join(
        sorted({token.partition(":")[0]: token for token in some}.values(), key=_rank)
    )
)


def _rank(token: str) -> int:
    return ["blake3", "md5", "etag"].index(token.partition(":")[0])


ROWS = st.dictionaries(
    st.sampled_from(["a", "b", "f/a", "f/b", "g/a"]),
    st.tuples(st.integers(0, 2), TOKENS),
).map(lambda rows: [LockedObject(p, *rows[p], "v") for p in sorted(rows)])
LOCKFILES = st.tuples(ROWS, ROWS).map(
    lambda two: lock(tree("x", *two[0]), tree("y", *two[1]))
)


def _went(changes: tuple[Change, ...]) -> Counter[tuple[str | None, LockedObject]]:
    return Counter(
        (c.old_artifact or c.artifact, c.old)
        for c in changes
        if c.old and c.kind in {ChangeKind.DELETED, ChangeKind.RENAMED}
    )


def _came(changes: tuple[Change, ...]) -> Counter[tuple[str, LockedObject]]:
    return Counter(
        (c.artifact, c.new)
        for c in changes
        if c.new and c.kind in {ChangeKind.ADDED, ChangeKind.RENAMED}
    )


@given(LOCKFILES, LOCKFILES)
def test_every_row_is_told_once_and_pairs_are_of_equal_bytes(
    old: Lockfile, new: Lockfile
) -> None:
    plain = diff(old, new)
    changes = with_renames(plain)
    assert _went(changes) == _went(plain)
    assert _came(changes) == _came(plain)
    assert [c for c in plain if c.kind not in "AD"] == [
        c for c in changes if c.kind not in "ADR"
    ]
    for change in changes:
        if change.kind is ChangeKind.RENAMED:
            assert change.old
            assert change.new
            assert change.old.size == change.new.size > 0
            assert change.old.tokens.agrees(change.new.tokens)


@given(LOCKFILES, LOCKFILES)
def test_what_is_left_could_not_be_paired(old: Lockfile, new: Lockfile) -> None:
    changes = with_renames(diff(old, new))
    gone = [c.old for c in changes if c.kind is ChangeKind.DELETED and c.old]
    come = [c.new for c in changes if c.kind is ChangeKind.ADDED and c.new]
    for went in gone:
        for came in come:
            alike = went.checksum == came.checksum and went.size == came.size > 0
            assert not (alike and went.checksum not in {"", "etag:x"})


@given(LOCKFILES)
def test_a_lockfile_under_another_name_is_all_renames(old: Lockfile) -> None:
    moved = [
        LockedArtifact(
            name=artifact.name,
            declared=artifact.declared,
            kind=artifact.kind,
            objects=tuple(
                LockedObject(f"n/{row.path}", row.size, row.checksum, row.version)
                for row in artifact.objects
            ),
        )
        for artifact in old.artifacts
    ]
    changes = with_renames(diff(old, lock(*moved)))
    for change in changes:
        row = change.new or change.old
        assert row
        names_bytes = row.size > 0 and row.checksum not in {"", "etag:x"}
        assert (change.kind is ChangeKind.RENAMED) == names_bytes
