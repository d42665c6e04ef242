"""Whole commands against a store that does what it should not."""

import gzip
import threading
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from artlock.cache.ranges import PartialFile
from artlock.errors import (
    ArtlockError,
    ObjectArchivedError,
    ObjectChangedError,
    PolicyError,
    StoreError,
    UnsafePathError,
)
from artlock.ops import fetch as fetching
from artlock.stores.retry import Retrying
from artlock.stores.s3 import S3Store, session
from testbed.faults import Fault
from testbed.hostile import Bucket, HostileGcs, HostileS3, Pages, Upload
from tests.defaults import set_default
from tests.unit.ops.workbench import Workbench

LARGE = bytes(range(256)) * (4 << 12)
"""4 MiB: four ranges, where a range has 1 MiB."""


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileS3]:
    set_default(monkeypatch, Retrying, "sleep", lambda _seconds: None)
    set_default(monkeypatch, S3Store, "attempts", 2)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with HostileS3() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint)
        yield server


@pytest.fixture
def bucket(s3: HostileS3) -> Bucket:
    return s3.create_bucket("hostile")


# -- overwritten on the way ----------------------------------------------------------------


@pytest.mark.parametrize("marker", ["d/", "d/e/"])
def test_1_21_what_ends_in_a_slash_and_has_bytes_is_no_marker(
    bench: Workbench, bucket: Bucket, marker: str
) -> None:
    for key, body in ((marker, b"bytes"), (f"{marker}a", b"1"), ("b", b"2")):
        bucket.put(f"t/{key}", body)
    bench.declare(data="s3://hostile/t/")
    with pytest.raises(UnsafePathError, match="no folder marker") as caught:
        bench.resolve()
    assert caught.value.paths == (marker,)
    assert not bench.lockfile.exists()
    way_out = f'exclude = ["{marker}"]'
    assert way_out in str(caught.value.hint)
    bench.declare(way_out, data="s3://hostile/t/")
    assert bench.resolve().markers == 0
    assert bench.paths() == ["b"]


def test_1_21_a_prefix_that_has_bytes_itself_is_told(
    bench: Workbench, bucket: Bucket
) -> None:
    bucket.put("t/", b"bytes")
    bucket.put("t/a/b", b"1")
    bench.declare(data="s3://hostile/t/")
    with pytest.raises(UnsafePathError, match="no folder marker") as caught:
        bench.resolve()
    assert "begin further below" in str(caught.value.hint)
    bench.declare(data="s3://hostile/t/a/")
    bench.resolve()
    assert bench.paths() == ["b"]


@pytest.mark.parametrize("versioning", [None, "Suspended"])
def test_1_28_an_object_that_is_swapped_between_two_ranges_is_not_delivered(
    bench: Workbench,
    s3: HostileS3,
    monkeypatch: pytest.MonkeyPatch,
    versioning: str | None,
) -> None:
    monkeypatch.setattr(fetching, "LARGE", 1 << 20)
    set_default(monkeypatch, PartialFile, "range_length", 1 << 20)
    bucket = s3.create_bucket("swaps", versioning=versioning)  # type: ignore[arg-type] # one of Versioning
    bucket.put("t/a", LARGE)
    bench.declare(data="s3://swaps/t/")
    bench.resolve()
    bench.jobs = 1
    reads = 0

    def swap() -> None:
        nonlocal reads
        reads += 1
        if reads == 2:
            bucket.put("t/a", LARGE[::-1])

    def is_read(method: str, path: str, _query: str) -> bool:
        return method == "GET" and path.endswith("/a")

    s3.inject(Fault(kind="before", matches=is_read, action=swap))
    with pytest.raises(ObjectChangedError):
        bench.sync()
    assert reads >= 2
    assert bench.workspace() == {}
    assert bench.blobs() == []


def test_1_13_what_is_cached_outlives_an_overwrite(bench: Workbench, s3: HostileS3) -> None:
    bucket = s3.create_bucket("suspended", versioning="Suspended")
    bucket.put("t/a", b"locked")
    bench.declare(data="s3://suspended/t/")
    bench.resolve(digest_all=True)
    bucket.put("t/a", b"other!")
    bench.sync()
    assert bench.data() == {"a": "locked"}
    bench.forget_cache()
    bench.write("data/data/a", "mine").unlink()
    with pytest.raises(ObjectChangedError) as caught:
        bench.sync()
    assert "`artlock update`" in str(caught.value.hint)
    assert bench.data() == {}


@pytest.mark.parametrize("as_aws", [True, False])
def test_1_32_no_row_names_a_version_that_was_never_there(
    bench: Workbench, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, *, as_aws: bool
) -> None:
    if as_aws:
        monkeypatch.setattr(session, "_AWS_HOSTS", ("127.0.0.1",))
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket.version_pages = bucket.plain_pages = Pages(size=3)
    names = [f"t/{number:02}" for number in range(20)]
    versions = {(name, bucket.put(name, b"x").version) for name in names}
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.wait(0.002):
            number += 1
            name = names[number * 7 % len(names)]
            if number % 5:
                versions.add((name, bucket.put(name, b"x" * (number % 9)).version))
            else:
                bucket.delete(name)

    writer = threading.Thread(target=write)
    bench.declare(data="s3://hostile/t/")
    writer.start()
    try:
        locked = 0
        for _ in range(5):
            try:
                bench.update(allow_shrink=True)
            except StoreError:
                continue  # two listings of it differed, and nothing was written
            locked += 1
            artifact = bench.lock().get("data")
            assert artifact is not None
            for row in artifact.objects:
                assert (f"t/{row.path}", row.version) in versions
    finally:
        stop.set()
        writer.join()
    assert locked or not as_aws


