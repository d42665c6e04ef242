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
    st.one_of(WORDS, st.integers(-(10**18), 10**19 - 1), st.booleans(), st.none()),
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


def test_other_spellings_of_yaml_are_read_too() -> None:
    assert read_yaml("--- # begins\na: [1, {b: x}]\nc: |\n  two\n  lines\n", "x") == {
        "a": [1, {"b": "x"}],
        "c": "two\nlines\n",
    }


def test_no_plain_word_becomes_what_only_some_readers_take_it_for() -> None:
    text = "a: [yes, 012, 0x1f, 1_0, 1.5, 2026-05-01, 12345678901234567890123456789012]"
    assert read_yaml(text, "x") == {
        "a": ["yes", "012", "0x1f", "1_0", "1.5", "2026-05-01", "1234567890" * 3 + "12"]
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: &x 1", 1),
        ("a: *x", 1),
        ("a: 1\nb: !!str 1", 2),
        ("a: b: c", 1),
        ('a: "open', 1),
        ("a: 1\na: 2", 2),
        ("- a\nb: 1", 2),
        ("a: 'x'\n   b: 1", 2),
        ("a: 1\n--- \na: 1", 2),
        ("? [a]\n: b", 1),
        ("1: a", 1),
        ("\t- a", 1),
        ("a: \x01", 1),
    ],
)
def test_what_would_be_a_guess_is_refused(text: str, line: int) -> None:
    with pytest.raises(ConfigError, match=f"`x(:{line})?`"):
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
