import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from artlock.cache.batch import Batch
from artlock.cache.blobs import BlobCache
from artlock.cache.layout import CacheLayout
from artlock.cache.ranges import PartialFile, object_key
from artlock.errors import CacheError, IntegrityError, StoreUnavailableError
from artlock.fs.durability import Fsync
from artlock.fs.temporary import Names
from artlock.model.digest import Digest
from artlock.model.tokens import Tokens
from tests.invariants import (
    assert_names_are_promises,
    assert_nothing_is_on_its_way,
    blob_files,
)

RANGE = 1 << 20
DATA = os.urandom(5 * RANGE + 17)
DIGEST = Digest.blake3(blake3(DATA).digest())
KEY = object_key("s3", "s3://b/k", "v1", len(DATA))


def open_partial(
    layout: CacheLayout, *, tokens: Tokens | None = None, range_length: int = RANGE
) -> PartialFile:
    return PartialFile(
        layout,
        KEY,
        len(DATA),
        tokens=tokens or Tokens(digests=(DIGEST,)),
        subject="s3://b/k",
        range_length=range_length,
    )


def chunks(start: int, length: int, *, size: int = 300_000) -> Iterator[bytes]:
    for at in range(start, start + length, size):
        yield DATA[at : min(at + size, start + length)]


def fetch(partial: PartialFile, count: int | None = None) -> int:
    missing = partial.missing()[:count]
    for start, length in missing:
        partial.write(start, chunks(start, length))
    return len(missing)


def pretend_that_the_makers_ended(layout: CacheLayout) -> None:
    """Rename the files as if a process that has ended had made them."""
    child = os.fork()
    if not child:  # pragma: no cover - the child
        os._exit(0)
    os.waitpid(child, 0)
    machine, _, run, _ = Names().next().split("-")
    for number, path in enumerate(sorted(layout.partial.glob("*/*.part"))):
        for suffix in (".part", ".journal"):
            name = f"{machine}-{child:x}-{run}-{number:x}{suffix}"
            path.with_suffix(suffix).rename(path.with_name(name))


def test_ranges_in_any_order_become_the_blob(layout: CacheLayout) -> None:
    with open_partial(layout) as partial, Batch(layout) as batch:
        missing = partial.missing()
        assert missing[0] == (0, RANGE)
        assert missing[-1] == (5 * RANGE, 17)
        for start, length in reversed(missing):
            partial.write(start, chunks(start, length))
        assert partial.missing() == []
        assert partial.finish(batch).digest == DIGEST
        assert list(blob_files(layout)) == []
    assert assert_names_are_promises(layout) == [DIGEST]
    assert layout.blob(DIGEST).stat().st_mode & 0o777 == 0o444
    assert_nothing_is_on_its_way(layout)


def test_threads_write_ranges_at_once(layout: CacheLayout) -> None:
    with open_partial(layout, range_length=100_000) as partial:
        todo = partial.missing()
        mutex = threading.Lock()

        def work() -> None:
            while True:
                with mutex:
                    if not todo:
                        return
                    start, length = todo.pop()
                partial.write(start, chunks(start, length, size=7000))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with Batch(layout) as batch:
            partial.finish(batch)
    assert assert_names_are_promises(layout) == [DIGEST]


def test_an_empty_object_has_no_ranges(layout: CacheLayout) -> None:
    with (
        PartialFile(layout, "k", 0, tokens=Tokens(), subject="x") as partial,
        Batch(layout) as batch,
    ):
        assert partial.missing() == []
        partial.finish(batch)
    assert len(assert_names_are_promises(layout)) == 1
    assert_nothing_is_on_its_way(layout)


def test_3_12_what_was_finished_is_not_fetched_again(layout: CacheLayout) -> None:
    with open_partial(layout) as partial:
        fetch(partial, 3)
    pretend_that_the_makers_ended(layout)
    with open_partial(layout) as partial, Batch(layout) as batch:
        assert fetch(partial) == 3
        partial.finish(batch)
    assert assert_names_are_promises(layout) == [DIGEST]
    assert_nothing_is_on_its_way(layout)


def test_3_10_a_file_that_may_be_open_elsewhere_is_only_read(layout: CacheLayout) -> None:
    with open_partial(layout) as slow:
        fetch(slow, 2)
        (before,) = layout.partial.glob("*/*.part")
        held = before.read_bytes()
        with open_partial(layout) as quick, Batch(layout) as batch:
            assert len(quick.missing()) == 4
            fetch(quick)
            quick.finish(batch)
        assert before.read_bytes() == held
        fetch(slow)  # goes on writing, and cannot reach the blob
        assert assert_names_are_promises(layout) == [DIGEST]
        with Batch(layout) as batch:
            slow.finish(batch)
    assert assert_names_are_promises(layout) == [DIGEST]
    assert_nothing_is_on_its_way(layout)


def test_3_6_a_file_that_cannot_be_closed_is_an_error_and_the_other_is_closed(
    layout: CacheLayout,
) -> None:
    partial = open_partial(layout)
    journal = partial._journal
    os.close(partial._part)
    with pytest.raises(CacheError, match="cannot write to the cache: bad file descriptor"):
        partial.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(journal)
    partial.close()


