"""Named edits of a lockfile, and that the judge of the random ones would see a failure."""

from collections.abc import Callable, Iterator
from random import Random

import pytest
from blake3 import blake3
from msgspec.structs import replace

from artlock.formats.lockfile import format_lockfile, parse_lockfile
from artlock.model.diff import ChangeKind, diff
from artlock.model.lock import Kind
from artlock.model.verification import Verification
from artlock.ops import policy as policy_module
from artlock.ops import sync as sync_module
from torture.inside import artlock
from torture.lock_edits import edited
from torture.locks import Poisoned, judge, poisoned


@pytest.fixture
def project() -> Iterator[Poisoned]:
    with poisoned() as made:
        yield made


STRONG = f"blake3:{blake3(b'alpha2').hexdigest()}"


def with_row(project: Poisoned, of: str, **cells: object) -> bytes:
    """Return the lockfile with other cells in one row."""
    data, *others = project.lock.artifacts
    rows = [replace(row, **cells) if row.path == of else row for row in data.objects]
    data = replace(data, objects=tuple(rows))
    return format_lockfile(replace(project.lock, artifacts=(data, *others)))


def synced(project: Poisoned, lockfile: bytes, state: str, *options: str) -> int:
    project.prepare(state)
    before = project.files()
    project.write(lockfile)
    ended = project.sync(*options)
    frozen = "--frozen" in options
    assert judge(project, lockfile, ended, before, frozen=frozen) == 0
    return ended.code


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"a.bin"', '"../outside.bin"', 4),
        ('"a.bin"', '".git/config"', 4),
        ('"a.bin"', '"a.bin/"', 4),
        ('"a.bin"', '"b.bin"', 2),
        ('"b.bin"', '"B.BIN/x"', 2),
        ('"a.bin",6', '"a.bin",-6', 2),
        ('"a.bin",6', '"a.bin",9223372036854775808', 2),
        ('"a.bin",6', '"a.bin",6.0', 2),
        ('"va2"', '"null"', 2),
        ("s3://bucket/data/", "s3://bucket/", 1),
        ("s3://bucket/data/", "http://169.254.169.254/data/", 2),
        ("s3://bucket/data/", "s3://key:secret@bucket/data/", 4),
        ('name = "data"', 'name = "dada"', 1),
        ('kind = "tree"', 'kind = "file"', 2),
        ('kind = "tree"', 'include = ["a.bin"]\nkind = "tree"', 4),
        ('kind = "tree"', 'include = ["**"]\nkind = "tree"', 1),
        ('kind = "tree"', 'root = "s3://bucket/other/"\nkind = "tree"', 2),
        ('kind = "tree"', 'rename = {"secret.bin" = "a.bin"}\nkind = "tree"', 1),
        ('"size","checksum"', '"checksum","size"', 2),
        ("version = 1", "version = 2", 2),
        ("# This file", "This file", 2),
    ],
)
@pytest.mark.parametrize("state", ["new", "synced"])
def test_5_1_what_an_edit_makes_invalid_is_refused_before_anybody_is_asked(
    project: Poisoned, old: str, new: str, code: int, state: str
) -> None:
    text = format_lockfile(project.lock)
    assert old.encode() in text
    assert synced(project, text.replace(old.encode(), new.encode(), 1), state) == code
    assert project.asked() == 0


def test_5_1_a_web_address_is_no_tree_of_addresses_below_it(project: Poisoned) -> None:
    data, page, paper = project.lock.artifacts
    tree = replace(page, kind=Kind.TREE)
    lockfile = format_lockfile(replace(project.lock, artifacts=(data, tree, paper)))
    for options in ((), ("--frozen",)):
        assert synced(project, lockfile, "new", *options) == 2
        assert project.asked() == 0


def test_5_1_a_row_that_is_there_twice_or_out_of_order_is_refused(
    project: Poisoned,
) -> None:
    lines = format_lockfile(project.lock).splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if line.startswith(b'["a.bin"'))
    twice = b"".join([*lines[:first], lines[first], *lines[first:]])
    swapped = b"".join(
        [*lines[:first], lines[first + 1], lines[first], *lines[first + 2 :]]
    )
    for lockfile in (twice, swapped):
        assert synced(project, lockfile, "new") == 2
        assert project.asked() == 0


