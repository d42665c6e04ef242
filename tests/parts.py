"""Lockfiles in parts that are small enough for tests, and files to read them from."""

from collections.abc import Callable, Iterable, Iterator

import pytest

from artlock.formats.lockfile import format_lockfile
from artlock.formats.lockfile_parts import LockText, Part, Split, join, parse_frame
from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.manifest import Declaration
from artlock.model.uri import Uri

LEAST, MOST = 400, 1600


def cut_small(patch: pytest.MonkeyPatch) -> None:
    """Let parts have some ten rows: one of eight is a hit."""
    patch.setattr("artlock.formats.lockfile_cuts.LEAST", LEAST)
    patch.setattr("artlock.formats.lockfile_cuts.MOST", MOST)
    patch.setattr("artlock.formats.lockfile_cuts._HIT", 1 << 29)


def rows(numbers: Iterable[int], size: int = 1) -> tuple[LockedObject, ...]:
    paths = sorted(f"train/{number:06d}.jpg" for number in numbers)
    return tuple(LockedObject(path, size, f"md5:{'0' * 32}", "") for path in paths)


def tree(objects: Iterable[LockedObject], name: str = "data") -> LockedArtifact:
    declared = Declaration(uri=Uri.parse(f"s3://bucket/{name}/"))
    ordered = sorted(objects, key=lambda row: row.path)
    return LockedArtifact(
        name=name, declared=declared, kind=Kind.TREE, objects=tuple(ordered)
    )


def text(*artifacts: LockedArtifact) -> bytes:
    return format_lockfile(Lockfile(artifacts=artifacts))


def files(found: Split) -> dict[str, bytes]:
    """Return the parts by their paths."""
    return {part.path: bytes(data) for part, data in found.parts}


def source(parts: dict[str, bytes]) -> Callable[[Part], Iterator[bytes]]:
    def candidates(part: Part) -> Iterator[bytes]:
        if part.path in parts:
            yield parts[part.path]

    return candidates


def joined(found: Split) -> LockText:
    frame = parse_frame(found.frame)
    if frame is None:
        return LockText(data=found.frame)
    return join(frame, source(files(found)))
