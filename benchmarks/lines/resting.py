"""``sync`` and ``status`` of a large workspace in which nothing changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks import data
from benchmarks.comparison import Comparison, Limit, Peer
from benchmarks.ground import ARTLOCK, Ground, Project
from benchmarks.peers.commands import floor
from benchmarks.timing import Contender

_MILLION_LIMIT = 1.2e9


def resting(ground: Ground) -> Iterator[Comparison]:
    """Yield the no-op ``sync`` and ``status``, beside ``git status`` on the same tree."""
    count = ground.sizes.tiny
    project, repository = resting_project(ground, count)
    commit_all(ground, repository)
    git = git_status(repository)
    names = ground.folder / f"names-{count}"
    paths = (path for path in project.data.rglob("*") if path.is_file())
    names.write_bytes(b"\0".join(os.fsencode(path) for path in paths))
    least = floor("lstat in 2 processes", ground, None, "look", str(names))
    for command in ("sync", "status"):
        yield Comparison(
            what=f"no-op `{command}`, {count:,} files",
            ours=at_rest(ground, command, project),
            peers=(Peer(contender=git, target=1.0, stretch=0.5), Peer(contender=least)),
        )


def resting_million(ground: Ground) -> Iterator[Comparison]:
    """Yield the memory of a no-op ``sync`` of as many files as the lock lines have rows."""
    count = ground.sizes.rows
    project, _ = resting_project(ground, count)
    yield Comparison(
        what=f"memory of a no-op `sync`, {count:,} files",
        ours=at_rest(ground, "sync", project),
        limits=(Limit(of="peak", target=_MILLION_LIMIT),),
    )


def resting_project(ground: Ground, count: int) -> tuple[Project, Path]:
    """Sync a workspace from a folder; return the folder too."""
    source = ground.folder / f"files-{count}"
    is_made = source.exists()
    if not is_made:
        # Bytes of its own: a link that another project makes to a blob is a change of it.
        data.make_files(source, data.small_files(count, data.TINY), seed=f"resting-{count}")
    project = ground.project(f"resting-{count}", f"{source.as_uri()}/")
    if not is_made:
        ground.do(
            *(*ARTLOCK, "sync", "--link-mode", "hardlink"),
            folder=project.folder,
            environ=_own_cache(ground),
        )
    return project, source


def at_rest(ground: Ground, command: str, project: Project) -> Contender:
    """Return a command in a project of ``resting_project``."""
    name, environ = f"artlock {command}", _own_cache(ground)
    return ground.artlock(name, command, project=project, environ=environ)


def _own_cache(ground: Ground) -> dict[str, str]:
    # A cold sync puts the other one aside.
    return {"ARTLOCK_CACHE_DIR": str(ground.folder / "resting-cache")}


def commit_all(ground: Ground, folder: Path) -> None:
    """Make a folder a repository whose index git has refreshed.

    For so low a threshold git writes one pack and not a file for each blob, which takes a
    third of the time; what is committed is the same.
    """
    for arguments in (
        ("init", "-q"),
        ("config", "gc.auto", "0"),
        ("-c", "core.bigFileThreshold=1", "add", "."),
        ("-c", "user.name=b", "-c", "user.email=b@b", "commit", "-qm", "b"),
        ("status", "--porcelain"),
    ):
        ground.do("git", *arguments, folder=folder)


def git_status(repository: Path) -> Contender:
    """Ask git whether anything changed."""
    return Contender(
        name="git status", command=("git", "status", "--porcelain"), folder=repository
    )
