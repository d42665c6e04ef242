"""What must hold after anything that can happen, written once (hazards.md 6C)."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3

from artlock.cache.layout import CacheLayout
from artlock.model.digest import Digest
from artlock.ops.placements import placements_of
from artlock.ops.project import Project


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


def wrong_files(project: Project) -> list[str]:
    """Return the files that are not what the lockfile says by its BLAKE3 digest."""
    found = []
    lock = project.read_lockfile()
    for placement in placements_of(project, lock, project.manifest.artifacts):
        path = project.root / placement.target
        digest = placement.row.blake3
        assert digest is not None, f"{placement.target} has no digest to be judged by"
        if not path.is_file() or blake3(path.read_bytes()).hexdigest() != digest.hex:
            found.append(placement.target)
    return found


def missing_blobs(layout: CacheLayout, project: Project) -> list[Digest]:
    """Return the digests that a lockfile names and the cache has no blob of (6C.9)."""
    return [
        digest
        for artifact in project.read_lockfile().artifacts
        for row in artifact.objects
        if (digest := row.blake3) is not None and not layout.blob(digest).exists()
    ]
