"""Build the corpus: a few good and odd inputs for each target.

``python -m torture.fuzz.seeds`` writes them to ``tests/corpus``; what a run found and was
mended stands beside them under a name that begins with ``found-``.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3
from msgspec.structs import replace

from artlock.cache.ranges import _RECORD
from artlock.cache.statindex import Entry, WorkspaceIndex
from artlock.formats.lockfile import format_lockfile, parse_lockfile
from torture.fuzz.corpus import CORPUS
from torture.fuzz.listings import PAGE_END
from torture.fuzz.own import RANGE, TRUTH, index_payload

_GOLDEN = Path(__file__).parents[2] / "tests" / "golden" / "format-1.lock"
_PARTS = _GOLDEN.with_name("format-1-parts")


def seeds() -> dict[str, list[bytes]]:
    """Return the built inputs of each target; each of them is there once."""
    built = {
        "lockfile": _lockfiles(),
        "markers": _merges(),
        "frame": _frames(),
        "manifest": _manifests(),
        "uri": iter(_URIS),
        "path": iter(_PATHS),
        "tokens": iter(_TOKENS),
        "s3-listing": _s3_listings(),
        "gcs-listing": _gcs_listings(),
        "journal": _journals(),
        "statindex": _indexes(),
        "trust": iter(_TRUSTS),
        "settings": _settings(),
    }
    return {name: list(dict.fromkeys(inputs)) for name, inputs in built.items()}


def main() -> int:
    """Write what is built, and remove what is built no more.

    Returns:
        0.
    """
    for name, inputs in seeds().items():
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("seed-*"):
            old.unlink()
        for number, data in enumerate(inputs):
            folder.joinpath(f"seed-{number:02}").write_bytes(data)
    return 0


def _lockfiles() -> Iterator[bytes]:
    golden = _GOLDEN.read_bytes()
    whole = parse_lockfile(golden)
    yield golden
    yield golden.replace(b"\n", b"\r\n")
    yield golden.rstrip(b"\n")
    yield b"\xef\xbb\xbf" + golden
    for artifact in whole.artifacts:
        yield format_lockfile(replace(whole, artifacts=(artifact,)))
    yield format_lockfile(replace(whole, artifacts=()))
    one = format_lockfile(replace(whole, artifacts=whole.artifacts[:1]))
    yield one.replace(b'","etag', b'" , "etag')
    yield one.replace(b"version = 1", b"version = 2", 1)
    yield one.replace(b"revision = 0", b"revision = 7", 1)
    yield one.replace(b'"tree"', b'"file"')
    yield one.replace(b'"all-keys"', b"'all-keys'")
    yield one.replace(b"a.pb", b"../a.pb")
    yield one.replace(b"\n]\n", b"]\n")
    yield one.replace(b'["a.pb",0', b'["a.pb",0x0')
    yield one + one.partition(b"\n\n")[2]
    yield b""


def _frames() -> Iterator[bytes]:
    golden = (_PARTS / "artifacts.lock").read_bytes()
    both = golden.split(b"\n\n[[artifact]]\n")
    list_of_one = both[1][both[1].index(b"parts") :]
    yield golden
    yield golden.replace(b"\n", b"\r\n")
    yield golden.replace(b"revision = 0", b"revision=0")
    yield golden.replace(b'["first"', b'[ "first"')
    yield golden.replace(b"first", b"../../first")
    yield golden.replace(b"first", b"0" * 32)
    yield golden.replace(b'"labels"', b'"images"')
    yield golden.replace(b"blake3:0", b"blake3:1")
    yield golden.replace(b"],\n]\n", b"],\n" + list_of_one.partition(b"\n")[2], 1)
    yield golden.replace(list_of_one, b"parts = [\n]\n")
    yield golden.replace(list_of_one, b"objects = [\n]")
    yield golden.replace(list_of_one, b"objects = [\n]\n" + list_of_one)
    yield golden.replace(list_of_one, b"parts = [\n1,\n]\n")
    yield golden.replace(b'kind = "tree"', b'kind = "file"', 1)
    yield b"\n\n[[artifact]]\n".join(both[:2])
    yield b"\n\n[[artifact]]\n".join((both[0], both[2], both[1]))


def _merges() -> Iterator[bytes]:
    golden = _GOLDEN.read_bytes()
    lines = golden.splitlines(keepends=True)
    yield golden
    rows = [n for n, line in enumerate(lines) if line.startswith(b'["')]
    for number in rows[:6]:
        row = lines[number]
        other = row.replace(b'",', b'x",', 1)
        for middle in (
            b"<<<<<<< HEAD\n" + row + b"=======\n" + other + b">>>>>>> theirs\n",
            b"<<<<<<< HEAD\n" + row + b"||||||| base\n=======\n" + b">>>>>>> theirs\n",
            b"<<<<<<< HEAD\r\n" + b"=======\r\n" + row + b">>>>>>> theirs\r\n",
        ):
            yield b"".join([*lines[:number], middle, *lines[number + 1 :]])
    yield b"<<<<<<< a\n<<<<<<< b\n"
    yield b"<<<<<<< a\n=======\n"
    yield golden.replace(b"=", b"=======\n", 1)


def _manifests() -> Iterator[bytes]:
    texts = (
        '[artifacts.a]\nuri = "s3://b/k/"\n',
        '[artlock]\nversion = 1\nname = "n"\nchecksum = "blake3"\nportable = false\n',
        "[artlock]\nversion = 2\n",
        '# words\n[artifacts.a]\nuri = "gs://b/k"\npath = "x/y"\n# more\n\n[artifacts.b]\n'
        'uri = "https://h/a.json"\nheaders = { X-Team = "t", X-Auth = "Bearer ${T}" }\n',
        '[artifacts]\na = { uri = "file:///m/x/", include = ["**/*.p"] }\n',
        'artifacts.a.uri = "raw/x"\nartifacts.a.groups = ["g"]\n',
        '[artifacts.a]\nuri = "s3://b/k"\nversion = "v1"\nendpoint = "https://e:9000"\n'
        'profile = "p"\nrole-arn = "arn:aws:iam::1:role/r"\nrequester-pays = true\n'
        'region = "eu-west-1"\n',
        '[artifacts.a]\nuri = "gs://b/k/"\nuser-project = "u"\n'
        "as-of = 2026-05-01T00:00:00Z\n"
        'mirrors = ["s3://c/k/"]\nrename = { "a//b" = "c" }\nfallback = "link"\n',
        '[artifacts.a]\nuri = "doi:10.5281/zenodo.1"\ndescription = """\nlong\n"""\n'
        "[artifacts.a.meta]\nx = [1, 2.0, nan]\n",
        '[artifacts.a]\nuri = "s3://b/k"\nlink = true\n[tool.x]\ny = 07:32:00\n',
        '[policy]\nallow = ["s3://b/", "gs://"]\nrequire = "strong"\n'
        "require-version-ids = true\n",
        '[trackers]\nteam = "mlflow+https://h/1"\n',
        '[[artifacts]]\nuri = "s3://b/k"\n',
        '[artifacts.a]\nuri = "s3://b/k?X-Amz-Signature=0"\n',
        '[artifacts.a]\nuri = "https://u:p@h/a"\n',
        '[artifacts.a]\nuri = "s3://b/k"\npath = "../up"\n[artifacts.A]\nuri = "s3://b/k"\n',
        '[artifacts."a.b"]\nuri = \'s3://b/k\'\nanonymous = true\nca-bundle = "/ca.pem"\n',
        '[artifacts.a]\nuri = "s3://b/k/"\ninclude = ["[!a]", "*", "**", "?x/**/y"]\n',
        "",
        "\n\n#\n",
        "a = " + "[" * 40 + "]" * 40 + "\n",
        ".".join("a" * 30) + " = 1\n",
        "<<<<<<< HEAD\n",
        "\ufeff[artlock]\n",
    )
    for text in texts:
        yield text.encode()
    yield texts[3].replace("\n", "\r\n").encode()
    yield b"\xff\xfe[artlock]\n"


_URIS = (
    *(b"s3://bucket/some/prefix/", b"s3://bucket", b"s3://b/k%20#x?y", b"S3://B/k"),
    *(b"gs://bucket/key#1.bin", b"gcs://bucket/k/", b"gs://b/k#1234567890123456"),
    *(b"https://host:8443/a/b.json?v=1", b"http://[::1]:80/a", b"https://h/a%2fb"),
    *(b"https://u:p@host/a", b"https://host/a?X-Amz-Signature=0", b"https://h/%2e%2e/a"),
    *(b"file:///mnt/share/my%20data/", b"file:///", b"file://host/x", b"file:///a/../b"),
    *(b"raw/images/", b"./raw", b"../raw", b"/abs/p", b"~/x", b"C:\\x", b"a%2e/b", b"."),
    *(b"doi:10.5281/zenodo.123", b"labelbox://project/42", b"x-y://", b"ab:", b"x:y"),
    *(b"s3:/b/k", b"s3:///k", b"s3://b/../k", b"s3://b/k?versionId=1", b"", b"s3://b/\x7f"),
    *("s3://b/é/日本/😀".encode(), b"file:///caf%C3%A9", b"file:///%ff"),
)
_PATHS = (
    *(b"a", b"a/b", b"a//b", b"/abs", b"../up", b"x/../../y", b"dir/", b"./d", b".", b".."),
    *(b"c:\\w", b"nul\x01ctl", b"tab\tk", b"cr\rk", b"plus+k", b"sp ace", b"pct%2e", b"A"),
    *("😀".encode(), "e\u0301\n\u00e9".encode(), b"CON", b"trail.", b"trail ", b"x" * 300),
    *(
        b"<&>\"'`",
        "\u202ertl".encode(),
        b".git/x",
        b"git~1",
        ".g\u200cit".encode(),
        b"\xff",
    ),
    *(
        b"a\nA\na/b",
        b"artifacts.toml",
        b".artlock-x",
        b".github/w",
        b"com1.txt",
        b"*/[!a]?",
    ),
    *(b"**/x\nx\na/b/x", "\u212a\nk".encode(), "\u017f\ns".encode(), "ﬁ\nfi".encode()),
    b"\xed\xa0\x80",
)
_TOKENS = (
    *(b"", b"blake3:" + b"3f" * 32, b"sha256:" + b"0a" * 32 + b" md5:" + b"5d" * 16),
    *(b"crc64nvme:a5b1c2d3e4f60718 crc32c:9a71bb4c etag:W/a%20b", b"etag:4a8a08f0-9"),
    *(b"md5:" + b"5d" * 16 + b" blake3:" + b"3f" * 32, b"etag:a etag:b", b"xxhash64:0f"),
    *(b" ", b"a", b"md5:5d", b"crc32c:9A71BB4C", b"etag:%2", b"etag:", b"etag:%22", b"z:"),
    *(b"etag:a\nblake3:" + b"3f" * 32 + b"\nbad", b"x-a:1 x-b:2", b"x-b:1 x-a:2"),
)
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<{0} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<IsTruncated>{1}</IsTruncated>{2}</{0}>"
)
_VERSION = (
    "<Version><Key>{0}</Key><VersionId>{1}</VersionId><IsLatest>{2}</IsLatest>"
    "<LastModified>{3}</LastModified><ETag>&quot;{4}&quot;</ETag><Size>{5}</Size>"
    "<StorageClass>STANDARD</StorageClass></Version>"
)
_MOMENT = "2026-01-01T00:00:00.000Z"


def _s3_listings() -> Iterator[bytes]:
    one = _VERSION.format("p/a", "v2", "true", _MOMENT, "e2", 7)
    old = _VERSION.format("p/a", "v1", "false", "2025-01-01T00:00:00.000Z", "e1", 6)
    two = _VERSION.format("p/b+c%2Fd", "null", "true", _MOMENT, "0" * 32, 0)
    gone = (
        f"<DeleteMarker><Key>p/z</Key><VersionId>v9</VersionId><IsLatest>true</IsLatest>"
        f"<LastModified>{_MOMENT}</LastModified></DeleteMarker>"
    )
    url = "<EncodingType>url</EncodingType>"
    versions = "ListVersionsResult"
    last = _HEAD.format(versions, "false", one + old + two + gone + url)
    marker = (
        "<NextKeyMarker>p/a</NextKeyMarker><NextVersionIdMarker>v2</NextVersionIdMarker>"
    )
    first = _HEAD.format(versions, "true", one + marker)
    rest = _HEAD.format(versions, "false", old + two + gone + url)
    plain = _HEAD.format(
        "ListBucketResult",
        "false",
        "<Contents><Key>p/a</Key><Size>3</Size><ETag>&quot;e-2&quot;</ETag>"
        f"<StorageClass>GLACIER</StorageClass><LastModified>{_MOMENT}</LastModified></Contents>",
    )
    more = _HEAD.format(
        "ListBucketResult", "true", "<NextContinuationToken>t</NextContinuationToken>"
    )
    for how in (b"\x00", b"\x01", b"\x02", b"\x03"):
        yield how + last.encode()
        yield how + PAGE_END.join((first.encode(), rest.encode()))
        yield how + PAGE_END.join((more.encode(), plain.encode()))
    yield b"\x00" + plain.replace("<Size>3", "<Size>-3").encode()
    yield b"\x00" + plain.replace("<Size>3", "<Size>9223372036854775808").encode()
    yield b"\x02" + last.replace("00.000Z", "00").encode()
    yield b"\x00" + PAGE_END.join((first.encode(), first.encode()))
    yield b"\x00" + last[:200].encode()
    yield b"\x00<!DOCTYPE x [<!ENTITY a 'b'>]>" + last.encode()
    yield b"\x00" + last.replace("p/a", "q/a").encode()
    yield b"\x00<Error><Code>SlowDown</Code></Error>"
    yield b"\x00" + last.replace("e2", "&#10;&quot;\u202e").encode()


def _gcs_listings() -> Iterator[bytes]:
    item = {
        "name": "p/a",
        "generation": "1700000000000000",
        "size": "7",
        "crc32c": "mnG7TA==",
        "md5Hash": "XUFAKrxLKna5cZ2REBfFkg==",
        "timeCreated": "2026-01-01T00:00:00Z",
    }
    other = {**item, "name": "p/b", "contentEncoding": "gzip", "timeDeleted": _MOMENT}
    kind = {"kind": "storage#objects"}
    pages: tuple[list[object], ...] = (
        [{**kind, "items": [item, other]}],
        [{**kind, "items": [item], "nextPageToken": "t"}, {**kind, "items": [other]}],
        [{**kind}],
        [{**kind, "items": None}],
        [{**kind, "items": 5}],
        [{**kind, "items": [5]}],
        [{**kind, "items": {"name": "p/a"}}],
        [{**kind, "items": [{**item, "size": "-1"}]}],
        [{**kind, "items": [{**item, "size": float("inf")}]}],
        [{**kind, "items": [{**item, "size": 1.5}]}],
        [{**kind, "items": [{**item, "size": "9" * 30}]}],
        [{**kind, "items": [{**item, "generation": float("inf")}]}],
        [{**kind, "items": [{**item, "generation": -1}]}],
        [{**kind, "items": [{**item, "name": "p/\ud800"}]}],
        [{**kind, "items": [{**item, "name": 7}]}],
        [{**kind, "items": [{**item, "name": "q"}]}],
        [{**kind, "items": [{**item, "crc32c": "AA=="}]}],
        [{**kind, "items": [{**item, "crc32c": 5}]}],
        [{**kind, "items": [{**item, "md5Hash": "é"}]}],
        [{**kind, "items": [{**item, "timeCreated": "2026-01-01"}]}],
        [{**kind, "nextPageToken": []}],
        [{**kind, "nextPageToken": "t"}, {**kind, "nextPageToken": "t"}],
        [{"kind": "storage#bucket"}],
        [[]],
    )
    for number, chain in enumerate(pages):
        body = PAGE_END.join(json.dumps(page).encode() for page in chain)
        yield bytes([number % 2 * 2]) + body
    yield b"\x02" + json.dumps(pages[0][0]).encode()


def _journals() -> Iterator[bytes]:
    starts = range(0, len(TRUTH), RANGE)
    ranges = [(start, TRUTH[start : start + RANGE]) for start in starts]
    records = [_RECORD.pack(s, len(r), blake3(r).digest()) for s, r in ranges]

    def left(notes: bytes, part: bytes) -> bytes:
        return len(notes).to_bytes(2, "big") + notes + part

    whole = b"".join(records)
    yield left(whole, TRUTH)
    yield left(whole[:-7], TRUTH)
    yield left(b"".join(records[:2]), TRUTH[:128])
    yield left(b"".join(records[1:3]), TRUTH)
    yield left(whole, TRUTH[:100])
    yield left(whole, bytes(300))
    yield left(whole, b"")
    yield left(b"", TRUTH)
    yield left(records[0] * 3, TRUTH)
    # What a range says of itself is right, and the whole is not what was locked.
    other = bytes(64)
    yield left(_RECORD.pack(64, 64, blake3(other).digest()), bytes(128))
    yield left(_RECORD.pack(2**64 - 64, 64, blake3(other).digest()), bytes(128))
    yield left(_RECORD.pack(63, 64, blake3(other).digest()), bytes(128))
    yield left(_RECORD.pack(0, 2**63, blake3(other).digest()), bytes(128))
    yield b""


def _indexes() -> Iterator[bytes]:
    entries = [
        Entry(
            path=path,
            size=size,
            mtime_ns=10**18 + size,
            ctime_ns=10**18,
            inode=2**63 + size,
            digest=blake3(path.encode()).digest(),
            pin=blake3(path.encode()).digest(length=16),
            artifact=artifact,
            trusted_before_ns=2**62,
        )
        for path, size, artifact in (("a", 1, "x"), ("b/c", 2**40, ""), ("é", 0, "y"))
    ]
    index = WorkspaceIndex(entries, stamps={"settled": bytes(40)})
    payload = index_payload(index)
    yield b"\x01" + payload
    yield b"\x01" + index_payload(WorkspaceIndex())
    yield b"\x01" + index_payload(WorkspaceIndex(entries[:1]))
    yield b"\x01" + payload[:-3]
    yield b"\x01" + payload.replace(b"\x93\xa0\xa1x\xa1y", b"\x90")
    yield b"\x01" + payload.replace(b"\xa1x", b"\xa0")
    yield b"\x01" + payload.replace(b"\xa1a", b"\xa1e")
    yield b"\x00artlock-index 1\n" + bytes(32) + payload
    yield b"\x00artlock-index 2\n" + payload
    yield b"\x00"
    yield b"\x01\x9b"


_TRUSTS = (
    b'{"projects": {"/p": ["blake3:' + b"7b" * 32 + b'"]}, "version": 1}',
    b'{"projects": {}, "version": 1}',
    b'{"projects": {"\\ud800": []}, "version": 1}',
    b'{"projects": {"/p": ["x"]}, "version": 1}',
    b'{"projects": {"/p": 1}, "version": 1}',
    b'{"projects": [], "version": 1}',
    b'{"projects": {}, "version": 2}',
    b'{"projects": {}, "version": true, "x": 1}',
    b"[" * 2000,
    b"NaN",
    b"",
    b"127.0.0.1, [::1]:80,host.example:9000",
    b"endpoint=https://h, profile=p,",
    b"headers.X=1",
    b"enpoint=x",
    b"*",
    b"a=b=c",
)


def _settings() -> Iterator[bytes]:
    yield from (
        b'cache-dir = "~/c"\njobs = 8\nlink-mode = "copy"\n',
        b'allow-private-hosts = ["nas", "10.0.0.7", "::1"]\n',
        b'[sources."s3://b/"]\nendpoint = "https://h:9000"\nprofile = "p"\n'
        b"cross-check = false\n",
        b'[sources."https://h/"]\nheaders = { Authorization = "Bearer ${T}" }\n',
        b'[sources."s3://b/"]\nca-bundle = "rel"\n[sources."S3://b/"]\nanonymous = true\n',
        b'[sources."doi:1"]\n[sources.x]\n[sources."s3://u@b/"]\n',
        b'[trackers]\nlocal = "x://y"\nteam = "mlflow+https://h/1"\n',
        b'jobs = 0\ncache-dir = "x"\nlink-mode = 7\nnope = 1\n',
        b'allow-private-hosts = ["https://h/", "[::1]", ""]\n',
        b"",
        b"jobs = 9223372036854775808\n",
    )
    yield from _manifests()


if __name__ == "__main__":
    sys.exit(main())
