"""What a sync makes of a network that is bad in every way it can be."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta

import pytest
from msgspec.structs import replace

from artlock.errors import (
    EXIT_INCOMPLETE,
    EXIT_OK,
    EXIT_VIOLATION,
    ArtlockError,
    IntegrityError,
    ManyErrors,
    ObjectChangedError,
    StoreUnavailableError,
)
from artlock.model.manifest import Access, Artifact
from artlock.model.reach import effective_access
from artlock.model.settings import Settings, Source
from artlock.model.trust import TrustRules
from artlock.model.uri import Uri
from artlock.ops import sources
from artlock.ops.sources import Sources
from artlock.stores.retry import Retrying
from artlock.stores.transfer import clients
from testbed.faults import Fault, slow_down
from testbed.http_server import HttpServer
from testbed.proxy import HARMLESS, Proxy, Toxics, always
from testbed.seaweedfs import SeaweedFS
from tests.defaults import set_default
from tests.invariants import size_under_wrong_names
from tests.unit.ops.conftest import MakeRemote
from tests.unit.ops.remotes import Remote, reading
from tests.unit.ops.workbench import Workbench

TEXTS = {"a": "text of a", "b": "text of b" * 20_000, "c": ""}


@pytest.fixture
def locked(bench: Workbench, remote: Remote) -> Workbench:
    """Return a project whose rows have digests, with an empty cache."""
    for path, text in TEXTS.items():
        remote.put(path, text)
    bench.declare(data=remote.uri)
    bench.resolve(digest_all=True)
    bench.forget_cache()
    return bench


def sync(bench: Workbench) -> int:
    try:
        bench.sync()
    except ArtlockError as error:
        return error.exit_code
    return EXIT_OK


@pytest.mark.parametrize(
    ("toxics", "ends"),
    [
        (Toxics(slices=7_000), EXIT_OK),
        (Toxics(latency_s=0.1), EXIT_OK),
        (Toxics(bandwidth=1 << 20), EXIT_OK),
        (Toxics(slow_close_s=0.3), EXIT_OK),
        (Toxics(stall_after=500, stall_s=0.1), EXIT_OK),
        (Toxics(stall_after=500, stall_s=9.0), EXIT_INCOMPLETE),
        (Toxics(stall_after=0, stall_s=9.0), EXIT_INCOMPLETE),
        (Toxics(reset_after=0), EXIT_INCOMPLETE),
        (Toxics(reset_after=50_000), EXIT_INCOMPLETE),
        (Toxics(truncate_after=0), EXIT_INCOMPLETE),
        (Toxics(truncate_after=50_000), EXIT_INCOMPLETE),
        (Toxics(flip_every=1_000), EXIT_VIOLATION),
        (Toxics(flip_every=10, flips="everything"), EXIT_INCOMPLETE),
    ],
    ids=lambda value: (
        " ".join(n for n, v in asdict(value).items() if v != getattr(HARMLESS, n))
        if isinstance(value, Toxics)
        else None
    ),
)
def test_4_7_a_sync_survives_or_fails_cleanly(
    locked: Workbench,
    seaweedfs: SeaweedFS,
    monkeypatch: pytest.MonkeyPatch,
    toxics: Toxics,
    ends: int,
) -> None:
    monkeypatch.setattr(clients, "READ_TIMEOUT", timedelta(seconds=0.3))
    with Proxy(seaweedfs.endpoint, choice=always(toxics)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint)
        assert sync(locked) == ends
        assert proxy.faults.total() > 0
        assert locked.data() == (TEXTS if ends == EXIT_OK else {})
        assert size_under_wrong_names(locked.layout) == 0
        proxy.heal()
        locked.sync()
    assert locked.data() == TEXTS


# Another object in the place of the right one.


def test_4_6_an_answer_that_names_another_object_is_refused(
    bench: Workbench, unversioned: Remote
) -> None:
    for path in ("a", "b"):
        unversioned.put(path, f"text of {path}")
    bench.declare(data=unversioned.uri)
    bench.resolve()
    etag_of_b = f'"{bench.row("b")[0].partition("etag:")[2]}"'
    unversioned.forwarder.inject(
        Fault(
            kind="rewrite",
            matches=reading("/a"),
            rewrite=lambda _body: b"text of b",
            headers={"ETag": etag_of_b},
        )
    )
    with pytest.raises(ObjectChangedError, match="its etag is"):
        bench.sync()
    assert bench.workspace() == {}


def test_4_6_the_right_length_and_name_do_not_make_the_right_object(
    bench: Workbench, remote: Remote
) -> None:
    for path in ("a", "b"):
        remote.put(path, f"text of {path}")
    bench.declare(data=remote.uri)
    bench.resolve(digest_all=True)
    bench.forget_cache()
    remote.forwarder.inject(
        Fault(kind="rewrite", matches=reading("/a"), rewrite=lambda _body: b"text of b")
    )
    with pytest.raises(IntegrityError):
        bench.sync()
    assert bench.workspace() == {}
    assert bench.cached() == {"text of b"}


# Throttling.


def test_4_1_a_store_that_throttles_the_first_read_of_a_third_is_read_to_the_end(
    bench: Workbench, remote: Remote
) -> None:
    names = [f"{number:02}" for number in range(40)]
    for name in names:
        remote.put(name, f"text of {name}")
    bench.declare(data=remote.uri)
    bench.resolve()
    remote.forwarder.clear()
    throttled = {f"{remote.prefix}/{name}" for name in names[::3]}

    def is_throttled(method: str, path: str, _query: str) -> bool:
        found = {key for key in throttled if method == "GET" and path.endswith(key)}
        throttled.difference_update(found)
        return bool(found)

    remote.forwarder.inject(slow_down(matches=is_throttled))
    bench.sync()
    assert len(bench.data()) == 40
    assert len(remote.reads()) == 40 + len(names[::3])


def test_4_1_all_sources_of_a_run_share_one_budget(
    bench: Workbench, make_remote: MakeRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two stores fail together; what both repeat comes out of one purse."""
    waited: list[float] = []
    set_default(monkeypatch, Retrying, "sleep", waited.append)
    set_default(monkeypatch, Retrying, "jitter", lambda _low, _high: 0.0)
    first, second = make_remote("versioned"), make_remote("unversioned")
    for remote in (first, second):
        for number in range(10):
            remote.put(f"{number}", f"{remote.prefix} {number}")
    bench.declare(one=first.uri, two=second.uri)
    bench.resolve()
    for remote in (first, second):
        remote.forwarder.inject(slow_down(matches=reading("")))
    with pytest.raises(ManyErrors):
        bench.sync()
    assert len(waited) == 80
    # 32 at once, then one after the other.
    assert sum(delay > 0 for delay in waited) >= 80 - 32 - 10


