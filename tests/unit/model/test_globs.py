import time

import pytest

from artlock.model.globs import problem_with_pattern, selector

CASES = [
    ("*.pb", "a.pb", True), ("*.pb", ".pb", True), ("*.pb", "a/b.pb", False),
    ("*.pb", "a.pbx", False),
    ("**/*.pb", "a.pb", True), ("**/*.pb", "x/y/a.pb", True),
    ("**/*.pb", "x/a.pb/c", False),
    ("variables/**", "variables/x", True), ("variables/**", "variables/x/y", True),
    ("variables/**", "variables", False), ("variables/**", "xvariables/x", False),
    ("logs/", "logs/a/b", True), ("logs/", "logs/", True), ("logs/**", "logs/", True),
    ("logs/", "logs/a/", True), ("**", "", False), ("logs/", "logs", False),
    ("**/logs/", "a/logs/b", True),
    ("**", "a", True), ("**", "a/b/c", True), ("**/", "a/b", True),
    ("a/**/b", "a/b", True), ("a/**/b", "a/x/b", True), ("a/**/b", "a/x/y/b", True),
    ("a/**/b", "ab", False), ("a/**/b", "a/xb", False), ("a/**/**/b", "a/b", True),
    ("**/a/**/b/**/c", "a/b/c", True), ("**/a/**/b/**/c", "x/a/x/a/b/x/b/c", True),
    ("**/a/**/b/**/c", "x/a/c/b", False), ("**/x/a", "x/x/a", True),
    ("**/a/**/b", "ax/b", False), ("**/a/**", "ax/b", False),
    ("**/a", "a/a/a", True),
    ("?", "a", True), ("?", "/", False), ("?", "", False), ("??", "é😀", True),
    ("a?c", "a/c", False),
    ("*", "a", True), ("*", "a/b", False), ("*/*", "a/b", True),
    ("a*b*c", "aXbYbZc", True),
    ("a*b*c", "acb", False), ("*a*a*", "aa", True), ("*a*a*", "a", False),
    ("a*", "a", True),
    ("*ab", "aab", True), ("*ab*ab", "abab", True), ("*ab*ab", "ab", False),
    ("*ab*b", "abb", True),
    ("[abc]", "b", True), ("[abc]", "d", False), ("[a-c]x", "bx", True),
    ("[!a-c]", "b", False),
    ("[!a-c]", "d", True), ("[!a]", "/", False), ("[+-9]", "/", False),
    ("[+-9]", "-", True),
    ("[]]", "]", True), ("[!]]", "]", False), ("[!]]", "a", True), ("[]a]", "a", True),
    ("[a-]", "-", True), ("[-a]", "-", True), ("[a-]", "b", False), ("[^a]", "^", True),
    ("[^a]", "b", False), ("[a^]", "^", True), ("[!^]", "a", True),
    ("[\\]", "\\", True),
    ("[[]", "[", True), ("[&&]", "&", True), ("[a||b]", "|", True),
    ("[a~~b]", "~", True),
    ("[a-]b", "-b", True), ("[+--]", ",", True), ("[a-c-e]", "-", True),
    ("[a-c-e]", "d", False),
    ("[*]", "*", True), ("[*]", "x", False), ("[?]x", "?x", True), ("]", "]", True),
    ("{a,b}", "{a,b}", True), ("{a,b}", "a", False), ("a.b", "axb", False),
    ("a+", "a+", True),
    ("a(b)|c$", "a(b)|c$", True), ("A", "a", False), ("\\d", "1", False),
    ("a b", "a b", True),
    ("x\ny", "x\ny", True), ("*", "x\ny", True), ("a", "a\n", False),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "path", "matches"), CASES)
def test_a_pattern_means_what_is_written_down(
    *, pattern: str, path: str, matches: bool
) -> None:
    assert problem_with_pattern(pattern) is None
    assert selector((pattern,), ())(path) == matches
    assert selector((), (pattern,))(path) != matches


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("", "it is empty"),
        ("/", "it starts with `/` or has an empty segment"),
        ("/a", "it starts with `/` or has an empty segment"),
        ("a//b", "it starts with `/` or has an empty segment"),
        ("a//", "it starts with `/` or has an empty segment"),
        (".", "it has a `.` or `..` segment"),
        ("a/../b", "it has a `.` or `..` segment"),
        ("./a", "it has a `.` or `..` segment"),
        ("a**", "`**` must stand alone between slashes"),
        ("***", "`**` must stand alone between slashes"),
        ("**.pb", "`**` must stand alone between slashes"),
        ("[a", "a set in brackets is not closed"),
        ("a[", "a set in brackets is not closed"),
        ("[a/b]", "a set in brackets is not closed"),
        ("[", "a set in brackets is not closed"),
        ("[]", "a set in brackets is empty"),
        ("[!]", "a set in brackets is empty"),
        ("[a--b]", "a set in brackets has the empty range `a--`"),
        ("[c-a]", "a set in brackets has the empty range `c-a`"),
    ],
)
def test_a_pattern_that_cannot_match_is_told_why(pattern: str, problem: str) -> None:
    assert problem_with_pattern(pattern) == problem


def test_some_include_and_no_exclude_must_match() -> None:
    selects = selector(("**/*.pb", "variables/**"), ("**/_tmp/**", "*.bak.pb"))
    assert selects("a.pb")
    assert selects("variables/x")
    assert not selects("other.txt")
    assert not selects("variables/_tmp/x.pb")
    assert not selects("a.bak.pb")


def test_without_patterns_everything_is_meant() -> None:
    assert selector((), ())("anything")
    assert not selector((), ("**",))("anything")


def test_alternatives_do_not_leak_into_each_other() -> None:
    selects = selector(("a", "b/*"), ())
    assert selects("a")
    assert selects("b/c")
    assert not selects("a/c")
    assert not selects("ab/c")


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 40 + "*b", "a" * 255),
        ("**/a/" * 40 + "b", "a/" * 1900 + "c"),
        ("**/*a*/" * 40 + "b", "aaaa/" * 700 + "c"),
        ("**/" * 40 + "b", "a/" * 1900 + "c"),
    ],
)
def test_5_11_no_pattern_stops_the_machine(pattern: str, path: str) -> None:
    start = time.thread_time()
    assert not selector((pattern,), ())(path)
    assert time.thread_time() - start < 2
