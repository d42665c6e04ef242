"""Manifests of Quilt packages, version v0: JSON lines, one for each object.

::

    {"version": "v0", "message": "…"}
    {"logical_key": "a.txt", "physical_keys": ["s3://bkt/d/a.txt?versionId=3HL4…"],
     "size": 2, "hash": {"type": "SHA256", "value": "…"}, "meta": {}}

The hash ``sha2-256-chunked`` is one of the digests of parts, which artlock does not know:
such a row has its version alone.
"""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, unquote

from artlock.formats.imports.faults import (
    from_base64,
    hex_of,
    mapping,
    refuse,
    size_of,
    text,
    uri_of,
    version_of,
)
from artlock.model.digest import Checksum, ChecksumAlgorithm, Digest, DigestAlgorithm
from artlock.model.imports import PinnedObject, Pins
from artlock.model.tokens import Tokens
from artlock.model.uri import Uri


def read_quilt(content: str, name: str) -> Pins:
    """Read a manifest.

    Raises:
        ConfigError: It is damaged, or has an object in two places.
    """
    objects = []
    is_first = True
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        at = f"`{name}:{number}`"
        try:
            entry = mapping(json.loads(line), at)
        except (ValueError, RecursionError):
            refuse(at, "is not JSON")
        if is_first:
            is_first = False
            if entry.get("version") != "v0":
                refuse(at, "is not the head of a manifest of version v0")
        elif "physical_keys" in entry:
            objects.append(_object(entry, at))
        elif "logical_key" not in entry:
            refuse(at, "is no entry")
    if not objects:
        refuse(f"`{name}`", "has no entries")
    return Pins(objects=tuple(objects))


def _object(entry: dict[str, object], at: str) -> PinnedObject:
    keys = entry["physical_keys"]
    if not isinstance(keys, list) or len(keys) != 1:
        refuse(f"{at}: physical_keys", "is not a list of one place")
    where = f"{at}: physical_keys[0]"
    uri, version = _place(text(keys[0], where), where)
    return PinnedObject(
        path=text(entry.get("logical_key"), f"{at}: logical_key"),
        uri=uri,
        size=size_of(entry.get("size"), f"{at}: size"),
        tokens=_tokens(entry.get("hash"), f"{at}: hash"),
        version=version,
    )


def _place(key: str, at: str) -> tuple[Uri, str]:
    """Return the object and its version; a key is percent-encoded, as in no other URI."""
    if not key.startswith("s3://"):
        return uri_of(key, at), ""
    bare, _, query = key.partition("?")
    asked = dict(parse_qsl(query, keep_blank_values=True))
    named = asked.pop("versionId", None)
    if asked:
        uri_of(f"https://bucket.example/key?{query}", at)  # says if it is a signed one
        refuse(at, "asks for more than a version")
    uri = uri_of(unquote(bare), at)
    return uri, version_of(named, uri, at)


def _tokens(value: object, at: str) -> Tokens:
    if value is None:
        return Tokens()
    found = mapping(value, at)
    kind, digest = found.get("type"), found.get("value")
    if kind == "SHA256":
        sha256 = hex_of(digest, "sha256", f"{at}.value")
        return Tokens(digests=(Digest(DigestAlgorithm.SHA256, sha256),))
    if kind == "CRC64NVME":
        crc = from_base64(digest, "crc64nvme", f"{at}.value")
        return Tokens(checksums=(Checksum(ChecksumAlgorithm.CRC64NVME, crc),))
    return Tokens()
