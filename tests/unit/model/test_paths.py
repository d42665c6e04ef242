"""Tables of paths against an oracle that shares no code with the model."""

import re
import unicodedata

import pytest

from artlock.model.paths import (
    collisions,
    problem_with,
    problem_with_target,
    problems_with_all,
)

# Hazard by hazard: paths that are refused whatever `portable` says.
NEVER = {
    "2_1_leaving_the_root": [
        "../up", "..", "a/..", "a/../b", "x/../../y", "a/b/..", "/abs", "/",
        "//host/share",
        "//", "/..", "c:/w", "C:w", "z:", "a:b", "x:y:z", "c:\\w",
        "\\\\host\\share", "..\\up", "a\\..\\b",
        "\\abs", "....//..", "a/..//b",
        "../", "../../", "../../../etc/passwd", "a/b/../../../c", "a/../../b", "./..",
        "../a/b", "a/b/c/..", "/etc/passwd", "/a/../b", "///a", "//./a", "//?/c:/x",
        "C:", "C:/", "c:../x", "a:/x", "Z:x/y", "\\\\?\\c:\\x", "\\\\.\\nul",
        "..\\..\\x", "a/..\\b", "..\0/x", "..\n/x",
    ],
    "2_2_segments_that_file_systems_merge": [
        "", "a//b", "a/", "dir/", "./d", ".", "a/.", "a/./b", "a/b//",
        "a///b", "./", "a//", "a//./b", ".//a", "a/b/./c", "a/./", "././.", "a/b//c",
        "a/ /../b", "./a//",
    ],
    "2_3_git_and_steering": [
        ".git", ".GIT", ".Git/config", "a/.git/hooks/x", ".git ", ".git.", ".git . .",
        ".git...", ".git::$INDEX_ALLOCATION", ".git:x", "git~1", "GIT~1/x",
        "git~2", "a/git~10",
        ".g\u200cit", ".\u200dgit", ".gi\ufefft", ".git\u200f",
        ".g\u206ait", "\u200e.git",
        "artifacts.toml", "ARTIFACTS.TOML", "a/artifacts.lock",
        "artifacts.lock.", "artifacts.lock ", "a/artifacts.lock.d/x",
        "artifact\u017f.toml", "artifacts.lock:x", ".artlock", ".ARTLOCK/x",
        ".artlock-x",
        ".git\u200b", ".gi\u00adt", ".git\ufe0f/x", "artifacts\u2060.lock",
        ".g\u206bi\u206ct",
        "\u200d.GIT\u200f", ".git . ", ".git ...", ".git. :x", ".GiT::$DATA",
        ".git:", "a/.git/config", "a/.GIT./x", "a/b/git~1/x", "git~1.", "git~1 ", "git~1:x",
        "GIT~10", "gIt~9", ".git/", "/.git", "x/.git.", ".git\u200c/x",
        "gitmod~1", "GITMOD~4", "gitmod~1.", "gi7eba~1", "GI7EBA~9", "gitatt~1", "gi7d29~2",
        "github~1/x", "envrc~1", "artifa~1.tom", "ARTIFA~2.LOC", "artloc~1/x", "a/artifa~1",
        ".gitmodules.", ".gitmodules ", ".GITMODULES::$DATA", ".gitattributes\u200d",
        ".GitAttributes", "a/.envrc", ".ENVRC.", ".github:x", ".artlock.", ".artlock~",
        ".artlock/index", ".artlock-staged", "a/.ArtLock", "artifacts.lock::$DATA",
        "a/b/artifacts.toml", "Artifacts.Lock", "artifacts.toml.", "\ufeffartifacts.lock",
        ".artloc\u212a", ".envrc", ".gitattributes", ".gitmodules", ".gitmo\u200cdules",
        "a/.github/workflows/ci.yml", ".GitHub/x", ".gitmodules:x", ".art\u200clock",
    ],
    "2_4_backslash": ["a\\b", "\\", "a\\", "dir\\file.txt", "a/b\\c"],
    "2_5_control_and_direction": [
        "nul\0ctl", "tab\tk", "nl\nk", "cr\rk", "cr\r", "esc\x1b[31m",
        "bell\a", "del\x7f",
        "c1\x85", "c1\x9b", "\x80", "ls\u2028", "ps\u2029", "\u202ertl",
        "\u202aemb", "\u202d",
        "\x01", "a\x1f", "a/b\x00c", "a\x0bb", "a\x0c", "\x1b]0;x\x07", "x\x9b31m",
        "\u202b", "x\u202e", "\u2067", "\u2068", "a\u2029b", "cr\r/lf", "a\r\nb",
        "\udc80", "a/\ud83d", "\u202cpop", "\u2066iso", "a/\u2069", "\ud800",
        "a\udfff", "a/b\n",
    ],
    "2_9_length": [
        "x" * 256, "a/" + "x" * 256, "é" * 128, "😀" * 64, "a/" * 2000 + "b",
        "é/" * 1334 + "a", "x" * 257, "x" * 4001, "a/" * 2000 + "ab", "é" * 255,
        "x" * 255 + "/" + "y" * 256, "\U0001f600" * 63 + "1234", "e\u0301" * 86,
    ],
}  # fmt: skip
# Refused unless `portable` is false.
WINDOWS = {
    "2_6_devices_and_ends": [
        "CON", "con", "prn", "aux", "nul", "NUL.txt", "con.tar.gz", "com1",
        "COM9.log", "lpt1",
        "LPT9", "com\u00b9", "lpt\u00b2.x", "com\u00b3", "conin$",
        "CONOUT$", "a/con/b", "con .x",
        "nul  .txt", "trail.", "trail ", "a./b", "a /b", "a..", "...",
        "x/...", "ab:", "a/c:",
        "COM1", "com9.", "lpt9.tar.gz", "com\u00b2.txt", "LPT\u00b9", "lpt\u00b3",
        "a/nul", "nul/b", "AUX.c", "prn .x", "conin$.txt", "a/CONOUT$/b", "com1 .x",
        "a ./b", "b. .", "a/b.", "a/b ", "x/..../y", "co:n", "note:1", "a/12:30",
        "xx:y:z", " ", "a/ ", "file.txt.", "aux.h/x",
    ],
}  # fmt: skip
GOOD = [
    "a", "a/b", "plus+k", "sp ace", "pct%2e", "😀", "e\u0301", "\u00e9", "A",
    "<&>\"'", "a.b",
    ".hidden", ".gitignore", ".gitkeep", "git", "git~", "git~x", "agit~1",
    ".gitx", "..a", "...a",
    "a..b", "x" * 255, "x" * 254, "é" * 127, "a/" * 1999 + "b", "console",
    "con1", "com", "com0", "com10",
    "lpt", "nula", "auxiliary/x", "prn_", "connect.py", "common/x", "artifacts",
    "artifacts.tomlx",
    "artifacts.txt", "xartifacts.lock", "artlock", "a.artlock", "envrc",
    "github/x", " lead", "a/ b",
    "#", "?", "*", "a#b?c", "~", "~a", "-", "--help", "@", "=", "a,b", "(1)",
    "[x]", "{x}", "a;b", "a|b",
    "\u200d", "a\u200db", "\u00a0", "\u00ad", "\u0130", "\u0131", "ß", "0",
    "data-00000-of-00001",
    "run-4b6d6ab0/model.safetensors", "année/été.csv", "日本語/ファイル",
    "x" * 255 + "/" + "y" * 255, "\U0001f600" * 63 + "123", "e\u0301" * 85, "gitmodules",
    "gitmod", "gitmod~", "gitmod~x", "github", "artifa.tom", "artloc", "git-1", "git1",
    "a.git", "x.git/config", ".gitx/y", ".gi", "..git", ".gitmodulesx", "envrc", "com",
    "lpt", "com\u2074", "lpt\u2070", "nul-x", "con-x", "auxx", "x.con", "a/x.nul",
    "k\u0308", "variables/variables.index", "a/b/c/d/e/f/g", "_SUCCESS",
    "part=1/x.parquet",
]  # fmt: skip
KEYS = {
    "a": True, "a/b": True, "a//b": False, "/abs": False, "../up": False,
    "x/../../y": False,
    "dir/": False, "./d": False, ".": False, "..": False, "c:\\w": False,
    "nul\x01ctl": False,
    "tab\tk": False, "nl\nk": False, "cr\rk": False, "plus+k": True, "sp ace": True,
    "pct%2e": True, "😀": True, "e\u0301": True, "\u00e9": True, "A": True,
    "CON": False,
    "trail.": False, "trail ": False, "x" * 300: False, "<&>\"'": True,
    "\u202ertl": False,
}  # fmt: skip
ALL_NEVER = [path for paths in NEVER.values() for path in paths]
ALL_WINDOWS = [path for paths in WINDOWS.values() for path in paths]


