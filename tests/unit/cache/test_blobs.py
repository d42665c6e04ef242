import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from artlock.cache import blobs
from artlock.cache.blobs import BlobCache
from artlock.cache.database import Database
from artlock.cache.layout import CacheLayout
from artlock.cache.records import BlobRecords, Stamp
from artlock.errors import BlobMissingError, CacheError, IntegrityError, WorkspaceError
from artlock.model.digest import Digest
from artlock.model.tokens import Tokens

SMALL = b"some small text"
LARGE = os.urandom((5 << 20) + 3)
ABSENT = Digest.parse("blake3:" + "0" * 64)


@pytest.fixture
def records(layout: CacheLayout) -> Iterator[BlobRecords]:
    with Database(layout.index) as database, BlobRecords(database) as records:
        yield records


@pytest.fixture(params=[SMALL, LARGE], ids=["small", "large"])
def data(request: pytest.FixtureRequest) -> bytes:
    found: bytes = request.param
    return found


def put(cache: BlobCache, data: bytes) -> Digest:
    with cache.batch() as batch:
        return batch.put([data], Tokens(), size=len(data), subject="x").digest


def damage(cache: BlobCache, digest: Digest, data: bytes) -> None:
    path = cache.path(digest)
    path.chmod(0o600)
    path.write_bytes(data)
    path.chmod(0o444)


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def copy(cache: BlobCache, digest: Digest, size: int, target: Path) -> bytes:
    with open(target, "wb") as file:
        cache.copy_to(digest, size, file.fileno())
    return target.read_bytes()


def test_a_blob_is_found_by_its_digest(cache: BlobCache, data: bytes) -> None:
    digest = put(cache, data)
    assert cache.has(digest)
    assert cache.size_of(digest) == len(data)
    assert cache.sizes([digest, ABSENT]) == {digest: len(data)}
    assert cache.verify(digest)
    with cache.open(digest, len(data)) as fd:
        assert os.read(fd, 5) == data[:5]
    assert not cache.has(ABSENT)
    assert not cache.verify(ABSENT)


def test_a_copy_has_the_bytes(cache: BlobCache, data: bytes, tmp_path: Path) -> None:
    assert copy(cache, put(cache, data), len(data), tmp_path / "f") == data


def test_an_empty_blob_is_a_blob(cache: BlobCache, tmp_path: Path) -> None:
    assert copy(cache, put(cache, b""), 0, tmp_path / "f") == b""


@pytest.mark.parametrize("change", ["bit", "short", "long", "empty"])
def test_3_14_a_damaged_blob_is_never_served_and_never_deleted(
    cache: BlobCache, data: bytes, tmp_path: Path, change: str
) -> None:
    digest = put(cache, data)
    wrong = {"bit": flipped(data), "short": data[:-1], "long": data + b"x", "empty": b""}
    damage(cache, digest, wrong[change])
    with pytest.raises(BlobMissingError) as caught:
        copy(cache, digest, len(data), tmp_path / "f")
    assert caught.value.facts()["digest"] == str(digest)
    assert Path(str(caught.value.quarantined)).read_bytes() == wrong[change]
    assert not cache.has(digest)
    with pytest.raises(BlobMissingError) as caught:
        copy(cache, digest, len(data), tmp_path / "f")
    assert caught.value.quarantined is None


def test_3_6_a_blob_that_cannot_be_looked_at_is_an_error_and_stays(
    cache: BlobCache, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = put(cache, data)

    def refuse(_fd: int) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", refuse)
        with pytest.raises(CacheError, match="permission denied"):
            cache.verify(digest)
    assert cache.verify(digest)


def test_3_14_verifying_puts_a_damaged_blob_aside(cache: BlobCache, data: bytes) -> None:
    digest = put(cache, data)
    damage(cache, digest, flipped(data))
    assert not cache.verify(digest)
    assert [p.read_bytes() for p in cache.layout.quarantine.iterdir()] == [flipped(data)]


def test_3_14_a_blob_of_another_size_is_not_opened(cache: BlobCache) -> None:
    digest = put(cache, SMALL)
    damage(cache, digest, SMALL + b"x")
    with pytest.raises(BlobMissingError), cache.open(digest, len(SMALL)):
        pass
    assert not cache.has(digest)
    with pytest.raises(BlobMissingError), cache.open(digest, len(SMALL)):
        pass


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["folder", "link", "fifo"])
@pytest.mark.parametrize("size", [len(SMALL), 2 << 20])
def test_3_14_what_is_no_file_is_no_blob(
    cache: BlobCache, tmp_path: Path, kind: str, size: int
) -> None:
    digest = put(cache, SMALL)
    path = cache.path(digest)
    path.rename(tmp_path / "real")
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(tmp_path / "real")
    else:
        os.mkfifo(path)
    assert not cache.has(digest)
    with pytest.raises(BlobMissingError):
        copy(cache, digest, size, tmp_path / "f")


