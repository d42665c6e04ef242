"""Whether bytes are what was locked: size first, then every token, while they stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol

import msgspec
from blake3 import blake3

from artlock.errors import IntegrityError
from artlock.model.digest import Checksum, ChecksumAlgorithm, Digest, DigestAlgorithm

if TYPE_CHECKING:
    from artlock.model.tokens import Tokens

Buffer = bytes | bytearray | memoryview
"""What chunks of a body may be; adapters wrap other buffers in a ``memoryview``."""


class Hasher(Protocol):
    """A running hash."""

    def update(self, data: Buffer, /) -> object:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """Return the value of the bytes so far, lower-case hex, big-endian."""


class _Crc32c:
    """CRC-32C (Castagnoli, RFC 3720 §12.1), as GCS and S3 give it."""

    def __init__(self) -> None:
        # Loads a C library; most rows carry no CRC.
        import google_crc32c  # noqa: PLC0415 - costs 3 ms at start-up

        self._extend = google_crc32c.extend
        self._value = 0

    def update(self, data: Buffer, /) -> None:
        self._value = self._extend(self._value, bytes(data))

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


class _Crc64Nvme:
    """CRC-64/NVME, the checksum that S3 adds to every object by default since 2024."""

    def __init__(self) -> None:
        from awscrt.checksums import crc64nvme  # noqa: PLC0415 - costs 40 ms at start-up

        self._crc = crc64nvme
        self._value = 0

    def update(self, data: Buffer, /) -> None:
        self._value = self._crc(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:016x}"


def new_hasher(algorithm: DigestAlgorithm | ChecksumAlgorithm) -> Hasher:
    """Return a hasher of no bytes yet."""
    if algorithm is DigestAlgorithm.BLAKE3:
        return blake3()
    if algorithm is ChecksumAlgorithm.CRC32C:
        return _Crc32c()
    if algorithm is ChecksumAlgorithm.CRC64NVME:
        return _Crc64Nvme()
    import hashlib  # noqa: PLC0415 - loads OpenSSL: 8 ms at start-up

    return hashlib.new(algorithm.value, usedforsecurity=False)


class Verified(msgspec.Struct, frozen=True):
    """Bytes that passed.

    Attributes:
        digest: Their BLAKE3 digest, the name of the blob.
        size: How many they were.
        etag_differs: Whether the row has an etag that looks like an MD5 and is not that
            of these bytes. Not a failure: such an etag need not be one (hazard 1.1);
            whoever fetched decides.
    """

    digest: Digest
    size: int
    etag_differs: bool


class Verification:
    """A check of bytes that arrive in order against a row's size and tokens.

    Not for use by several threads at once.

    Args:
        tokens: What was locked; every token of a known algorithm must hold.
        size: The size that was locked, in bytes; ``None`` while it is not known yet.
        subject: What the bytes are, for the error; a URI or path.
        etag_is_md5: Whether an etag that looks like an MD5 is compared too.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        size: int | None,
        subject: str,
        etag_is_md5: bool = False,
    ) -> None:
        self._size = size
        self._subject = subject
        self._seen = 0
        self._blake3 = blake3()
        known: tuple[Digest | Checksum, ...] = (*tokens.digests, *tokens.checksums)
        self._expected = {str(token.algorithm): token.hex for token in known}
        self._hashers: dict[str, Hasher] = {
            str(token.algorithm): new_hasher(token.algorithm)
            for token in known
            if token.algorithm is not DigestAlgorithm.BLAKE3
        }
        self._etag = tokens.etag_like_md5 if etag_is_md5 else None
        if self._etag and ChecksumAlgorithm.MD5 not in self._hashers:
            self._hashers["md5"] = new_hasher(ChecksumAlgorithm.MD5)

    @property
    def seen(self) -> int:
        """Bytes taken so far."""
        return self._seen

    @property
    def digest(self) -> Digest:
        """The BLAKE3 digest of the bytes taken so far."""
        return Digest.blake3(self._blake3.digest())

    def update(self, chunk: Buffer) -> None:
        """Take the next bytes.

        Raises:
            IntegrityError: There are more bytes than were locked.
        """
        view = memoryview(chunk).cast("B")
        self._seen += view.nbytes
        if self._size is not None and self._seen > self._size:
            self._refuse(f"{self._size} bytes", "more bytes")
        self._blake3.update(view)
        for hasher in self._hashers.values():
            hasher.update(view)

    def finish(self) -> Verified:
        """Judge the whole.

        Raises:
            IntegrityError: Fewer bytes than were locked, or a token that does not hold.
        """
        if self._size is not None and self._seen != self._size:
            self._refuse(f"{self._size} bytes", f"{self._seen} bytes")
        digest = self.digest
        values = {name: hasher.hexdigest() for name, hasher in self._hashers.items()}
        values["blake3"] = digest.hex
        for name, wanted in self._expected.items():
            if values[name] != wanted:
                self._refuse(f"{name}:{wanted}", f"{name}:{values[name]}")
        differs = self._etag is not None and values["md5"] != self._etag
        return Verified(digest, size=self._seen, etag_differs=differs)

    def _refuse(self, expected: str, actual: str) -> NoReturn:
        raise IntegrityError(subject=self._subject, expected=expected, actual=actual)