def oracle(path: str, *, portable: bool) -> bool:
    """Say whether a path is fine, without the model's expressions."""
    for c in path:
        # Cc: controls; Cs: surrogates; Zl, Zp: separators.
        if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}:
            return False
        if unicodedata.bidirectional(c) in {
            *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"),
        }:
            return False
    if (
        not path
        or len(path.encode()) > 4000
        or (path[1:2] == ":" and path[0].isascii() and path[0].isalpha())
    ):
        return False
    ignored = {0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0}
    spans = [(0x180B, 5), (0x200B, 5), (0x202A, 5), (0x2060, 16), (0xFE00, 16), (0xFFF0, 9)]
    spans += [(0x1BCA0, 4), (0x1D173, 8), (0xE0000, 4096)]
    ignored.update(n for start, count in spans for n in range(start, start + count))
    for name in path.replace("\\", "//").split("/"):
        seen = "".join(c for c in name if ord(c) not in ignored).split(":")[0]
        while seen[-1:] in {".", " "} and seen:
            seen = seen[:-1]
        seen = seen.casefold()
        stem, _, digits = seen.partition("~")
        short = {"gitmod", "gi7eba", "gitatt", "gi7d29", "github", "envrc"}
        short |= {"artifa", "artloc", "git"}
        before_dot = digits.split(".")[0]
        if (
            name in {"", ".", ".."}
            or len(name.encode()) > 255
            or seen in {".git", ".github", ".gitmodules", ".gitattributes", ".envrc"}
            or (stem == "git" and digits and all(c in "0123456789" for c in digits))
            or (stem in short and before_dot and set(before_dot) <= set("0123456789"))
            or seen in {"artifacts.toml", "artifacts.lock", "artifacts.lock.d"}
            or seen[:8] == ".artlock"
        ):
            return False
        device = name.split(".")[0].rstrip(" ").upper()
        numbered = {f"{d}{n}" for d in ("COM", "LPT") for n in "123456789¹²³"}
        devices = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *numbered}
        if portable and (":" in name or name[-1] in " ." or device in devices):
            return False
    return True