def test_a_blob_that_cannot_be_looked_at_is_an_error(cache: BlobCache) -> None:
    digest = put(cache, SMALL)
    shard = cache.path(digest).parent
    shard.rename(shard.with_name("away"))
    shard.touch()
    for deed in (cache.size_of, cache.verify, cache.quarantine, cache._stamp):
        with pytest.raises(CacheError, match="not a directory"):
            deed(digest)


def test_a_target_that_cannot_be_written_is_the_workspace_s_fault(
    cache: BlobCache, data: bytes, tmp_path: Path
) -> None:
    digest = put(cache, data)
    (tmp_path / "f").touch()
    with open(tmp_path / "f", "rb") as file, pytest.raises(WorkspaceError):
        cache.copy_to(digest, len(data), file.fileno())
    assert cache.has(digest)


def settle(path: Path) -> None:
    """Make a blob old enough that every later change shows."""
    os.utime(path, ns=(10**9, 10**9 + 1))


def test_a_blob_to_be_linked_is_read_once(
    layout: CacheLayout, records: BlobRecords
) -> None:
    cache = BlobCache(layout, records=records)
    digest = put(cache, SMALL)
    path = cache.path(digest)
    settle(path)
    assert cache.verify(digest)
    stamp = records.get(digest)
    assert stamp == Stamp.of(path.stat())
    for number in range(3):
        with cache.linkable(digest) as found:
            assert found == path
            os.link(path, layout.root / f"link{number}")
        assert records.get(digest) == Stamp.of(path.stat())
    records.flush()
    again = BlobRecords(records._database)
    assert again.get(digest) == Stamp.of(path.stat())


@pytest.mark.parametrize("how", ["rewrite", "append", "replace"])
def test_2_15_2_16_an_edit_through_a_link_is_found_before_the_next_use(
    layout: CacheLayout, records: BlobRecords, how: str
) -> None:
    cache = BlobCache(layout, records=records)
    digest = put(cache, SMALL)
    path = cache.path(digest)
    settle(path)
    link = layout.root / "link"
    with cache.linkable(digest):
        os.link(path, link)
    if how == "rewrite":
        link.chmod(0o600)
        link.write_bytes(flipped(SMALL))
        link.chmod(0o444)
    elif how == "append":
        link.chmod(0o600)
        with open(link, "ab") as file:
            file.write(b"x")
    else:
        path.unlink()
        path.write_bytes(flipped(SMALL))
    with pytest.raises(BlobMissingError), cache.linkable(digest):
        pass
    assert not cache.has(digest)


def test_2_15_an_edit_while_it_is_linked_is_found_when_the_link_is_made(
    layout: CacheLayout, records: BlobRecords
) -> None:
    cache = BlobCache(layout, records=records)
    digest = put(cache, SMALL)
    settle(cache.path(digest))
    with pytest.raises(BlobMissingError), cache.linkable(digest):
        damage(cache, digest, flipped(SMALL))
    assert not cache.has(digest)


def test_2_15_what_was_written_into_a_blob_is_kept_when_its_bytes_come_again(
    layout: CacheLayout, records: BlobRecords
) -> None:
    cache = BlobCache(layout, records=records)
    digest = put(cache, SMALL)
    damage(cache, digest, flipped(SMALL))
    assert put(cache, SMALL) == digest
    assert cache.path(digest).read_bytes() == SMALL
    assert [p.read_bytes() for p in layout.quarantine.iterdir()] == [flipped(SMALL)]
    put(BlobCache(layout), SMALL)  # nobody recorded it, and it is right
    assert len(list(layout.quarantine.iterdir())) == 1


def test_2_15_what_was_written_into_a_blob_is_no_longer_a_blob(
    layout: CacheLayout, records: BlobRecords
) -> None:
    cache = BlobCache(layout, records=records)
    digest = put(cache, SMALL)
    assert cache.is_unwritten(digest)
    os.link(cache.path(digest), layout.root / "link")
    assert cache.is_unwritten(digest)
    damage(cache, digest, flipped(SMALL))
    assert not cache.is_unwritten(digest)
    assert not cache.has(digest)
    assert [p.read_bytes() for p in layout.quarantine.iterdir()] == [flipped(SMALL)]


