"""Who pushes, when, and from which commit; what is not committed is not pushed."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from artlock.errors import DirtyLockfileError, GitError
from artlock.formats.moments import canonical_moment
from artlock.gitio.provenance import GitState, git_author, git_state
from artlock.model.registration import Provenance
from artlock.ops.names import LOCKFILE, MANIFEST, PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artlock.ops.project import Project

_FILES = (LOCKFILE, MANIFEST, PARTS)
"""What a push is made of."""


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
    state = state_of(project)
    uncommitted = state.uncommitted if state else ()
    if uncommitted and not allow_dirty:
        paths = " and ".join(f"`{path}`" for path in uncommitted)
        verb = "is" if len(uncommitted) == 1 else "are"
        message = f"{paths} {verb} not committed: nobody could find out what was pushed"
        raise DirtyLockfileError(
            message, hint="commit first, or push it as it is with `--allow-dirty`"
        )
    return Provenance(
        time=now(),
        commit=state.commit if state else None,
        dirty=bool(uncommitted),
        remote=state.remote if state else None,
        author=_readable(_author(project)),
    )


def now() -> str:
    """Return this second: RFC 3339 in UTC."""
    return canonical_moment(datetime.now(UTC).replace(microsecond=0))


def state_of(project: Project, paths: Sequence[str] = _FILES) -> GitState | None:
    """Return what git knows of a project; ``None`` outside of git, and without git.

    Args:
        project: Which.
        paths: As for ``git_state``.

    Raises:
        GitError: It lies in a repository, and git is absent or refuses it.
    """
    try:
        return git_state(project.root, paths)
    except GitError:
        if any(
            (folder / ".git").exists() for folder in (project.root, *project.root.parents)
        ):
            raise  # a repository that cannot be asked may well be dirty
        return None


def _readable(text: str | None) -> str | None:
    """Return a text with what is no character replaced: a name may be any bytes."""
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")


def _author(project: Project) -> str | None:
    try:
        known = git_author(project.root)
    except GitError:
        known = None  # `state_of` has said so where it matters
    if known:
        return known
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return None