def test_the_tables_hold_at_least_300_cases() -> None:
    assert len({*ALL_NEVER, *ALL_WINDOWS, *GOOD, *KEYS}) >= 300


@pytest.mark.parametrize("portable", [True, False])
@pytest.mark.parametrize(
    "path", [pytest.param(p, id=f"{h}-{p!r:.40}") for h, ps in NEVER.items() for p in ps]
)
def test_2_1_to_2_9_paths_that_do_harm_are_refused(*, path: str, portable: bool) -> None:
    assert problem_with(path, portable=portable) is not None
    assert not oracle(path, portable=portable)


@pytest.mark.parametrize("path", ALL_WINDOWS, ids=repr)
def test_2_6_what_only_windows_refuses_is_refused_if_portable(path: str) -> None:
    assert problem_with(path) is not None
    assert not oracle(path, portable=True)
    assert problem_with(path, portable=False) is None
    assert oracle(path, portable=False)


@pytest.mark.parametrize("path", GOOD, ids=lambda p: repr(p)[:40])
def test_all_other_paths_are_accepted(path: str) -> None:
    assert problem_with(path) is None
    assert oracle(path, portable=True)


@pytest.mark.parametrize(("path", "is_good"), KEYS.items(), ids=lambda p: repr(p)[:40])
def test_the_hazard_keys_are_judged_as_written_down(*, path: str, is_good: bool) -> None:
    assert (problem_with(path) is None) == is_good


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "it is empty"),
        ("/a", "it is absolute"),
        ("c:/a", "it is absolute"),
        ("a\\b", "it has a backslash, which separates folders on Windows"),
        ("a//b", "it has an empty segment"),
        ("a/../b", "it has a `..` segment"),
        ("a\tb", "it has a control or direction character"),
        ("a/.git", "`.git` is where git keeps its own files"),
        (".envrc", "`.envrc` would steer artlock, git, a shell or CI"),
        ("a:b", "it is absolute"),
        ("ab:c", "it has a `:`, which Windows cannot hold"),
        ("a.", "a name ends in a dot or space, which Windows drops"),
        ("con", "`con` is a device on Windows"),
        ("x" * 256, "it has a name longer than 255 bytes"),
        ("a/" * 2000 + "a", "it is longer than 4000 bytes"),
    ],
    ids=lambda p: repr(p)[:40],
)
def test_the_reason_is_told(path: str, problem: str) -> None:
    assert problem_with(path) == problem


