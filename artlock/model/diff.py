"""What differs between two lockfiles, row by row, as values."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artlock.model.lock import LockedArtifact, LockedObject, Lockfile


class ChangeKind(StrEnum):
    """The letter of a change, as ``git diff --name-status`` writes it.

    ``V`` is a row whose size and tokens say that the bytes are the same, under another
    version or with more or fewer tokens; ``R`` is one whose bytes were locked at another
    path, or in another artifact; ``S`` is an artifact whose declaration changed. An
    artifact as a whole is added or deleted by an ``A`` or ``D`` with an empty path.
    """

    ADDED = "A"
    DELETED = "D"
    MODIFIED = "M"
    VERSION = "V"
    RENAMED = "R"
    DECLARATION = "S"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One row, or one declaration, that differs.

    Attributes:
        path: The row's path; empty for what concerns the artifact as a whole.
        old: The row before; ``None`` if it was added.
        new: The row after; ``None`` if it was deleted.
        old_artifact: Where a renamed row was before; ``None`` for every other kind.
        keys: Of a declaration: which keys are not what they were.
    """

    artifact: str
    path: str
    kind: ChangeKind
    old: LockedObject | None = None
    new: LockedObject | None = None
    old_artifact: str | None = None
    keys: tuple[str, ...] = ()

    @property
    def bytes_delta(self) -> int:
        """Size after minus size before, in bytes."""
        return (self.new.size if self.new else 0) - (self.old.size if self.old else 0)

    def concerns(self, artifact: str) -> bool:
        """Tell whether a row of ``artifact``, or its declaration, is or was meant."""
        return artifact in (self.artifact, self.old_artifact)


def diff(old: Lockfile, new: Lockfile) -> tuple[Change, ...]:
    """Return every difference, sorted by artifact and then by path, the artifact first."""
    before = {a.name: a for a in old.artifacts}
    after = {a.name: a for a in new.artifacts}
    changes: list[Change] = []
    for name in sorted(before.keys() | after.keys()):
        changes += _artifact_diff(name, before.get(name), after.get(name))
    return tuple(changes)


def _artifact_diff(
    name: str, old: LockedArtifact | None, new: LockedArtifact | None
) -> list[Change]:
    changes = []
    if old is None:
        changes.append(Change(artifact=name, path="", kind=ChangeKind.ADDED))
    elif new is None:
        changes.append(Change(artifact=name, path="", kind=ChangeKind.DELETED))
    elif (old.declared, old.kind) != (new.declared, new.kind):
        keys = new.declared.changed_keys(old.declared)
        if old.kind is not new.kind:
            keys += ("kind",)
        changes.append(
            Change(artifact=name, path="", kind=ChangeKind.DECLARATION, keys=keys)
        )
    return changes + diff_rows(name, old.objects if old else (), new.objects if new else ())


def diff_rows(
    name: str, old: tuple[LockedObject, ...], new: tuple[LockedObject, ...]
) -> list[Change]:
    """Return the differences between two sorted lists of rows, sorted by path."""
    if old == new:
        return []
    before = {row.path: row for row in old}
    after = {row.path: row for row in new}
    changes = []
    for path in sorted(before.keys() | after.keys()):
        was, now = before.get(path), after.get(path)
        if was != now:
            kind = kind_of(was, now)
            changes.append(Change(artifact=name, path=path, kind=kind, old=was, new=now))
    return changes


def locked_otherwise(old: Lockfile, new: Lockfile) -> Iterator[LockedArtifact]:
    """Yield the artifacts of ``new`` with those rows only that are not in ``old`` as here.

    A row that is the same text is another one where it names another object: its URI comes
    from the head of its artifact, too. Yields none that has no such row.
    """
    before = {artifact.name: artifact for artifact in old.artifacts}
    for artifact in new.artifacts:
        rows = _rows_otherwise(before.get(artifact.name), artifact)
        if rows:
            yield replace(artifact, objects=rows)


def _rows_otherwise(
    old: LockedArtifact | None, new: LockedArtifact
) -> tuple[LockedObject, ...]:
    if old is None:
        return new.objects
    if old.addresses_as(new):
        known = set(old.objects)
        return tuple(row for row in new.objects if row not in known)
    objects = {(str(uri), row) for row, uri in old.uris()}
    return tuple(row for row, uri in new.uris() if (str(uri), row) not in objects)


def kind_of(old: LockedObject | None, new: LockedObject | None) -> ChangeKind:
    """Return the kind of the change from ``old`` to ``new``, which differ."""
    if old is None:
        return ChangeKind.ADDED
    if new is None:
        return ChangeKind.DELETED
    if old.size != new.size:
        return ChangeKind.MODIFIED
    was, now = old.tokens, new.tokens
    if was.contradicts(now):
        return ChangeKind.MODIFIED
    same = was.agrees(now) or (was.etag is not None and was.etag == now.etag)
    return ChangeKind.VERSION if same else ChangeKind.MODIFIED
