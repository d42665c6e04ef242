"""Edits of a lockfile, as somebody who wants other bytes delivered would make them."""

import re
from collections.abc import Callable, Sequence
from random import Random

from msgspec.structs import replace

from artlock.formats.lockfile import format_lockfile
from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.manifest import ChecksumPolicy
from artlock.model.uri import Uri
from torture.fuzz.mutator import mutated

Edit = Callable[[Lockfile, Random], bytes]

_PATHS = (
    *("secret.bin", "../outside.bin", "/etc/passwd", "a.bin/", "A.BIN", ".git/config"),
    *("artifacts.lock", "x/../a.bin", "c", "c/d.bin/e", "con", "a\u202e.bin", "", "."),
    *("zz.bin", "a.bin ", "c//d.bin", "..", "\\\\host\\x", "C:x", "a\x1b[2Jb"),
)
_SIZES = (0, 1, 5, 6, 7, 999, 2**31, 2**62, 2**63 - 1, 2**63, 2**64, -1, -(2**63))
_VERSIONS = ("va1", "va2", "vb1", "vd1", "ve1", "", "null", "VA2", "../va2", "x" * 1025)
_URIS = (
    *("s3://bucket/", "s3://bucket/data", "s3://bucket/other/", "s3://bucket/data/c/"),
    *("s3://elsewhere/data/", "gs://bucket/data/", "file:///etc/", "raw/", "doi:1/2"),
    *("http://169.254.169.254/latest/", "s3://k:s@bucket/data/", "S3://bucket/data/"),
    *("https://example.com/data.json", "s3://bucket/data/?versionId=1", "data/"),
)
_HEADS = (
    'include = ["**"]\n',
    'exclude = ["a.bin"]\n',
    'include = ["c/**"]\n',
    'rename = {"secret.bin" = "a.bin"}\n',
    'rename = {"../other/x.bin" = "a.bin"}\n',
    "portable = false\n",
    'checksum = "blake3"\n',
    'version = "va1"\n',
    'as-of = "2026-01-01T00:00:00Z"\n',
    'root = "s3://bucket/other/"\n',
    'endpoint = "http://127.0.0.1:1"\n',
    'parts = ["x"]\n',
    'mirrors = ["s3://bucket/other/"]\n',
    "objects = []\n",
    'name = "page"\n',
)
_LINES = (
    *('columns = ["path","size","version","checksum"]', "version = 2", "revision = 9"),
    *('columns = ["path","size","checksum"]', "version = 0", "revision = -1", "x = nan"),
    "artifact = []",
)
_WORDS = (
    *(
        b'"',
        b",",
        b"[",
        b"]",
        b"\n",
        b"blake3:",
        b"etag:",
        b"md5:",
        b"../",
        b"s3://",
        b"\0",
    ),
    *(b"\r\n", b" ", b"\\u0000", b"\\", b"\xc2\xa0", b'["zz.bin",1,"",""],\n', b"\x1b[2J"),
)


def edited(lock: Lockfile, luck: Random) -> bytes:
    """Return the text of ``lock`` after one or a few edits; rarely it is equal."""
    edits: Sequence[Edit] = (_row, _row, _row, _rows, _head, _text, _bytes, _two_cells)
    return luck.choice(edits)(lock, luck)


def _row(lock: Lockfile, luck: Random) -> bytes:
    """Change one cell of one row."""
    return format_lockfile(_with_row(lock, luck, cells=1))


def _two_cells(lock: Lockfile, luck: Random) -> bytes:
    return format_lockfile(_with_row(lock, luck, cells=luck.choice((2, 2, 3))))


def _with_row(lock: Lockfile, luck: Random, *, cells: int) -> Lockfile:
    artifact = luck.choice([a for a in lock.artifacts if a.objects])
    index = luck.randrange(len(artifact.objects))
    row = artifact.objects[index]
    every = [row for a in lock.artifacts for row in a.objects]
    for cell in luck.sample(("path", "size", "checksum", "version"), cells):
        other = luck.choice(every)
        match cell:
            case "path":
                value: object = luck.choice((*_PATHS, other.path))
            case "size":
                value = luck.choice((*_SIZES, row.size + 1, row.size - 1, other.size))
            case "version":
                value = luck.choice((*_VERSIONS, other.version, other.path))
            case _:
                value = _checksum(row.checksum, other.checksum, luck)
        row = replace(row, **{cell: value})
    objects = (*artifact.objects[:index], row, *artifact.objects[index + 1 :])
    return _with(lock, replace(artifact, objects=objects))


