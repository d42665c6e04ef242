import time
from pathlib import Path

import pytest

from artlock.cache.blobs import BlobCache
from artlock.cache.layout import CacheLayout
from artlock.model.digest import Digest
from artlock.model.tokens import Tokens


def fill(cache: BlobCache, count: int) -> list[Digest]:
    """Put blobs of 10 bytes, used one after the other by the coarsest clock of a kernel."""
    digests = []
    for number in range(count):
        with cache.batch() as batch:
            data = bytes([number]) * 10
            digests.append(batch.put([data], Tokens(), size=10, subject="x").digest)
        time.sleep(0.012)
    return digests


@pytest.fixture
def layout(tmp_path: Path) -> CacheLayout:
    layout = CacheLayout(tmp_path / "cache")
    layout.prepare()
    return layout


@pytest.fixture
def cache(layout: CacheLayout) -> BlobCache:
    return BlobCache(layout)
