import os
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from artlock.errors import ConfigError, IntegrityError, PolicyError
from artlock.ops.digest import digests
from artlock.ops.export import Format, exported, lines_of, write
from testbed.http_server import HttpServer
from testbed.seaweedfs import SeaweedFS
from tests.programs import path_with_artlock, tool
from tests.unit.ops.remotes import Remote
from tests.unit.ops.workbench import Workbench

LOCKFILE_PAGE = Path(__file__).parents[3] / "docs/reference/lockfile.md"
_VALIDATE = """
import sys, bagit
bag = bagit.Bag(sys.argv[1])
print(bag.is_valid(completeness_only=True), len(list(bag.fetch_entries())))
"""


def test_a_bag_is_valid_once_its_payload_was_fetched(
    bench: Workbench,
    seaweedfs: SeaweedFS,
    http_server: HttpServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARTLOCK_TRUST", "127.0.0.1")
    http_server.put("/a%20b.json", b"[1]", etag='"1"')
    client = seaweedfs.client()
    for key, body in {"bag/1 é": b"text", "bag/d/empty": b""}.items():
        client.put_object(Bucket="public", Key=key, Body=body)
    reached = f'endpoint = "{seaweedfs.endpoint}"\nanonymous = true\n'
    bench.declare(
        reached + f'[artifacts.web]\nuri = "{http_server.url("/a%20b.json")}"',
        tree="s3://public/bag/",
    )
    bench.resolve(digest_all=True)
    bench.sync()
    bag = bench.folder / "bag"
    export = exported(bench.project(), (), Format.BAGIT, sha256=True)
    assert write(export, Format.BAGIT, bag).files[-1] == "bagit.txt"
    assert _judged(bag) == "False 3\n"
    for line in (bag / "fetch.txt").read_text("utf-8").splitlines():
        url, size, name = line.split(" ", 2)
        place = bag / name
        place.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - of a bag just written
            place.write_bytes(answer.read())
        assert place.stat().st_size == int(size)
    assert _judged(bag) == "True 3\n"
    _bagit("-m", "bagit", "--validate", "--quiet", str(bag))


def _judged(bag: Path) -> str:
    """Return whether a bag is complete, and how much of it is to be fetched."""
    return _bagit("-c", _VALIDATE, str(bag))


def _bagit(*arguments: str) -> str:
    command = [str(tool("python")), "-W", "ignore", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def test_keys_that_are_no_arguments_of_aws_are_asked_for_all_the_same(
    bench: Workbench, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.folder / "bin").mkdir()
    (bench.folder / "bin" / "aws").symlink_to(tool("aws"))
    monkeypatch.setenv("PATH", path_with_artlock(bench.folder / "bin"))
    bucket = f"odd-{remote.prefix}"
    remote.client.create_bucket(Bucket=bucket)
    for key in ("-n", "tab\there é"):
        remote.client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    bench.declare('rename = { "tab\\there é" = "tab" }', odd=f"s3://{bucket}/")
    bench.resolve(digest_all=True)
    script = bench.folder / "script"
    write(exported(bench.project(), (), Format.SH), Format.SH, script)
    subprocess.run(["/bin/sh", script, bench.folder / "out"], check=True)
    found = {p.name: p.read_text() for p in (bench.folder / "out/data/odd").iterdir()}
    assert found == {"-n": "-n", "tab": "tab\there é"}


@pytest.mark.skipif(shutil.which("jq") is None, reason="there is no jq")
@pytest.mark.parametrize("which", ["content", "pin"])
def test_anyone_can_compute_the_digests_from_the_rows(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    block = rf"```sh {which}-digest-of-rows\n(.*?)```"
    line = re.search(block, LOCKFILE_PAGE.read_text("utf-8"), re.DOTALL)
    assert line is not None
    bench.put_at('d/é "x",', "1")
    bench.put_at("b", "2")
    bench.declare_files(
        'rename = { "b" = "z/renamed" }\n[artifacts.board]\nuri = "labelbox://p"'
    )
    bench.resolve()
    monkeypatch.setenv("PATH", path_with_artlock(bench.folder / "bin"))
    done = subprocess.run(
        ["/bin/sh", "-c", line[1]],
        cwd=bench.root,
        capture_output=True,
        text=True,
        check=True,
    )
    both = digests(bench.project())
    wanted = both.content if which == "content" else both.pin
    assert f"blake3:{done.stdout.split()[0]}" == wanted


def test_what_is_exported_does_not_depend_on_the_machine(bench: Workbench) -> None:
    bench.put(a_txt="1", b_txt="2")
    bench.declare_files('[artifacts.board]\nuri = "labelbox://p"')
    bench.resolve()
    texts = {
        form: "".join(lines_of(exported(bench.project(), (), form), form))
        for form in (Format.SH, Format.CSV, Format.JSONL, Format.B3SUM)
    }
    bench.sync()
    for form, text in texts.items():
        assert "".join(lines_of(exported(bench.project(), (), form), form)) == text
        assert str(bench.root) not in text


def test_an_endpoint_that_is_not_trusted_is_in_no_script(bench: Workbench) -> None:
    bench.declare('endpoint = "https://elsewhere.example"', data="s3://bucket/tree/")
    (bench.root / "artifacts.lock").write_text(
        "# This file is @generated by artlock. Do not edit it by hand; run "
        "`artlock resolve`.\nversion = 1\nrevision = 0\n"
        'columns = ["path","size","checksum","version"]\n\n[[artifact]]\nname = "data"\n'
        'uri = "s3://bucket/tree/"\nkind = "tree"\nobjects = [\n["a",1,"","v"],\n]\n'
    )
    with pytest.raises(PolicyError, match="`endpoint` of `data` is not trusted"):
        exported(bench.project(), (), Format.SH)


def test_values_of_headers_are_not_exported(
    bench: Workbench, http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTLOCK_TRUST", "127.0.0.1")
    monkeypatch.setenv("TEAM_PASS", "hidden-value")
    http_server.put("/a.json", b"[1]", etag='"1"')
    bench.declare('headers = { X-Team = "${TEAM_PASS}" }', web=http_server.url("/a.json"))
    bench.resolve()
    text = "".join(lines_of(exported(bench.project(), (), Format.SH), Format.SH))
    assert "It is asked with headers: X-Team\n" in text
    assert "hidden-value" not in text


def test_a_damaged_blob_gives_no_digest(bench: Workbench) -> None:
    bench.put(a_txt="1")
    bench.declare_files()
    bench.resolve()
    (blob,) = bench.blobs()
    blob.chmod(0o600)
    before = blob.stat()
    blob.write_text("2")
    os.utime(blob, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(IntegrityError, match=r"data/data/a\.txt"):
        exported(bench.project(), (), Format.SHA256SUM, sha256=True)


def test_a_form_that_cannot_use_digests_says_so(bench: Workbench) -> None:
    bench.put(a_txt="1")
    bench.declare_files()
    bench.resolve()
    with pytest.raises(ConfigError, match="`--sha256` has no meaning for `b3sum`"):
        exported(bench.project(), (), Format.B3SUM, sha256=True)


def test_nothing_is_written_over(bench: Workbench, tmp_path: Path) -> None:
    bench.put(a_txt="1")
    bench.declare_files()
    bench.resolve()
    export = exported(bench.project(), (), Format.CSV)
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    for place in (link, bench.root):
        with pytest.raises(Exception, match="there is something at"):
            write(export, Format.CSV, place)
