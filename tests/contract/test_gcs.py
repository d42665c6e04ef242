"""GcsStore on fake-gcs-server: the contract."""

import pytest

from testbed.fake_gcs import FakeGCS
from tests.contract.gcs_place import GcsPlace
from tests.contract.store_contract import StoreContract


class TestGcs(StoreContract):
    has_etags = False  # the generation tells every change, and is the version

    @pytest.fixture
    def place(self, fake_gcs: FakeGCS, gcs_bucket: str) -> GcsPlace:
        return GcsPlace(server=fake_gcs, client=fake_gcs.client(), bucket=gcs_bucket)
