"""S3Store on SeaweedFS: the contract, and what is S3's own."""

import secrets

import pytest

from testbed.seaweedfs import SeaweedFS
from tests.contract.s3_place import S3Place
from tests.contract.store_contract import StoreContract


@pytest.fixture(scope="module")
def versioned(seaweedfs: SeaweedFS) -> str:
    """Return a bucket that keeps versions; each test has a tree of its own in it."""
    name = f"versioned-{secrets.token_hex(4)}"
    seaweedfs.create_bucket(name, "Enabled")
    return name


@pytest.fixture(scope="module")
def plain(seaweedfs: SeaweedFS) -> str:
    """Return a bucket that never kept versions."""
    name = f"plain-{secrets.token_hex(4)}"
    seaweedfs.create_bucket(name, None)
    return name


REFUSED = frozenset({"back\\slash"})  # SeaweedFS takes it for a slash


class TestS3(StoreContract):
    refused_names = REFUSED

    @pytest.fixture
    def place(
        self, seaweedfs: SeaweedFS, versioned: str, monkeypatch: pytest.MonkeyPatch
    ) -> S3Place:
        return S3Place(server=seaweedfs, bucket=versioned, monkeypatch=monkeypatch)


class TestS3WithoutVersions(StoreContract):
    has_versions = False
    refused_names = REFUSED

    @pytest.fixture
    def place(
        self, seaweedfs: SeaweedFS, plain: str, monkeypatch: pytest.MonkeyPatch
    ) -> S3Place:
        return S3Place(server=seaweedfs, bucket=plain, monkeypatch=monkeypatch)
