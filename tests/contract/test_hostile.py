"""The hostile store, of which nothing is asked: it must pass for S3 and for GCS."""

from collections.abc import Iterator

import pytest

from testbed.hostile import HostileGcs, HostileS3
from testbed.hostile.history import Versioning
from tests.contract.hostile_place import HostileGcsPlace, HostileS3Place
from tests.contract.store_contract import StoreContract


@pytest.fixture
def hostile_s3() -> Iterator[HostileS3]:
    with HostileS3() as server:
        yield server


@pytest.fixture
def hostile_gcs() -> Iterator[HostileGcs]:
    with HostileGcs() as server:
        yield server


class TestHostileS3(StoreContract):
    versioning: Versioning = "Enabled"

    @pytest.fixture
    def place(
        self, hostile_s3: HostileS3, monkeypatch: pytest.MonkeyPatch
    ) -> HostileS3Place:
        return HostileS3Place(
            server=hostile_s3,
            bucket=hostile_s3.create_bucket("hostile", versioning=self.versioning),
            monkeypatch=monkeypatch,
        )


class TestHostileS3Suspended(TestHostileS3):
    has_versions = False
    versioning = "Suspended"


class TestHostileS3WithoutVersions(TestHostileS3):
    has_versions = False
    versioning = None


class TestHostileGcs(StoreContract):
    has_etags = False  # the generation tells every change, and is the version

    @pytest.fixture
    def place(self, hostile_gcs: HostileGcs) -> HostileGcsPlace:
        return HostileGcsPlace(
            server=hostile_gcs, bucket=hostile_gcs.create_bucket("hostile")
        )