def test_2_28_a_blob_that_was_just_written_is_read_again(
    layout: CacheLayout, records: BlobRecords
) -> None:
    cache = BlobCache(layout, records=records)
    digest = put(BlobCache(layout), SMALL)
    cache.path(digest).unlink()
    cache.path(digest).write_bytes(SMALL)  # within one tick of being hashed
    assert cache.verify(digest)
    assert records.get(digest) is None


def test_without_records_a_blob_is_read_each_time(cache: BlobCache) -> None:
    digest = put(cache, SMALL)
    with cache.linkable(digest):
        pass
    damage(cache, digest, flipped(SMALL))
    with pytest.raises(BlobMissingError), cache.linkable(digest):
        pass
    with pytest.raises(BlobMissingError), cache.linkable(ABSENT):
        pass


def test_a_blob_that_goes_while_it_is_linked_is_no_error(
    layout: CacheLayout, records: BlobRecords
) -> None:
    cache = BlobCache(layout, records=records)
    digest = put(cache, SMALL)
    with cache.linkable(digest) as path:
        path.unlink()
    assert not cache.has(digest)


def test_2_28_a_stamp_is_settled_when_the_clock_has_moved() -> None:
    def stamp(mtime: int, ctime: int) -> Stamp:
        return Stamp(inode=1, size=1, mtime_ns=mtime, ctime_ns=ctime)

    second = 10**9
    assert not stamp(second + 5, second + 5).is_settled
    assert not stamp(second + 5, second + 19_000_000).is_settled
    assert stamp(second + 5, second + 20_000_005).is_settled
    assert not stamp(second, 3 * second).is_settled
    assert stamp(second, 4 * second).is_settled


def test_new_blobs_are_recorded_as_hashed(
    layout: CacheLayout, records: BlobRecords
) -> None:
    cache = BlobCache(layout, records=records)
    digest = put(cache, SMALL)
    assert records.get(digest) == Stamp.of(cache.path(digest).stat())


def test_a_blob_that_shrinks_while_it_is_read_is_damaged(
    cache: BlobCache, tmp_path: Path
) -> None:
    digest = put(cache, LARGE)
    assert blake3(LARGE).hexdigest() == digest.hex
    damage(cache, digest, LARGE[: 2 << 20])
    with pytest.raises(BlobMissingError):
        copy(cache, digest, len(LARGE), tmp_path / "f")


def test_many_records_reach_the_database_by_themselves(
    records: BlobRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artlock.cache.records._HELD", 3)
    stamp = Stamp(inode=1, size=2, mtime_ns=3, ctime_ns=4)
    digests = [Digest.blake3(bytes([n + 1]) * 32) for n in range(4)]
    for digest in digests:
        records.put(digest, stamp)
    assert len(records._new) == 1
    assert [records.get(digest) for digest in digests] == [stamp] * 4
    assert records.get(ABSENT) is None


@pytest.mark.parametrize("more", [1, -1, 2 << 20])
def test_3_14_a_wrong_size_in_a_lockfile_costs_no_intact_blob(
    cache: BlobCache, data: bytes, tmp_path: Path, more: int
) -> None:
    digest = put(cache, data)
    size = len(data) + more
    with pytest.raises(IntegrityError) as caught:
        copy(cache, digest, size, tmp_path / "f")
    assert caught.value.subject == str(digest)
    assert caught.value.expected == f"{size} bytes"
    assert caught.value.actual == f"{len(data)} bytes"
    assert "artifacts.lock" in str(caught.value.hint)
    with pytest.raises(IntegrityError), cache.open(digest, size):
        pass
    assert cache.verify(digest)


def test_the_disk_has_a_copy_to_write_while_it_is_made(
    cache: BlobCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[int, int]] = []

    def begin(_fd: int, start: int, length: int) -> None:
        begun.append((start, length))

    monkeypatch.setattr(blobs, "start_writeback", begin)
    monkeypatch.setattr(blobs, "_WRITEBACK", 4 << 20)
    data = os.urandom((9 << 20) + 1)
    assert copy(cache, put(cache, data), len(data), tmp_path / "copy") == data
    assert begun == [(0, 4 << 20), (4 << 20, 4 << 20)]