def test_5_1_a_row_of_an_object_that_nobody_locked_brings_nothing(
    project: Poisoned,
) -> None:
    # It is below the declared prefix, so it may be asked for.
    lockfile = with_row(project, "b.bin", path="secret.bin")
    assert synced(project, lockfile, "new") == 3
    assert project.asked() > 0


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"size": 7}, 4),
        ({"size": 5}, 4),
        ({"checksum": f"blake3:{'0' * 64}"}, 4),
        ({"checksum": f"sha256:{'0' * 64}"}, 4),
        ({"checksum": f"md5:{'0' * 32}"}, 4),
    ],
)
def test_5_1_what_comes_is_held_to_every_cell(
    project: Poisoned, cells: dict[str, object], code: int
) -> None:
    assert synced(project, with_row(project, "a.bin", **cells), "new") == code
    assert project.asked() > 0


@pytest.mark.parametrize(
    "cells",
    [
        {"version": "va1"},
        {"version": "va1", "checksum": STRONG},
        {"version": "vb1"},
        {"version": ""},
        {"checksum": STRONG.replace("blake3", "blake4")},
        {"checksum": STRONG},
        {"checksum": ""},
    ],
)
def test_5_1_what_an_edit_leaves_of_a_row_gives_the_same_bytes(
    project: Poisoned, cells: dict[str, object]
) -> None:
    # Where a version is not the right one, the digest finds the bytes at another place.
    assert synced(project, with_row(project, "a.bin", **cells), "new") == 0
    assert project.files()["data/data/a.bin"] == b"alpha2"


@pytest.mark.parametrize("state", ["cached", "synced"])
def test_5_1_a_blob_of_another_size_is_not_what_the_row_means(
    project: Poisoned, state: str
) -> None:
    assert synced(project, with_row(project, "a.bin", size=7), state) == 4


def test_5_1_even_frozen_nobody_outside_of_the_policy_is_asked(project: Poisoned) -> None:
    text = format_lockfile(project.lock)
    for uri in (b"s3://bucket/", b"gs://bucket/data/", b"file:///etc/"):
        lockfile = text.replace(b"s3://bucket/data/", uri)
        assert synced(project, lockfile, "new", "--frozen") == 4
        assert project.asked() == 0


@pytest.mark.parametrize("state", ["cached", "synced"])
def test_5_2_the_digest_of_another_blob_is_believed_and_is_seen_in_the_difference(
    project: Poisoned, state: str
) -> None:
    # Nothing in a lockfile proves itself: whoever reviews it must see this.
    other = f"blake3:{blake3(b'bravo1').hexdigest()}"
    lockfile = with_row(project, "a.bin", checksum=other)
    assert synced(project, lockfile, state) == 0
    assert project.files()["data/data/a.bin"] == b"bravo1"
    assert project.asked() == 0
    (change,) = diff(project.lock, parse_lockfile(lockfile))
    assert change.kind is ChangeKind.MODIFIED
    assert change.old is not None
    assert change.new is not None
    assert change.old.version == change.new.version


def test_5_3_a_row_that_lost_its_digest_is_weak_and_is_told(project: Poisoned) -> None:
    lockfile = with_row(project, "a.bin", checksum="", version="va1")
    project.prepare("new")
    project.write(lockfile)
    ended = project.sync()
    assert ended.code == 0
    assert project.files()["data/data/a.bin"] == b"alpha1"
    assert "trusted on first use: 3 objects" in ended.err
    required = artlock("check", "-C", project.root, "--require", "strong")
    assert required.code == 4
    assert "`a.bin` (`none`)" in required.err + required.out


def test_equal_numbers_make_equal_edits(project: Poisoned) -> None:
    def edits(seed: int) -> list[bytes]:
        luck = Random(seed)  # noqa: S311 - to be repeated
        return [edited(project.lock, luck) for _ in range(100)]

    assert edits(1) == edits(1) != edits(2)
    assert len(set(edits(1))) > 80


# -- the judge ----------------------------------------------------------------------------


OTHERS_SOURCE = (b"s3://bucket/data/", b"s3://bucket/other/")


@pytest.mark.parametrize(
    ("broken", "lockfile"),
    [
        (
            [
                (sync_module, "stale_reasons", []),
                (policy_module, "refuse_outside", None),
            ],
            lambda p: format_lockfile(p.lock).replace(*OTHERS_SOURCE),
        ),
        (
            [(Verification, "_refuse", None)],
            lambda p: with_row(p, "a.bin", version="va1", checksum=STRONG),
        ),
    ],
)
def test_the_judge_sees_what_a_broken_artlock_does(
    project: Poisoned,
    monkeypatch: pytest.MonkeyPatch,
    broken: list[tuple[object, str, object]],
    lockfile: Callable[[Poisoned], bytes],
) -> None:
    for home, name, answer in broken:
        monkeypatch.setattr(home, name, lambda *_, answer=answer: answer)
    with pytest.raises(AssertionError):
        synced(project, lockfile(project), "new")
