"""The lockfile as it is, or as it was at a git revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from artlock.formats.lockfile import parse_lockfile
from artlock.formats.lockfile_changes import in_pieces, without_common_rows
from artlock.gitio.repository import merge_base, work_tree
from artlock.model.diff import diff
from artlock.model.lock import Lockfile
from artlock.model.renames import with_renames
from artlock.ops.names import LOCKFILE
from artlock.ops.past import text_at
from artlock.ops.surveys import survey_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artlock.formats.lockfile_parts import LockText
    from artlock.model.diff import Change
    from artlock.model.lock import LockedArtifact
    from artlock.ops.project import Project
    from artlock.ops.runtime import Runtime


def compare(
    project: Project,
    old: str | None = None,
    new: str | None = None,
    *,
    from_merge_base: bool = False,
) -> tuple[Change, ...]:
    """Return what changed from one lockfile to another.

    Args:
        project: Where the lockfile lies.
        old: A git revision; ``None`` means ``HEAD``.
        new: A git revision; ``None`` means the working lockfile.
        from_merge_base: Begin with the commit in which ``new``, or ``HEAD``, left ``old``.

    Raises:
        GitError: There is no git, no repository, or no such revision.
        LockfileError: A lockfile is not valid.
    """
    if from_merge_base and old is not None:
        old = merge_base(work_tree(project.root), old, new or "HEAD")
    before = _text_at(project, old or "HEAD")
    if new is not None:
        after = _text_at(project, new)
    else:
        after = _Named(project.lock_files.text(), LOCKFILE)
    return with_renames(diff(*_differing(before, after, project.runtime)))


def changed_rows(project: Project, revision: str) -> tuple[Lockfile, Lockfile]:
    """Return the lockfile of a revision and the working one, without most common rows.

    Rows that both have may be in both, where a lockfile is not canonical.

    Raises:
        GitError: There is no git, no repository, or no such revision.
        LockfileError: A lockfile is not valid, or there is no working one.
    """
    after = _Named(project.locked_text(), LOCKFILE)
    return _differing(_text_at(project, revision), after, project.runtime)


class _Named(msgspec.Struct, frozen=True):
    text: LockText | None
    name: str

    def read(self) -> Lockfile:
        return (
            Lockfile()
            if self.text is None
            else parse_lockfile(self.text.data, name=self.name)
        )


def _differing(old: _Named, new: _Named, runtime: Runtime) -> tuple[Lockfile, Lockfile]:
    """Return both lockfiles, without rows that need not be compared."""
    if old.text is None or new.text is None:
        return old.read(), new.read()
    before = survey_once(old.text, runtime, name=old.name)
    after = survey_once(new.text, runtime, name=new.name)
    if before.is_canonical and after.is_canonical:
        return without_common_rows(old.text.data, new.text.data)
    return old.read(), new.read()


def locked_at(project: Project, revision: str) -> Iterator[LockedArtifact]:
    """Yield what a git revision locks, an artifact again for each piece of its rows.

    So the rows of a long lockfile are never in memory together. Yields nothing where there
    was no lockfile yet.

    Raises:
        GitError: There is no git, no repository, or no such revision.
        LockfileError: The lockfile of that revision is not valid.
    """
    named = _text_at(project, revision)
    if named.text is None:
        return
    if survey_once(named.text, project.runtime, name=named.name).is_canonical:
        yield from in_pieces(named.text.data)
    else:
        yield from named.read().artifacts


def lockfile_at(project: Project, revision: str) -> Lockfile:
    """Return the lockfile of a git revision; an empty one where it was not there yet.

    Raises:
        GitError: There is no git, no repository, or no such revision.
        LockfileError: The lockfile of that revision is not valid.
    """
    return _text_at(project, revision).read()


def _text_at(project: Project, revision: str) -> _Named:
    root = work_tree(project.root)
    path = (project.root / LOCKFILE).relative_to(root).as_posix()
    return _Named(text_at(root, revision, path), f"{revision}:{path}")
