"""Which keys may become file names: one rule for resolve, sync, check and every reader.

A path is text with ``/`` between its segments, relative to an artifact's place in the
workspace. It is refused, never cleaned: a cleaned path would be another key. The rules hold
on every operating system, because a lockfile made on one is synced on another (hazards 2.1
to 2.9).
"""

from __future__ import annotations

import re
import string
import unicodedata
from itertools import islice
from operator import eq, ge
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_SEGMENT_BYTES = 255
"""Longest file name on ext4, XFS, APFS and NTFS, in UTF-8 bytes."""
MAX_PATH_BYTES = 4000
"""Longest path, in UTF-8 bytes; below PATH_MAX (4,096) with room for a temporary name."""

_FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, line separators, bidirectional overrides and lone surrogates."""
_DRIVE = re.compile(r"[A-Za-z]:")
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[1-9\u00b9\u00b2\u00b3]) *(?:\..*)?",
    re.IGNORECASE,
)
"""Device names of Windows, with or without an extension."""
_STEERING = frozenset(
    {
        "artifacts.toml",
        "artifacts.lock",
        "artifacts.lock.d",
        ".envrc",
        ".gitattributes",
        ".gitmodules",
        ".github",
    }
)
"""Names that would steer artlock, git, a shell or a CI service if data could bring them."""
_SHORT = re.compile(
    r"(?:git|gitmod|gi7eba|gitatt|gi7d29|github|envrc|artifa|artloc)~[0-9]+(?:\..*)?"
)
"""Short names that Windows makes of those names (8.3), as git refuses them too."""
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Unicode: Default_Ignorable_Code_Point. Left out of comparisons by ext4 and F2FS where
they fold names, and some of them by HFS+ (git: CVE-2014-9390)."""
_RISKY_NAME = r"(?:(?:con|prn|aux|nul|(?:com|lpt)[1-9])(?:[./\n]|$)|artifacts\.)"
"""Starts of names, among plain characters, that need the rules below one by one."""
_PLAIN = re.compile(
    r"(?:(?!" + _RISKY_NAME + r")"
    r"[A-Za-z0-9_=+,@()#-][A-Za-z0-9_=+,@()#.-]*(?<![.])(?:/|$))+",
    re.IGNORECASE | re.ASCII,
)
"""Accepts most of the paths there are, and no path that a rule below refuses."""
_PLAIN_BYTES = (string.ascii_letters + string.digits + "_=+,@()#.- /").encode()
_RISKY_BYTES = re.compile(
    rb"/(?=[acnlp])(?:(?:con|prn|aux|nul|(?:com|lpt)[1-9]) *[./]|artifacts\.)"
)
"""Lower case only: ignoring case makes the search twice as long."""


def problem_with(path: str, *, portable: bool = True) -> str | None:
    """Return why ``path`` cannot be a file below an artifact's place, or ``None``.

    Args:
        path: Relative, ``/`` between segments.
        portable: Also refuse what only Windows cannot hold: device names, ``:``, and a dot
            or space at the end of a name.
    """
    if len(path) < MAX_SEGMENT_BYTES and _PLAIN.fullmatch(path) and path[-1] != "/":
        return None
    if not path:
        return "it is empty"
    if _FORBIDDEN.search(path):
        return "it has a control or direction character"
    if len(path.encode()) > MAX_PATH_BYTES:
        return f"it is longer than {MAX_PATH_BYTES} bytes"
    if path.startswith("/") or _DRIVE.match(path):
        return "it is absolute"
    if "\\" in path:
        return "it has a backslash, which separates folders on Windows"
    segments = path.split("/")
    return next(
        (found for s in segments if (found := _problem_with_segment(s, portable=portable))),
        None,
    )


def _problem_with_segment(name: str, *, portable: bool) -> str | None:
    if not name:
        return "it has an empty segment"
    if name in {".", ".."}:
        return f"it has a `{name}` segment"
    if len(name.encode()) > MAX_SEGMENT_BYTES:
        return f"it has a name longer than {MAX_SEGMENT_BYTES} bytes"
    if is_git_directory(name):
        return f"`{name}` is where git keeps its own files"
    bare = _bare(name)
    if bare in _STEERING or bare.startswith(".artlock") or _SHORT.fullmatch(bare):
        return f"`{name}` would steer artlock, git, a shell or CI"
    if not portable:
        return None
    if ":" in name:
        return "it has a `:`, which Windows cannot hold"
    if name[-1] in ". ":
        return "a name ends in a dot or space, which Windows drops"
    if _RESERVED.fullmatch(name):
        return f"`{name}` is a device on Windows"
    return None


def is_git_directory(name: str) -> bool:
    """Tell whether some file system would take ``name`` for ``.git``, as git asks too."""
    bare = _bare(name)
    return bare == ".git" or re.fullmatch(r"git~[0-9]+", bare) is not None


def _bare(name: str) -> str:
    """Return what the least careful file system sees of a name.

    NTFS drops dots and spaces at the end, cuts at ``:``, and has ``git~1``; others ignore
    some code points (CVE-2014-9390, CVE-2019-1352 to -1354).
    """
    return _IGNORABLE.sub("", name).partition(":")[0].rstrip(". ").casefold()


