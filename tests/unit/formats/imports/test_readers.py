import json

import pytest

from artlock.errors import ConfigError
from artlock.formats.imports.dvc import read_dvc
from artlock.formats.imports.pooch import read_pooch
from artlock.formats.imports.quilt import read_quilt
from artlock.formats.imports.wandb import read_wandb
from artlock.model.imports import PinnedObject

MD5 = "8b04d5e3775d298e78455efc5ca404d5"
SHA256 = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"


def only(objects: tuple[PinnedObject, ...]) -> PinnedObject:
    (found,) = objects
    return found


def dvc(dep: str, out: str = "md5: x") -> PinnedObject:
    return only(read_dvc(f"deps:\n- {dep}\nouts:\n- path: o\n  {out}\n", "p", None).objects)


def test_dvc_an_outputs_md5_is_that_of_the_bytes_only_since_version_3() -> None:
    dep = "path: s3://b/k\n  size: 5\n  etag: e\n  version_id: v"
    found = dvc(dep, f"md5: {MD5}\n  size: 5\n  hash: md5")
    assert str(found.tokens) == f"md5:{MD5} etag:e"
    assert (found.version, found.size, found.path) == ("v", 5, "k")
    assert str(dvc(dep, f"md5: {MD5}\n  size: 5").tokens) == "etag:e"
    weak = dvc('path: https://h/k\n  size: 5\n  etag: W/"abc"')
    assert str(weak.tokens) == "etag:W/abc"
    # Somebody changed the file and committed that.
    assert str(dvc(dep, f"md5: {MD5}\n  size: 6\n  hash: md5").tokens) == "etag:e"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("outs:\n- path: a\n- path: b", "outs: is not a list of one"),
        ("stages:\n  a:\n    cmd: x", "outs: is not a list of one"),
        ("- 1", "is not a table of names"),
        ("outs:\n- md5: x", r"outs\[0\].path: is not text"),
        (
            "deps:\n- path: x\n  repo:\n    url: u\nouts:\n- path: x",
            "imports from another DVC repository",
        ),
        ("deps:\n- path: hdfs://h/x\nouts:\n- path: x", "artlock cannot read `hdfs:`"),
        ("deps:\n- path: s3://b/t\n  files: 1\nouts:\n- path: x", "is not a list of files"),
        (
            "deps:\n- md5: x.dir\n  path: s3://b/t\nouts:\n- path: x",
            "only a digest is in git",
        ),
        (
            "deps:\n- etag: x-1.dir\n  nfiles: 2\n  path: s3://b/t\nouts:\n- path: x",
            "only a digest is in git",
        ),
        (
            "deps:\n- etag: x\n  path: s3://b/t\nouts:\n- path: x\n  md5: x.dir",
            r"outs\[0\]: is a folder",
        ),
        ("deps:\n- path: s3://b/t\n  nfiles: 2\nouts:\n- path: x", "is a folder"),
        (
            "outs:\n- path: x\n  cloud:\n    r:\n      etag: x.dir",
            "only a digest is in git",
        ),
        ("outs:\n- path: s3://b/x\n  cloud:\n    r: {}", "is not in the repository"),
        ("wdir: 7\nouts:\n- path: x", "wdir: is not text"),
        ("deps:\n- path: s3://b/k\n  size: -1\nouts:\n- path: x", "is not a size in bytes"),
        (
            "deps:\n- path: s3://b/k\n  version_id: file:///etc/passwd\nouts:\n- path: x",
            "is no version",
        ),
        ("deps:\n- path: gs://b/k\n  version_id: v1\nouts:\n- path: x", "is no version"),
        ("deps:\n- path: s3://u:p@b/k\nouts:\n- path: x", "user info is a credential"),
    ],
)
def test_dvc_what_is_no_pin_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_dvc(text, "p", None)


def test_dvc_the_versions_of_a_remote_are_taken_with_its_url() -> None:
    cloud = "size: 5\n  cloud:\n    r:\n      etag: e\n      version_id: v"
    text = f"outs:\n- path: m.bin\n  hash: md5\n  md5: {MD5}\n  {cloud}\n"
    pins = read_dvc(text, "p", "s3://b/base")
    assert pins.place == "m.bin"
    found = only(pins.objects)
    assert str(found.uri) == "s3://b/base/m.bin"
    assert (str(found.tokens), found.version) == (f"md5:{MD5} etag:e", "v")


