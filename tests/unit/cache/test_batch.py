import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from artlock.cache import batch as module
from artlock.cache.batch import Batch
from artlock.cache.blobs import BlobCache
from artlock.cache.layout import CacheLayout
from artlock.errors import CacheError, IntegrityError, StoreUnavailableError
from artlock.fs import durability
from artlock.fs.durability import Fsync
from artlock.model.digest import Digest
from artlock.model.tokens import Tokens
from artlock.model.verification import Verified
from tests.invariants import (
    assert_names_are_promises,
    assert_nothing_is_on_its_way,
    blob_files,
)

LARGE = os.urandom(3 << 20)


def digest_of(data: bytes) -> Digest:
    return Digest.blake3(blake3(data).digest())


def put(batch: Batch, data: bytes) -> Verified:
    return batch.put([data], Tokens(), size=len(data), subject="s3://b/k")


@pytest.mark.parametrize("fsync", list(Fsync))
@pytest.mark.parametrize("has_syncfs", [True, False])
@pytest.mark.parametrize("data", [b"", b"text", LARGE], ids=["empty", "small", "large"])
def test_what_was_put_is_there_after_the_commit_only(
    layout: CacheLayout, fsync: Fsync, data: bytes, *, has_syncfs: bool
) -> None:
    with Batch(layout, fsync=fsync, has_syncfs=has_syncfs) as batch:
        verified = put(batch, data)
        assert verified.digest == digest_of(data)
        assert list(blob_files(layout)) == []
        batch.commit()
        assert assert_names_are_promises(layout) == [verified.digest]
    assert layout.blob(verified.digest).read_bytes() == data
    assert layout.blob(verified.digest).stat().st_mode & 0o777 == 0o444
    assert_nothing_is_on_its_way(layout)


@given(st.lists(st.binary(max_size=20), max_size=6), st.sampled_from([1, 8, 1 << 20]))
def test_however_the_bytes_are_cut_they_are_the_same(
    parts: list[bytes], piece: int
) -> None:
    pieces = list(module._pieces(iter(parts)))
    assert b"".join(bytes(p) for p in pieces) == b"".join(parts)
    assert piece


