"""What must hold after anything that can happen, written once (hazards.md 6C).

Functions named after what is broken return all of it, so that whoever breaks things can
count; those that begin with ``assert_`` are for tests. Digests of files are hexadecimal and
BLAKE3.
"""

import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from blake3 import blake3

from artlock.cache.layout import CacheLayout
from artlock.errors import ArtlockError
from artlock.formats.lockfile import parse_lockfile
from artlock.formats.manifest import parse_manifest
from artlock.model.digest import Digest
from artlock.model.lock import Kind

STATE = ".artlock"
"""The folder of a project that is artlock's own, and how the names of its files begin."""
TRASH = f"{STATE}/trash"


def digest_of(path: Path) -> str:
    return blake3(path.read_bytes()).hexdigest()


def files_below(folder: Path) -> Iterator[Path]:
    """Yield everything that is no folder."""
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def blob_files(layout: CacheLayout) -> Iterator[Path]:
    yield from files_below(layout.blobs)


# 1. A name in the cache means that the bytes hash to that name.


def false_names(layout: CacheLayout) -> list[Path]:
    """Return what lies among the blobs and is not what its name says."""
    return [path for path in blob_files(layout) if not _is_promise(path)]


def _is_promise(path: Path) -> bool:
    text = path.parent.name + path.name
    is_name = re.fullmatch("[0-9a-f]{64}", text) is not None
    return is_name and stat.S_ISREG(path.lstat().st_mode) and digest_of(path) == text


def assert_names_are_promises(layout: CacheLayout) -> list[Digest]:
    """A name in the cache means that the bytes hash to that name; return the names."""
    assert false_names(layout) == []
    return [
        Digest.parse(f"blake3:{path.parent.name}{path.name}") for path in blob_files(layout)
    ]


# 2. Each file is what its row says, or, where a run did not end, what it was before.


def wrong_files(
    root: Path, allowed: Mapping[str, Collection[str]], *, absent: Collection[str] = ()
) -> list[str]:
    """Return the files that have other bytes than they may have, or are missing.

    Args:
        root: The project.
        allowed: By path, the digests that the file may have.
        absent: Paths of those that may be missing.
    """
    return [
        path
        for path, digests in allowed.items()
        if not _is_allowed(root / path, digests, may_be_absent=path in absent)
    ]


def _is_allowed(path: Path, digests: Collection[str], *, may_be_absent: bool) -> bool:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return may_be_absent
    if stat.S_ISDIR(found.st_mode):  # there is no such file, but one below it
        return may_be_absent
    return stat.S_ISREG(found.st_mode) and digest_of(path) in digests


def other_files(root: Path, known: Collection[str]) -> list[str]:
    """Return paths that are neither known nor artlock's own; for 6 as well."""
    paths = (path.relative_to(root).as_posix() for path in files_below(root))
    return sorted(
        p for p in paths if p not in known and not p.startswith((f"{STATE}/", f"{STATE}-"))
    )


# 3. Any byte that a person put in the tree is still in the tree, the trash or the cache.


def lasting_files(root: Path, layout: CacheLayout) -> Iterator[Path]:
    """Yield the regular files of a project and a cache that no later sweep removes."""
    passing = (root / STATE / "tmp", layout.temporary, layout.partial)
    for path in (*files_below(root), *files_below(layout.root)):
        is_passing = any(path.is_relative_to(folder) for folder in passing)
        is_passing |= path.name.startswith(f"{STATE}-")
        if not is_passing and stat.S_ISREG(path.lstat().st_mode):
            yield path


def lost_bytes(digests: Iterable[str], paths: Iterable[Path]) -> list[str]:
    """Return the digests of a person's files that are none of some files any more."""
    missing = set(digests)
    for path in paths:
        if not missing:
            break
        missing.discard(digest_of(path))
    return sorted(missing)


# 4. The lockfile always parses, and is some complete earlier or current result.


def problem_with_lockfile(path: Path, results: Collection[bytes]) -> str | None:
    """Return what is wrong with a lockfile that is to be one of some results."""
    try:
        data = path.read_bytes()
        parse_lockfile(data)
    except (OSError, ArtlockError) as error:
        return f"`{path.name}` cannot be read: {error}"
    return None if data in results else f"`{path.name}` is none of the complete results"


# 5. No secret is where it should not be.


def places_of_secret(secret: bytes, *folders: Path) -> list[Path]:
    """Return the files below some folders in which a secret stands."""
    return [
        path
        for folder in folders
        for path in files_below(folder)
        if secret in os.fsencode(path.name)
        or (stat.S_ISREG(path.lstat().st_mode) and secret in path.read_bytes())
    ]


# 7. What a run leaves is cleared away, and a rerun comes to the same end.


def temporaries(root: Path) -> list[str]:
    """Return what waits in a project for a name."""
    return sorted(
        path.relative_to(root).as_posix()
        for path in files_below(root)
        if path.name.startswith(f"{STATE}-") or path.parent == root / STATE / "tmp"
    )


def on_their_way(layout: CacheLayout) -> list[Path]:
    """Return temporary files and partial objects of a cache."""
    return [*files_below(layout.temporary), *layout.partial.rglob("*")]


def assert_nothing_is_on_its_way(layout: CacheLayout) -> None:
    """No temporary file and no partial object is left."""
    assert on_their_way(layout) == []


# 9. What a lockfile needs is not removed.


def missing_blobs(layout: CacheLayout, digests: Iterable[str]) -> list[str]:
    """Return the digests of which the cache has no blob."""
    return [hex_ for hex_ in digests if not (layout.blobs / hex_[:2] / hex_[2:]).is_file()]


def assert_only_this_user_can_write(layout: CacheLayout) -> None:
    for path in (layout.root, *layout.root.rglob("*")):
        assert not path.lstat().st_mode & 0o022, path


def size_under_wrong_names(layout: CacheLayout) -> int:
    """Return the bytes of blobs that are not what their names say; 0 is right."""
    return sum(path.stat().st_size or 1 for path in false_names(layout))


def texts_below(folder: Path) -> dict[str, bytes]:
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

    ``sync`` has ended with 0, so there must be none, nor an artifact that is not locked.
    All rows have a BLAKE3 digest.
    """
    manifest = parse_manifest((root / "artifacts.toml").read_text("utf-8"))
    lock = parse_lockfile((root / "artifacts.lock").read_bytes())
    unlocked = [a.name for a in manifest.artifacts if lock.get(a.name) is None]
    return unlocked + [
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
