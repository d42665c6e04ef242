import unicodedata
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from artlock.model.paths import (
    collisions,
    fold,
    problem_with,
    problems_with_all,
    span_of,
)
from tests.strategies import nasty_paths, safe_paths
from tests.unit.model.test_paths import oracle


@given(path=nasty_paths() | st.text(max_size=30), portable=st.booleans())
def test_2_1_the_rules_agree_with_the_oracle(path: str, *, portable: bool) -> None:
    assert (problem_with(path, portable=portable) is None) == oracle(
        path, portable=portable
    )


@given(paths=st.lists(nasty_paths() | safe_paths(), max_size=6), portable=st.booleans())
def test_all_at_once_is_the_same_as_one_by_one(paths: list[str], *, portable: bool) -> None:
    one_by_one = [
        (path, problem)
        for path in paths
        if (problem := problem_with(path, portable=portable)) is not None
    ]
    assert problems_with_all(paths, portable=portable) == one_by_one


@given(st.lists(st.text("aAé/e\u0301.-b", min_size=1, max_size=5), max_size=8))
def test_2_7_2_8_collisions_agree_with_a_naive_oracle(paths: list[str]) -> None:
    names = [unicodedata.normalize("NFC", p).casefold() for p in paths]
    names = [unicodedata.normalize("NFC", n) for n in names]
    colliding = {
        i
        for i, one in enumerate(names)
        for j, other in enumerate(names)
        if i != j and (one == other or other.startswith(f"{one}/"))
    }
    pairs = collisions(paths)
    told = {path for pair in pairs for path in pair}
    assert {paths[i] for i in colliding} <= told
    assert bool(pairs) == bool(colliding)
    for one, other in pairs:
        a, b = fold(one), fold(other)
        assert a == b or b.startswith(f"{a}/")


@given(
    st.lists(st.text("aAé/e\u0301.-b", min_size=1, max_size=5), min_size=1, max_size=8),
    st.integers(1, 7),
)
def test_2_7_2_8_spans_that_follow_each_other_are_without_collisions(
    paths: list[str], size: int
) -> None:
    lists = [paths[start : start + size] for start in range(0, len(paths), size)]
    spans = [span for some in lists if (span := span_of(some)) is not None]
    if len(spans) == len(lists) and all(a.is_before(b) for a, b in pairwise(spans)):
        assert collisions(paths) == []


def test_sorted_paths_of_one_spelling_need_no_look_as_a_whole() -> None:
    spans = [span_of(["a", "b/c"]), span_of(["b/d", "b/d e"]), span_of(["c/d/e"])]
    known = [span for span in spans if span is not None]
    assert len(known) == len(spans)
    assert all(a.is_before(b) for a, b in pairwise(known))


@given(st.text(max_size=8))
def test_fold_gives_one_form_for_all_spellings(text: str) -> None:
    form = fold(text)
    assert fold(form) == form
    for normal in ("NFC", "NFD"):
        assert fold(unicodedata.normalize(normal, text)) == form
    assert fold(text.casefold()) == form


@given(safe_paths())
def test_a_safe_path_stays_below_its_root(path: str) -> None:
    assert ".." not in path.split("/")
    assert not path.startswith("/")