@pytest.mark.parametrize(
    ("wdir", "folder", "key", "place"),
    [
        (".", "", "s3://b/base/m.bin", "m.bin"),
        (".", "ml", "s3://b/base/ml/m.bin", "m.bin"),
        ("../data", "ml", "s3://b/base/data/m.bin", "../data/m.bin"),
        ("x", "", "s3://b/base/x/m.bin", "x/m.bin"),
    ],
)
def test_dvc_an_output_is_stored_by_its_path_in_the_repository(
    wdir: str, folder: str, key: str, place: str
) -> None:
    out = "outs:\n- path: m.bin\n  size: 5\n  cloud:\n    r:\n      version_id: v\n"
    pins = read_dvc(f"wdir: {wdir}\n{out}", "p", "s3://b/base", folder=folder)
    assert (str(only(pins.objects).uri), pins.place) == (key, place)
    files = out.replace(
        "  size: 5\n  cloud:", "  files:\n  - relpath: k\n    size: 5\n    cloud:"
    )
    files = files.replace("    r:\n      v", "      r:\n        v")
    pins = read_dvc(f"wdir: {wdir}\n{files}", "p", "s3://b/base", folder=folder)
    assert (str(only(pins.objects).uri), pins.place) == (f"{key}/k", place)


def test_dvc_what_is_outside_of_the_repository_is_in_no_remote() -> None:
    out = "outs:\n- path: m.bin\n  size: 5\n  cloud:\n    r:\n      version_id: v\n"
    for wdir in ("..", "/a", "../../data"):
        with pytest.raises(ConfigError, match="is not in the repository"):
            read_dvc(f"wdir: {wdir}\n{out}", "p", "s3://b", folder="")


def test_dvc_a_local_source_is_below_its_working_folder() -> None:
    text = "wdir: raw\ndeps:\n- path: k\n  size: 1\nouts:\n- path: o\n"
    pins = read_dvc(text, "p", None)
    assert (str(only(pins.objects).uri), pins.place) == ("raw/k", "raw/o")


def wandb(entry: object, path: str = "p") -> PinnedObject:
    return only(
        read_wandb(json.dumps({"version": 1, "contents": {path: entry}}), "m").objects
    )


def test_wandb_a_reference_has_the_trust_of_its_place() -> None:
    extra = {"etag": '"e"', "versionID": "v"}
    found = wandb({"ref": "s3://b/k", "size": 1, "digest": "e", "extra": extra})
    assert (str(found.tokens), found.version) == ("etag:e", "v")
    found = wandb(
        {"ref": "gs://b/k", "size": 1, "digest": "CI", "extra": {"versionID": 17}}
    )
    assert (str(found.tokens), found.version) == ("", "17")
    found = wandb({"ref": "file:///a/k", "size": 1, "digest": "iwTV43ddKY54RV78XKQE1Q=="})
    assert str(found.tokens) == f"md5:{MD5}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x", "is not JSON"),
        ("[1]", "is not a table of names"),
        ('{"version": 2}', "is not a manifest of version 1"),
        ('{"version": 1, "contents": {}}', "has no entries"),
        ('{"version": 1, "contents": {"a": 1}}', "is not a table of names"),
        ('{"version": 1, "contents": {"a": {"digest": "x"}}}', "kept by W&B itself"),
        (
            '{"version": 1, "contents": '
            '{"a": {"ref": "s3://b/k", "extra": {"etag": "\\n"}}}}',
            "is no etag",
        ),
        (
            '{"version": 1, "contents": '
            '{"a": {"ref": "s3://b/k", "extra": {"versionID": "\\u001b"}}}}',
            "is no version",
        ),
        (
            '{"version": 1, "contents": {"a": {"ref": "s3://b/\\ud800"}}}',
            r'contents\["a"\].ref: is not Unicode',
        ),
        (
            '{"version": 1, "contents": {"\\udfff": {"ref": "s3://b/k"}}}',
            "contents: has a name that is not Unicode",
        ),
        (
            '{"version": 1, "contents": {"a": {"ref": "file:///a", "digest": "x"}}}',
            "in base64",
        ),
    ],
)
def test_wandb_what_is_no_pin_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_wandb(text, "m")


