"""What must hold after anything that can happen, written once (hazards.md 6C)."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3

from artlock.cache.layout import CacheLayout
from artlock.formats.lockfile import parse_lockfile
from artlock.formats.manifest import parse_manifest
from artlock.model.digest import Digest
from artlock.model.lock import Kind


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


def wrong_blobs(cache: Path) -> list[Path]:
    """Return the blobs of a cache whose bytes are not those of their name."""
    return [
        path
        for path in blob_files(CacheLayout(cache))
        if blake3(path.read_bytes()).hexdigest() != path.parent.name + path.name
    ]


def contents_below(folder: Path) -> set[bytes]:
    """Return the bytes of every regular file below a folder, through no link."""
    return {
        Path(parent, name).read_bytes()
        for parent, _, names in os.walk(folder)
        for name in names
        if stat.S_ISREG(Path(parent, name).lstat().st_mode)
    }


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every regular file below a folder, by path; links are text."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        if stat.S_ISREG(path.lstat().st_mode)
        else f"link to {path.readlink()}".encode()
        for path in folder.rglob("*")
        if not stat.S_ISDIR(path.lstat().st_mode)
    }


def unlocked_files(root: Path) -> list[str]:
    """Return the targets of a project at which there are not the bytes that are locked.

    ``sync`` has ended with 0, so there must be none. All rows have a BLAKE3 digest.
    """
    manifest = parse_manifest((root / "artifacts.toml").read_text("utf-8"))
    lock = parse_lockfile((root / "artifacts.lock").read_bytes())
    return [
        target
        for locked in lock.artifacts
        for row in locked.objects
        if (artifact := manifest.get(locked.name)) is not None
        and (target := artifact.target(row.path, is_file=locked.kind is Kind.FILE))
        and not _has_digest(root / target, row.blake3)
    ]


def _has_digest(path: Path, digest: Digest | None) -> bool:
    assert digest is not None
    try:
        return blake3(path.read_bytes()).hexdigest() == digest.hex
    except OSError:
        return False  # absent, or something else than a file
