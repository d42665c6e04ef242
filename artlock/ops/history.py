"""What commits did to the lockfile, and where a row comes from."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from artlock.errors import ArtlockError, GitError
from artlock.formats.lockfile import parse_lockfile
from artlock.gitio.history import history_of
from artlock.gitio.repository import read_version, repository_root
from artlock.model.diff import diff
from artlock.model.lock import Kind, Lockfile
from artlock.ops.project import LOCKFILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from artlock.gitio.history import Commit, Step
    from artlock.model.diff import Change
    from artlock.model.lock import LockedObject
    from artlock.model.uri import Uri
    from artlock.ops.project import Project

_REMEMBERED = 8
"""Lockfiles that are kept while the history is read: each is asked for by two commits."""
_DIGEST = re.compile(r"(?:[a-z0-9-]+:)?[0-9a-f]{8,}")
"""A token or the start of its value; shorter ones are as likely a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A commit and what it did to the lockfile.

    Attributes:
        changes: For a merge, only what no parent had.
        problem: Why a lockfile of its cannot be read; ``None`` if all could.
    """

    commit: Commit
    changes: tuple[Change, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A row that was asked about.

    Attributes:
        target: Where it lies in the workspace.
        since: The commit that brought the row as it is; ``None`` if none did yet.
    """

    artifact: str
    target: str
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
    root = _repository(project)
    path = (project.root / LOCKFILE).relative_to(root).as_posix()
    read = lru_cache(_REMEMBERED)(partial(_read, root))
    for step in history_of(root, path):
        entry = _entry(step, read)
        if name is not None:
            kept = tuple(c for c in entry.changes if c.artifact == name)
            entry = Entry(commit=entry.commit, changes=kept, problem=entry.problem)
            if not kept:
                continue
        yield entry


def origins(project: Project, wanted: str, *, here: Path) -> list[Origin]:
    """Return the locked rows that ``wanted`` means, and the commit of each.

    Args:
        project: Whose lockfile.
        wanted: A path in the workspace from ``here``, ``artifact/path``, a path below an
            artifact, or a digest, checksum or etag; also the first eight digits of one.
        here: The folder in which it was typed.

    Raises:
        LockfileError: There is no lockfile, or it is not valid.
        GitError: git took too long, or cannot read its history.
    """
    found = [
        o for o in _rows(project) if _means(o, wanted, _from_root(project, wanted, here))
    ]
    if not found:
        return []
    missing = {(o.artifact, o.row.path): o.row for o in found}
    commits: dict[tuple[str, str], Commit] = {}
    for entry in _history_if_any(project):
        for change in entry.changes:
            key = change.artifact, change.path
            if missing.get(key) == change.new and change.new is not None:
                commits[key] = entry.commit
                del missing[key]
        if not missing:
            break
    return [
        Origin(
            artifact=o.artifact,
            target=o.target,
            uri=o.uri,
            row=o.row,
            since=commits.get((o.artifact, o.row.path)),
        )
        for o in found
    ]


def _history_if_any(project: Project) -> Iterator[Entry]:
    """Yield the history; nothing where there is no repository, or no commit in it."""
    try:
        yield from history(project)
    except GitError:
        return


def _rows(project: Project) -> Iterator[Origin]:
    declared = {a.name: a for a in project.manifest.artifacts}
    for locked in project.read_lockfile().artifacts:
        artifact = declared.get(locked.name)
        is_file = locked.kind is Kind.FILE
        for row, uri in locked.uris():
            # What is no longer declared has no place.
            target = artifact.target(row.path, is_file=is_file) if artifact else ""
            yield Origin(artifact=locked.name, target=target, uri=uri, row=row)


def _means(origin: Origin, wanted: str, from_root: str) -> bool:
    row = origin.row
    if from_root and from_root == origin.target:
        return True
    if wanted in (row.path, f"{origin.artifact}/{row.path}", str(origin.uri)):
        return True
    if not _DIGEST.fullmatch(wanted):
        return wanted in row.checksum.split(" ")
    return any(
        token.startswith(wanted) or token.partition(":")[2].startswith(wanted)
        for token in row.checksum.split(" ")
    )


def _from_root(project: Project, wanted: str, here: Path) -> str:
    """Return a path as one from the project's folder; nothing where it leads elsewhere."""
    path = os.path.normpath(here.resolve() / wanted)
    below = os.path.relpath(path, project.root)
    return "" if below.startswith("..") else below.replace(os.sep, "/")


def _repository(project: Project) -> Path:
    root = repository_root(project.root)
    if root is None:
        message = f"`{project.root}` is in no git repository, so there is no history"
        raise GitError(message, hint="run `git init` and commit `artifacts.lock`")
    return root


def _read(root: Path, name: str) -> Lockfile:
    return parse_lockfile(read_version(root, name))


def _entry(step: Step, read: Callable[[str], Lockfile]) -> Entry:
    try:
        after = Lockfile() if step.after is None else read(step.after)
        parents = [Lockfile() if name is None else read(name) for name in step.before]
    except ArtlockError as error:
        return Entry(commit=step.commit, problem=str(error))
    return Entry(commit=step.commit, changes=_new_in(parents, after))


def _new_in(parents: Sequence[Lockfile], after: Lockfile) -> tuple[Change, ...]:
    """Return what differs from every parent; the first one's rows are shown as old."""
    first, *others = (diff(parent, after) for parent in parents)
    known = [{(c.artifact, c.path) for c in changes} for changes in others]
    return tuple(c for c in first if all((c.artifact, c.path) in k for k in known))
