import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from artlock.errors import ConfigError
from artlock.formats.exports.bagit import as_bag
from artlock.formats.exports.croissant import as_croissant
from artlock.formats.exports.shell import as_shell, quoted
from artlock.model.exports import ExportedFile
from artlock.model.manifest import Access
from artlock.model.uri import Uri
from testbed.http_server import HttpServer
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
            f"s3 'data/x/k' 3 '{B3} {MD5}' 'b' 'd/k'\\''s' --version-id='{V}'",
        ),
        (
            file("s3://b/k", "etag:0cc1-2"),
            "s3 'data/x/k' 3 '' 'b' 'k' --if-match '\"0cc1-2\"'",
        ),
        (file("s3://b/k", SHA256), f"s3 'data/x/k' 3 '{SHA256}' 'b' 'k'"),
        (
            file("s3://b/-k", "", V, path="k"),
            f"s3_odd 'data/x/k' 3 '' 'b' '-k' --version-id='{V}'",
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
        ("http://h/k", Access(), 'reach() { ask "$@"; }'),
        (
            "https://h/k",
            Access(ca_bundle="~/c"),
            "reach() { ask --proto '=https' --cacert \"$HOME\"/'c' \"$@\"; }",
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
    assert "# It is asked with headers: Authorization, X-Team\n" in text
    assert 'headed HEADERS_x "${HEADERS_x-}" "$@" --proto' in text


def test_two_artifacts_never_share_their_headers() -> None:
    names = ("a-b", "a.b", "a_b", "a_2db", "A-b")
    found = [artifact(file("http://h/k"), name=n, headers=("X",)) for n in names]
    text = "".join(as_shell(export(*found)))
    assert len(set(re.findall(r"headed (HEADERS_\w+) ", text))) == len(names)


@pytest.mark.parametrize(
    ("uri", "version"),
    [
        ("s3://b/k", "file:///tmp/secret"),
        ("s3://b/k", "fileb://x"),
        ("s3://b/k", "--debug"),
        ("s3://b/k", "v'"),
        ("s3://b/k", "a&versionId=b"),
        ("gs://b/k", "17&userProject=other"),
        ("gs://b/k", "v17"),
    ],
)
def test_a_version_is_no_word_that_a_program_obeys(uri: str, version: str) -> None:
    found = of(file(uri, f"{SHA256} {MD5}", version))
    for write in (as_shell, as_croissant, as_bag):
        with pytest.raises(ConfigError, match="none that a store is known to give"):
            list(write(found))


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


def of_one_file(folder: Path, *tokens: str) -> str:
    """Return a script that copies one file, whose bytes are ``abc``."""
    (folder / "abc").write_text("abc")
    found = file("s3://b/k", " ".join(tokens))
    uri = Uri.parse((folder / "abc").as_uri())
    return "".join(as_shell(of(replace(found, target="k", uri=uri))))


def run(script: str, folder: Path, *words: str, **variables: str) -> int:
    place = folder / "script"
    place.write_text(script)
    done = subprocess.run(
        ["/bin/sh", place, *words],
        check=False,
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
    )
    return done.returncode


def test_a_script_that_was_cut_anywhere_does_nothing(tmp_path: Path) -> None:
    script = of_one_file(tmp_path)
    whole = len(script) - 1  # without its last line feed
    begin = len("#!/bin/sh\n") + 1
    for cut in (*range(begin, whole, 97), *range(whole - 40, whole)):
        assert run(script[:cut], tmp_path, "out") != 0, script[:cut][-40:]
        assert not (tmp_path / "out").exists()
    assert run(script[:whole], tmp_path, "out") == 0
    assert (tmp_path / "out/k").read_text() == "abc"


@pytest.mark.parametrize("name", ["new", "-", "-P", "a b/c"])
def test_a_folder_is_the_one_that_was_named(tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / name).mkdir(parents=True)
    variables = {"CDPATH": str(elsewhere), "OLDPWD": str(elsewhere)}
    assert run(of_one_file(tmp_path), tmp_path, name, **variables) == 0
    assert (tmp_path / name / "k").exists()
    assert not list(elsewhere.rglob("k"))


def test_code_that_lies_in_the_folder_is_data(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "pwd", "mkdir", "rm", "wc", "cp", "mv"):
        (programs / name).symlink_to(shutil.which(name) or "")
    (programs / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "python3").chmod(0o700)
    out = tmp_path / "out"
    out.mkdir()
    for name in ("blake3.py", "sys.py"):
        (out / name).write_text("open('pwned', 'w')")
    known = f"blake3:{blake3(b'abc').hexdigest()}"
    script = of_one_file(tmp_path, known)
    assert run(script, tmp_path, "out", PATH=str(programs)) == 0
    assert (out / "k").exists()
    assert not (out / "pwned").exists()


def headed(address: str) -> str:
    """Return a script that asks an address with headers."""
    found = file(address, "md5:900150983cd24fb0d6963f7d28e17f72", path="k")
    return "".join(as_shell(export(artifact(found, headers=("X-Team",)))))


def test_headers_go_to_their_host_and_nowhere_else(tmp_path: Path) -> None:
    told = {"HEADERS_x": 'X-Team: "s\\\nAuthorization: Bearer t', "HOME": str(tmp_path)}
    with HttpServer() as own, HttpServer() as other:
        own.redirect("/k", own.url("/near"))
        own.redirect("/near", other.url("/far"))
        other.put("/far", b"abc")
        script = headed(own.url("/k"))
        assert run(script, tmp_path, "out", **told) == 0
        assert (tmp_path / "out/data/x/k").read_text() == "abc"
        asked = [(r.path, dict(r.headers).get("X-Team")) for r in own.requests]
        assert asked == [("/k", '"s\\'), ("/near", '"s\\')]
        (far,) = other.requests
        assert not {"x-team", "authorization"} & {name.lower() for name, _ in far.headers}
        assert run(script, tmp_path, "unset", HOME=str(tmp_path)) == 2
        own.redirect("/k", own.url("/k"))
        assert run(script, tmp_path, "endless", **told) == 3


def test_a_redirect_never_leaves_encryption(tmp_path: Path) -> None:
    variables = {"HEADERS_x": "X-Team: s", "HOME": str(tmp_path)}
    with HttpServer(tls=True) as own, HttpServer() as other:
        own.redirect("/k", other.url("/k"))
        other.put("/k", b"abc")
        variables["CURL_CA_BUNDLE"] = str(own.ca_file)
        plain = file(own.url("/k"), "md5:900150983cd24fb0d6963f7d28e17f72", path="k")
        for script in (headed(own.url("/k")), "".join(as_shell(of(plain)))):
            assert run(script, tmp_path, "out", **variables) == 3
        assert len(own.requests) == 2
        assert not other.requests
