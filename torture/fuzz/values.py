"""Targets: small values that stand in those files: URIs, paths and tokens."""

from itertools import islice
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import urlsplit

from artlock.model.globs import problem_with_pattern, selector
from artlock.model.lock import (
    LockedObject,
)
from artlock.model.paths import (
    MAX_SEGMENT_BYTES,
    collisions,
    problem_with,
    problem_with_target,
    problems_with_all,
)
from artlock.model.tokens import Tokens, problems_with_tokens
from artlock.model.uri import Uri


def uri(data: bytes) -> bool:
    """A URI is its own text; it has no user info; what is below a tree is found there."""
    text = data.decode(errors="replace")
    try:
        parsed = Uri.parse(text)
    except ValueError:
        return False
    assert Uri.parse(str(parsed)) == parsed
    assert str(Uri.parse(str(parsed))) == str(parsed)
    if parsed.scheme in {"http", "https"}:
        seen = urlsplit(str(parsed))
        assert seen.username is None
        assert seen.password is None
        assert seen.fragment == ""
        assert seen.port != 0 or ":0" in seen.netloc
    if parsed.is_relative or parsed.scheme == "file":
        segments = parsed.local_path.split("/")
        assert not {"..", "."} & set(segments)
        assert parsed.local_path.startswith("/") == (parsed.scheme == "file")
    assert "/" not in parsed.file_name or parsed.scheme in {"http", "https", "file"}
    tree = parsed.as_tree()
    assert tree.is_tree
    if not parsed.is_link:
        for below in ("a", "b c/é%2e", "%", "x#y?z"):
            assert tree.relative(tree.child(below)) == below
    assert parsed.is_allowed_by(str(parsed))
    return True


def path(data: bytes) -> bool:
    """A key that may be a file stays below its root, on every operating system."""
    # Of a server's JSON, lone surrogates may come.
    keys = data.decode(errors="surrogateescape").split("\n")
    assert problems_with_all(keys) == [(k, p) for k in keys if (p := problem_with(k))]
    good = [key for key in keys if problem_with(key) is None]
    for key in good:
        _check_inside(key)
    for key in keys:
        if problem_with_target(key) is None:
            _check_inside(key.removesuffix("/"))
        if problem_with_pattern(key) is None:
            select = selector((key,), ())
            for other in islice(good, 5):
                select(other)
    pairs = collisions(good)
    assert pairs == sorted(pairs)
    folded = {key.casefold() for key in good}
    assert pairs or len(folded) == len(good)
    return bool(good)


def _check_inside(key: str) -> None:
    posix, windows = PurePosixPath(key), PureWindowsPath(key)
    assert not posix.is_absolute()
    assert not windows.is_absolute()
    assert windows.drive == ""
    assert windows.root == ""
    assert ".." not in posix.parts
    assert ".." not in windows.parts
    assert posix.parts == windows.parts
    assert str(posix) == key
    assert ".git" not in {part.casefold() for part in posix.parts}
    assert key.isprintable() or not any(ord(c) < ord(" ") for c in key)
    assert all(len(part.encode()) <= MAX_SEGMENT_BYTES for part in posix.parts)
    assert "\0" not in key


def tokens(data: bytes) -> bool:
    """Tokens are their own text, and the fast judge says what the parser says."""
    texts = data.decode(errors="replace").split("\n")
    told = dict(problems_with_tokens(texts))
    for index, text in enumerate(texts):
        try:
            parsed = Tokens.parse(text)
        except ValueError:
            assert index in told
            continue
        assert index not in told
        assert str(parsed) == text
        assert LockedObject("p", 1, text, "").trust is parsed.trust
        assert not parsed.contradicts(parsed)
    return not told
