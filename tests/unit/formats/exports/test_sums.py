import pytest

from artlock.errors import ConfigError
from artlock.formats.exports.sums import refuse_without, sums, value_of
from tests.unit.formats.exports.values import B3, MD5, SHA256, file, of


def test_a_line_is_a_digest_two_spaces_and_the_file() -> None:
    both = of(file("s3://b/a", f"{B3} {SHA256} {MD5}"), file("s3://b/c d", SHA256))
    assert list(sums("sha256")(both)) == [
        f"{'ab' * 32}  data/x/a\n",
        f"{'ab' * 32}  data/x/c d\n",
    ]


def test_nothing_is_left_out_in_silence() -> None:
    export = of(file("s3://b/a", B3), file("s3://b/c", MD5), file("s3://b/d", ""))
    with pytest.raises(ConfigError, match="`x/c` and 1 more have no `blake3`") as caught:
        list(sums("blake3")(export))
    assert caught.value.hint == "`artlock resolve --hash` reads objects that have no digest"
    with pytest.raises(ConfigError, match="`x/d` have no `blake3` or `md5`"):
        refuse_without(export, "blake3", "md5")


def test_the_value_of_a_token_is_found_by_its_whole_name() -> None:
    assert value_of(file("s3://b/a", f"{SHA256} etag:md5:x"), "md5") is None
    assert value_of(file("s3://b/a", MD5), "md5") == "0e" * 16
