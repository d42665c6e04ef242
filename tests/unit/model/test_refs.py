import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.model.refs import MAX_NUMBER, Ref, problem_with_label

_NAMES = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}", fullmatch=True)
_LABELS = st.from_regex(r"[a-z][A-Za-z0-9._-]{0,20}", fullmatch=True).filter(
    lambda label: problem_with_label(label, reserved=()) is None
)
_TRACKERS = st.none() | st.sampled_from(
    ("local", "team", "sqlite:///data.db", "mlflow+http://host:5000/a@b#c", "comet://w/p")
)


@given(name=_NAMES, number=st.integers(1, MAX_NUMBER) | st.none(), tracker=_TRACKERS)
def test_a_ref_survives_its_text(
    name: str, number: int | None, tracker: str | None
) -> None:
    ref = Ref(name=name, number=number, tracker=tracker)
    assert Ref.parse(str(ref)) == ref


@given(name=_NAMES, alias=_LABELS, tracker=_TRACKERS)
def test_a_ref_with_an_alias_survives_its_text(
    name: str, alias: str, tracker: str | None
) -> None:
    ref = Ref(name=name, alias=alias, tracker=tracker)
    assert Ref.parse(str(ref)) == ref


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a name"),
        ("a b", "is not a name"),
        ("a/b", "is not a name"),
        ("..", "is not a name"),
        ("x" * 129, "is not a name"),
        ("a:", "is no version"),
        ("a:3", "is no version"),
        ("a:v0", "is no version"),
        ("a:v03", "is no version"),
        ("a:v9999999999", "is no version"),
        ("a:latest", "is no version"),
        ("a@", "a label has"),
        ("a@b@c", "a label has"),
        ("a@v3", "reads like a version"),
        ("a:v1@prod", "both a version and an alias"),
        ("#a", "has no tracker"),
        ("team#", "is not a name"),
    ],
)
def test_what_is_no_ref_is_said(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Ref.parse(text)


def test_the_newest_is_named_by_an_alias_that_nobody_sets() -> None:
    assert Ref.parse("a@latest").alias == "latest"
    assert problem_with_label("latest") is not None
    assert problem_with_label("latest-1") is None
