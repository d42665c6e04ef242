from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from artlock.stores.retry import Retrying
from artlock.stores.s3 import S3Store
from testbed.forwarder import Forwarder
from testbed.seaweedfs import SeaweedFS
from tests.defaults import set_default
from tests.unit.ops.remotes import Remote, new_prefix
from tests.unit.ops.workbench import Workbench

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MakeRemote = Callable[[str], Remote]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "bench")


@pytest.fixture(scope="session")
def ops_buckets(seaweedfs: SeaweedFS) -> "tuple[S3Client, dict[str, str]]":
    """Return a client, and a bucket with versions and one without: making one is slow."""
    buckets = {"versioned": "ops-versioned", "unversioned": "ops-unversioned"}
    seaweedfs.create_bucket(buckets["versioned"], "Enabled")
    seaweedfs.create_bucket(buckets["unversioned"], None)
    return seaweedfs.client(), buckets


@pytest.fixture
def make_remote(
    seaweedfs: SeaweedFS,
    ops_buckets: "tuple[S3Client, dict[str, str]]",
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MakeRemote]:
    """Return a maker of trees in S3; repetitions come without waiting."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.admin.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.admin.secret_key)
    set_default(monkeypatch, Retrying, "sleep", lambda _seconds: None)
    set_default(monkeypatch, S3Store, "attempts", 2)
    client, buckets = ops_buckets
    with ExitStack() as stack:
        forwarder = stack.enter_context(Forwarder(seaweedfs.endpoint))
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", forwarder.endpoint)
        yield lambda kind: Remote(client, buckets[kind], new_prefix(), forwarder)


@pytest.fixture
def remote(make_remote: MakeRemote) -> Remote:
    """Return a tree in a bucket that keeps versions."""
    return make_remote("versioned")


@pytest.fixture
def unversioned(make_remote: MakeRemote) -> Remote:
    """Return a tree in a bucket that never had versions."""
    return make_remote("unversioned")