def quilt(**entry: object) -> PinnedObject:
    head = json.dumps({"version": "v0"})
    return only(read_quilt(f"{head}\n{json.dumps(entry)}\n", "q").objects)


def test_quilt_a_key_is_decoded_and_a_hash_taken_for_what_it_is() -> None:
    place = ["s3://b/a%20b/%23%C3%A9?versionId=v%2B1"]
    sha256 = {"type": "SHA256", "value": SHA256}
    found = quilt(logical_key="x", physical_keys=place, size=1, hash=sha256)
    assert (str(found.uri), found.version) == ("s3://b/a b/#é", "v+1")
    assert str(found.tokens) == f"sha256:{SHA256}"
    crc = {"type": "CRC64NVME", "value": "AAAAAAAAAAE="}
    found = quilt(logical_key="x", physical_keys=["s3://b/k"], size=1, hash=crc)
    assert str(found.tokens) == "crc64nvme:0000000000000001"
    chunked = {"type": "sha2-256-chunked", "value": "eA=="}
    found = quilt(logical_key="x", physical_keys=["s3://b/k"], size=1, hash=chunked)
    assert str(found.tokens) == ""


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("x", "`q:2`: is not JSON"),
        ("{}", "`q:2`: is no entry"),
        ('{"logical_key": "a"}', "has no entries"),
        ('{"physical_keys": ["s3://b/k"]}', "logical_key: is not text"),
        ('{"logical_key": "a", "physical_keys": []}', "is not a list of one place"),
        (
            '{"logical_key": "a", "physical_keys": ["s3://b/k?part=1"]}',
            "more than a version",
        ),
        (
            '{"logical_key": "a", "physical_keys": ["s3://b/%2E%2E/k"]}',
            "cannot be declared",
        ),
        (
            '{"logical_key": "a", "physical_keys": ["s3://b/k"], '
            '"hash": {"type": "SHA256", "value": "x"}}',
            "is not a digest of `sha256`",
        ),
    ],
)
def test_quilt_what_is_no_pin_is_refused(line: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_quilt(f'{{"version": "v0"}}\n{line}\n', "q")
    with pytest.raises(ConfigError, match="head of a manifest"):
        read_quilt('{"version": "v9"}\n', "q")


def test_pooch_a_hash_is_sha256_unless_it_says_otherwise() -> None:
    text = f"# c\n\n'a b' {SHA256.upper()}\nd/c md5:{MD5} https://o/x\n"
    one, other = read_pooch(text, "r", "https://h/base/").objects
    assert (one.path, str(one.uri), one.digest) == (
        "a b",
        "https://h/base/a%20b",
        f"sha256:{SHA256}",
    )
    assert (str(other.uri), other.digest, other.size) == ("https://o/x", f"md5:{MD5}", None)


@pytest.mark.parametrize(
    ("base", "uri"),
    [
        ("https://h/base", "https://h/base/a%20b%25"),
        ("s3://b/base/", "s3://b/base/a b%"),
        ("gcs://b", "gs://b/a b%"),
        ("raw", "raw/a b%"),
        ("file:///x", "file:///x/a%20b%25"),
    ],
)
def test_pooch_a_name_is_encoded_only_where_keys_are(base: str, uri: str) -> None:
    (found,) = read_pooch(f"'a b%' {SHA256}\n", "r", base).objects
    assert str(found.uri) == uri


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "has no entries"),
        ("a", "is not `NAME HASH"),
        ("a b c d", "is not `NAME HASH"),
        ("'a b", "without its other one"),
        (f"a {MD5}", "has no hash of `sha256`"),
        ("a xxh128:00", "which cannot be compared here"),
        ("a shake_128:00", "which cannot be compared here"),
        (f"a {SHA256}", "has no URL"),
        (f"a {SHA256} https://h/x?token=s", "a credential"),
        (f"a {SHA256} doi:10.5/x", "artlock cannot read `doi:`"),
    ],
)
def test_pooch_what_is_no_pin_is_refused(line: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_pooch(f"{line}\n", "r", None)
