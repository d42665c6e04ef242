"""Laws of lockfiles in parts: one text, however it is cut, edited or merged."""

import random
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.errors import ArtlockError
from artlock.formats.lockfile import format_lockfile, parse_lockfile
from artlock.formats.lockfile_faults import Spot
from artlock.formats.lockfile_merge import Markers, format_merge
from artlock.formats.lockfile_parts import (
    Frame,
    LockText,
    _quick_frame,
    _slow_frame,
    join,
    parse_frame,
    split,
)
from artlock.formats.lockfile_survey import survey_text
from artlock.model.lock import LockedObject, Lockfile
from artlock.model.merge import merge
from artlock.ops.merging_parts import conflicts_of, merge_part, parts_of_merge
from tests.parts import cut_small, files, joined, source, tree
from tests.properties.test_lockfile import edited
from tests.strategies import lockfiles

PATHS = tuple(f"{number:03}" for number in range(120))
Sizes = Mapping[str, int]


@given(lockfiles(), st.integers(0, 2000), st.integers(1, 300))
def test_a_text_is_the_same_however_it_is_split(
    lock: Lockfile, above: int, least: int
) -> None:
    data = format_lockfile(lock)
    with pytest.MonkeyPatch.context() as patch:
        cut_small(patch)
        patch.setattr("artlock.formats.lockfile_cuts.LEAST", least)
        patch.setattr("artlock.formats.lockfile_cuts.MOST", 3 * least)
        found = split(data, above)
        again = joined(found)
        assert again.data == data
        assert parse_lockfile(again.data) == lock
        assert survey_text(again).oddity is None
        assert split(again.data, above).frame == found.frame


def read(
    reader: Callable[[bytes, Spot], Frame | None], data: bytes, parts: dict[str, bytes]
) -> Lockfile | str | None:
    try:
        frame = reader(data, Spot("x"))
        return None if frame is None else parse_lockfile(join(frame, source(parts)).data)
    except ArtlockError as error:
        return type(error).__name__


@given(lockfiles(), st.randoms(use_true_random=False))
def test_5_1_the_two_readers_of_frames_agree(lock: Lockfile, chance: random.Random) -> None:
    found = split(format_lockfile(lock), 0)
    for number in range(20):
        frame = edited(found.frame, chance) if number else found.frame
        quick = read(_quick_frame, frame, files(found))
        if quick is not None:
            assert read(_slow_frame, frame, files(found)) == quick


@given(lockfiles(), st.randoms(use_true_random=False))
def test_5_1_no_edit_of_a_part_is_read(lock: Lockfile, chance: random.Random) -> None:
    found = split(format_lockfile(lock), 0)
    frame = parse_frame(found.frame)
    if frame is None:
        return
    part, data = found.parts[chance.randrange(len(found.parts))]
    other = edited(bytes(data), chance)
    if other != data:
        with pytest.raises(ArtlockError):
            join(frame, source(files(found) | {part.path: other}))


def lock_of(sizes: Sizes) -> Lockfile:
    objects = [LockedObject(path, size, "", "") for path, size in sizes.items()]
    return Lockfile(artifacts=(tree(objects),))


@st.composite
def edits(draw: st.DrawFn) -> dict[str, int | None]:
    return draw(
        st.dictionaries(
            st.sampled_from(PATHS),
            st.sampled_from((None, 2, 3)),
            max_size=draw(st.sampled_from((1, 4, 12))),
        )
    )


def applied(base: Sizes, changes: Mapping[str, int | None]) -> dict[str, int]:
    both = {**base, **changes}
    return {path: size for path, size in sorted(both.items()) if size is not None}


def merged_by_git(
    base: dict[str, bytes], ours: dict[str, bytes], theirs: dict[str, bytes]
) -> dict[str, bytes] | None:
    """Merge each part as git does: by the driver where both sides have it otherwise."""
    result: dict[str, bytes | None] = {}
    for path in base.keys() | ours.keys() | theirs.keys():
        before, mine, other = base.get(path), ours.get(path), theirs.get(path)
        if other in (mine, before):
            result[path] = mine
        elif mine == before:
            result[path] = other
        elif mine is None or other is None:
            return None
        else:
            result[path], conflicts = merge_part(before or b"", mine, other, Markers())
            if conflicts:
                return None
    return {path: data for path, data in result.items() if data is not None}


@given(st.lists(st.sampled_from(PATHS), min_size=60), edits(), edits())
def test_3_27_a_frame_is_merged_exactly_if_the_parts_are(
    paths: list[str],
    ours: dict[str, int | None],
    theirs: dict[str, int | None],
) -> None:
    began = dict.fromkeys(sorted(paths), 1)
    # To remove what was not there is no change.
    theirs = {path: size for path, size in theirs.items() if size != began.get(path)}
    with pytest.MonkeyPatch.context() as patch:
        cut_small(patch)
        locks = [lock_of(s) for s in (began, applied(began, ours), applied(began, theirs))]
        splits = [split(format_lockfile(lock), 0) for lock in locks]
        base, mine, other = (joined(found) for found in splits)
        merged = merge(*locks)
        in_parts = parts_of_merge(
            merged, base, (mine, locks[1]), (other, locks[2]), has_driver=lambda _: True
        )
        text = format_merge(merged, Markers(), in_parts)
        parts = merged_by_git(*map(files, splits))
        if merged.conflicts:
            assert conflicts_of(merged, in_parts) == merged.conflicts
        if conflicts_of(merged, in_parts):
            assert b"<<<<<<< ours\n" in text
            assert all(side in text for side in (b"=======\n", b">>>>>>> theirs\n"))
            return
        assert parts is not None
        frame = parse_frame(text)
        found = LockText(data=text) if frame is None else join(frame, source(parts))
        expected = applied(began, {**ours, **theirs})
        assert parse_lockfile(found.data) == lock_of(expected)
        assert set(files_of(found)) == set(parts)


def files_of(text: LockText) -> list[str]:
    return [part.path for part in text.parts]


def test_most_merges_of_two_branches_are_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law above would hold if every merge were a conflict: this counts them."""
    for name, value in (("LEAST", 4_000), ("MOST", 16_000), ("_HIT", 1 << 25)):
        monkeypatch.setattr(f"artlock.formats.lockfile_cuts.{name}", value)
    chance = random.Random(1)  # noqa: S311 - the same each time
    began = dict.fromkeys((f"{number:05}" for number in range(0, 10_000, 2)), 1)
    clean = 0
    for _ in range(8):
        sides = []
        for size in (2, 3):
            new = [f"{number:05}" for number in chance.sample(range(1, 10_000, 2), 5)]
            sides.append(dict.fromkeys((*chance.sample(list(began), 20), *new), size))
        sides[1] = {p: size for p, size in sides[1].items() if p not in sides[0]}
        locks = [lock_of(s) for s in (began, *(applied(began, s) for s in sides))]
        base, mine, other = (joined(split(format_lockfile(k), 0)) for k in locks)
        merged = merge(*locks)
        in_parts = parts_of_merge(
            merged, base, (mine, locks[1]), (other, locks[2]), has_driver=lambda _: True
        )
        assert len(base.parts) > 8
        assert len(set(mine.parts) - set(base.parts)) > 4
        clean += not conflicts_of(merged, in_parts)
    # A new row that moves a cut is one of 128 here, and one of 16,384 in earnest.
    assert clean >= 6
