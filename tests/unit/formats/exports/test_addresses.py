import pytest

from artlock.errors import ConfigError
from artlock.formats.exports.addresses import refuse_local, web_address
from artlock.model.manifest import Access
from tests.unit.formats.exports.values import artifact, file, of

ENDPOINT = Access(endpoint="https://store.example/")


@pytest.mark.parametrize(
    ("uri", "version", "access", "address"),
    [
        ("s3://b/k", "v+/1", Access(), "https://b.s3.amazonaws.com/k?versionId=v%2B%2F1"),
        ("s3://b/a b/#?é", "", Access(), "https://b.s3.amazonaws.com/a%20b/%23%3F%C3%A9"),
        ("s3://b.c/k", "", Access(), "https://s3.amazonaws.com/b.c/k"),
        ("s3://b/k", "", ENDPOINT, "https://store.example/b/k"),
        (
            "gs://b/k%1",
            "17",
            Access(),
            "https://storage.googleapis.com/b/k%251?generation=17",
        ),
        ("gs://b/k", "", ENDPOINT, "https://store.example/b/k"),
        ("https://h/a%20b?x=[1] é", "", Access(), "https://h/a%20b?x=[1]%20%C3%A9"),
    ],
)
def test_an_address_names_one_version_and_is_encoded(
    uri: str, version: str, access: Access, address: str
) -> None:
    found = file(uri, version=version, path="p")
    assert web_address(artifact(found, access=access), found) == address


def test_what_lies_in_folders_has_none() -> None:
    refuse_local(of(file("s3://b/k")))
    for uri in ("file:///mnt/a", "raw/a"):
        with pytest.raises(ConfigError, match=r"`x` lies in `.+`, which is not"):
            refuse_local(of(file(uri)))