def problem_with_target(path: str) -> str | None:
    """Return why a manifest may not place an artifact at ``path``, or ``None``.

    A person chose it, so names such as ``.github`` are allowed; leaving the project, and
    git's and artlock's own folders, are not. One trailing slash is allowed.
    """
    path = path.removesuffix("/")
    if not path:
        return "it is empty"
    if _FORBIDDEN.search(path):
        return "it has a control or direction character"
    if path.startswith("/") or "\\" in path or _DRIVE.match(path):
        return "it is not relative to the project, with `/` between segments"
    for name in path.split("/"):
        if name in {"", ".", ".."}:
            return f"it has a `{name}` segment" if name else "it has an empty segment"
        if len(name.encode()) > MAX_SEGMENT_BYTES:
            return f"it has a name longer than {MAX_SEGMENT_BYTES} bytes"
        bare = _bare(name)
        if is_git_directory(name) or bare.startswith((".artlock", "artloc~")):
            return f"`{name}` is git's or artlock's own"
    top = path.casefold().partition("/")[0]
    if top == "artifacts.lock.d" or path.casefold() in {"artifacts.toml", "artifacts.lock"}:
        return f"`{path}` is artlock's own"
    return None


def problems_with_all(
    paths: Sequence[str], *, portable: bool = True
) -> list[tuple[str, str]]:
    """Return ``(path, problem)`` for each path that ``problem_with`` refuses, in order.

    The same answer as one call for each; a look at the joined text spares those calls where
    all are plain, which makes a million paths cost a third of a second.
    """
    if _all_plain(paths):
        return []
    return [
        (path, problem)
        for path in paths
        if (problem := problem_with(path, portable=portable)) is not None
    ]


def _all_plain(paths: Sequence[str]) -> bool:
    if not paths or max(map(len, paths)) >= MAX_SEGMENT_BYTES:
        return not paths
    # Joined by the separator, every end of a path looks like an end of a segment.
    joined = f"/{'/'.join(paths)}/".encode(errors="replace")
    return (
        not joined.translate(None, _PLAIN_BYTES)
        and not any(pair in joined for pair in (b"//", b"/.", b"./", b" /"))
        and _RISKY_BYTES.search(joined.lower()) is None
    )


def collisions(paths: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of paths that cannot both be files on every file system, sorted.

    Two paths collide if they are equal after Unicode normalization and case folding (APFS,
    NTFS, ext4), or if one is a file where the other needs a folder. Every group of equal
    paths and every file that is a folder is told; of many such pairs, not every one.

    Args:
        paths: None of them has a NUL (``problem_with``).
    """
    keys = _keys(paths)
    ordered = sorted(keys)
    if not any(map(eq, ordered, islice(ordered, 1, None))) and not _has_nested(ordered):
        return []
    return sorted(_colliding(sorted(zip(keys, paths, strict=True))))


class Span(msgspec.Struct, frozen=True, array_like=True):
    """From where to where some paths reach, among which there is no collision.

    Where the spans of several lists of paths follow each other there is none among all of
    them either. A msgspec struct, as it is sent between processes.

    Attributes:
        first: The least of their keys: what is compared in place of a path.
        last: The greatest.
    """

    first: str
    last: str

    def is_before(self, other: Span) -> bool:
        """Tell whether ``other`` follows, and does not begin inside of the last path."""
        return self.last < other.first and not other.first.startswith(f"{self.last}\0")


def span_of(paths: Sequence[str]) -> Span | None:
    """Return the span of paths whose keys ascend without a collision, or ``None``.

    ``None`` is no refusal: ``collisions`` tells more, once all paths are known.

    Args:
        paths: At least one; none of them has a NUL (``problem_with``).
    """
    keys = _keys(paths)
    if any(map(ge, keys, islice(keys, 1, None))) or _has_nested(keys):
        return None
    return Span(keys[0], keys[-1])


def _keys(paths: Sequence[str]) -> list[str]:
    """Return what is equal where paths collide, and sorts what is in a folder behind it.

    That is the folded path with its separators below all other characters.
    """
    joined = "\n".join(paths)
    if joined.isascii() and joined.count("\n") == max(len(paths) - 1, 0):
        return joined.lower().replace("/", "\0").split("\n") if paths else []
    return [fold(path).replace("/", "\0") for path in paths]


def _has_nested(ordered: Sequence[str]) -> bool:
    """Tell whether some key in order is that of a folder of the next one."""
    # Most often no key begins with the one before it: then nothing need be looked at twice.
    return any(map(str.startswith, islice(ordered, 1, None), ordered)) and any(
        other.startswith(f"{key}\0")
        for key, other in zip(ordered, islice(ordered, 1, None), strict=False)
    )


def fold(path: str) -> str:
    """Return one form for all paths that some file system takes for the same name.

    Unicode: canonical caseless matching (The Unicode Standard, D145), and without the code
    points that are ignored by default.
    """
    folded = unicodedata.normalize("NFD", path).casefold()
    return unicodedata.normalize("NFD", _IGNORABLE.sub("", folded))


def _colliding(ordered: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    equal: list[str] = []
    previous: str | None = None
    for key, path in ordered:
        if key == previous:
            yield equal[0], path
            equal.append(path)
            continue
        if previous is not None and key.startswith(f"{previous}\0"):
            yield from ((file, path) for file in equal)
        equal, previous = [path], key
