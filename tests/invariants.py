"""What must hold after anything that can happen, written once (hazards.md 6C)."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3

from artlock.cache.layout import CacheLayout
from artlock.model.digest import Digest


def blob_files(layout: CacheLayout) -> Iterator[Path]:
    if layout.blobs.exists():
        yield from (path for path in layout.blobs.rglob("*") if not path.is_dir())


def assert_names_are_promises(layout: CacheLayout) -> list[Digest]:
    """A name in the cache means that the bytes hash to that name; return the names."""
    found = []
    for path in blob_files(layout):
        text = path.parent.name + path.name
        assert re.fullmatch("[0-9a-f]{64}", text), path
        assert stat.S_ISREG(path.lstat().st_mode), path
        assert blake3(path.read_bytes()).hexdigest() == text, path
        found.append(Digest.parse(f"blake3:{text}"))
    return found


def assert_nothing_is_on_its_way(layout: CacheLayout) -> None:
    """No temporary file and no partial object is left."""
    assert list(layout.temporary.iterdir()) == []
    assert list(layout.partial.rglob("*")) == []


def assert_only_this_user_can_write(layout: CacheLayout) -> None:
    for path in (layout.root, *layout.root.rglob("*")):
        assert not path.lstat().st_mode & 0o022, path


def size_under_wrong_names(layout: CacheLayout) -> int:
    """Return the bytes of blobs that are not what their names say; 0 is right."""
    return sum(
        path.stat().st_size or 1
        for path in blob_files(layout)
        if blake3(path.read_bytes()).hexdigest() != path.parent.name + path.name
    )
