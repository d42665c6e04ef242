"""Digests (ours, identity) and checksums (a store's claim), as values.

Text form of both is ``algorithm:hex`` in lower case, the form of OCI and in-toto.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

import msgspec

_HEX = frozenset("0123456789abcdef")


class DigestAlgorithm(StrEnum):
    """Hash functions whose value stands for the bytes, strongest first."""

    BLAKE3 = "blake3"
    SHA256 = "sha256"
    SHA512 = "sha512"


class ChecksumAlgorithm(StrEnum):
    """Full-object checksums that stores give, strongest first."""

    CRC64NVME = "crc64nvme"
    CRC32C = "crc32c"
    MD5 = "md5"


HEX_LENGTHS = {
    "blake3": 64,
    "sha256": 64,
    "sha512": 128,
    "crc64nvme": 16,
    "crc32c": 8,
    "md5": 32,
}
"""Length of the value of each known algorithm, in hexadecimal digits."""


def is_hex(text: str) -> bool:
    """Tell whether ``text`` has only lower-case hexadecimal digits."""
    return _HEX.issuperset(text)


def _checked(algorithm: str, value: str) -> None:
    if len(value) != HEX_LENGTHS[algorithm] or not is_hex(value):
        length = HEX_LENGTHS[algorithm]
        reason = f"`{algorithm}` needs {length} lower-case hex digits, got `{value}`"
        raise ValueError(reason)


class Digest(msgspec.Struct, frozen=True, order=True):
    """A digest of content: the identity of bytes.

    Raises:
        ValueError: ``hex`` has another length than the algorithm's, or is not
            lower-case hexadecimal.
    """

    algorithm: DigestAlgorithm
    hex: str

    def __post_init__(self) -> None:
        _checked(self.algorithm, self.hex)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``blake3:<64 hex>``.

        Raises:
            ValueError: Another algorithm, or the value does not fit it.
        """
        name, _, value = text.partition(":")
        return cls(DigestAlgorithm(name), value)

    @classmethod
    def blake3(cls, raw: bytes) -> Self:
        """Wrap the 32 bytes that BLAKE3 gave."""
        return cls(DigestAlgorithm.BLAKE3, raw.hex())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


class Checksum(msgspec.Struct, frozen=True, order=True):
    """A store's claim about a whole object: verified when bytes come, never identity.

    Raises:
        ValueError: ``hex`` has another length than the algorithm's, or is not
            lower-case hexadecimal.
    """

    algorithm: ChecksumAlgorithm
    hex: str

    def __post_init__(self) -> None:
        _checked(self.algorithm, self.hex)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"
