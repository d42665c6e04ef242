"""Large artifacts: cut where the paths say, named after the cut, and never mixed up."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3
from msgspec.structs import replace

from artlock.errors import ArtlockError, LockfileError, PolicyError
from artlock.formats import lockfile_cuts
from artlock.formats.lockfile import parse_lockfile, read_lockfile
from artlock.formats.lockfile_parts import (
    LockText,
    Part,
    Split,
    join,
    parse_frame,
    place_of_line,
    split,
)
from artlock.formats.lockfile_read import MAX_BYTES
from artlock.formats.lockfile_survey import survey_text
from artlock.model.lock import LockedObject
from tests.parts import LEAST, MOST, cut_small, files, joined, rows, source, text, tree

GOLDEN = Path(__file__).parents[2] / "golden" / "format-1-parts"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_small(monkeypatch)


def touched(before: Split, after: Split) -> int:
    """Count the parts that are new, other or gone."""
    old, new = files(before), files(after)
    return sum(old.get(path) != new.get(path) for path in old.keys() | new.keys())


# cuts


@pytest.mark.usefixtures("small")
def test_parts_have_bounds_and_together_all_rows() -> None:
    data = text(tree(rows(range(2000))))
    found = split(data, 0)
    sizes = [len(part) for part in files(found).values()]
    assert len(sizes) > 50
    assert min(sizes[:-1]) >= LEAST
    assert max(sizes) <= MOST
    assert joined(found).data == data
    assert survey_text(joined(found)).oddity is None


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("deed", ["insert", "remove", "change"])
def test_one_object_touches_one_part(deed: str) -> None:
    numbers = range(0, 8000, 4)
    before = split(text(tree(rows(numbers))), 0)
    chance = random.Random(1)  # noqa: S311 - the same each time
    counts = []
    for _ in range(60):
        number = chance.choice(numbers)
        if deed == "insert":
            after = rows((*numbers, number + 1))
        elif deed == "remove":
            after = rows(set(numbers) - {number})
        else:
            after = (*rows(set(numbers) - {number}), *rows([number], size=2))
        counts.append(touched(before, split(text(tree(after)), 0)))
    # A row at a cut moves it. There is one such row of eight here, of 16,384 in earnest.
    assert counts.count(1) >= 40
    assert max(counts) <= 6


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("paths", [["000/first"], ["zzz/last"]])
def test_names_stay_when_a_row_comes_in_front_or_behind(paths: list[str]) -> None:
    objects = rows(range(500))
    added = [LockedObject(path, 1, "", "") for path in paths]
    before = split(text(tree(objects)), 0)
    after = split(text(tree((*objects, *added))), 0)
    assert touched(before, after) == 1
    assert [p.name for p, _ in before.parts] == [p.name for p, _ in after.parts]


@pytest.mark.usefixtures("small")
def test_rows_without_a_hit_are_cut_at_the_lowest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artlock.formats.lockfile_cuts._HIT", 0)
    found = split(text(tree(rows(range(500)))), 0)
    sizes = [len(part) for part in files(found).values()]
    assert min(sizes[:-1]) >= LEAST
    assert max(sizes) <= MOST
    assert survey_text(joined(found)).oddity is None


@pytest.mark.usefixtures("small")
def test_a_row_larger_than_any_part_is_one() -> None:
    large = LockedObject(
        "train/000250.jpg.x", 1, " ".join(f"a{n}:{'0' * 500}" for n in range(5)), ""
    )
    found = split(text(tree((*rows(range(500)), large))), 0)
    assert joined(found).data == text(tree((*rows(range(500)), large)))
    assert max(len(part) for part in files(found).values()) > MOST


def test_where_cuts_are_never_changes() -> None:
    """What was written once is cut so for good: these are recorded, not computed."""
    objects = rows(range(150_000))
    found = split(text(tree(objects)), 8 << 20)
    assert [(part.name, len(data)) for part, data in found.parts] == [
        ("first", 7_049_394),
        ("9bf27e199ca7276e252be8638d70f799", 2_157_540),
        ("7a42c97f5146f8708345520a10aa9cdf", 693_066),
    ]


def test_names_are_of_the_row_above() -> None:
    data = b'["a\\",b",1,"",""],\n["c",1,"",""],\n'
    assert lockfile_cuts.name_of_part(data, 0, is_first=True) == "first"
    start = data.index(b'["c"')
    name = lockfile_cuts.name_of_part(data, start, is_first=False)
    assert name == blake3(b'["a\\').hexdigest(length=16)


# which artifacts


def test_only_large_artifacts_are_in_parts() -> None:
    small, large = tree(rows(range(3)), "a"), tree(rows(range(4)), "b")
    limit = len(text(large)) - len(text(replace(large, objects=()))) - 1
    found = split(text(small, large), limit)
    assert list(files(found)) == ["b/first.rows"]
    assert b"objects = [\n" in found.frame
    assert split(text(small, large), limit + 1).frame == text(small, large)
    assert split(text(replace(small, objects=())), 0).parts == ()


def test_a_lockfile_in_parts_reads_as_one_without() -> None:
    data = text(tree(rows(range(9)), "a"), tree(rows(range(2)), "b"))
    for above in (0, 200):
        found = joined(split(data, above))
        assert found.data == data
        assert parse_lockfile(found.data) == parse_lockfile(data)


@pytest.mark.usefixtures("small")
def test_every_line_of_the_text_has_its_place_in_a_file() -> None:
    data = text(
        tree(rows(range(3)), "a"), tree(rows(range(90)), "b"), tree(rows(range(99)), "c")
    )
    found = split(data, 300)
    lockfile = joined(found)
    assert len(found.parts) > 4
    contents: dict[Part | None, bytes] = {None: found.frame}
    contents.update((part, bytes(rows_of_it)) for part, rows_of_it in found.parts)
    for number, line in enumerate(data.splitlines(), 1):
        part, at = place_of_line(lockfile, number)
        there = contents[part].splitlines()[at - 1]
        assert there == (b"parts = [" if line == b"objects = [" and number > 10 else line)


def test_the_golden_lockfile_in_parts_is_read_and_kept() -> None:
    frame = (GOLDEN / "artifacts.lock").read_bytes()
    parsed = parse_frame(frame)
    assert parsed is not None
    found = join(
        parsed, lambda part: [(GOLDEN / "artifacts.lock.d" / part.path).read_bytes()]
    )
    assert survey_text(found).oddity is None
    again = split(found.data, 0)
    assert again.frame == frame
    assert len(again.parts) == len(found.parts)


# what does not belong together


@pytest.mark.usefixtures("small")
def test_no_part_of_another_time_is_taken() -> None:
    one, other = (split(text(tree(rows(range(500), size=n))), 0) for n in (1, 2))
    paths = sorted(files(one))
    assert paths == sorted(files(other))
    frame = parse_frame(one.frame)
    assert frame is not None
    for path in paths:
        with pytest.raises(LockfileError, match=r"is another than `artifacts\.lock` lists"):
            join(frame, source(files(one) | {path: files(other)[path]}))
    swapped = files(one) | {paths[0]: files(one)[paths[1]]}
    with pytest.raises(LockfileError, match="is another than"):
        join(frame, source(swapped))
    with pytest.raises(LockfileError) as caught:
        join(frame, source({}))
    assert caught.value.message == (
        "`artifacts.lock.d/data/first.rows` is not there, but `artifacts.lock` lists it"
    )
    assert "git checkout -- artifacts.lock artifacts.lock.d" in (caught.value.hint or "")


def frame_with(lines: str) -> bytes:
    data = text(tree((), "data"))
    return data.replace(b"objects = [\n]\n", f"parts = [\n{lines}]\n".encode())


def line(data: bytes, name: str = "first") -> str:
    return f'["{name}","blake3:{blake3(data).hexdigest()}"],\n'


def outcome(frame: bytes, parts: dict[str, bytes]) -> LockText:
    parsed = parse_frame(frame)
    assert parsed is not None
    return join(parsed, source(parts))


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"\n",
        b'["a",1,"",""]',
        b'["a",1,"",""],',
        b' ["a",1,"",""],\n',
        b'["a",1,"",""],\n\n',
        b'["a",1,"",""],\r\n',
        b'["a",1,"",""],\n# more\n["b",1,"",""],\n',
        b'["a",1,"",""],\n]\n\n[[artifact]]\nname = "z"\nobjects = [\n["b",1,"",""],\n',
    ],
)
def test_5_1_a_part_has_nothing_but_rows(part: bytes) -> None:
    with pytest.raises(LockfileError, match="it has lines that are no rows"):
        outcome(frame_with(line(part)), {"data/first.rows": part})


@pytest.mark.parametrize(
    ("part", "error", "problem"),
    [
        (b'["b",1,"",""],\n["a",1,"",""],\n', LockfileError, "rows are sorted"),
        (b'["a",1,"",""],\n["a",1,"",""],\n', LockfileError, "is there twice"),
        (b'["../a",1,"",""],\n', ArtlockError, r"\.\."),
        (b'["a",-1,"",""],\n', LockfileError, "size -1"),
    ],
)
def test_5_1_rows_of_parts_are_judged_like_others(
    part: bytes, error: type[ArtlockError], problem: str
) -> None:
    found = outcome(frame_with(line(part)), {"data/first.rows": part})
    for judge in (lambda: parse_lockfile(found.data), lambda: survey_text(found)):
        with pytest.raises(error, match=problem):
            judge()


def test_rows_ascend_over_parts() -> None:
    one, other = b'["b",1,"",""],\n', b'["a",1,"",""],\n'
    name = "0" * 32
    frame = frame_with(line(one) + line(other, name))
    found = outcome(frame, {"data/first.rows": one, f"data/{name}.rows": other})
    with pytest.raises(LockfileError, match="row `a` stands behind `b`"):
        parse_lockfile(found.data)


def test_a_part_that_is_spelled_otherwise_is_read_and_not_canonical() -> None:
    part = b'["a", 1,"",""],\n'
    found = outcome(frame_with(line(part)), {"data/first.rows": part})
    assert not survey_text(found).is_canonical
    assert parse_lockfile(found.data).artifacts[0].objects == (
        LockedObject("a", 1, "", ""),
    )


@pytest.mark.parametrize(
    "name", ["../../x", "first/../x", "FIRST", "0" * 31, "0" * 33, "a/b", "", "x\\u0000"]
)
def test_5_1_names_of_parts_lead_nowhere_else(name: str) -> None:
    with pytest.raises(LockfileError, match="not the name and the digest of a part"):
        parse_frame(frame_with(line(b"", name)))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("", "`parts` is empty"),
        (line(b"") + line(b"x"), "`parts` has a part twice"),
        ('["first","md5:00"],\n', "not the name and the digest"),
        ('["first"],\n', "is not a list of"),
        ("1,\n", "is not a list of"),
        ('["first",1],\n', "is not a list of"),
    ],
)
def test_lists_of_parts_that_are_none(lines: str, problem: str) -> None:
    with pytest.raises(LockfileError, match=problem):
        parse_frame(frame_with(lines))


def test_an_artifact_has_rows_or_parts() -> None:
    frame = frame_with(line(b"x")).replace(b"parts =", b"objects = [\n]\nparts =")
    with pytest.raises(LockfileError, match="both `objects` and `parts`"):
        parse_frame(frame)


def test_a_frame_alone_is_no_lockfile() -> None:
    with pytest.raises(LockfileError, match="its rows are in parts, which only"):
        parse_lockfile(frame_with(line(b"x")))


@pytest.mark.parametrize(
    "edit",
    [
        lambda frame: frame.replace(b"\n", b"\r\n"),
        lambda frame: frame.replace(b"parts = [", b"parts = [ "),
        lambda frame: frame.replace(b'["first",', b'[ "first",'),
        lambda frame: frame.replace(b'kind = "tree"\n', b'kind = "tree" # a comment\n'),
        lambda frame: frame.replace(b"revision = 0", b"revision=0"),
    ],
)
def test_a_frame_that_is_spelled_otherwise_is_read(
    edit: Callable[[bytes], bytes],
) -> None:
    data = text(tree(rows(range(3)), "a"), tree(rows(range(9)), "data"))
    found = split(data, 300)
    assert len(found.parts) == 1
    text_of_it = outcome(edit(found.frame), files(found))
    assert text_of_it.data == data
    assert text_of_it.oddity is not None
    oddity = survey_text(text_of_it).oddity
    assert oddity is not None
    assert oddity.startswith("`artifacts.lock`: it")


def test_disorder_in_rows_beside_parts_is_told() -> None:
    data = text(tree(rows(range(3)), "a"), tree(rows(range(9)), "data"))
    lines = split(data, 300).frame.splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if line.startswith(b'["train'))
    lines[first], lines[first + 1] = lines[first + 1], lines[first]
    with pytest.raises(LockfileError, match="stands behind"):
        parse_frame(b"".join(lines).replace(b"revision = 0", b"revision=0"))


def test_an_unknown_key_may_begin_like_the_list() -> None:
    data = text(tree(rows(range(3))))
    data = data.replace(b'kind = "tree"\n', b'kind = "tree"\nparts-of = 1\n')
    assert parse_frame(data) is None
    assert read_lockfile(data).is_canonical
    found = split(data, 0)
    assert joined(found).data == data


def test_an_unknown_key_at_the_top_may_have_that_name() -> None:
    whole = text(tree(rows(range(3))))
    data = whole.replace(b'"version"]\n', b'"version"]\nparts = ["x"]\n')
    assert parse_frame(data) is None
    assert read_lockfile(data).is_canonical
    with pytest.raises(LockfileError, match="`parts` is not as artlock writes it"):
        joined(split(data, 0))


def test_a_uri_with_a_credential_is_refused_in_a_frame_too() -> None:
    found = split(text(tree(rows(range(9)))), 0)
    frame = found.frame.replace(b"s3://bucket/", b"https://me:secret@host/")
    with pytest.raises(PolicyError):
        parse_frame(frame)


def test_5_11_parts_together_are_no_larger_than_a_lockfile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = split(text(tree(rows(range(9)))), 0)
    assert MAX_BYTES == 1 << 30
    monkeypatch.setattr("artlock.formats.lockfile_parts.MAX_BYTES", 300)
    with pytest.raises(LockfileError, match="larger than 300 bytes with its parts"):
        joined(found)


# where the cuts are wrong


@pytest.mark.usefixtures("small")
def test_other_cuts_and_names_are_read_and_told() -> None:
    data = text(tree(rows(range(500))))
    found = joined(split(data, 0))
    (block,) = found.blocks
    renamed = (replace(block[1][0], name="0" * 32), block[1][1])
    together = (block[0][0], slice(block[0][1].start, block[1][1].stop))
    for other in ((block[0], renamed, *block[2:]), (together, *block[2:])):
        oddity = survey_text(replace(found, blocks=(other,))).oddity
        assert oddity == "the parts of `data` are not cut as artlock cuts them"


def test_a_part_knows_its_bytes() -> None:
    part = Part("a", "first", f"blake3:{blake3(b'x').hexdigest()}")
    assert part.is_in(b"x")
    assert not part.is_in(b"y")


def test_what_is_not_canonical_is_not_split() -> None:
    with pytest.raises(ValueError, match="not judged"):
        split(b"x", 0)
