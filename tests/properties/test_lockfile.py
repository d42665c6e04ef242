import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from artlock.errors import ArtlockError
from artlock.formats.lockfile import (
    format_lockfile,
    is_canonical,
    parse_lockfile,
    read_lockfile,
)
from artlock.formats.lockfile_changes import without_common_rows
from artlock.formats.lockfile_faults import Spot
from artlock.formats.lockfile_read import _check, _read_slowly
from artlock.formats.lockfile_survey import survey_again, survey_lockfile
from artlock.model.diff import diff
from artlock.model.lock import (
    Kind,
    LockedArtifact,
    LockedObject,
    Lockfile,
    content_digest,
    pin_digest,
)
from artlock.model.manifest import Declaration
from artlock.model.tally import Count, Tally
from artlock.model.tokens import Trust
from artlock.model.uri import Uri
from tests.strategies import lockfiles

ALPHABET = (
    *(b"\n", b"\r\n", b'"', b",", b"[", b"]", b"\\", b"0", b"9", b" ", b"\t", b"#", b"="),
    *(b"\x7f", b"\\u007f", b"\\/", b"\\u0041", b"\\ud83d\\ude00", b"\xff", b"\xc3\xa9"),
    *(b"\xef\xbb\xbf", b"],\n", b"]\n", b"objects = [\n", b"[[artifact]]\n", b"null"),
    *(b"1.0", b"1e2", b"true", b"-", b"'", b"'''", b'"""', b"_", b"0x1", b"x = 1\n", b"\0"),
    *(b'["a",1,"",""],\n', b"a.b = {}\n"),
)


def slowly(data: bytes) -> Lockfile | str:
    try:
        lock, _ = _read_slowly(data, Spot("artifacts.lock"))
        _check(lock.artifacts, Spot("artifacts.lock"))
    except ArtlockError as error:
        return f"{type(error).__name__}: {error}"
    return lock


def outcome(data: bytes) -> Lockfile | str:
    try:
        return parse_lockfile(data)
    except ArtlockError as error:
        return f"{type(error).__name__}: {error}"


def counted(lock: Lockfile) -> tuple[Tally, ...]:
    return tuple(
        Tally(
            trusts=tuple(
                count([r.path for r in a.objects if r.tokens.trust is trust])
                for trust in Trust
            ),
            unversioned=count([row.path for row in a.objects if not row.version]),
        )
        for a in lock.artifacts
    )


def count(paths: list[str]) -> Count:
    return Count(len(paths), paths[0] if paths else "")


def surveyed(data: bytes) -> tuple[tuple[Tally, ...], bool] | str:
    try:
        survey = survey_lockfile(data)
    except ArtlockError as error:
        return f"{type(error).__name__}: {error}"
    if survey.rest is not None:
        assert survey_again(survey.rest, survey.tallies) == survey
    return survey.tallies, survey.is_canonical


