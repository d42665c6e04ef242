from pathlib import Path

import pytest

from artlock.cache.blobs import BlobCache
from artlock.cache.layout import CacheLayout


@pytest.fixture
def layout(tmp_path: Path) -> CacheLayout:
    layout = CacheLayout(tmp_path / "cache")
    layout.prepare()
    return layout


@pytest.fixture
def cache(layout: CacheLayout) -> BlobCache:
    return BlobCache(layout)
