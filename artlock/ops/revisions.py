"""The lockfile as it is, or as it was at a git revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import GitError
from artlock.formats.lockfile import parse_lockfile
from artlock.gitio.repository import read_at, repository_root
from artlock.model.diff import diff
from artlock.model.lock import Lockfile
from artlock.ops.project import LOCKFILE

if TYPE_CHECKING:
    from artlock.model.diff import Change
    from artlock.ops.project import Project


def compare(
    project: Project, old: str | None = None, new: str | None = None
) -> tuple[Change, ...]:
    """Return what changed from one lockfile to another.

    Args:
        project: Where the lockfile lies.
        old: A git revision; ``None`` means ``HEAD``.
        new: A git revision; ``None`` means the working lockfile.

    Raises:
        GitError: There is no git, no repository, or no such revision.
        LockfileError: A lockfile is not valid.
    """
    before = lockfile_at(project, old or "HEAD")
    if new is not None:
        return diff(before, lockfile_at(project, new))
    data = project.lockfile_bytes()
    return diff(before, Lockfile() if data is None else parse_lockfile(data))


def lockfile_at(project: Project, revision: str) -> Lockfile:
    """Return the lockfile of a git revision; an empty one where it was not there yet.

    Raises:
        GitError: There is no git, no repository, or no such revision.
        LockfileError: The lockfile of that revision is not valid.
    """
    root = repository_root(project.root)
    if root is None:
        message = f"`{project.root}` is in no git repository, so there is no older lockfile"
        raise GitError(
            message,
            hint="run `git init` and commit `artifacts.lock`",
        )
    path = (project.root / LOCKFILE).relative_to(root).as_posix()
    data = read_at(root, revision, path)
    return Lockfile() if data is None else parse_lockfile(data, name=f"{revision}:{path}")
