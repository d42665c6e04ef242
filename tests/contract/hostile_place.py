"""Trees in the hostile store, in the words of S3 and of GCS."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

import msgspec
import pytest

from artlock.errors import StoreError
from artlock.model.manifest import Access
from artlock.model.uri import Uri
from artlock.stores import base
from artlock.stores.base import Notice, StoreContext
from artlock.stores.gcs import GcsStore
from artlock.stores.s3 import S3Store
from testbed.faults import Fault
from testbed.hostile import Bucket, HostileGcs, HostileS3, Upload


@dataclass(slots=True, kw_only=True)
class HostileS3Place:
    """A tree in a bucket of a hostile S3.

    Attributes:
        cross_check: See ``StoreContext``.
        page_size: Entries a page of a listing.
        attempts: How often boto3 asks.
    """

    server: HostileS3
    bucket: Bucket
    monkeypatch: pytest.MonkeyPatch
    tree: str = "tree/"
    access: Access = field(default_factory=Access)
    cross_check: bool = True
    page_size: int | None = None
    attempts: int = 1
    access_key: str = field(default_factory=lambda: secrets.token_hex(10).upper())
    notices: list[str] = field(default_factory=list)

    @property
    def root(self) -> Uri:
        return Uri("s3", self.bucket.name, self.tree)

    @property
    def nowhere(self) -> Uri:
        return Uri("s3", f"{self.bucket.name}-missing", "tree/")

    def uri(self, path: str) -> Uri:
        return self.root.child(path)

    def put(self, path: str, body: bytes, upload: Upload | None = None) -> None:
        self.bucket.put(f"{self.tree}{path}", body, upload)

    def delete(self, path: str) -> None:
        self.bucket.delete(f"{self.tree}{path}")

    @contextmanager
    def open(self, *faults: Fault) -> Iterator[S3Store]:
        self.server.inject(*faults)
        self.monkeypatch.setenv("AWS_ACCESS_KEY_ID", self.access_key)
        self.monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        self.monkeypatch.setenv("AWS_ENDPOINT_URL_S3", self.server.endpoint)
        notice: Notice = self.notices.append
        context = StoreContext(
            access=self.access, notice=notice, cross_check=self.cross_check
        )
        store = S3Store(
            self.root, context, page_size=self.page_size, attempts=self.attempts
        )
        try:
            yield store
        finally:
            store.close()
            self.server.heal()


@dataclass(slots=True, kw_only=True)
class HostileGcsPlace:
    """A tree in a bucket of a hostile GCS."""

    server: HostileGcs
    bucket: Bucket
    access: Access = field(default_factory=Access)
    patience_s: float = 0

    @property
    def root(self) -> Uri:
        return Uri("gs", self.bucket.name, "tree/")

    @property
    def nowhere(self) -> Uri:
        return Uri("gs", f"{self.bucket.name}-missing", "tree/")

    def uri(self, path: str) -> Uri:
        return self.root.child(path)

    def put(self, path: str, body: bytes, upload: Upload | None = None) -> None:
        self.bucket.put(f"tree/{path}", body, upload)

    def delete(self, path: str) -> None:
        self.bucket.delete(f"tree/{path}")

    @contextmanager
    def open(self, *faults: Fault) -> Iterator[GcsStore]:
        self.server.inject(*map(_by_decoded_path, faults))
        access = msgspec.structs.replace(self.access, endpoint=self.server.endpoint)
        store = GcsStore(StoreContext(access=access), patience_s=self.patience_s)
        try:
            yield store
        finally:
            store.close()
            self.server.heal()


def _by_decoded_path(fault: Fault) -> Fault:
    """Return a fault that knows names as they are: obstore sends ``.`` as ``%2E``."""
    return replace(fault, matches=lambda m, path, q: fault.matches(m, unquote(path), q))


def refuses_pages_without_end(
    place: HostileS3Place | HostileGcsPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of a listing is left when it is longer than any that there can be."""
    monkeypatch.setattr(base, "LONGEST_ANSWER", 1 << 20)
    place.put("a", b"x")
    for fault in (Fault(kind="endless"), Fault(kind="endless", claims=1 << 40)):
        with (
            place.open(fault) as store,
            pytest.raises(StoreError, match="more than 1,048,576 bytes"),
        ):
            list(store.scan(place.root))
    assert sum(r.response_bytes for r in place.server.requests) < 64 << 20