def _checksum(text: str, other: str, luck: Random) -> str:
    tokens = text.split(" ")
    match luck.randrange(9):
        case 0:
            return other
        case 1:
            return " ".join(tokens[1:])
        case 2:
            return ""
        case 3:
            return " ".join([*tokens[1:], tokens[0]])
        case 4:
            return " ".join([*other.split(" ")[:1], *tokens[1:]])
        case 5:
            return luck.choice(
                (f"{text} x-new:1", f"{text} {text}", text.upper(), f" {text}")
            )
        case 6:
            return f"sha256:{'0' * 64} {tokens[-1]}"
        case 7:
            return f"etag:{'0' * 32}"
        case _:
            digits = [m.start() for m in re.finditer("[0-9a-f]", text)]
            if not digits:
                return text
            at = luck.choice(digits)
            return text[:at] + luck.choice("0123456789abcdef") + text[at + 1 :]


def _rows(lock: Lockfile, luck: Random) -> bytes:
    """Drop, double, move, exchange or invent rows."""
    artifact = luck.choice([a for a in lock.artifacts if a.objects])
    rows = list(artifact.objects)
    index = luck.randrange(len(rows))
    every = [row for a in lock.artifacts for row in a.objects]
    match luck.randrange(5):
        case 0:
            del rows[index]
        case 1:
            rows.append(rows[index])
        case 2:
            rows.append(luck.choice(every))
        case 3:
            other = luck.randrange(len(rows))
            one, two = rows[index], rows[other]
            rows[index] = LockedObject(one.path, two.size, two.checksum, two.version)
            rows[other] = LockedObject(two.path, one.size, one.checksum, one.version)
        case _:
            rows.append(LockedObject(luck.choice(_PATHS), luck.choice((0, 6)), "", ""))
    return format_lockfile(_with(lock, replace(artifact, objects=tuple(rows))))


def _head(lock: Lockfile, luck: Random) -> bytes:
    """Change what stands above the rows of an artifact."""
    artifact = luck.choice(lock.artifacts)
    match luck.randrange(5):
        case 0:
            try:
                uri = Uri.parse(luck.choice(_URIS))
            except ValueError:
                return _text(lock, luck)
            artifact = replace(artifact, declared=replace(artifact.declared, uri=uri))
        case 1:
            artifact = replace(artifact, kind=luck.choice(list(Kind)))
        case 2:
            checksum = luck.choice(list(ChecksumPolicy))
            declared = replace(artifact.declared, checksum=checksum)
            artifact = replace(artifact, declared=declared)
        case 3:
            renamed = replace(artifact, name=luck.choice(("data", "page", "x", "A", "..")))
            rest = tuple(a for a in lock.artifacts if a is not artifact)
            return format_lockfile(replace(lock, artifacts=(*rest, renamed)))
        case _:
            rest = tuple(a for a in lock.artifacts if a is not artifact)
            return format_lockfile(replace(lock, artifacts=rest))
    return format_lockfile(_with(lock, artifact))


def _text(lock: Lockfile, luck: Random) -> bytes:
    """Change lines: of the head, of the top, their order and number, and URIs as text."""
    lines = format_lockfile(lock).decode().splitlines(keepends=True)
    heads = [n for n, line in enumerate(lines) if line.startswith("uri = ")]
    at = luck.choice(heads)
    match luck.randrange(5):
        case 0:
            lines.insert(at + 1, luck.choice(_HEADS))
        case 1:
            lines[at] = f'uri = "{luck.choice(_URIS)}"\n'
        case 2:
            lines[luck.randrange(4)] = luck.choice(_LINES) + "\n"
        case 3:
            one, other = luck.randrange(len(lines)), luck.randrange(len(lines))
            lines[one], lines[other] = lines[other], lines[one]
        case _:
            lines.insert(luck.randrange(len(lines)), luck.choice(lines))
    return "".join(lines).encode()


def _bytes(lock: Lockfile, luck: Random) -> bytes:
    return mutated([format_lockfile(lock)], _WORDS, luck)[0]


def _with(lock: Lockfile, artifact: LockedArtifact) -> Lockfile:
    """Return ``lock`` with another artifact in the place of the one of that name."""
    artifacts = tuple(artifact if a.name == artifact.name else a for a in lock.artifacts)
    return replace(lock, artifacts=artifacts)
