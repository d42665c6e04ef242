import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from artlock.errors import ConfigError
from artlock.formats.imports.yaml import read_yaml

LISTS_OF_FILES = """\
# comment
md5: c0dbdfe29d8e7ccc60991fd0d60e997d
deps:
- path: s3://bkt/t
  fs_config:
    version_aware: true
  files:
  - relpath: it's a.txt
    size: 7
    nothing:
  - relpath: 'it''s: #1'
    size: -1

  - relpath: "q\\"\\u00e9"
    isexec: false
outs:
  - a long name that goes on
    below
  -
    path: x
  - - 1
    - null
"""

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), min_size=1
)
VALUES = st.recursive(
    st.one_of(WORDS, st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(
            st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True),
            inner,
            min_size=1,
            max_size=3,
        ),
    ),
    max_leaves=8,
)


def test_what_dvc_writes_is_read() -> None:
    assert read_yaml(LISTS_OF_FILES, "x") == {
        "md5": "c0dbdfe29d8e7ccc60991fd0d60e997d",
        "deps": [
            {
                "path": "s3://bkt/t",
                "fs_config": {"version_aware": True},
                "files": [
                    {"relpath": "it's a.txt", "size": 7, "nothing": None},
                    {"relpath": "it's: #1", "size": -1},
                    {"relpath": 'q"é', "isexec": False},
                ],
            }
        ],
        "outs": ["a long name that goes on below", {"path": "x"}, [1, None]],
    }
    assert read_yaml('{"outs": [{"path": "x"}]}', "x") == {"outs": [{"path": "x"}]}
    assert read_yaml("", "x") is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: &x 1", 1),
        ("a: *x", 1),
        ("a: [1]", 1),
        ("a: {b: 1}", 1),
        ("b: 1\na: |\n  x", 2),
        ("a: !!str 1", 1),
        ("a: x # comment", 1),
        ("a: b: c", 1),
        ('a: "open', 1),
        ("a: 1\na: 2", 2),
        ("plain", 1),
        ("- a\nb: 1", 2),
        ("a: 'x'\n   b: 1", 2),
        ("--- \na: 1", 1),
        ("? a\n: b", 1),
        ("\t- a", 1),
    ],
)
def test_what_would_be_a_guess_is_refused(text: str, line: int) -> None:
    with pytest.raises(ConfigError, match=f"`x:{line}`"):
        read_yaml(text, "x")


def test_5_12_what_is_nested_without_end_is_refused() -> None:
    with pytest.raises(ConfigError):
        read_yaml("\n".join(" " * n + "a:" for n in range(2000)), "x")
    with pytest.raises(ConfigError):
        read_yaml("- " * 5000 + "a", "x")
    with pytest.raises(ConfigError):
        read_yaml('{"a":' * 100_000, "x")


@given(value=VALUES)
def test_nothing_is_read_otherwise_than_yaml_means_it(value: object) -> None:
    """Whatever a real writer makes is read as it was, or refused."""
    text = yaml.safe_dump({"a": value}, sort_keys=False, allow_unicode=True)
    try:
        found = read_yaml(text, "x")
    except ConfigError:
        return
    assert found == {"a": value}, text