def test_4_1_stores_are_opened_with_that_budget(
    bench: Workbench, make_remote: MakeRemote
) -> None:
    bench.declare(one=make_remote("versioned").uri, two=make_remote("unversioned").uri)
    project = bench.project()
    with Sources(project) as sources:
        one, two = (sources.store(a) for a in project.manifest.artifacts)
        assert isinstance(one, Retrying)
        assert isinstance(two, Retrying)
        assert one is not two
        assert one._budget is two._budget


def test_5_6_each_object_is_reached_as_the_longest_table_of_its_prefix_says(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.declare(data="s3://bucket/data/", other="s3://bucket/other/")
    asked: list[Uri] = []

    def counting(
        artifact: Artifact,
        settings: Settings,
        *,
        trusted: bool,
        rules: TrustRules,
        environment: Mapping[str, str],
        uri: Uri,
    ) -> tuple[Access, tuple[str, ...]]:
        asked.append(uri)
        return effective_access(
            artifact,
            settings,
            trusted=trusted,
            rules=rules,
            environment=environment,
            uri=uri,
        )

    monkeypatch.setattr(sources, "effective_access", counting)
    project = bench.project()
    own = Source(
        prefix="s3://bucket/data/own", access=Access(region="x-1"), given=("region",)
    )
    settings = replace(project.runtime.settings, sources=(own,))
    project = replace(project, runtime=replace(project.runtime, settings=settings))
    data, other = project.manifest.artifacts
    with Sources(project) as opened:
        stores = {
            place: {
                opened.store(data, Uri.parse(f"s3://bucket/{place}/{n}")) for n in "abc"
            }
            for place in ("data", "data/own", "data/own-not")
        }
        assert [len(found) for found in stores.values()] == [1, 1, 1]
        assert stores["data"] == stores["data/own-not"] != stores["data/own"]
        assert {opened.store(other)} == stores["data"]
    assert len(asked) == 3  # once for each way, not for each object


# Bodies without end.


@pytest.mark.parametrize("claims", [None, 10**12])
def test_4_15_no_more_is_read_than_was_locked(
    bench: Workbench,
    http_server: HttpServer,
    monkeypatch: pytest.MonkeyPatch,
    claims: int | None,
) -> None:
    monkeypatch.setenv("ARTLOCK_TRUST", "127.0.0.1")
    http_server.put("/f", b"12345", etag='"f"')
    bench.declare(f=http_server.url("/f"))
    bench.resolve()
    bench.forget_cache()
    endless = Fault(kind="endless", claims=claims)
    http_server.put("/f", b"12345", etag='"f"', faults=[endless])
    with pytest.raises(ObjectChangedError, match=r"instead of 5|more than 5 bytes"):
        bench.sync()
    assert bench.workspace() == {}
    # What fits into the buffers of the sockets was on its way.
    assert sum(r.response_bytes for r in http_server.requests) < 32 << 20


def test_4_15_no_more_is_read_of_a_bucket_than_was_locked(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "12345")
    bench.declare(data=remote.uri)
    bench.resolve()
    remote.forwarder.clear()
    remote.forwarder.inject(Fault(kind="endless", matches=reading("/a"), claims=10**12))
    with pytest.raises(ObjectChangedError, match="instead of 5"):
        bench.sync()
    remote.forwarder.heal()
    remote.forwarder.inject(Fault(kind="endless", matches=reading("/a")))
    with pytest.raises(StoreUnavailableError):
        bench.sync()
    assert bench.workspace() == {}
    assert sum(r.response_bytes for r in remote.forwarder.requests) < 64 << 20