@pytest.mark.parametrize("spoil", ["bit", "cut", "gone", "journal", "shifted", "garbage"])
def test_3_12_a_range_that_was_spoiled_is_fetched_again(
    layout: CacheLayout, spoil: str
) -> None:
    with open_partial(layout) as partial:
        fetch(partial, 3)
    pretend_that_the_makers_ended(layout)
    (part,) = layout.partial.glob("*/*.part")
    (journal,) = layout.partial.glob("*/*.journal")
    part.chmod(0o600)
    data, records = bytearray(part.read_bytes()), bytearray(journal.read_bytes())
    if spoil == "bit":
        data[RANGE + 5] ^= 1
    elif spoil == "cut":
        del data[2 * RANGE + 1 :]
    elif spoil == "journal":
        records[60] ^= 1
    elif spoil == "shifted":
        del records[:1]
    elif spoil == "garbage":
        records += b"half a record"
    part.write_bytes(data)
    journal.write_bytes(records)
    if spoil == "gone":
        part.unlink()
    expected = {"gone": 6, "shifted": 6, "garbage": 3}.get(spoil, 4)
    with open_partial(layout) as partial, Batch(layout) as batch:
        assert fetch(partial) == expected
        partial.finish(batch)
    assert assert_names_are_promises(layout) == [DIGEST]
    assert_nothing_is_on_its_way(layout)


def test_ranges_of_another_length_are_not_taken(layout: CacheLayout) -> None:
    with open_partial(layout, range_length=RANGE // 2) as partial:
        fetch(partial, 4)
    with open_partial(layout) as partial:
        assert len(partial.missing()) == 6


def test_3_13_another_state_has_another_key() -> None:
    keys = {
        object_key("s3", "s3://b/k", "v1", 5),
        object_key("s3", "s3://b/k", "v2", 5),
        object_key("s3", "s3://b/k", "v1", 6),
        object_key("s3", "s3://b/l", "v1", 5),
        object_key("s4", "s3://b/k", "v1", 5),
    }
    assert len(keys) == 5


@pytest.mark.parametrize("change", [-1, 1])
def test_a_range_of_another_length_is_refused(layout: CacheLayout, change: int) -> None:
    with open_partial(layout) as partial:
        with pytest.raises(IntegrityError, match="s3://b/k"):
            partial.write(0, [DATA[: RANGE + change]])
        assert partial.missing()[0] == (0, RANGE)


def test_a_range_that_is_too_long_does_not_reach_into_the_next(
    layout: CacheLayout,
) -> None:
    with open_partial(layout) as partial, Batch(layout) as batch:
        partial.write(RANGE, chunks(RANGE, RANGE))
        with pytest.raises(IntegrityError):
            partial.write(0, [DATA[:RANGE], bytes(50)])
        fetch(partial)
        assert partial.finish(batch).digest == DIGEST


def test_4_4_a_range_that_breaks_off_is_still_missing(layout: CacheLayout) -> None:
    def broken() -> Iterator[bytes]:
        yield DATA[:100]
        message = "cut"
        raise StoreUnavailableError(message, uri="x")

    with open_partial(layout) as partial:
        with pytest.raises(StoreUnavailableError):
            partial.write(0, broken())
        assert len(partial.missing()) == 6


def test_an_object_that_is_not_complete_cannot_be_finished(layout: CacheLayout) -> None:
    with open_partial(layout) as partial, Batch(layout) as batch:
        fetch(partial, 5)
        with pytest.raises(CacheError, match="not complete"):
            partial.finish(batch)
    assert list(blob_files(layout)) == []


def test_wrong_bytes_are_not_resumed_from(layout: CacheLayout) -> None:
    wrong = Tokens(digests=(Digest.blake3(b"x" * 32),))
    with open_partial(layout, tokens=wrong) as partial, Batch(layout) as batch:
        fetch(partial)
        with pytest.raises(IntegrityError):
            partial.finish(batch)
    assert list(blob_files(layout)) == []
    with open_partial(layout) as partial:
        assert len(partial.missing()) == 6


def test_an_abandoned_batch_keeps_what_was_finished(layout: CacheLayout) -> None:
    def work() -> None:
        with open_partial(layout) as partial, Batch(layout) as batch:
            fetch(partial)
            partial.finish(batch)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert list(blob_files(layout)) == []
    with open_partial(layout) as partial:
        assert partial.missing() == []


def test_two_that_finish_in_one_batch_leave_nothing(layout: CacheLayout) -> None:
    with open_partial(layout) as one, open_partial(layout) as two, Batch(layout) as batch:
        for partial in (one, two):
            fetch(partial)
            partial.finish(batch)
    assert assert_names_are_promises(layout) == [DIGEST]
    assert_nothing_is_on_its_way(layout)


def test_a_closed_batch_takes_no_large_object_and_keeps_it(layout: CacheLayout) -> None:
    batch = Batch(layout)
    batch.abandon()
    with open_partial(layout) as partial:
        fetch(partial)
        with pytest.raises(CacheError, match="takes nothing more"):
            partial.finish(batch)
    with open_partial(layout) as partial:
        assert partial.missing() == []


def test_without_sync_nothing_is_synced(layout: CacheLayout) -> None:
    with open_partial(layout) as partial, BlobCache(layout).batch() as batch:
        batch._fsync = Fsync.OFF
        fetch(partial)
        partial.finish(batch)
    assert assert_names_are_promises(layout) == [DIGEST]


def test_bytes_that_vanish_before_they_are_hashed_are_an_error(layout: CacheLayout) -> None:
    with open_partial(layout) as partial, Batch(layout) as batch:
        first, *others = partial.missing()
        for start, length in others:
            partial.write(start, chunks(start, length))
        os.ftruncate(partial._part, RANGE + 5)
        with pytest.raises(CacheError, match="cut short"):
            partial.write(first[0], chunks(*first))
        with pytest.raises(CacheError, match="cut short"):
            partial.finish(batch)


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="cannot write to the cache"):
        open_partial(CacheLayout(tmp_path / "none"))


def test_a_closed_partial_takes_nothing(layout: CacheLayout) -> None:
    partial = open_partial(layout)
    partial.close()
    partial.close()
    with pytest.raises(CacheError, match="bad file descriptor"):
        partial.write(0, chunks(0, RANGE))