# -- archives ------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", ["", "ARCHIVE_ACCESS"])
def test_1_17_1_18_an_archived_object_stops_a_sync_until_it_is_restored(
    bench: Workbench, bucket: Bucket, s3: HostileS3, tier: str
) -> None:
    bucket.put("t/a", b"warm")
    upload = Upload(storage_class="INTELLIGENT_TIERING" if tier else "GLACIER")
    cold = bucket.put("t/b", b"cold", upload)
    bucket.amend("t/b", cold.version, archive=tier)
    bench.declare(data="s3://hostile/t/")
    bench.resolve()
    told = [text for text in bench.notices.texts if "archived" in text]
    assert bool(told) == (not tier)  # the listing does not tell of a tier
    with pytest.raises(ObjectArchivedError) as caught:
        bench.sync()
    assert caught.value.uri == "s3://hostile/t/b"
    assert "restore-object" in str(caught.value.hint)
    assert bench.workspace() == {}
    bucket.amend("t/b", cold.version, restored=True)
    s3.clear()
    bench.sync()
    assert bench.data() == {"a": "warm", "b": "cold"}


# -- mirrors -------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", ["missing", "older", "deleted", "same"])
def test_1_31_a_mirror_is_believed_for_its_bytes_and_not_for_its_versions(
    bench: Workbench, bucket: Bucket, s3: HostileS3, lag: str
) -> None:
    mirror = s3.create_bucket("mirror")
    state = bucket.put("t/a", b"locked")
    bench.declare(data="s3://hostile/t/", text='mirrors = ["s3://mirror/t/"]')
    bench.resolve(digest_all=True)
    bench.forget_cache()
    bucket.put("t/a", b"newer!")
    bucket.forget("t/a", state.version)  # as a lifecycle rule does
    match lag:
        case "older":
            mirror.put("t/a", b"before")
        case "deleted":
            mirror.put("t/a", b"locked")
            mirror.delete("t/a")
        case "same":
            mirror.put("t/a", b"locked")
        case _:
            pass
    s3.clear()
    if lag == "same":
        bench.sync()
        assert bench.data() == {"a": "locked"}
    else:
        with pytest.raises(ArtlockError):
            bench.sync()
        assert bench.workspace() == {}
    asked = [r for r in s3.requests if r.path == "/mirror/t/a"]
    assert asked
    assert not any("versionId" in request.query for request in asked)


# -- keys ----------------------------------------------------------------------------------

KEYS = (
    *("a", "a/b", "a//b", "/abs", "../up", "x/../../y", "dir/", "./d", ".", ".."),
    *("c:\\w", "nul\x01ctl", "tab\tk", "nl\nk", "cr\rk", "plus+k", "sp ace", "pct%2e"),
    *("\U0001f600", "e\u0301", "\u00e9", "A", "CON", "trail.", "trail ", "x" * 300),
    *("<&>\"'", "\u202ertl"),
)


DELIVERED = frozenset(
    {
        "a",
        "a/b",
        "plus+k",
        "sp ace",
        "pct%2e",
        "\U0001f600",
        "e\u0301",
        "\u00e9",
        "A",
        "<&>\"'",
    }
)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: quote(key, safe="")[:30])
@pytest.mark.parametrize("is_plain", [False, True], ids=["encoded", "as it is"])
def test_1_20_a_key_comes_as_it_is_or_is_refused_by_name(
    bench: Workbench, bucket: Bucket, key: str, *, is_plain: bool
) -> None:
    bucket.version_pages = bucket.plain_pages = Pages(is_plain=is_plain)
    bucket.put(f"t/{key}", b"bytes")
    bench.declare(data="s3://hostile/t/")
    control = any(ord(character) < 32 for character in key)
    if control or key not in DELIVERED:
        # In XML as it is, a control character is no character, or another one.
        expected = (PolicyError, StoreError) if control and is_plain else PolicyError
        with pytest.raises(expected) as caught:
            bench.resolve()
        if not (control and is_plain):
            assert key in caught.value.message
        assert not bench.lockfile.exists()
        return
    bench.resolve()
    bench.sync()
    assert bench.data() == {key: "bytes"}


# -- order ---------------------------------------------------------------------------------


def test_1_19_the_order_of_a_directory_bucket_never_reaches_the_lockfile(
    bench: Workbench, s3: HostileS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_AWS_HOSTS", ("127.0.0.1",))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    name = "data--use1-az4--x-s3"
    bucket = s3.create_bucket(name, versioning=None)
    for number in range(20):
        bucket.put(f"t/{number:02}", b"x" * number, Upload(etag="random", checksum=""))
    bench.declare(data=f"s3://{name}/t/")
    texts = set()
    for seed in range(3):
        bucket.plain_pages = Pages(size=7, shuffled=seed)
        bench.lockfile.unlink(missing_ok=True)
        bench.resolve()
        texts.add(bench.lockfile.read_bytes())
    assert len(texts) == 1
    bench.sync()
    assert len(bench.data()) == 20


# -- gcs -----------------------------------------------------------------------------------


def test_1_33_what_is_stored_packed_is_delivered_packed(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = gzip.compress(b"hello" * 1000, mtime=0)
    set_default(monkeypatch, Retrying, "sleep", lambda _seconds: None)
    with HostileGcs() as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.endpoint)
        server.create_bucket("packed").put("t/a.gz", packed, Upload(encoding="gzip"))
        bench.declare(data="gs://packed/t/")
        bench.resolve()
        bench.sync()
        checksum, version = bench.row("a.gz")
    assert (bench.root / "data" / "data" / "a.gz").read_bytes() == packed
    assert checksum.startswith("crc32c:")
    assert version
