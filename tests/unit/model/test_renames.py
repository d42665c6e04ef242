import time

import pytest

from artlock.model.diff import Change, ChangeKind, diff
from artlock.model.lock import LockedObject
from artlock.model.renames import with_renames
from tests.unit.model.test_diff import CRC, MD5, OTHER, lock, tree

B3 = "blake3:" + "a" * 64
SHA = "sha256:" + "b" * 64
CRC64 = "crc64nvme:" + "c" * 16
OTHER_CRC = "crc32c:11111111"


def row(path: str, checksum: str = MD5, size: int = 5, version: str = "v1") -> LockedObject:
    return LockedObject(path, size, checksum, version)


def told(changes: tuple[Change, ...]) -> list[str]:
    return [
        " ".join(
            [c.kind, f"{c.artifact}/{c.path}"]
            + ([f"from {c.old_artifact}/{c.old.path}"] if c.old_artifact and c.old else [])
        )
        for c in changes
    ]


@pytest.mark.parametrize(
    ("old", "new", "renamed"),
    [
        (MD5, MD5, True),
        (B3, B3, True),
        (CRC64, CRC64, True),
        (f"{B3} {MD5}", f"{MD5} etag:x", True),
        (f"{SHA} {MD5}", f"{SHA} {OTHER}", False),  # the store says that they differ
        (f"{CRC} {MD5}", f"{OTHER_CRC} {MD5}", False),
        (MD5, OTHER, False),
        (CRC, CRC, False),
        ("etag:x", "etag:x", False),
        ("", "", False),
        ("new-hash:ff", "new-hash:ff", False),
    ],
)
def test_only_what_identifies_bytes_makes_a_rename(
    old: str, new: str, *, renamed: bool
) -> None:
    changes = diff(lock(tree("a", row("x", old))), lock(tree("a", row("y", new))))
    expected = ["R a/y from a/x"] if renamed else ["D a/x", "A a/y"]
    assert told(with_renames(changes)) == expected


def test_another_size_or_no_bytes_is_no_rename() -> None:
    old = lock(tree("a", row("empty", size=0), row("x")))
    new = lock(tree("a", row("nothing", size=0), row("y", size=6)))
    kinds = [str(c.kind) for c in with_renames(diff(old, new))]
    assert sorted(kinds) == ["A", "A", "D", "D"]


def test_a_rename_keeps_both_rows_and_the_order() -> None:
    old = lock(tree("a", row("x"), row("z", OTHER)))
    new = lock(tree("a", row("m", OTHER, 9), row("y", version="v2")))
    changes = with_renames(diff(old, new))
    assert told(changes) == ["A a/m", "R a/y from a/x", "D a/z"]
    assert (changes[1].old, changes[1].new) == (row("x"), row("y", version="v2"))
    assert changes[1].bytes_delta == 0


def test_across_artifacts_the_whole_artifact_is_still_told() -> None:
    old = lock(tree("a", row("x")), tree("b"))
    changes = with_renames(diff(old, lock(tree("b", row("y")))))
    assert told(changes) == ["D a/", "R b/y from a/x"]
    assert changes[1].concerns("a")
    assert changes[1].concerns("b")
    assert not changes[0].concerns("b")


def test_of_several_candidates_the_likest_goes_first_and_each_is_used_once() -> None:
    old = lock(
        tree("a", row("1/same"), row("2/other")), tree("b", row("3/same"), row("4/last"))
    )
    new = lock(tree("a", row("p/same")), tree("b", row("q/new")), tree("c", row("r/other")))
    assert told(with_renames(diff(old, new))) == [
        "R a/p/same from a/1/same",  # artifact and name
        "D b/4/last",  # nothing is left for it
        "R b/q/new from b/3/same",  # the first of the artifact
        "A c/",
        "R c/r/other from a/2/other",  # the name
    ]


def test_a_row_that_was_copied_is_renamed_once() -> None:
    new = lock(tree("a", row("x"), row("y")))
    assert told(with_renames(diff(lock(tree("a", row("o"))), new))) == [
        "R a/x from a/o",
        "A a/y",
    ]


def test_rows_that_stay_are_no_candidates() -> None:
    changes = diff(lock(tree("a", row("x"))), lock(tree("a", row("x"), row("y"))))
    assert [c.kind for c in with_renames(changes)] == [ChangeKind.ADDED]


def test_many_equal_rows_are_paired_in_linear_time() -> None:
    number = 20_000
    old = tree("a", *(row(f"old/{n:06}") for n in range(number)))
    new = tree("a", *(row(f"new/{n:06}x") for n in range(number)))
    changes = diff(lock(old), lock(new))
    began = time.process_time()
    renamed = with_renames(changes)
    assert time.process_time() - began < 5  # quadratic, it takes minutes
    assert len(renamed) == number
    assert told(renamed)[7] == "R a/new/000007x from a/old/000007"


def test_a_row_is_used_once_whichever_of_its_tokens_is_asked_for() -> None:
    new = lock(tree("a", row("x", B3), row("y", MD5)))
    changes = diff(lock(tree("a", row("o", f"{B3} {MD5}"))), new)
    assert told(with_renames(changes)) == ["R a/x from a/o", "A a/y"]
