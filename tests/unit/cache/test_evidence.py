import os
import shutil
from pathlib import Path

import pytest
from blake3 import blake3

from artlock.cache import evidence
from artlock.cache.batch import Batch
from artlock.cache.evidence import MOST_FILES, clear_evidence
from artlock.cache.layout import CacheLayout
from artlock.cache.sweep import usage
from artlock.errors import IntegrityError
from artlock.model.digest import Digest
from artlock.model.tokens import Tokens
from tests.invariants import assert_nothing_is_on_its_way, blob_files

TOKENS = Tokens(digests=(Digest.blake3(blake3(b"right").digest()),))
SMALL = b"wrong"
LARGE = os.urandom(3 << 20)


def refuse(layout: CacheLayout, data: bytes, *, keep: bool = True) -> Path | None:
    """Put bytes that are not right; return where they are kept."""
    pieces = [data[at : at + 500_000] for at in range(0, len(data), 500_000)]
    with pytest.raises(IntegrityError) as caught, Batch(layout) as batch:
        batch.put(pieces, TOKENS, size=len(data), subject="s", keep_refused=keep)
    assert list(blob_files(layout)) == []
    assert_nothing_is_on_its_way(layout)
    kept = caught.value.kept
    return None if kept is None else Path(kept)


def kept(layout: CacheLayout) -> list[bytes]:
    """Return what is kept, the oldest first."""
    found = sorted(layout.quarantine.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return [path.read_bytes() for path in found]


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_4_5_refused_bytes_are_kept_under_what_they_are(
    layout: CacheLayout, data: bytes
) -> None:
    path = refuse(layout, data)
    assert path is not None
    assert path.parent == layout.quarantine
    assert path.name == f"rejected-{blake3(data).hexdigest()}"
    assert path.read_bytes() == data
    # The same bytes again are no more evidence than before.
    assert refuse(layout, data) == path
    assert usage(layout).quarantine_size == len(data)


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_nothing_is_kept_unless_it_is_asked_for(layout: CacheLayout, data: bytes) -> None:
    assert refuse(layout, data, keep=False) is None
    assert kept(layout) == []


def test_4_5_what_is_longer_than_it_should_be_is_kept_as_far_as_it_was_read(
    layout: CacheLayout,
) -> None:
    pieces = (LARGE[at : at + (1 << 20)] for at in range(0, len(LARGE), 1 << 20))
    with pytest.raises(IntegrityError) as caught, Batch(layout) as batch:
        batch.put(pieces, TOKENS, size=2 << 20, subject="s", keep_refused=True)
    path = Path(caught.value.kept or "")
    assert path.read_bytes() == LARGE[: 2 << 20]
    assert blake3(path.read_bytes()).hexdigest() in path.name


def test_4_5_the_oldest_make_room(
    layout: CacheLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = [b"wrong %d" % number for number in range(MOST_FILES + 3)]
    for number, body in enumerate(bodies):
        path = refuse(layout, body)
        assert path is not None
        os.utime(path, ns=(number, number))
    assert kept(layout) == bodies[3:]
    monkeypatch.setattr(evidence, "MOST_SIZE", 20)
    refuse(layout, b"0123456789")
    assert kept(layout) == [bodies[-1], b"0123456789"]
    # Too large to be kept at all: what is there stays.
    assert refuse(layout, bytes(21)) is None
    assert kept(layout) == [bodies[-1], b"0123456789"]
    assert refuse(layout, LARGE) is None


def test_damaged_blobs_make_no_room_and_are_not_cleared(layout: CacheLayout) -> None:
    damaged = layout.quarantine / f"{'0' * 64}-00000000"
    damaged.write_bytes(b"damaged")
    for number in range(MOST_FILES + 1):
        refuse(layout, b"wrong %d" % number)
    assert damaged.exists()
    size = sum(map(len, kept(layout))) - len(b"damaged")
    assert clear_evidence(layout, dry_run=True) == size
    assert len(kept(layout)) == MOST_FILES + 1
    assert clear_evidence(layout) == size
    assert kept(layout) == [b"damaged"]
    assert clear_evidence(layout) == 0


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_what_cannot_be_kept_is_refused_all_the_same(
    layout: CacheLayout, data: bytes
) -> None:
    shutil.rmtree(layout.quarantine)
    assert refuse(layout, data) is None


def test_evidence_that_goes_while_it_is_cleared_is_no_error(
    layout: CacheLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [refuse(layout, text) for text in (b"one", b"other")]
    found = [path for path in paths if path is not None]
    monkeypatch.setattr(evidence, "_rejected", lambda _layout: found)
    found[0].unlink()
    assert clear_evidence(layout) == 5
    assert kept(layout) == []
