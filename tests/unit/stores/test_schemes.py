"""The table of stores."""

import subprocess
import sys
from pathlib import Path

import pytest

from artlock.errors import StoreError
from artlock.model.manifest import Access
from artlock.model.uri import Uri
from artlock.stores.base import Pin, StoreContext
from artlock.stores.retry import Retrying
from artlock.stores.schemes import OPENERS, open_store, store_key

CONTRACTS = Path(__file__).parents[2] / "contract"
URIS = {
    "s3": "s3://bucket/key",
    "gs": "gs://bucket/key",
    "http": "http://example.com/f",
    "https": "https://example.com/f",
    "file": "/mnt/f",
    "": "raw/f",
}


@pytest.mark.parametrize("scheme", OPENERS)
def test_every_scheme_of_the_table_opens(scheme: str, tmp_path: Path) -> None:
    uri = Uri.parse(URIS[scheme])
    store = open_store(uri, StoreContext(project=tmp_path))
    assert isinstance(store, Retrying)
    store.close()


@pytest.mark.parametrize(
    "text",
    [
        "simplecache::s3://bucket/key",
        "zip://a.zip::s3://bucket/key",
        "local:///etc/passwd",
        "ssh://host/file",
        "s3a://bucket/key",
        "github://owner:repo@ref/file",
    ],
)
def test_1_52_only_the_schemes_of_the_table_are_read(text: str) -> None:
    try:
        uri = Uri.parse(text)
    except ValueError:
        return  # it has user info
    assert uri.is_link
    with pytest.raises(StoreError, match="no store reads"):
        open_store(uri, StoreContext())


def test_every_scheme_that_is_no_link_is_in_the_table() -> None:
    fetched = {
        s
        for s in ("s3", "gs", "http", "https", "file", "", "ftp", "doi")
        if not Uri(s, None, "x").is_link
    }
    assert fetched == OPENERS.keys()


def test_every_store_has_its_file_of_the_contract() -> None:
    modules = {opener.__name__.removeprefix("_open_") for opener in OPENERS.values()}
    files = {file.stem.removeprefix("test_") for file in CONTRACTS.glob("test_*.py")}
    assert modules <= files


@pytest.mark.parametrize("text", ["labelbox://project/42", "doi:10.5281/zenodo.1"])
def test_a_link_has_no_store(text: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(Uri.parse(text), StoreContext())
    assert caught.value.hint is not None


def test_a_file_is_read_through_the_table(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"hello")
    uri = Uri.parse("f")
    store = open_store(uri, StoreContext(project=tmp_path))
    assert b"".join(map(bytes, store.read(Pin(uri=uri, size=5)))) == b"hello"


def test_one_store_serves_a_bucket_and_no_other_settings() -> None:
    plain, other = Access(), Access(profile="other")
    key = store_key(Uri.parse("s3://b/x"), plain)
    assert key == store_key(Uri.parse("s3://b/y/"), plain)
    assert key != store_key(Uri.parse("s3://c/x"), plain)
    assert key != store_key(Uri.parse("gs://b/x"), plain)
    assert key != store_key(Uri.parse("s3://b/x"), other)
    assert hash(key) is not None


def test_5_4_headers_of_one_host_are_not_shared_with_another() -> None:
    access = Access(headers=(("Authorization", "secret"),))
    hosts = ("https://a.example/f", "https://b.example/f", "https://a.example:8443/f")
    keys = {store_key(Uri.parse(host), access) for host in hosts}
    assert len(keys) == 3


def test_declared_paths_are_stores_of_their_own() -> None:
    plain = Access()
    assert store_key(Uri.parse("raw"), plain) == store_key(Uri.parse("raw/"), plain)
    assert store_key(Uri.parse("raw"), plain) != store_key(Uri.parse("/raw"), plain)
    assert store_key(Uri.parse("raw/a/"), plain) != store_key(Uri.parse("raw/"), plain)


@pytest.mark.parametrize("scheme", ["file", ""])
def test_no_client_is_loaded_for_what_needs_none(scheme: str) -> None:
    program = (
        "import sys; from artlock.stores.schemes import open_store;"
        "from artlock.stores.base import StoreContext; from artlock.model.uri import Uri;"
        f"open_store(Uri.parse({URIS[scheme]!r}), StoreContext());"
        "clients = {'botocore', 'google.cloud.storage', 'obstore', 'urllib3'};"
        "print(clients & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
