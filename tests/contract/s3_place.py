"""Trees in real S3 servers, for the contract and for what is S3's own."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from artlock.model.manifest import Access
from artlock.model.uri import Uri
from artlock.stores.base import StoreContext
from artlock.stores.s3 import S3Store
from testbed.faults import Fault
from testbed.forwarder import Forwarder
from testbed.rclone import RcloneS3
from testbed.seaweedfs import Identity, SeaweedFS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(slots=True, kw_only=True)
class S3Place:
    """A tree in a bucket; what it notices and which requests came is kept.

    Attributes:
        cross_check: See ``StoreContext``.
        page_size: Entries a page of a listing.
        attempts: How often boto3 asks.
    """

    server: SeaweedFS | RcloneS3
    bucket: str
    tree: str = field(default_factory=lambda: f"tree-{secrets.token_hex(4)}/")
    monkeypatch: pytest.MonkeyPatch
    cross_check: bool = True
    page_size: int | None = None
    attempts: int = 1
    access: Access = field(default_factory=Access)
    who: Identity | None = None
    notices: list[str] = field(default_factory=list)
    forwarder: Forwarder | None = None

    @property
    def root(self) -> Uri:
        return Uri("s3", self.bucket, self.tree)

    @property
    def nowhere(self) -> Uri:
        return Uri("s3", f"{self.bucket}-missing", "tree/")

    def uri(self, path: str) -> Uri:
        return self.root.child(path)

    def put(self, path: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"{self.tree}{path}", Body=body)

    def delete(self, path: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=f"{self.tree}{path}")

    @property
    def client(self) -> "S3Client":
        """One client for all: making one costs more than a request."""
        if _CLIENTS.get(self.server.endpoint) is None:
            _CLIENTS[self.server.endpoint] = self.server.client()
        return _CLIENTS[self.server.endpoint]

    @contextmanager
    def open(self, *faults: Fault) -> Iterator[S3Store]:
        who = self.who or self.server.admin
        if not who.is_anonymous:
            self.monkeypatch.setenv("AWS_ACCESS_KEY_ID", who.access_key)
            self.monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", who.secret_key)
        with Forwarder(self.server.endpoint, faults=faults) as forwarder:
            self.forwarder = forwarder
            self.monkeypatch.setenv("AWS_ENDPOINT_URL_S3", forwarder.endpoint)
            context = StoreContext(
                access=self.access,
                notice=self.notices.append,
                cross_check=self.cross_check,
            )
            store = S3Store(
                self.root, context, page_size=self.page_size, attempts=self.attempts
            )
            try:
                yield store
            finally:
                store.close()


_CLIENTS: dict[str, "S3Client"] = {}
