"""What commits did to the lockfile, and where a row comes from."""

from __future__ import annotations

import os
import re
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.errors import ArtlockError, LockfileError, PolicyError
from artlock.formats.lockfile import parse_lockfile
from artlock.gitio.history import history_of
from artlock.gitio.repository import (
    cut_commits,
    has_commit,
    repository_root,
    work_tree,
)
from artlock.model.diff import diff
from artlock.model.lock import Kind, Lockfile
from artlock.model.renames import with_renames
from artlock.ops.names import LOCKFILE
from artlock.ops.past import text_of_version
from artlock.ops.revisions import lockfile_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from artlock.gitio.history import Commit, Step
    from artlock.model.diff import Change
    from artlock.model.lock import LockedObject
    from artlock.model.uri import Uri
    from artlock.ops.project import Project

_REMEMBERED = 8
"""Lockfiles that are kept while the history is read: each is asked for by two commits."""
_DIGEST = re.compile(r"(?:[a-z0-9-]+:)?[0-9a-f]{8,}")
"""A token or the start of its value; shorter ones are as likely a path."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A commit and what it did to the lockfile.

    Attributes:
        changes: For a merge, only what no parent had.
        problem: Why that cannot be told; ``None`` if it can.
    """

    commit: Commit
    changes: tuple[Change, ...] = ()
    problem: str | None = None


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was asked about.

    Attributes:
        target: Where it lies in the workspace; ``None`` if it is no longer declared.
        since: The commit that brought the row as it is; ``None`` if none did yet.
    """

    artifact: str
    target: str | None
    uri: Uri
    row: LockedObject
    since: Commit | None = None


def history(project: Project, name: str | None = None) -> Iterator[Entry]:
    """Yield the commits that led to the committed lockfile, the newest first.

    Args:
        project: Where the lockfile lies.
        name: Only what concerns this artifact; it need not be declared any more.

    Raises:
        GitError: There is no git, no repository or no commit.
    """
    root = work_tree(project.root)
    path = (project.root / LOCKFILE).relative_to(root).as_posix()
    read = lru_cache(_REMEMBERED)(partial(_read, root, path))
    cut = cut_commits(root)
    for step in history_of(root, path):
        entry = _entry(step, read, is_cut=step.commit.name in cut)
        if name is not None:
            kept = tuple(c for c in entry.changes if c.concerns(name))
            entry = replace(entry, changes=kept)
        if entry.changes or entry.problem or name is None:
            yield entry


def origins(project: Project, wanted: str, *, here: Path) -> list[Origin]:
    """Return the locked rows that ``wanted`` means, and the commit of each.

    Args:
        project: Whose lockfile.
        wanted: A path in the workspace from ``here``, ``artifact/path``, a path below an
            artifact, a whole URI, or a token of a row; also the first eight digits of one.
        here: The folder in which it was typed.

    Raises:
        LockfileError: There is no lockfile, or it is not valid.
        GitError: git took too long, or cannot read its history.
    """
    place = _from_root(project, wanted, here)
    found = [origin for origin in _rows(project) if _means(origin, wanted, place)]
    if not found:
        return []
    commits = _commits_of(project, {(o.artifact, o.row.path): o.row for o in found})
    return [replace(o, since=commits.get((o.artifact, o.row.path))) for o in found]


def _commits_of(
    project: Project, rows: Mapping[tuple[str, str], LockedObject]
) -> dict[tuple[str, str], Commit]:
    """Return the commit that brought each row, by artifact and path.

    Raises:
        GitError: git cannot read its history.
    """
    commits: dict[tuple[str, str], Commit] = {}
    root = repository_root(project.root)
    if root is None or not has_commit(root):
        return commits
    # What is not committed as it is may be a row of long ago, and then is new again.
    missing = dict(set(rows.items()) & _committed(project))
    for entry in history(project) if missing else ():
        for change in entry.changes:
            key = change.artifact, change.path
            if change.new is not None and missing.get(key) == change.new:
                commits[key] = entry.commit
                del missing[key]
        if not missing:
            break
    return commits


def _committed(project: Project) -> set[tuple[tuple[str, str], LockedObject]]:
    try:
        lock = lockfile_at(project, "HEAD")
    except (LockfileError, PolicyError):
        return set()
    return {((a.name, row.path), row) for a in lock.artifacts for row in a.objects}


def _rows(project: Project) -> Iterator[Origin]:
    declared = {a.name: a for a in project.manifest.artifacts}
    for locked in project.read_lockfile().artifacts:
        artifact = declared.get(locked.name)
        is_file = locked.kind is Kind.FILE
        for row, uri in locked.uris():
            # What is no longer declared has no place.
            target = artifact.target(row.path, is_file=is_file) if artifact else None
            yield Origin(artifact=locked.name, target=target, uri=uri, row=row)


def _means(origin: Origin, wanted: str, place: str | None) -> bool:
    row = origin.row
    if place is not None and place == origin.target:
        return True
    if wanted in (row.path, f"{origin.artifact}/{row.path}", str(origin.uri)):
        return True
    if not _DIGEST.fullmatch(wanted):
        return wanted in row.checksum.split(" ")
    return any(
        token.startswith(wanted) or token.partition(":")[2].startswith(wanted)
        for token in row.checksum.split(" ")
    )


def _from_root(project: Project, wanted: str, here: Path) -> str | None:
    """Return a path as one from the project's folder; ``None`` where it leads elsewhere."""
    path = Path(os.path.normpath(here.resolve() / wanted))
    if not path.is_relative_to(project.root):
        return None
    return path.relative_to(project.root).as_posix()


def _read(root: Path, path: str, name: str, commits: tuple[str, ...]) -> Lockfile:
    return parse_lockfile(text_of_version(root, name, commits, path=path).data)


def _entry(
    step: Step, read: Callable[[str, tuple[str, ...]], Lockfile], *, is_cut: bool
) -> Entry:
    if is_cut:
        problem = "the clone is shallow and lacks what was before (`git fetch --unshallow`)"
        return Entry(commit=step.commit, problem=problem)
    try:
        here = (step.commit.name,)
        after = Lockfile() if step.after is None else read(step.after, here)
        parents = [
            Lockfile() if name is None else read(name, step.parents) for name in step.before
        ]
    except ArtlockError as error:
        return Entry(commit=step.commit, problem=str(error))
    changes = with_renames(_new_in(parents, after))
    return Entry(commit=step.commit, changes=changes)


def _new_in(parents: Sequence[Lockfile], after: Lockfile) -> tuple[Change, ...]:
    """Return what differs from every parent; the first one's rows are shown as old."""
    first, *others = (diff(parent, after) for parent in parents)
    known = [{(c.artifact, c.path) for c in changes} for changes in others]
    return tuple(c for c in first if all((c.artifact, c.path) in k for k in known))