@pytest.mark.parametrize("length", [1 << 16, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_a_store_may_use_its_buffer_again(cache: BlobCache, length: int) -> None:
    def chunks() -> Iterator[memoryview]:
        buffer = bytearray(length)
        for start in range(0, len(LARGE), length):
            part = LARGE[start : start + length]
            buffer[: len(part)] = part
            yield memoryview(buffer)[: len(part)]
        buffer[:] = bytes(length)

    with cache.batch() as batch:
        found = batch.put(chunks(), Tokens(), size=len(LARGE), subject="x")
    assert found.digest == digest_of(LARGE)
    assert cache.verify(found.digest)


@pytest.mark.parametrize("data", [b"text", LARGE], ids=["small", "large"])
def test_wrong_bytes_get_no_name_and_leave_nothing(cache: BlobCache, data: bytes) -> None:
    wrong = Tokens(digests=(digest_of(b"other"),))
    with cache.batch() as batch:
        with pytest.raises(IntegrityError, match="s3://b/k"):
            batch.put([data], wrong, size=len(data), subject="s3://b/k")
        with pytest.raises(IntegrityError):
            batch.put([data], Tokens(), size=len(data) + 1, subject="s3://b/k")
        with pytest.raises(IntegrityError):
            batch.put([data], Tokens(), size=len(data) - 1, subject="s3://b/k")
        assert_nothing_is_on_its_way(cache.layout)
    assert list(blob_files(cache.layout)) == []


def test_4_15_no_more_is_read_than_was_locked(cache: BlobCache) -> None:
    given_out = 0

    def endless() -> Iterator[bytes]:
        nonlocal given_out
        while True:
            given_out += 1 << 18
            yield bytes(1 << 18)

    with cache.batch() as batch, pytest.raises(IntegrityError):
        batch.put(endless(), Tokens(), size=5, subject="x")
    assert given_out <= 2 << 20


def test_an_etag_is_compared_only_where_it_is_said_to_be_an_md5(cache: BlobCache) -> None:
    right = Tokens(etag=hashlib.md5(b"text", usedforsecurity=False).hexdigest())
    other = Tokens(etag="0" * 32)
    with cache.batch() as batch:
        for tokens, is_md5, differs in (
            (right, True, False),
            (other, True, True),
            (other, False, False),
        ):
            found = batch.put([b"text"], tokens, size=4, subject="x", etag_is_md5=is_md5)
            assert found.etag_differs == differs


@pytest.mark.parametrize("first", [b"some", LARGE], ids=["small", "large"])
def test_4_4_a_body_that_breaks_off_leaves_nothing(cache: BlobCache, first: bytes) -> None:
    def broken() -> Iterator[bytes]:
        yield first
        message = "cut"
        raise StoreUnavailableError(message, uri="x")

    with cache.batch() as batch, pytest.raises(StoreUnavailableError):
        batch.put(broken(), Tokens(), size=None, subject="x")
    assert_nothing_is_on_its_way(cache.layout)


def test_equal_objects_of_one_batch_become_one_blob(cache: BlobCache) -> None:
    with cache.batch() as batch:
        for data in (b"text", b"text", LARGE, LARGE):
            put(batch, data)
        assert len(list(cache.layout.temporary.iterdir())) == 2
    assert len(assert_names_are_promises(cache.layout)) == 2
    assert_nothing_is_on_its_way(cache.layout)


def test_3_9_a_second_writer_puts_equal_bytes_in_place(cache: BlobCache) -> None:
    with cache.batch() as one, cache.batch() as two:
        for batch in (one, two):
            put(batch, b"text")
    assert len(assert_names_are_promises(cache.layout)) == 1
    assert_nothing_is_on_its_way(cache.layout)


def test_a_damaged_blob_is_healed_by_new_bytes(cache: BlobCache) -> None:
    with cache.batch() as batch:
        digest = put(batch, b"text").digest
    path = cache.path(digest)
    path.chmod(0o600)
    path.write_bytes(b"evil")
    with cache.batch() as batch:
        put(batch, b"text")
    assert path.read_bytes() == b"text"


def test_leaving_by_an_error_names_nothing(cache: BlobCache) -> None:
    def work() -> None:
        with cache.batch() as batch:
            put(batch, b"text")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert list(blob_files(cache.layout)) == []
    assert_nothing_is_on_its_way(cache.layout)


def test_3_24_what_comes_after_the_end_is_refused_and_removed(cache: BlobCache) -> None:
    with cache.batch() as batch:
        put(batch, b"text")
        batch.abandon()
        with pytest.raises(CacheError, match="takes nothing more"):
            put(batch, b"more")
    assert list(blob_files(cache.layout)) == []
    assert_nothing_is_on_its_way(cache.layout)


def test_many_threads_put_and_commit_at_once(cache: BlobCache) -> None:
    data = [os.urandom(100 + n) for n in range(300)]
    errors: list[BaseException] = []

    with cache.batch() as batch:

        def work(number: int) -> None:
            try:
                for item in data[number::16]:
                    put(batch, item)
                    if number % 4 == 0:
                        batch.commit()
            except BaseException as error:  # noqa: BLE001 - told below
                errors.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert set(assert_names_are_promises(cache.layout)) == {digest_of(d) for d in data}
    assert_nothing_is_on_its_way(cache.layout)


def test_3_5_a_sync_that_failed_names_nothing_and_is_not_tried_again(
    cache: BlobCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def fail(_fd: int) -> None:
        nonlocal calls
        calls += 1
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(durability, "sync_filesystem", fail)
    with Batch(cache.layout) as batch:
        put(batch, b"text")
        with pytest.raises(CacheError, match="input/output error"):
            batch.commit()
        monkeypatch.undo()
        with pytest.raises(CacheError, match="takes nothing more"):
            put(batch, b"text")
    assert calls == 1
    assert list(blob_files(cache.layout)) == []
    assert_nothing_is_on_its_way(cache.layout)


def test_3_5_a_file_that_cannot_be_synced_is_not_named(
    layout: CacheLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(durability, "sync_file", fail)
    with Batch(layout, fsync=Fsync.EACH) as batch:
        for data in (b"text", LARGE):
            with pytest.raises(CacheError, match="input/output error"):
                put(batch, data)
    assert_nothing_is_on_its_way(layout)


def test_3_8_a_temporary_that_was_swept_away_is_an_error(cache: BlobCache) -> None:
    with cache.batch() as batch:
        put(batch, b"text")
        for path in cache.layout.temporary.iterdir():
            path.unlink()
        with pytest.raises(CacheError, match="no such file"):
            batch.commit()
    assert list(blob_files(cache.layout)) == []


def test_a_cache_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="cannot open the cache"):
        Batch(CacheLayout(tmp_path / "none"))


def test_a_missing_folder_for_temporaries_is_an_error(cache: BlobCache) -> None:
    cache.layout.temporary.rmdir()
    with cache.batch() as batch, pytest.raises(CacheError, match="cannot write"):
        put(batch, b"text")
