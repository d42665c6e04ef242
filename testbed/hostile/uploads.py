"""How an object was written, and the etag and checksums that follow from it.

Source: S3, "Checking object integrity": an etag is the MD5 of the bytes only of an object
that came in one piece and is not encrypted with a key of its own; of parts, it is the MD5
of their MD5s and their number. A checksum is of the whole object, or composite: a checksum
of the checksums of the parts, and their number. CRC64NVME is always of the whole, SHA-1 and
SHA-256 of parts are always composite.
"""

import base64
import hashlib
import secrets
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

import google_crc32c
from awscrt.checksums import crc64nvme

Algorithm: TypeAlias = Literal["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]
ChecksumType: TypeAlias = Literal["FULL_OBJECT", "COMPOSITE"]

HASHERS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        "CRC32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
        "CRC32C": lambda body: google_crc32c.value(body).to_bytes(4, "big"),
        "CRC64NVME": lambda body: crc64nvme(body).to_bytes(8, "big"),
        "SHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
        "SHA256": lambda body: hashlib.sha256(body).digest(),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """How an object was written.

    Attributes:
        part_size: Bytes of a part; 0 for one request.
        encryption: Besides none: S3's own keys, those of KMS, or the customer's.
        etag: ``random`` for what some other servers make up; else S3's rules.
        checksum: That the writer asked for; ``""`` for none.
        checksum_type: Of parts; ``None`` is what S3 takes for the algorithm.
        checksum_says: Whether answers name the type; some other servers do not.
        checksum_counts: Whether a composite one ends in the number of parts, as in S3.
        storage_class: ``GLACIER`` and ``DEEP_ARCHIVE`` must be restored before a read.
        encoding: The content encoding that the writer claimed.
        is_composed: Whether GCS composed it, and so knows no MD5.
    """

    part_size: int = 0
    encryption: Literal["", "AES256", "aws:kms", "customer"] = ""
    etag: Literal["", "random"] = ""
    checksum: Algorithm | Literal[""] = "CRC64NVME"
    checksum_type: ChecksumType | None = None
    checksum_says: bool = True
    checksum_counts: bool = True
    storage_class: str = "STANDARD"
    encoding: str = ""
    is_composed: bool = False


def etag_of(body: bytes, upload: Upload) -> str:
    """Return the etag, without quotes."""
    if upload.part_size:
        digests = [_md5(part) for part in _parts(body, upload.part_size)]
        return f"{_md5(b''.join(digests)).hex()}-{len(digests)}"
    if upload.etag == "random" or upload.encryption in {"aws:kms", "customer"}:
        return secrets.token_hex(16)
    return _md5(body).hex()


def checksum_of(body: bytes, upload: Upload) -> tuple[str, ChecksumType] | None:
    """Return the checksum in base64 and its type, if the object has one."""
    if not upload.checksum:
        return None
    hasher = HASHERS[upload.checksum]
    kind = upload.checksum_type
    if kind is None:
        is_whole = not upload.part_size or upload.checksum == "CRC64NVME"
        kind = "FULL_OBJECT" if is_whole else "COMPOSITE"
    if kind == "FULL_OBJECT":
        return _base64(hasher(body)), kind
    parts = [hasher(part) for part in _parts(body, upload.part_size or len(body) or 1)]
    count = f"-{len(parts)}" if upload.checksum_counts else ""
    return _base64(hasher(b"".join(parts))) + count, kind


def _parts(body: bytes, size: int) -> Iterator[bytes]:
    yield body[:size]
    for start in range(size, len(body), size):
        yield body[start : start + size]


def _md5(body: bytes) -> bytes:
    return hashlib.md5(body, usedforsecurity=False).digest()


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
