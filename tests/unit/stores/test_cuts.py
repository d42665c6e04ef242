"""Where a long listing is cut into ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.stores.cuts import QUESTIONS, RANGES, find_cuts


class Tree:
    """Tells folders of keys as S3 does, and counts how often."""

    def __init__(self, *keys: str, names_own: bool = False, most: int = 1000) -> None:
        self.keys = keys
        self.behind = ""
        self.names_own = names_own
        self.most = most
        self.asked: list[str] = []

    def cuts(self, behind: str) -> list[str]:
        self.behind = behind
        return find_cuts(self.folders, "t/", behind)

    def folders(self, folder: str) -> list[str]:
        self.asked.append(folder)
        below = [k for k in self.keys if k.startswith(folder) and k > self.behind]
        names = {
            k[: k.index("/", len(folder)) + 1] for k in below if "/" in k[len(folder) :]
        }
        return sorted(n for n in names if self.names_own or n > self.behind)[: self.most]


def test_folders_behind_the_last_key_are_where_it_is_cut() -> None:
    tree = Tree("t/a/1", "t/a/2", "t/a-b/1", "t/b/1", "t/c")
    assert tree.cuts("t/a-b/1") == ["t/a/", "t/b/"]
    assert Tree("t/a", "t/b").cuts("t/a") == []
    assert Tree("t/a/1", "t/a/2").cuts("t/a/1") == []


@pytest.mark.parametrize("names_own", [True, False])
def test_a_few_folders_are_looked_into_also_the_one_that_is_begun(
    *, names_own: bool
) -> None:
    keys = [f"t/{half}/{n:03}/x" for half in ("train", "val") for n in range(100)]
    tree = Tree(*keys, names_own=names_own)
    cuts = tree.cuts("t/train/005/x")
    assert tree.asked == ["t/", "t/train/", "t/val/"]
    assert len(cuts) == RANGES - 1
    assert cuts == sorted(cuts)
    assert sum(cut.startswith("t/train/") for cut in cuts) in {7, 8}


def test_many_folders_are_divided_evenly() -> None:
    tree = Tree(*(f"t/{n:03}/x" for n in range(320)))
    assert tree.cuts("t/") == [f"t/{n:03}/" for n in range(20, 320, 20)]
    assert tree.asked == ["t/"]


def test_folders_are_not_asked_for_without_end() -> None:
    deep = Tree("t/" + "/".join("abcdefgh"), "t/z")
    assert deep.cuts("t/0") == ["t/a/", "t/a/b/", "t/a/b/c/", "t/a/b/c/d/"]
    assert len(deep.asked) == QUESTIONS
    wide = Tree(*(f"t/{n}/{m}/x" for n in range(9) for m in range(9)))
    assert len(wide.cuts("t/")) == 9
    assert wide.asked == ["t/"]


@given(
    keys=st.lists(st.text("ab/-", min_size=1, max_size=8), min_size=1, max_size=40),
    lies=st.lists(st.text("abtz/-", max_size=4), max_size=5),
    names_own=st.booleans(),
)
def test_cuts_are_sorted_behind_the_last_key_and_few(
    keys: list[str], lies: list[str], *, names_own: bool
) -> None:
    tree = Tree(*(f"t/{key}" for key in keys), names_own=names_own)
    behind = f"t/{keys[0]}"
    tree.behind = behind
    cuts = find_cuts(lambda folder: [*tree.folders(folder), *lies], "t/", behind)
    assert cuts == sorted(set(cuts))
    assert len(cuts) < RANGES
    assert all(cut > behind for cut in cuts)
    assert len(tree.asked) <= QUESTIONS
