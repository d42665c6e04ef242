"""Files that are about to get their names: artlock's own, even if it is killed right then.

::

    .artlock/placing        a stat index of the files of a sync that has not ended

Written before the first of them has its name, and removed when all are in the index. What a
killed run left at its place is known by its inode, size and time: it is the file that was
staged, and not one with equal bytes that a person put there.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from artlock.cache.records import Stamp
from artlock.cache.statindex import Entry, WorkspaceIndex
from artlock.errors import WorkspaceError
from artlock.fs.walk import stat_many
from artlock.ops.memory import NO_PIN, index_secret
from artlock.ops.names import STATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from artlock.fs.root import Root
    from artlock.model.digest import Digest
    from artlock.model.plan import Placement
    from artlock.ops.project import Project

_NAME = "placing"


def claims_path(state: Path) -> Path:
    """Return where the claims of a project are, below its state folder."""
    return state / _NAME


def claim(
    project: Project,
    root: Root,
    placements: Iterable[Placement],
    digests: Mapping[str, Digest],
    stamps: Mapping[str, Stamp],
) -> None:
    """Write down which files are about to get their names.

    A memory only: if it cannot be written, a run that is killed leaves files that artlock
    takes for a person's.

    Args:
        project: Whose workspace it is.
        root: Its folder.
        placements: Where.
        digests: Of the bytes, by target.
        stamps: How the staged files look, by target.
    """
    entries = [
        Entry(
            path=p.target,
            size=stamps[p.target].size,
            mtime_ns=stamps[p.target].mtime_ns,
            ctime_ns=stamps[p.target].ctime_ns,
            inode=stamps[p.target].inode,
            digest=bytes.fromhex(digests[p.target].hex),
            pin=NO_PIN,
            artifact=p.artifact,
            trusted_before_ns=0,  # it is read before its bytes are believed
        )
        for p in placements
    ]
    if not entries:
        return
    secret = index_secret(project.runtime.environ)
    with suppress(OSError, WorkspaceError), root.folder(STATE, create=True) as state:
        path = claims_path(project.state)
        WorkspaceIndex(entries).save(path, secret=secret, dir_fd=state.fd)


def with_claimed(project: Project, root: Root, index: WorkspaceIndex) -> WorkspaceIndex:
    """Return an index with the files that a run gave names to before it was killed.

    Raises:
        OSError: Something cannot be looked at.
    """
    secret = index_secret(project.runtime.environ)
    claims = WorkspaceIndex.load(claims_path(project.state), secret=secret)
    named = [
        entry
        for entry, found in zip(
            claims.entries(), stat_many(root, claims.paths), strict=True
        )
        if found is not None and _stamp(entry).is_but_linked(Stamp.of(found))
    ]
    return index.updated(named) if named else index


def drop_claims(root: Root) -> None:
    """Forget what was claimed: the index knows it."""
    with suppress(OSError, WorkspaceError), root.folder(STATE) as state:
        os.unlink(_NAME, dir_fd=state.fd)


def _stamp(entry: Entry) -> Stamp:
    return Stamp(entry.inode, entry.size, entry.mtime_ns, entry.ctime_ns)
