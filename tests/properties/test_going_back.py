"""A source taken back to a moment gives the rows that were locked at that moment."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artlock.errors import ObjectNotFoundError
from artlock.model.lock import LockedArtifact
from artlock.ops.resolve import Pins, resolve
from testbed.hostile import HostileGcs, HostileS3
from testbed.hostile.history import Bucket
from testbed.hostile.server import HostileServer
from tests.unit.ops.workbench import Workbench

_PAUSE_S = 0.003
"""Listings tell milliseconds."""
_KEYS = ("t/a", "t/b", "t/d/c")
STEPS = st.lists(
    st.tuples(st.sampled_from(_KEYS), st.sampled_from(["put", "put same", "delete"])),
    min_size=1,
    max_size=5,
)
_NUMBERS = count()

Outcome = LockedArtifact | type[Exception]


@pytest.fixture(scope="module")
def s3() -> Iterator[HostileServer]:
    with HostileS3() as server:
        yield server


@pytest.fixture(scope="module")
def gcs() -> Iterator[HostileServer]:
    with HostileGcs() as server:
        yield server


def take(bucket: Bucket, key: str, deed: str) -> None:
    if deed == "delete":
        bucket.delete(key)
    else:
        bucket.put(key, b"same" if deed == "put same" else str(next(_NUMBERS)).encode())


def outcome(bench: Workbench, name: str, *, as_of: str | None = None) -> Outcome:
    """Return how an artifact would be locked, or why it cannot be."""
    try:
        made = resolve(bench.project(), [name], pins=Pins.FORGET, as_of=as_of, write=False)
    except ObjectNotFoundError as error:
        return type(error)
    locked = made.lock.get(name)
    assert locked is not None
    return locked


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["s3", "gs"])
@settings(max_examples=6)
@given(steps=STEPS)
def test_the_past_has_the_rows_of_a_lock_made_then(
    s3: HostileServer,
    gcs: HostileServer,
    tmp_path_factory: pytest.TempPathFactory,
    scheme: str,
    steps: list[tuple[str, str]],
) -> None:
    server = s3 if scheme == "s3" else gcs
    bucket = server.create_bucket(f"b{next(_NUMBERS)}")
    bench = Workbench(tmp_path_factory.mktemp("past") / "bench")
    places = {name: f"{scheme}://{bucket.name}/t/{name}" for name in ("a",)}
    bench.declare(tree=f"{scheme}://{bucket.name}/t/", **places)
    names = ("tree", *places)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "HOSTILE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "hostile-secret")
        patch.setenv("STORAGE_EMULATOR_HOST", gcs.endpoint)
        then: list[tuple[str, dict[str, Outcome]]] = []
        for key, deed in steps:
            take(bucket, key, deed)
            time.sleep(_PAUSE_S)
            moment = datetime.now(UTC).isoformat()
            time.sleep(_PAUSE_S)
            then.append((moment, {name: outcome(bench, name) for name in names}))
        for moment, wanted in then:
            assert {n: outcome(bench, n, as_of=moment) for n in names} == wanted