def edited(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        start = chance.randrange(len(data) + 1)
        kind = chance.randrange(5)
        end = min(len(data), start + chance.choice((0, 1, 1, 2, 8)))
        if kind == 0:
            data = data[:start] + data[end:]
        elif kind == 1:
            data = data[:start] + chance.choice(ALPHABET) + data[end:]
        elif kind == 2:
            data = data[:start] + chance.choice(ALPHABET) + data[start:]
        elif kind == 3:
            data = data[:start] + bytes([chance.randrange(256)]) + data[start + 1 :]
        else:
            lines = data.splitlines(keepends=True)
            one, other = (chance.randrange(len(lines)) for _ in range(2))
            lines[one], lines[other] = lines[other], lines[one]
            data = b"".join(lines)
    return data


@given(lockfiles())
def test_what_is_written_is_read_back_and_is_canonical(lock: Lockfile) -> None:
    reading = read_lockfile(format_lockfile(lock))
    assert reading.lock == lock
    assert reading.is_canonical


@given(lockfiles(), st.randoms(use_true_random=False))
def test_order_never_reaches_the_text(lock: Lockfile, chance: random.Random) -> None:
    shuffled = []
    for artifact in lock.artifacts:
        rows = list(artifact.objects)
        chance.shuffle(rows)
        shuffled.append(replace(artifact, objects=tuple(rows)))
    chance.shuffle(shuffled)
    other = replace(lock, artifacts=tuple(shuffled))
    assert format_lockfile(other) == format_lockfile(lock)
    assert content_digest(other) == content_digest(lock)
    assert pin_digest(other) == pin_digest(lock)


@given(lockfiles())
def test_the_slow_reader_reads_canonical_text_alike(lock: Lockfile) -> None:
    assert slowly(format_lockfile(lock)) == lock


@given(lockfiles(), st.randoms(use_true_random=False))
def test_the_two_readers_agree_on_edited_text(
    lock: Lockfile, chance: random.Random
) -> None:
    text = format_lockfile(lock)
    for _ in range(60):
        data = edited(text, chance)
        assert outcome(data) == slowly(data)


@given(lockfiles(), st.randoms(use_true_random=False))
def test_text_that_differs_from_what_is_written_is_not_canonical(
    lock: Lockfile, chance: random.Random
) -> None:
    text = format_lockfile(lock)
    for _ in range(20):
        data = edited(text, chance)
        try:
            canonical = is_canonical(data)
        except ArtlockError:
            continue
        assert canonical == (format_lockfile(parse_lockfile(data)) == data)


@given(st.binary(max_size=200))
def test_5_11_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert outcome(data) == slowly(data)


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@given(lock=lockfiles())
def test_line_ends_do_not_change_the_meaning(end: str, lock: Lockfile) -> None:
    reading = read_lockfile(format_lockfile(lock).replace(b"\n", end.encode()))
    assert reading.lock == lock
    assert reading.is_canonical == (end == "\n")


@given(lockfiles(), st.integers(1, 400), st.randoms(use_true_random=False))
def test_pieces_of_any_size_are_judged_as_the_whole(
    lock: Lockfile, size: int, chance: random.Random
) -> None:
    text = format_lockfile(lock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("artlock.formats.lockfile_pieces.PIECE", size)
        patch.setattr("artlock.formats.lockfile_write._PIECE", size)
        assert format_lockfile(lock) == text
        for number in range(10):
            data = edited(text, chance) if number else text
            expected = slowly(data)
            assert outcome(data) == expected
            if isinstance(expected, Lockfile):
                is_written = format_lockfile(expected) == data
                assert surveyed(data) == (counted(expected), is_written)
            else:
                assert surveyed(data) == expected


@given(
    st.lists(st.text("aAé/e\u0301.-b ", min_size=1, max_size=5), max_size=8, unique=True),
    st.integers(1, 100),
)
def test_2_7_2_8_collisions_are_found_over_the_bounds_of_pieces(
    paths: list[str], size: int
) -> None:
    rows = tuple(LockedObject(path, 1, "", "") for path in sorted(paths))
    declared = Declaration(uri=Uri.parse("s3://bucket/"), portable=False)
    artifact = LockedArtifact(name="a", declared=declared, kind=Kind.TREE, objects=rows)
    text = format_lockfile(Lockfile(artifacts=(artifact,)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("artlock.formats.lockfile_pieces.PIECE", size)
        expected = slowly(text)
        assert outcome(text) == expected
        surveys = surveyed(text)
    assert isinstance(surveys, str) == isinstance(expected, str)


@given(lockfiles(), lockfiles(), st.integers(1, 400), st.randoms(use_true_random=False))
def test_lines_that_differ_are_rows_that_differ(
    one: Lockfile, other: Lockfile, size: int, chance: random.Random
) -> None:
    changed = []
    for artifact in one.artifacts:
        rows = [row for row in artifact.objects if chance.random() < 0.8]
        if artifact.kind is Kind.TREE:
            odd = (replace_size(row) if chance.random() < 0.3 else row for row in rows)
            changed.append(replace(artifact, objects=tuple(odd)))
    near = replace(one, artifacts=tuple(changed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("artlock.formats.lockfile_pieces.PIECE", size)
        for old, new in ((one, near), (near, one), (one, other), (one, one)):
            texts = format_lockfile(old), format_lockfile(new)
            assert diff(*without_common_rows(*texts)) == diff(old, new)


def replace_size(row: LockedObject) -> LockedObject:
    return LockedObject(row.path, row.size // 2 + 1, row.checksum, row.version)


@given(lockfiles())
def test_rows_in_both_texts_are_not_kept(lock: Lockfile) -> None:
    text = format_lockfile(lock)
    for found in without_common_rows(text, text):
        assert found == replace(
            lock, artifacts=tuple(replace(a, objects=()) for a in lock.artifacts)
        )
