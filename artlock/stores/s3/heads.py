"""Describe one object: what HeadObject says, as an ``ObjectInfo``.

Only checksums of the whole object become tokens: of a multipart upload S3 may give a
checksum of checksums, which no reader of the bytes can compare (hazard 1.4).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from botocore.parsers import ResponseParserError

from artlock.model.digest import (
    HEX_LENGTHS,
    Checksum,
    ChecksumAlgorithm,
    Digest,
    DigestAlgorithm,
)
from artlock.model.objects import ObjectInfo, Protection, VersionId
from artlock.model.tokens import Tokens
from artlock.model.uri import Uri
from artlock.stores.s3.listing import NULL_VERSION
from artlock.stores.s3.scan import ARCHIVED_CLASSES
from artlock.stores.transfer import unquoted

_CHECKSUMS = (
    ("ChecksumCRC64NVME", ChecksumAlgorithm.CRC64NVME),
    ("ChecksumCRC32C", ChecksumAlgorithm.CRC32C),
)
_DIGESTS = (("ChecksumSHA256", DigestAlgorithm.SHA256),)


def info_of(uri: Uri, answer: Mapping[str, Any], *, size: int | None = None) -> ObjectInfo:
    """Return what an answer to HeadObject or GetObject says.

    Args:
        uri: What was asked for.
        answer: As botocore gives it.
        size: Of the whole object, where the answer is only a range of it.
    """
    version = answer.get("VersionId")
    return ObjectInfo(
        uri=uri,
        size=length_of(answer) if size is None else size,
        version=None if version in {None, "", NULL_VERSION} else VersionId(version),
        tokens=tokens_of(answer),
        modified=answer.get("LastModified"),
        archived=_archived(answer),
        encoding=answer.get("ContentEncoding") or None,
        protection=_protection(answer),
    )


def length_of(answer: Mapping[str, Any]) -> int:
    """Return how long the body of an answer is said to be.

    Raises:
        ResponseParserError: It is not said, so that a cut could not be seen; as if the
            answer could not be read, which a retry may help.
    """
    length: int | None = answer.get("ContentLength")
    if length is None:
        reason = "the answer does not tell its length"
        raise ResponseParserError(reason)
    return length


def tokens_of(answer: Mapping[str, Any]) -> Tokens:
    """Return the etag and the checksums of the whole object.

    ``ChecksumType`` says which they are; where it is absent, an etag of a multipart upload
    makes every checksum but CRC64NVME doubtful, because that one has no other form.
    """
    etag = unquoted(answer.get("ETag") or "")
    kind = answer.get("ChecksumType")
    is_multipart = "-" in etag
    digests: list[Digest] = []
    checksums: list[Checksum] = []
    if kind in {None, "FULL_OBJECT"}:
        for name, checksum in _CHECKSUMS:
            doubtful = kind is None and is_multipart
            value = _hex(answer.get(name), checksum)
            if value and not (doubtful and checksum is not ChecksumAlgorithm.CRC64NVME):
                checksums.append(Checksum(checksum, value))
        for name, digest in _DIGESTS:
            value = _hex(answer.get(name), digest)
            # S3 has no SHA-256 of a whole multipart object, whatever a server says.
            if value and not is_multipart:
                digests.append(Digest(digest, value))
    return Tokens(digests=tuple(digests), checksums=tuple(checksums), etag=etag or None)


def is_plain_md5(answer: Mapping[str, Any]) -> bool:
    """Tell whether AWS made the etag of this object as the MD5 of its bytes."""
    etag = unquoted(answer.get("ETag") or "")
    return (
        "-" not in etag
        and answer.get("ServerSideEncryption") in {None, "AES256"}
        and answer.get("SSECustomerAlgorithm") is None
    )


def _hex(text: str | None, algorithm: str) -> str | None:
    """Return base64 as hex; ``None`` if it is none, or of parts (it ends in ``-N``)."""
    try:
        found = base64.b64decode(text or "", validate=True).hex()
    except binascii.Error:
        return None
    return found if len(found) == HEX_LENGTHS[algorithm] else None


def _archived(answer: Mapping[str, Any]) -> str | None:
    if 'ongoing-request="false"' in (answer.get("Restore") or ""):
        return None  # restored: it can be read until its copy expires
    storage_class = answer.get("StorageClass") or ""
    if answer.get("ArchiveStatus"):
        # Intelligent-Tiering hides its tier in the class (hazard 1.18).
        return f"{storage_class} {answer['ArchiveStatus']}".strip()
    return storage_class if storage_class in ARCHIVED_CLASSES else None


def _protection(answer: Mapping[str, Any]) -> Protection | None:
    """Return what Object Lock does for this version, if this user may see it.

    Source: S3 HeadObject. The headers come with `s3:GetObjectRetention` and
    `s3:GetObjectLegalHold` only (hazard 1.16).
    """
    until = answer.get("ObjectLockRetainUntilDate")
    is_held = answer.get("ObjectLockLegalHoldStatus") == "ON"
    if until is None and not is_held:
        return None
    return Protection(until=until and until.astimezone(UTC), is_held=is_held)
