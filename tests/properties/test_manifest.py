"""Laws of reading and editing ``artifacts.toml``."""

import tomllib
from collections.abc import Sequence
from contextlib import suppress

from hypothesis import assume, given
from hypothesis import strategies as st

from artlock.errors import ManifestError
from artlock.formats.manifest import parse_manifest
from artlock.formats.manifest_edit import add_artifact, format_manifest, remove_artifact
from artlock.formats.toml_source import line_of

NAMES = ("a", "b.c", "d-e", "f_g", "0")
VALUES = (
    *('"s3://b/k"', "'x'", "''", '"\\" # [a]"', "7", "nan", "1979-05-27 07:32:00Z", "true"),
    *('["a", # c\n  "b",\n]', "{ x = 1, y.z = [] }", "'''\n[artifacts.a]\n\n'''"),
    *('"""\nuri = 1 \\\n  ""\\""""', "[]", "{}", '[{ a = "}" }]'),
)
STYLES = ("headers", "dotted", "root", "inline")
NOISE = (
    *("", "\n", "\n\n", "# words\n", "# more\n# words\n", "\n# above\n", "# left\n\n"),
    "  # [artifacts.a]\n",
)


def _key(name: str) -> str:
    return f'"{name}"' if "." in name else name


Piece = tuple[str, str]
"""Text and whose it is: an artifact's name, ``rest``, or empty if nobody can tell."""


@st.composite
def pieces(draw: st.DrawFn, styles: Sequence[str] = STYLES) -> list[Piece]:
    """Manifests in every spelling that TOML has, with comments in odd places."""
    value = st.sampled_from(VALUES)
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
    style = draw(st.sampled_from(styles))
    head = ("rest", draw(st.sampled_from(["", "[artlock] # it\nversion = 1\n"])))
    found: list[Piece]
    if style == "inline":
        tables = ", ".join(f"{_key(n)} = {{ uri = 's3://b/k', m = 1 }}" for n in names)
        found = [("", f"artifacts = {{ {tables} }} # x\n"), head]
    elif style == "root":
        found = [(n, f"artifacts.{_key(n)}.uri = {draw(value)}\n") for n in names]
        found.append(head)
    elif style == "dotted":
        found = [head, ("rest", "[artifacts]\n")]
        found += [(n, f"{_key(n)}.uri = {draw(value)} # c\n") for n in names]
    else:
        found = []
        for name in names:
            header = f"[artifacts.{_key(name)}] # of {name}\n"
            found.append((name, f"{header}uri = {draw(value)}\n"))
            if draw(st.booleans()):
                header = f"[artifacts.{_key(name)}.meta]\n"
                found.append((name, f"{header}{draw(st.sampled_from(NOISE))}x = 1\n"))
        tool = draw(st.sampled_from(["", "[tool.x]\ny = 1\n", "[[tool.x]]\n[[tool.x]]\n"]))
        found = [head, *draw(st.permutations([*found, ("rest", tool)]))]
    noisy = [piece for f in found for piece in (("", draw(st.sampled_from(NOISE))), f)]
    noisy.append(("", draw(st.sampled_from(NOISE))))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return [(owner, text.replace("\n", newline)) for owner, text in noisy]


@st.composite
def documents(draw: st.DrawFn, styles: Sequence[str] = STYLES) -> str:
    text = "".join(text for _, text in draw(pieces(styles)))
    return text.rstrip() if draw(st.booleans()) else text


def _plain(text: str) -> dict[str, object]:
    content: dict[str, object] = tomllib.loads(text, parse_float=str)
    return content


def _artifacts(text: str) -> dict[str, object]:
    artifacts = _plain(text).get("artifacts", {})
    assert isinstance(artifacts, dict)
    return artifacts


def _is_cut_from(part: str, whole: str) -> bool:
    """Tell whether ``part`` is ``whole`` with characters left out, and none put in."""
    rest = iter(whole)
    return all(character in rest for character in part)


@given(documents(), st.sampled_from(NAMES))
def test_removing_takes_one_artifact_and_adds_nothing(text: str, name: str) -> None:
    artifacts = _artifacts(text)
    assume(name in artifacts)
    left = remove_artifact(text, name)
    kept = {n: value for n, value in artifacts.items() if n != name}
    assert {"artifacts": {}, **_plain(left)} == {**_plain(text), "artifacts": kept}
    assert _is_cut_from(left, text)


@given(pieces(), st.sampled_from(NAMES))
def test_what_is_not_the_artifacts_stays_byte_for_byte(
    document: list[Piece], name: str
) -> None:
    text = "".join(text for _, text in document)
    assume(name in _artifacts(text))
    left = remove_artifact(text, name)
    position = 0
    for owner, piece in document:
        if owner not in {name, ""}:
            position = left.index(piece, position) + len(piece)


def _above_headers(text: str, name: str) -> list[tuple[str, ...]]:
    """Return each header that is not of ``name``, behind the comment lines above it."""
    found: list[tuple[str, ...]] = []
    block: tuple[str, ...] = ()
    for line in text.splitlines():
        if line.startswith("#"):
            block = (*block, line)
            continue
        # Of these two, the first one stands in a string of `VALUES`.
        is_other = line != "[artifacts.a]" and f"artifacts.{_key(name)}" not in line
        if line.startswith("[") and is_other:
            found.append((*block, line))
        block = ()
    return found


@given(documents(["headers"]), st.sampled_from(NAMES))
def test_each_header_keeps_the_comments_above_it(text: str, name: str) -> None:
    # The comment that begins the file stays, even if it comes to stand above a header.
    text = f"[tool.first]\n{text}"
    before = _above_headers(text, name)
    if name in _artifacts(text):
        assert _above_headers(remove_artifact(text, name), name) == before
    else:
        added = add_artifact(text, name, {"uri": "s3://b/k"})
        assert _above_headers(added, name) == before


@given(documents(), st.sampled_from(NAMES), st.text(max_size=8))
def test_adding_inserts_one_piece_of_text_and_removing_takes_it_back(
    text: str, name: str, path: str
) -> None:
    artifacts = _artifacts(text)
    assume(name not in artifacts)
    fields = {"uri": "s3://b/k", "path": path}
    added = add_artifact(text, name, fields)
    assert _plain(added) == {**_plain(text), "artifacts": {**artifacts, name: fields}}
    assert _is_cut_from(text, added)
    left = remove_artifact(added, name)
    assert "".join(left.split()) == "".join(text.split())


@given(documents())
def test_formatting_keeps_the_meaning_and_the_words_and_is_done_once(text: str) -> None:
    formatted = format_manifest(text)
    assert _plain(formatted) == _plain(text)
    assert formatted.split() == text.split()
    assert format_manifest(formatted) == formatted
    assert formatted == "" or formatted.endswith("\n")
    assert "\r" not in formatted


@given(documents())
def test_every_key_that_the_parser_sees_has_its_line(text: str) -> None:
    lines = text.split("\n")
    for name, content in _artifacts(text).items():
        assert isinstance(content, dict)
        for place in (("artifacts", name), *(("artifacts", name, key) for key in content)):
            line = line_of(text, place)
            assert line is not None
            assert place[-1] in lines[line - 1]
            assert not lines[line - 1].lstrip().startswith("#")


@given(
    st.one_of(
        documents(), st.text(max_size=60), st.text("[]{}.=\"'#\n\\aé,1 ", max_size=60)
    )
)
def test_5_11_any_text_is_a_manifest_or_is_refused(text: str) -> None:
    for deed in (parse_manifest, format_manifest, lambda t: remove_artifact(t, "a")):
        with suppress(ManifestError):
            deed(text)
