import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from artlock.formats.exports.shell import as_shell, quoted
from artlock.model.exports import ExportedFile
from artlock.model.manifest import Access
from artlock.model.uri import Uri
from tests.unit.formats.exports.values import (
    B3,
    MD5,
    SHA256,
    artifact,
    export,
    file,
    of,
)

V = "3HL4"


def lines(found: ExportedFile, *, access: Access | None = None) -> list[str]:
    return "".join(as_shell(of(found, access=access))).splitlines()


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_shell_reads_a_quoted_word_as_it_was(text: str) -> None:
    command = f"printf %s {quoted(text)}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True)
    assert done.stdout.decode() == text


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (
            file("s3://b/d/k's", f"{B3} crc32c:9a71bb4c {MD5} etag:x", V, path="k"),
            f"s3 'data/x/k' 3 '{B3} {MD5}' 'b' 'd/k'\\''s' --version-id '{V}'",
        ),
        (
            file("s3://b/k", "etag:0cc1-2"),
            "s3 'data/x/k' 3 '' 'b' 'k' --if-match '\"0cc1-2\"'",
        ),
        (file("s3://b/k", SHA256), f"s3 'data/x/k' 3 '{SHA256}' 'b' 'k'"),
        (
            file("s3://b/-k", "", V, path="k"),
            f"s3_odd 'data/x/k' 3 '' 'b' '-k' --version-id '{V}'",
        ),
        (
            file("gs://b/a/k ?#", MD5, "17", path="k"),
            f"gcs 'data/x/k' 3 '{MD5}' '/storage/v1/b/b/o/a%2Fk%20%3F%23"
            "?alt=media&generation=17'",
        ),
        (
            file("https://h/k?a=1", SHA256, path="k"),
            f"web 'data/x/k' 3 '{SHA256}' 'https://h/k?a=1'",
        ),
        (
            file("https://h/k", "etag:x%20y"),
            "web 'data/x/k' 3 '' 'https://h/k' -H 'If-Match: \"x y\"'",
        ),
        (file("https://h/k", "etag:W/x"), "web 'data/x/k' 3 '' 'https://h/k'"),
        (file("file:///a%20b/k", B3), f"copy 'data/x/k' 3 '{B3}' '/a b/k'"),
        (file("raw/k", B3), f"copy 'data/x/k' 3 '{B3}' 'raw/k'"),
    ],
)
def test_a_row_is_one_call(found: ExportedFile, line: str) -> None:
    assert line in lines(found)


def test_control_characters_of_keys_never_reach_a_terminal() -> None:
    plain = file("s3://b/k")
    odd = replace(plain, uri=Uri("s3", "b", "a\x1b[31m\n\x9b"))
    text = "".join(as_shell(export(replace(artifact(plain), files=(odd,)))))
    assert not set(text) & set("\x1b\x9b")
    assert r"'a\0033[31m\0012\0302\0233'" in text


@pytest.mark.parametrize(
    ("uri", "access", "line"),
    [
        (
            "s3://b/k",
            Access(
                endpoint="https://e",
                region="r",
                profile="it's",
                ca_bundle="/c",
                requester_pays=True,
            ),
            "reach() { aws s3api get-object --endpoint-url 'https://e' --region 'r' "
            "--profile 'it'\\''s' --request-payer 'requester' --ca-bundle '/c' \"$@\"; }",
        ),
        (
            "s3://b/k",
            Access(anonymous=True),
            'reach() { aws s3api get-object --no-sign-request "$@"; }',
        ),
        (
            "gs://b/k",
            Access(anonymous=True, ca_bundle="c d"),
            'reach() { google anonymously --cacert "$here"/\'c d\' "$@"; }',
        ),
        ("https://h/k", Access(), 'reach() { ask "$@"; }'),
        (
            "https://h/k",
            Access(ca_bundle="~/c"),
            'reach() { ask --cacert "$HOME"/\'c\' "$@"; }',
        ),
        (
            "s3://b/k",
            Access(role_arn="r"),
            "# It is read in the role r: assume that first.",
        ),
        ("file:///a/k", Access(), "# x: file:///a/k"),
    ],
)
def test_a_source_is_reached_as_it_was_set(uri: str, access: Access, line: str) -> None:
    assert line in lines(file(uri), access=access)


def test_googles_service_and_payer_are_in_the_address() -> None:
    access = Access(endpoint="https://e/", user_project="p q")
    (line,) = (
        li for li in lines(file("gs://b/k"), access=access) if li.startswith("gcs '")
    )
    assert line.endswith("'https://e/storage/v1/b/b/o/k?alt=media&userProject=p%20q'")


def test_values_of_headers_stay_here() -> None:
    one = artifact(file("https://h/k"), headers=("Authorization", "X-Team"))
    text = "".join(as_shell(export(one)))
    assert "headers, which ~/.curlrc must have: Authorization, X-Team" in text


def test_only_programs_that_are_needed_are_looked_for() -> None:
    text = "".join(as_shell(of(file("s3://b/k", MD5))))
    assert "sum_md5()" in text
    assert "sum_blake3()" not in text


NASTY = [
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    '"; touch pwned; "',
    "-n",
    "*",
    "a  b ",
    "é~#!%s%41",
    "&& touch pwned",
]


def test_names_are_names_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in NASTY:
        (source / name).write_text("abc")
    files = []
    for name in NASTY:
        uri = Uri.parse(f"{source.as_uri()}/").child(name)
        found = file("s3://b/k", "md5:900150983cd24fb0d6963f7d28e17f72")
        files.append(replace(found, target=f"out/{name}", uri=uri))
    script = tmp_path / "script"
    script.write_text("".join(as_shell(of(*files))), "utf-8")
    place = tmp_path / "place"
    subprocess.run(["/bin/sh", script, place], check=True, cwd=tmp_path)
    assert sorted(p.name for p in (place / "out").iterdir()) == sorted(NASTY)
    assert not list(tmp_path.rglob("pwned"))
