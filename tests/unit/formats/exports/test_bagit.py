import hashlib

import pytest

from artlock.errors import ConfigError
from artlock.formats.exports.bagit import as_bag
from tests.unit.formats.exports.values import (
    B3,
    MD5,
    SHA256,
    SHA512,
    artifact,
    export,
    file,
    of,
)


def test_a_bag_lists_where_its_payload_is() -> None:
    bag = as_bag(export(artifact(), artifact(file("s3://b/100% a", SHA256, "v", size=7))))
    assert [*bag][-1] == "bagit.txt"
    assert bag["fetch.txt"] == (
        "https://b.s3.amazonaws.com/100%25%20a?versionId=v 7 data/x/100%25 a\n"
    )
    assert bag["manifest-sha256.txt"] == f"{'ab' * 32}  data/x/100%25 a\n"
    assert "Payload-Oxum: 7.1\n" in bag["bag-info.txt"]
    for line in bag["tagmanifest-sha256.txt"].splitlines():
        value, name = line.split("  ")
        assert hashlib.sha256(bag[name].encode()).hexdigest() == value
    assert bag == as_bag(
        export(artifact(), artifact(file("s3://b/100% a", SHA256, "v", size=7)))
    )


@pytest.mark.parametrize(
    ("one", "other", "manifest"),
    [
        (f"{SHA256} {SHA512}", SHA512, "manifest-sha512.txt"),
        (f"{SHA256} {MD5}", f"{SHA256} {MD5}", "manifest-sha256.txt"),
        (f"{SHA256} {MD5}", MD5, "manifest-md5.txt"),
    ],
)
def test_a_manifest_has_the_strongest_algorithm_of_all_rows(
    one: str, other: str, manifest: str
) -> None:
    bag = as_bag(of(file("s3://b/a", one), file("s3://b/c", other)))
    assert [name for name in bag if name.startswith("manifest-")] == [manifest]


def test_rows_without_a_common_algorithm_are_refused() -> None:
    with pytest.raises(ConfigError, match="`x/a` have no `sha512` or `sha256` or `md5`"):
        as_bag(of(file("s3://b/a", B3), file("s3://b/c", SHA256)))
    with pytest.raises(
        ConfigError, match=r"no one of .+ is a token of every row"
    ) as caught:
        as_bag(of(file("s3://b/a", MD5), file("s3://b/c", SHA256)))
    assert caught.value.hint == "run `artlock sync`, then add `--sha256`"
