"""Where each locked object lands in the workspace."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from artlock.errors import PolicyError, UnsafePathError, WorkspaceError
from artlock.fs.problems import raising
from artlock.model.lock import Kind
from artlock.model.paths import MAX_PATH_BYTES, fold
from artlock.model.plan import Placement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from artlock.model.lock import LockedArtifact, Lockfile
    from artlock.model.manifest import Artifact
    from artlock.ops.project import Project


def placements_of(
    project: Project, lock: Lockfile, artifacts: Sequence[Artifact]
) -> list[Placement]:
    """Return a placement for each row of the artifacts; links have none.

    Raises:
        PolicyError: A file would land on one of the project's own files, or in the cache.
        UnsafePathError: A path is too long, with its artifact's place.
    """
    placements: list[Placement] = []
    for artifact in artifacts:
        locked = lock.get(artifact.name)
        if locked is None:
            continue
        is_file = locked.kind is Kind.FILE
        refuse_overlap(project, artifact)
        refuse_long(artifact, locked)
        placements += [
            Placement(artifact.target(row.path, is_file=is_file), artifact.name, row)
            for row in locked.objects
        ]
    return placements


def refuse_overlap(project: Project, artifact: Artifact) -> None:
    """Refuse a place that shares folders with the cache or a local source (hazard 2.26).

    A file that is its own source would be removed by a later sync as something that artlock
    wrote.

    Raises:
        PolicyError: It does.
        WorkspaceError: Where it leads cannot be seen.
    """
    cache = project.runtime.cache_root
    place = project.root / artifact.folder
    if _overlap(place, cache):
        message = (
            f"`artifacts.{artifact.name}` would land at `{artifact.folder}`, which "
            f"overlaps with the cache `{cache}`"
        )
        raise PolicyError(
            message,
            hint="change its `path`, or choose another cache with `--cache-dir`",
        )
    for uri in (artifact.uri, *artifact.mirrors):
        if uri.scheme in {"file", ""} and _overlap(
            place, project.source_base / uri.local_path
        ):
            message = (
                f"`artifacts.{artifact.name}` would land at `{artifact.folder}`, which "
                f"overlaps with its own source `{uri}`"
            )
            raise PolicyError(
                message,
                hint="give it another `path`",
            )


def refuse_long(artifact: Artifact, locked: LockedArtifact) -> None:
    """Refuse paths that are too long together with the artifact's place (hazard 2.9).

    Raises:
        UnsafePathError: There are some.
    """
    room = MAX_PATH_BYTES - len(artifact.folder.encode()) - 1
    paths = [row.path for row in locked.objects]
    # Four bytes are the most that a character takes.
    if 4 * max(map(len, paths), default=0) <= room:
        return
    long = sorted(path for path in paths if len(path.encode()) > room)
    if long:
        told = f"`{long[0][:80]}...`"
        more = f", and {len(long) - 1} more" if len(long) > 1 else ""
        message = (
            f"artifact `{artifact.name}` has paths that are longer than {MAX_PATH_BYTES} "
            f"bytes below `{artifact.folder[:80]}`: {told}{more}"
        )
        raise UnsafePathError(
            message,
            paths=long,
            hint="choose a shorter `path` for the artifact, or `exclude` the keys",
        )


def one_name(one: str, other: str) -> UnsafePathError:
    """Return the error for two targets that the workspace's file system takes for one."""
    return UnsafePathError(
        f"`{one}` and `{other}` are one file: the file system takes their names for one",
        paths=sorted((one, other)),
        hint="sync on another file system, or give one of them another path with `rename`",
    )


def _overlap(one: Path, other: Path) -> bool:
    if _nest(str(one), str(other)):
        return True
    # A link that is gone by the time it is read: somebody changes the folder right now.
    with raising(WorkspaceError, f"cannot look where `{one}` leads"):
        return _nest(os.path.realpath(one), os.path.realpath(other))


def _nest(one: str, other: str) -> bool:
    first, second = f"{fold(one)}/", f"{fold(other).removesuffix('/')}/"
    return first.startswith(second) or second.startswith(first)
