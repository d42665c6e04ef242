import pytest

from artlock.model.digest import Checksum, ChecksumAlgorithm, Digest, DigestAlgorithm
from artlock.model.tokens import Tokens, Trust, problems_with_tokens, trust_of

BLAKE3 = "blake3:" + "3f" * 32
SHA256 = "sha256:" + "0a" * 32
SHA512 = "sha512:" + "1b" * 64
CRC64 = "crc64nvme:a5b1c2d3e4f60718"
CRC32C = "crc32c:9a71bb4c"
MD5 = "md5:5d41402abc4b2a76b9719d911017c592"
ETAG = "etag:4a8a08f09d37b73795649038408b5f33-9"


@pytest.mark.parametrize(
    ("text", "trust"),
    [
        ("", Trust.NONE),
        ("xxhash64:00", Trust.NONE),
        (ETAG, Trust.ETAG),
        (f"xxhash64:00 {ETAG}", Trust.ETAG),
        (MD5, Trust.STORE),
        (f"{CRC32C} {ETAG}", Trust.STORE),
        (f"{CRC64} {CRC32C} {MD5} xxhash64:00 {ETAG}", Trust.STORE),
        (SHA512, Trust.STRONG),
        (f"{BLAKE3} {SHA256} {SHA512} {CRC64} {CRC32C} {MD5} a:b {ETAG}", Trust.STRONG),
    ],
)
def test_5_3_trust_is_that_of_the_strongest_token(text: str, trust: Trust) -> None:
    tokens = Tokens.parse(text)
    assert str(tokens) == text
    assert tokens.trust is trust
    assert trust_of(text) is trust
    assert problems_with_tokens([text]) == []


@pytest.mark.parametrize(
    "text",
    [
        " ", f" {MD5}", f"{MD5} ", f"{BLAKE3}  {MD5}", f"{BLAKE3}\t{MD5}",
        f"{MD5}\n", "md5", "md5:", ":x", "x:",
        f"{MD5} {BLAKE3}", f"{MD5} {CRC32C}", f"{ETAG} {MD5}",
        f"{SHA256} {BLAKE3}", f"{MD5} {MD5}",
        f"{ETAG} {ETAG}", "etag:a etag:b", "a:1 a:2", "b:1 a:1",
        f"a:1 {MD5}", MD5.upper(), MD5[:-1], MD5 + "0",
        "md5:" + "g" * 32, "blake3:" + "3F" * 32, BLAKE3[:-2],
        "sha256:" + "a" * 63, "crc32c:123",
        "crc64nvme:1", "sha512:" + "a" * 64, "md5:5d41402abc4b2a76b9719d911017c592-3",
        "crc64nvme:a5b1c2d3e4f60718-2", "X:1", "1a:1", "x:a b", "x:ü",
        "x:" + "a" * 513, "x" * 33 + ":1", "_:1",
        "etag:", "etag:%", "etag:%2f", "etag:%41", "etag:%zz", "etag:é",
        "etag:a:b", 'etag:"a"',
        "etag:%22", "etag:%0D%0AX-Injected:%201", "etag:%00", "etag:%7F",
        "etag:%FF", "etag:%C3",
        "no token at all",
    ],
    ids=lambda text: repr(text)[:40],
)  # fmt: skip
def test_other_text_is_not_canonical_and_refused_with_a_phrase(text: str) -> None:
    with pytest.raises(ValueError, match=r"token|etag|hex digits") as caught:
        Tokens.parse(text)
    assert type(caught.value) is ValueError
    assert problems_with_tokens([MD5, text, ""]) == [(1, str(caught.value))]


@pytest.mark.parametrize("name", ["blake3", "sha256", "crc64nvme", "crc32c", "md5"])
@pytest.mark.parametrize("value", ["etag:9A71BB4C", "", "00", "00 etag:x", "zz"])
def test_5_3_the_name_of_an_algorithm_without_its_digits_is_no_token(
    name: str, value: str
) -> None:
    # An expression that forbids to go back is read wrong by Python before 3.11.5.
    assert [n for n, _ in problems_with_tokens(["", f"{name}:{value}"])] == [1]
    with pytest.raises(ValueError, match="needs"):
        Tokens.parse(f"{name}:{value}")


def test_1_7_unknown_algorithms_pass_unread() -> None:
    tokens = Tokens.parse("sha1:zzz xxhash128:%41+/=_.~- etag:x")
    assert tokens.unknown == ("sha1:zzz", "xxhash128:%41+/=_.~-")
    assert tokens.trust is Trust.ETAG


@pytest.mark.parametrize(
    ("etag", "text"),
    [
        ("abc", "etag:abc"),
        ("W/abc", "etag:W/abc"),
        ("a b", "etag:a%20b"),
        ("é", "etag:%C3%A9"),
        ("a%2Fb", "etag:a%252Fb"),
        ("+/=~-._", "etag:+/=~-._"),
        ("a:b", "etag:a%3Ab"),
        (None, ""),
        ("", ""),
    ],
)
def test_1_44_an_etag_is_opaque_and_percent_encoded(etag: str | None, text: str) -> None:
    tokens = Tokens(etag=etag)
    assert str(tokens) == text
    assert Tokens.parse(text).etag == (etag or None)
    assert tokens.trust is (Trust.ETAG if etag else Trust.NONE)


