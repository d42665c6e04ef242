"""A script for any POSIX shell that rebuilds the files from their sources, without artlock.

::

    ... functions, the same in every script (``shell_functions.py``) ...

    # encoder: s3://models/minilm/
    reach() { aws s3api get-object "$@"; }
    s3 'data/encoder/config.json' 14 'blake3:2e02…' 'models' 'minilm/config.json' \
       --version-id='3HL4…'

    finish 1
    }

Names are between single quotes, in which a shell looks for nothing. Control characters of
keys are escaped, so that the script may be shown on a terminal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never
from urllib.parse import quote

from artlock.formats.exports.shell_functions import HEAD, SUMS, TAIL
from artlock.formats.exports.versions import refuse_odd_versions
from artlock.model.lock import Kind
from artlock.model.tokens import Trust

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artlock.model.exports import Export, ExportedArtifact, ExportedFile
    from artlock.model.manifest import Access

COMPARABLE = ("blake3", "sha256", "sha512", "md5")
"""Tokens that a program of many machines can compute, strongest first."""
_ODD_KEY = re.compile(r"-|[a-z]+://|.*[\x00-\x1f\x7f-\x9f]", re.DOTALL)
"""What the AWS CLI takes for an option or for a file to read, and what a terminal obeys."""
_ESCAPED = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_NO_VARIABLE = re.compile(r"[^A-Za-z0-9]")


def as_shell(export: Export) -> Iterator[str]:
    """Yield the script, by lines or more.

    Raises:
        ConfigError: A version is none that a store is known to give; nothing was yielded.
    """
    refuse_odd_versions(export)
    used = {name for _, file in export.files() for name in _names(file)}
    size = f"{export.size:,}"
    yield HEAD.replace("@FILES@", f"{export.count:,}").replace("@SIZE@", size)
    for name in COMPARABLE:
        if name in used:
            yield SUMS[name]
    yield TAIL
    for artifact in export.artifacts:
        yield f"\n# {artifact.name}: {artifact.uri}\n"
        if artifact.kind is Kind.LINK:
            yield "# A link: it is recorded, and never downloaded.\n"
        if artifact.files:
            yield _reach(artifact)
        for file in artifact.files:
            yield _fetch(artifact, file)
    yield f"\nfinish {export.count}\n}}\n"


def quoted(text: str) -> str:
    """Return text as one word of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def _names(file: ExportedFile) -> list[str]:
    names = {token.partition(":")[0] for token in file.row.checksum.split(" ")}
    return [name for name in COMPARABLE if name in names]


def _reach(artifact: ExportedArtifact) -> str:
    """Return the function that asks the source of an artifact."""
    access = artifact.access
    lines = []
    if access.role_arn is not None:
        lines.append(f"# It is read in the role {access.role_arn}: assume that first.\n")
    scheme = artifact.uri.scheme
    if scheme == "s3":
        lines.append(f'reach() {{ aws s3api get-object{_aws_options(access)} "$@"; }}\n')
    elif scheme == "gs":
        anonymous = " anonymously" if access.anonymous else ""
        certificate = _certificate(access)
        lines.append(f'reach() {{ google{anonymous}{certificate} "$@"; }}\n')
    elif scheme in {"http", "https"}:
        # A redirect never leaves encryption.
        options = (" --proto '=https'" if scheme == "https" else "") + _certificate(access)
        if artifact.headers:
            variable = _variable(artifact.name)
            lines.append(f"# It is asked with headers: {', '.join(artifact.headers)}\n")
            lines.append(f"# Put them into {variable}, each on a line as `Name: value`.\n")
            told = f'{variable} "${{{variable}-}}"'
            lines.append(f'reach() {{ headed {told} "$@"{options}; }}\n')
        else:
            lines.append(f'reach() {{ ask{options} "$@"; }}\n')
    return "".join(lines)


def _variable(name: str) -> str:
    """Return the variable with the headers of an artifact, which is that of no other."""
    return "HEADERS_" + _NO_VARIABLE.sub(lambda found: f"_{ord(found[0]):02x}", name)


def _aws_options(access: Access) -> str:
    options = {
        "--endpoint-url": access.endpoint,
        "--region": access.region,
        "--profile": access.profile,
        "--request-payer": "requester" if access.requester_pays else None,
    }
    told = [f" {name} {quoted(text)}" for name, text in options.items() if text is not None]
    anonymous = " --no-sign-request" if access.anonymous else ""
    return "".join((*told, _certificate(access, "--ca-bundle"), anonymous))


def _certificate(access: Access, option: str = "--cacert") -> str:
    """Return the option for a bundle; a relative one is from where the script began."""
    path = access.ca_bundle
    if path is None:
        return ""
    if path.startswith("~/"):
        return f' {option} "$HOME"/{quoted(path[2:])}'
    below = "" if path.startswith("/") else '"$here"/'
    return f" {option} {below}{quoted(path)}"


def _fetch(artifact: ExportedArtifact, file: ExportedFile) -> str:
    tokens = [
        token
        for name in _names(file)
        for token in file.row.checksum.split(" ")
        if token.startswith(f"{name}:")
    ]
    words = [quoted(file.target), str(file.row.size), quoted(" ".join(tokens))]
    scheme = file.uri.scheme
    match scheme:
        case "s3":
            deed, more = _from_s3(file)
        case "gs":
            deed, more = "gcs", [quoted(_google_address(artifact.access, file))]
        case "http" | "https":
            deed, more = "web", [quoted(str(file.uri)), *_unchanged(file, "-H 'If-Match: ")]
        case "file" | "":
            deed, more = "copy", [quoted(file.uri.local_path)]
        case _:
            assert_never(scheme)  # type: ignore[arg-type] # every other scheme is a link
    return " ".join((deed, *words, *more)) + "\n"


def _from_s3(file: ExportedFile) -> tuple[str, list[str]]:
    bucket, key, version = file.uri.authority or "", file.uri.key, file.row.version
    deed = "s3_odd" if _ODD_KEY.match(key) else "s3"
    if deed == "s3_odd":
        key = _ESCAPED.sub(_in_octal, key)
    # One word, so that no version is taken for an option.
    more = [f"--version-id={quoted(version)}"] if version else []
    more = more or _unchanged(file, "--if-match '")
    return deed, [quoted(bucket), quoted(key), *more]


def _in_octal(match: re.Match[str]) -> str:
    """Return what ``printf %b`` makes the character of."""
    return "".join(f"\\0{byte:03o}" for byte in match[0].encode())


def _unchanged(file: ExportedFile, option: str) -> list[str]:
    """Return what makes a request fail if the object is another, where nothing else would.

    A weak etag is never sent (RFC 9110 §13.1.1).
    """
    if file.row.trust is not Trust.ETAG:
        return []
    etag = file.row.tokens.etag or ""
    if not etag.isascii() or etag.startswith("W/") or "'" in etag:
        return []
    return [f'{option}"{etag}"\'']


def _google_address(access: Access, file: ExportedFile) -> str:
    """Return the address of one generation (JSON API, Objects: get)."""
    # Without a service it is looked up where the script runs: an emulator may be meant.
    service = (access.endpoint or "").removesuffix("/")
    address = f"{service}/storage/v1/b/{quote(file.uri.authority or '', safe='')}"
    address += f"/o/{quote(file.uri.key, safe='')}?alt=media"
    if file.row.version:
        address += f"&generation={file.row.version}"
    if access.user_project is not None:
        address += f"&userProject={quote(access.user_project, safe='')}"
    return address
