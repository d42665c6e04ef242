"""Whether there is room for what a sync is about to write (hazard 3.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import CacheError, WorkspaceError
from artlock.fs.problems import raising
from artlock.fs.space import free_space

if TYPE_CHECKING:
    from pathlib import Path

    from artlock.model.plan import SyncPlan
    from artlock.ops.project import Project
    from artlock.ops.sync_values import Download


def refuse_without_space(project: Project, plan: SyncPlan, download: Download) -> None:
    """Refuse a plan that cannot fit, before anything is written.

    Cache and workspace on one file system need room for both.

    Args:
        project: Whose cache and workspace.
        plan: What is to be written.
        download: What is to be fetched for it: equal content once.

    Raises:
        CacheError: The cache has no room for what is to be fetched.
        WorkspaceError: The workspace has no room for what is to be written.
    """
    cache = project.runtime.cache_root
    with raising(WorkspaceError, "cannot ask for free space"):
        in_cache, in_workspace = free_space(cache), free_space(project.root)
        shared = _device(cache) == _device(project.root)
    size, files = download.size, download.objects
    if size and not in_cache.suffices(size=size, files=files):
        message = (
            f"the cache `{cache}` has no room: {size:,} bytes in {_files(files)} are to be "
            f"fetched, {in_cache.size:,} bytes are free"
        )
        raise CacheError(
            message, hint="free some, or choose another cache with `--cache-dir`"
        )
    size = plan.write_size + (size if shared else 0)
    files = len(plan.write) + (files if shared else 0)
    if plan.write and not in_workspace.suffices(size=size, files=files):
        message = (
            f"the workspace has no room: {size:,} bytes in {_files(files)} are to be "
            f"written, {in_workspace.size:,} bytes are free; nothing was written"
        )
        raise WorkspaceError(message, hint="free some, or sync fewer artifacts at a time")


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number:,} files"


def _device(path: Path) -> int:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path.stat().st_dev
