import hashlib

import pytest
from blake3 import blake3

from artlock.errors import IntegrityError
from artlock.model.digest import ChecksumAlgorithm, DigestAlgorithm
from artlock.model.tokens import Tokens
from artlock.model.verification import Buffer, Verification, new_hasher

CHECK = b"123456789"
# Published check values of "123456789" (CRC catalogue; RFC 1321 and FIPS 180-4 examples).
KNOWN = [
    (ChecksumAlgorithm.CRC32C, CHECK, "e3069283"),
    (ChecksumAlgorithm.CRC32C, b"", "00000000"),
    (ChecksumAlgorithm.CRC32C, bytes(32), "8a9136aa"),
    (ChecksumAlgorithm.CRC64NVME, CHECK, "ae8b14860a799888"),
    (ChecksumAlgorithm.CRC64NVME, b"", "0000000000000000"),
    (ChecksumAlgorithm.MD5, b"", "d41d8cd98f00b204e9800998ecf8427e"),
    (ChecksumAlgorithm.MD5, b"abc", "900150983cd24fb0d6963f7d28e17f72"),
    (
        DigestAlgorithm.SHA256,
        b"abc",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    (
        DigestAlgorithm.SHA512,
        b"abc",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
    (
        DigestAlgorithm.BLAKE3,
        b"",
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    ),
]


@pytest.mark.parametrize(("algorithm", "data", "value"), KNOWN)
def test_1_5_hashers_give_the_published_values(
    algorithm: DigestAlgorithm | ChecksumAlgorithm, data: bytes, value: str
) -> None:
    hasher = new_hasher(algorithm)
    hasher.update(data)
    assert hasher.hexdigest() == value


@pytest.mark.parametrize("algorithm", [*DigestAlgorithm, *ChecksumAlgorithm])
def test_hashers_take_any_buffer_in_any_pieces(
    algorithm: DigestAlgorithm | ChecksumAlgorithm,
) -> None:
    data = bytes(range(256)) * 40
    whole = new_hasher(algorithm)
    whole.update(data)
    pieces = new_hasher(algorithm)
    view = memoryview(bytearray(data))
    for buffer in (data[:1], bytearray(data[1:7]), view[7:4001], b"", view[4001:]):
        pieces.update(buffer)
    assert pieces.hexdigest() == whole.hexdigest()


def crc64_nvme_bit_by_bit(data: bytes) -> int:
    value = 2**64 - 1
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x9A6C9329AC4BC9B5 if value & 1 else 0)
    return value ^ (2**64 - 1)


def test_crc64nvme_is_that_of_its_definition() -> None:
    data = bytes(range(256)) * 5
    hasher = new_hasher(ChecksumAlgorithm.CRC64NVME)
    hasher.update(data)
    assert hasher.hexdigest() == f"{crc64_nvme_bit_by_bit(data):016x}"


def tokens_of(data: bytes) -> str:
    crcs = []
    for algorithm in (ChecksumAlgorithm.CRC64NVME, ChecksumAlgorithm.CRC32C):
        hasher = new_hasher(algorithm)
        hasher.update(data)
        crcs.append(f"{algorithm}:{hasher.hexdigest()}")
    return (
        f"blake3:{blake3(data).hexdigest()} sha256:{hashlib.sha256(data).hexdigest()} "
        f"sha512:{hashlib.sha512(data).hexdigest()} {' '.join(crcs)} "
        f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()} sha1:x etag:any"
    )


def test_bytes_that_hold_every_token_pass_and_are_named() -> None:
    data = b"some bytes"
    check = Verification(Tokens.parse(tokens_of(data)), size=len(data), subject="s3://b/k")
    chunks: list[Buffer] = [data[:3], bytearray(data[3:5]), memoryview(data)[5:]]
    for chunk in chunks:
        check.update(chunk)
    assert check.seen == len(data)
    verified = check.finish()
    assert str(verified.digest) == f"blake3:{blake3(data).hexdigest()}"
    assert verified.size == len(data)
    assert not verified.etag_differs


@pytest.mark.parametrize("number", range(6))
def test_each_token_that_does_not_hold_is_told(number: int) -> None:
    data = b"some bytes"
    texts = tokens_of(data).split(" ")
    name, value = texts[number].split(":")
    wrong = f"{name}:{'0' * len(value)}"
    texts[number] = wrong
    check = Verification(Tokens.parse(" ".join(texts)), size=len(data), subject="s3://b/k")
    check.update(data)
    with pytest.raises(IntegrityError) as caught:
        check.finish()
    assert caught.value.subject == "s3://b/k"
    assert caught.value.expected == wrong
    assert caught.value.actual == f"{name}:{value}"


def test_size_is_judged_before_any_token() -> None:
    check = Verification(Tokens.parse("md5:" + "0" * 32), size=5, subject="x")
    check.update(b"1234")
    with pytest.raises(IntegrityError) as caught:
        check.finish()
    assert (caught.value.expected, caught.value.actual) == ("5 bytes", "4 bytes")


def test_too_many_bytes_stop_at_once() -> None:
    check = Verification(Tokens(), size=5, subject="x")
    check.update(b"12345")
    with pytest.raises(IntegrityError) as caught:
        check.update(b"6")
    assert (caught.value.expected, caught.value.actual) == ("5 bytes", "more bytes")


def test_items_of_a_view_are_counted_in_bytes() -> None:
    check = Verification(Tokens(), size=8, subject="x")
    check.update(memoryview(bytes(8)).cast("I"))
    assert check.finish().size == 8


def test_a_size_that_is_not_known_yet_is_not_judged() -> None:
    check = Verification(Tokens(), size=None, subject="x")
    check.update(b"any")
    assert check.finish().size == 3


@pytest.mark.parametrize("other", ["", "md5:5d41402abc4b2a76b9719d911017c592 "])
@pytest.mark.parametrize("is_compared", [True, False])
def test_1_1_an_etag_that_is_no_md5_is_a_hint_and_no_failure(
    *, is_compared: bool, other: str
) -> None:
    tokens = Tokens.parse(f"{other}etag:{'0' * 32}")
    check = Verification(tokens, size=5, subject="x", etag_is_md5=is_compared)
    check.update(b"hello")
    assert check.finish().etag_differs is is_compared


@pytest.mark.parametrize("etag", ["5d41402abc4b2a76b9719d911017c592", "x", "a" * 32 + "-2"])
def test_1_3_an_etag_that_fits_or_cannot_be_an_md5_does_not_differ(etag: str) -> None:
    check = Verification(Tokens(etag=etag), size=5, subject="x", etag_is_md5=True)
    check.update(b"hello")
    assert not check.finish().etag_differs
