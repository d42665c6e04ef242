"""S3Store on ``rclone serve s3``: the contract."""

import secrets
from collections.abc import Iterator

import pytest

from testbed.rclone import RcloneS3
from tests.contract.s3_place import S3Place
from tests.contract.store_contract import StoreContract


@pytest.fixture(scope="module")
def rclone() -> Iterator[RcloneS3]:
    with RcloneS3() as server:
        yield server


class TestRclone(StoreContract):
    has_versions = False
    has_markers = False  # a key that ends in a slash is no file

    has_ranges = False  # it sends them with 200 instead of 206

    @pytest.fixture
    def place(self, rclone: RcloneS3, monkeypatch: pytest.MonkeyPatch) -> S3Place:
        place = S3Place(
            server=rclone,
            bucket=f"bucket-{secrets.token_hex(4)}",
            monkeypatch=monkeypatch,
        )
        place.client.create_bucket(Bucket=place.bucket)
        return place
