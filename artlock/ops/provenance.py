"""Who pushes, when, and from which commit; what is not committed is not pushed."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from artlock.errors import DirtyLockfileError, GitError
from artlock.gitio.provenance import GitState, git_author, git_state
from artlock.model.registration import Provenance
from artlock.ops.names import LOCKFILE, MANIFEST, PARTS

if TYPE_CHECKING:
    from artlock.ops.project import Project


def provenance_of(project: Project, *, allow_dirty: bool) -> Provenance:
    """Return where the lockfile of a project comes from.

    A machine without git, and a folder in no repository, have no commit; that is said by
    its absence.

    Args:
        project: Whose lockfile.
        allow_dirty: Whether it may differ from what is committed; it is marked then.

    Raises:
        DirtyLockfileError: It does, and may not.
        GitError: git refuses the repository.
    """
    state = _state(project)
    uncommitted = state.uncommitted if state else ()
    if uncommitted and not allow_dirty:
        paths = " and ".join(f"`{path}`" for path in uncommitted)
        verb = "is" if len(uncommitted) == 1 else "are"
        message = f"{paths} {verb} not committed: nobody could find out what was pushed"
        raise DirtyLockfileError(
            message, hint="commit first, or push it as it is with `--allow-dirty`"
        )
    return Provenance(
        time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        commit=state.commit if state else None,
        dirty=bool(uncommitted),
        remote=state.remote if state else None,
        author=_author(project),
    )


def _state(project: Project) -> GitState | None:
    try:
        return git_state(project.root, (LOCKFILE, MANIFEST, PARTS))
    except GitError:
        if any(
            (folder / ".git").exists() for folder in (project.root, *project.root.parents)
        ):
            raise  # a repository that cannot be asked may well be dirty
        return None


def _author(project: Project) -> str | None:
    try:
        known = git_author(project.root)
    except GitError:
        known = None  # `_state` has said so where it matters
    if known:
        return known
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return None