def test_all_paths_are_judged_as_one_by_one_and_in_order() -> None:
    paths = [*GOOD, *ALL_NEVER, *ALL_WINDOWS]
    for portable in (True, False):
        expected = [
            (path, problem)
            for path in paths
            if (problem := problem_with(path, portable=portable)) is not None
        ]
        assert problems_with_all(paths, portable=portable) == expected
    assert problems_with_all([]) == []


@pytest.mark.parametrize("path", [*ALL_NEVER, *ALL_WINDOWS], ids=lambda p: repr(p)[:40])
def test_one_bad_path_among_plain_ones_is_found(path: str) -> None:
    for paths in ([path, "a"], ["a", path], ["a", path, "b/c"], [path]):
        assert [p for p, _ in problems_with_all(paths)] == [path]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", "A"), ("dir/x", "DIR/x"), ("é", "e\u0301"), ("É", "e\u0301"),
        ("K", "\u212a"),
        ("k", "\u212a"), ("\u017f", "s"), ("\u017f", "S"), ("ß", "ss"),
        ("ß", "SS"), ("\ufb01", "fi"),
        ("Ångström", "a\u030angstro\u0308m"), ("\u1e9e", "ss"), ("\u03c3", "\u03c2"),
        ("\u1fb4", "ά\u0345"), ("\u03b1\u0345\u0301", "\u03b1\u0301\u0345"),
        ("a\u00adb", "ab"), ("a\u200db", "AB"), ("\u2764\ufe0f", "\u2764"),
        ("x\U000e0041", "x"),
        ("İ", "i\u0307"), ("a", "a"), ("a/É/b", "a/e\u0301/B"),
    ],
)  # fmt: skip
def test_2_7_paths_that_some_file_system_takes_for_one_collide(
    one: str, other: str
) -> None:
    assert collisions([one, "z", other]) == [(min(one, other), max(one, other))]


@pytest.mark.parametrize(
    ("paths", "pairs"),
    [
        (["a", "a/b"], [("a", "a/b")]),
        (["a/b", "a"], [("a", "a/b")]),
        (["a", "a/b/c/d"], [("a", "a/b/c/d")]),
        (["a", "a-b", "a/b"], [("a", "a/b")]),
        (["a", "a.b", "a b", "ab", "b/a"], []),
        (["a", "A/b"], [("a", "A/b")]),
        (["x/a", "x/a/b", "x/a/b/c"], [("x/a", "x/a/b"), ("x/a/b", "x/a/b/c")]),
        (["a", "A", "a/b"], [("A", "a"), ("A", "a/b"), ("a", "a/b")]),
        (["é", "e\u0301/x"], [("é", "e\u0301/x")]),
        (["a", "b", "B", "β"], [("B", "b")]),
        (["a", "A", "aa", "AA", "Aa"], [("A", "a"), ("AA", "Aa"), ("AA", "aa")]),
        (["a"], []),
        ([], []),
    ],
)  # fmt: skip
def test_2_8_a_file_where_another_needs_a_folder_collides(
    paths: list[str], pairs: list[tuple[str, str]]
) -> None:
    assert collisions(paths) == pairs


def test_5_11_deep_paths_and_many_collisions_are_judged_in_little_time_and_space() -> None:
    deep = [f"{i:03}/" + "a/" * 1900 + "b" for i in range(500)]
    assert collisions(deep) == []
    chain = [f"{i:05}" + end for i in range(20_000) for end in ("", "/x")]
    assert len(collisions(chain)) == 20_000


@pytest.mark.parametrize(
    "path",
    [
        "data",
        "data/",
        ".github/x",
        "a/b.txt",
        "con",
        "a:b"[1:],
        ".envrc",
        "x/artifacts.toml",
    ],
)
def test_a_person_may_choose_most_places(path: str) -> None:
    assert problem_with_target(path) is None or re.match(r"[A-Za-z]:", path)


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "/abs", "..", "../x", "a/../b", "a//b", "./a", ".", "c:/x",
        "a\\b", "a\nb", "x" * 256,
        ".git", ".GIT/hooks", "a/git~1", ".artlock", ".artlock/x",
        "artifacts.toml", "ARTIFACTS.lock", "artifacts.lock.d", "Artifacts.Lock.D/x",
        "\u202ea", ".git\u200c/x", ".art\u200clock",
    ],
)  # fmt: skip
def test_2_1_places_outside_of_the_project_or_of_git_and_artlock_are_refused(
    path: str,
) -> None:
    assert problem_with_target(path) is not None
