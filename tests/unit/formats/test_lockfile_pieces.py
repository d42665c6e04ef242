"""What is told by the bounds of pieces: here every row is a piece."""

from collections.abc import Sequence

import pytest

from artlock.errors import ArtlockError, LockfileError, UnsafePathError
from artlock.formats.lockfile import format_lockfile, parse_lockfile, read_lockfile
from artlock.formats.lockfile_changes import without_common_rows
from artlock.formats.lockfile_survey import survey_lockfile
from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.manifest import Declaration
from artlock.model.tally import Tally
from artlock.model.tokens import Trust
from artlock.model.uri import Uri

HEAD = format_lockfile(
    Lockfile(
        artifacts=(
            LockedArtifact(
                name="a",
                declared=Declaration(uri=Uri.parse("s3://bucket/")),
                kind=Kind.TREE,
            ),
        )
    )
).removesuffix(b"]\n")


def text(*paths: str) -> bytes:
    return lines(*(f'["{path}",1,"",""],' for path in paths))


def lines(*rows: str) -> bytes:
    return HEAD + "".join(f"{row}\n" for row in rows).encode() + b"]\n"


@pytest.fixture(autouse=True)
def _a_row_is_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artlock.formats.lockfile_pieces.PIECE", 1)


@pytest.mark.parametrize(
    ("paths", "problem"),
    [
        (("b", "a"), "row `a` stands behind `b`"),
        (("a", "c", "b"), "row `b` stands behind `c`"),
        (("a", "a"), "row `a` is there twice"),
    ],
)
def test_disorder_is_told(paths: Sequence[str], problem: str) -> None:
    for judge in (parse_lockfile, survey_lockfile):
        with pytest.raises(LockfileError, match=problem):
            judge(text(*paths))


@pytest.mark.parametrize(
    "paths",
    [
        ("A", "a"),
        ("A", "B", "a"),
        ("a", "a/b"),
        ("a", "a-b", "a/b"),
        ("A", "a/b"),
        ("a", "z", "é", "e\u0301"),
    ],
)
def test_2_7_2_8_collisions_are_told(paths: Sequence[str]) -> None:
    for judge in (parse_lockfile, survey_lockfile):
        with pytest.raises(UnsafePathError, match="side by side"):
            judge(text(*sorted(paths)))


@pytest.mark.parametrize(
    "paths",
    [(), ("a",), ("a/b", "a/c"), ("README", "a-b/c", "a/b"), ("A/x", "B", "a/y", "é")],
)
def test_all_else_is_canonical(paths: Sequence[str]) -> None:
    data = text(*paths)
    reading, survey = read_lockfile(data), survey_lockfile(data)
    assert reading.is_canonical
    assert survey.is_canonical
    assert [row.path for row in reading.lock.artifacts[0].objects] == list(paths)
    assert survey.tallies[0].objects == len(paths)


@pytest.mark.parametrize(
    "row",
    [
        '["b", 1,"",""],',
        '["b",1,"",""] ,',
        '["b",1,"",""], ',
        '["b",1,"",""],["c",1,"",""],',
        '["\\u0062",1,"",""],',
        '["b",01,"",""],',
        '["b",1,"",""],\n',
        '["b",1,\n"",""],',
    ],
)
def test_another_spelling_is_not_canonical(row: str) -> None:
    data = lines('["a",1,"",""],', row, '["d",1,"",""],')
    try:
        reading = read_lockfile(data)
    except ArtlockError as error:
        with pytest.raises(type(error)):
            survey_lockfile(data)
    else:
        assert not reading.is_canonical
        assert not survey_lockfile(data).is_canonical


def test_rows_that_moved_are_found_again() -> None:
    old = [f"{number:03}" for number in range(50)]
    new = ["0", *old[:20], *old[21:40], "0395", *old[40:]]
    gone, come = without_common_rows(text(*old), text(*new))
    assert [row.path for row in gone.artifacts[0].objects] == ["020"]
    assert [row.path for row in come.artifacts[0].objects] == ["0", "0395"]


def test_the_first_weak_row_is_the_example() -> None:
    md5 = "md5:" + "0" * 32
    tokens = ("etag:x", "", md5, "blake3:" + "0" * 64, "")
    rows = [LockedObject(f"p{n}", 1, each, "v"[n:]) for n, each in enumerate(tokens)]
    tally = Tally.of(rows[:2]) + Tally.of(rows[2:])
    assert tally == Tally.of(rows)
    count, trust = tally.below(Trust.STRONG)
    assert (count.number, count.first, trust) == (4, "p0", Trust.ETAG)
    count, trust = tally.below(Trust.ETAG)
    assert (count.number, count.first, trust) == (2, "p1", Trust.NONE)
    assert tally.below(Trust.NONE)[0].number == 0
    assert (tally.unversioned.number, tally.unversioned.first) == (4, "p1")