@pytest.mark.parametrize(
    ("etag", "md5"),
    [
        ("5d41402abc4b2a76b9719d911017c592", "5d41402abc4b2a76b9719d911017c592"),
        ("5D41402ABC4B2A76B9719D911017C592", None),
        ("4a8a08f09d37b73795649038408b5f33-9", None),
        ("W/5d41402abc4b2a76b9719d911017c592", None),
        ("5d41402a", None),
        (None, None),
    ],
)
def test_1_1_an_etag_only_looks_like_an_md5(etag: str | None, md5: str | None) -> None:
    tokens = Tokens(etag=etag)
    assert tokens.etag_like_md5 == md5
    assert tokens.trust is not Trust.STORE


def test_a_digest_takes_the_place_of_one_of_its_kind() -> None:
    old, new = Digest.parse(BLAKE3), Digest.parse("blake3:" + "00" * 32)
    tokens = Tokens.parse(f"{SHA256} {MD5} a:b {ETAG}")
    assert str(tokens.with_digest(old)) == f"{BLAKE3} {SHA256} {MD5} a:b {ETAG}"
    assert tokens.with_digest(old).with_digest(new).blake3 == new
    assert tokens.blake3 is None
    assert str(tokens.with_digest(Digest.parse(SHA512))) == (
        f"{SHA256} {SHA512} {MD5} a:b {ETAG}"
    )


@pytest.mark.parametrize(
    ("one", "other", "agrees", "contradicts"),
    [
        (MD5, MD5, True, False),
        (f"{BLAKE3} {MD5}", MD5, True, False),
        (f"{CRC32C} {MD5}", "crc32c:00000000 " + MD5, False, True),
        (BLAKE3, SHA256, False, False),
        (ETAG, ETAG, False, False),
        ("etag:a", "etag:b", False, False),
        ("x:1", "x:2", False, False),
        ("", MD5, False, False),
    ],
)
def test_only_digests_and_checksums_tell_whether_bytes_are_equal(
    *, one: str, other: str, agrees: bool, contradicts: bool
) -> None:
    mine, theirs = Tokens.parse(one), Tokens.parse(other)
    assert mine.agrees(theirs) is agrees
    assert theirs.agrees(mine) is agrees
    assert mine.contradicts(theirs) is contradicts
    assert theirs.contradicts(mine) is contradicts


@pytest.mark.parametrize("least", Trust)
@pytest.mark.parametrize("trust", Trust)
def test_a_trust_reaches_itself_and_all_that_are_weaker(trust: Trust, least: Trust) -> None:
    order = ["strong", "store", "etag", "none"]
    assert trust.reaches(least) == (order.index(trust) <= order.index(least))


def test_digests_and_checksums_are_different_things_with_one_text_form() -> None:
    assert Digest.parse(BLAKE3) == Digest.blake3(bytes.fromhex("3f" * 32))
    assert str(Digest(DigestAlgorithm.SHA256, "0a" * 32)) == SHA256
    assert str(Checksum(ChecksumAlgorithm.MD5, MD5[4:])) == MD5
    assert len({Digest.parse(BLAKE3), Digest.parse(BLAKE3)}) == 1
    assert Digest.parse(BLAKE3) < Digest.parse(SHA256)


@pytest.mark.parametrize(
    "text", ["", "blake3", "blake3:", MD5, "blake3:" + "0" * 63, "blake3:" + "G" * 64, ETAG]
)
def test_a_digest_is_never_empty_or_a_checksum(text: str) -> None:
    with pytest.raises(ValueError, match=r"hex digits|not a valid DigestAlgorithm"):
        Digest.parse(text)


def test_a_checksum_has_the_length_of_its_algorithm() -> None:
    with pytest.raises(ValueError, match="`crc32c` needs 8 lower-case hex digits"):
        Checksum(ChecksumAlgorithm.CRC32C, "9A71BB4C")


def test_a_digit_in_a_name_is_not_one_of_its_value() -> None:
    """``blake3`` has hex digits; texts that differ in those are not alike."""
    good = " ".join(
        (
            *(f"{name}:{'0' * length}" for name, length in KNOWN.items()),
            "etag:0",
        )
    )
    for column, letter in enumerate(good):
        other = good[:column] + ("1" if letter != "1" else "2") + good[column + 1 :]
        for texts in ([good, other], [other, good], [good, other, good]):
            one_by_one = [
                (index, str(caught))
                for index, text in enumerate(texts)
                if (caught := refusal(text)) is not None
            ]
            assert problems_with_tokens(texts) == one_by_one


KNOWN = {"blake3": 64, "sha256": 64, "sha512": 128, "crc64nvme": 16, "crc32c": 8, "md5": 32}


def refusal(text: str) -> ValueError | None:
    try:
        Tokens.parse(text)
    except ValueError as error:
        return error
    return None


def test_many_texts_of_few_shapes_are_judged_shape_by_shape() -> None:
    texts = [MD5, "etag:a-1", MD5, "etag:a-17", "", "etag:a"]
    assert problems_with_tokens(texts) == []
    for bad in ("etag:a\netag:b", "etag:", "md5:0", "etag:a\n", "\n"):
        assert [n for n, _ in problems_with_tokens([*texts, bad])] == [len(texts)]
