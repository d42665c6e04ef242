"""Whether sources have moved on since they were locked, and what became of the pins."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from artlock.engine.threads import each
from artlock.errors import (
    EXIT_INCOMPLETE,
    EXIT_NO,
    EXIT_OK,
    AccessDeniedError,
    ArtlockError,
    ManifestError,
    ObjectNotFoundError,
    gravest,
)
from artlock.model.lock import Kind
from artlock.model.objects import VersionId
from artlock.ops.comparing import holds_the_same, same_content
from artlock.ops.observe import observe
from artlock.ops.rows import same_state
from artlock.ops.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artlock.model.lock import LockedArtifact, LockedObject
    from artlock.model.manifest import Artifact
    from artlock.model.objects import ObjectInfo
    from artlock.model.uri import Uri
    from artlock.ops.project import Project
    from artlock.stores.base import Store

_PATIENCE_S = 2.0
"""How long an interruption waits for an answer that is on its way."""


class DriftKind(StrEnum):
    """What a source did to an object since it was locked.

    ``CHANGED``, ``DELETED`` and ``SAME_BYTES`` leave the locked version retrievable; after
    ``OVERWRITTEN`` and ``GONE`` the locked bytes are only in a cache or mirror. After
    ``ARCHIVED`` the locked version must be restored before it can be read, whatever else
    became of its object. ``DENIED`` means that the store would not tell.
    """

    ADDED = "added"
    CHANGED = "changed"
    OVERWRITTEN = "overwritten"
    DELETED = "deleted"
    GONE = "gone"
    ARCHIVED = "archived"
    DENIED = "denied"
    SAME_BYTES = "same-bytes"


class Drift(msgspec.Struct, frozen=True):
    """One object that is not as it was locked."""

    artifact: str
    path: str
    kind: DriftKind
    uri: str


class DriftReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer.

    Attributes:
        drifts: Sorted by artifact and path.
        errors: Artifacts whose source could not be asked.
        objects: How many locked objects were compared.
    """

    drifts: tuple[Drift, ...]
    errors: tuple[ArtlockError, ...]
    objects: int

    @property
    def exit_code(self) -> int:
        """The gravest of: an error's own, 3 for a refusal, 1 if anything drifted, 0."""
        codes = [error.exit_code for error in self.errors]
        if any(d.kind is DriftKind.DENIED for d in self.drifts):
            codes.append(EXIT_INCOMPLETE)
        return gravest([*codes, EXIT_NO if self.drifts else EXIT_OK])

    def counts(self) -> dict[str, int]:
        """Return how many drifts there are of each kind that occurs."""
        return dict(Counter(str(d.kind) for d in self.drifts))


def find_drift(project: Project, names: Sequence[str] = ()) -> DriftReport:
    """Compare what is locked with what the sources hold now.

    One listing for 1,000 objects, no bytes from a network; a request for each object that
    differs and has a version, to learn whether that version is still there, and for each
    that is listed in an archive class, to learn whether it is restored. Objects in shared
    storage have nothing but their bytes, so those of equal size are read.

    Raises:
        LockfileError: There is no lockfile, or it is not valid.
        PolicyError: A setting without which a source cannot be reached is not trusted.
    """
    lock = project.read_lockfile()
    drifts: list[Drift] = []
    errors: list[ArtlockError] = []
    compared = 0
    with Sources(project) as sources:
        for artifact in project.chosen(names):
            locked = lock.get(artifact.name)
            if locked is None or locked.kind is Kind.LINK:
                continue
            try:
                store = sources.store(artifact)
                drifts += _Comparison(project, artifact, locked, store).drifts()
                compared += len(locked.objects)
            except ArtlockError as error:
                errors.append(error)
    drifts.sort(key=lambda d: (d.artifact, d.path))
    return DriftReport(drifts=tuple(drifts), errors=tuple(errors), objects=compared)


class _Comparison:
    """One artifact against its source."""

    def __init__(
        self, project: Project, artifact: Artifact, locked: LockedArtifact, store: Store
    ) -> None:
        self._project = project
        self._artifact = artifact
        self._locked = locked
        self._store = store
        self._uris = {row.path: uri for row, uri in locked.uris()}

    def drifts(self) -> list[Drift]:
        """Return what drifted; paths of one artifact in no order."""
        now = self._observed()
        rows = {row.path: row for row in self._locked.objects}
        found = [
            self._drift(path, DriftKind.ADDED, info.uri)
            for path, info in now.items()
            if path not in rows
        ]
        doubtful = [
            (row, info)
            for path, row in rows.items()
            if (info := now.get(path)) is None or info.archived or not same_state(row, info)
        ]
        judged = each(
            lambda pair: self._judge(*pair),
            doubtful,
            workers=min(self._project.runtime.jobs, max(len(doubtful), 1)),
            patience_s=_PATIENCE_S,
        )
        for outcome in judged:
            if outcome.error is not None:
                raise outcome.error
            if outcome.result is not None:
                row = outcome.item[0]
                found.append(self._drift(row.path, outcome.result, self._uris[row.path]))
        return found

    def _observed(self) -> dict[str, ObjectInfo]:
        try:
            seen = observe(self._artifact, self._store, self._project.runtime.progress)
        except ObjectNotFoundError:
            return {}  # every object is deleted; the rows say which
        except ManifestError:
            # Nothing is selected any more. Where the same patterns once did select the
            # rows, those objects are deleted; where they are others, they may be wrong.
            if not self._locked.objects or not self._locked.answers(self._artifact):
                raise
            return {}
        return {o.path: o.info for o in seen.objects}

    def _drift(self, path: str, kind: DriftKind, uri: Uri) -> Drift:
        return Drift(self._artifact.name, path, kind, str(uri))

    def _judge(self, row: LockedObject, info: ObjectInfo | None) -> DriftKind | None:
        """Say what became of a row that the store does not show ready to be read."""
        if info is not None and same_state(row, info):
            return self._asleep(row)
        if row.version:
            lost = self._lost(row)
            if lost is not None:
                return lost
            if info is None:
                return DriftKind.DELETED
            same = row.size == info.size and same_content(row.tokens, info.tokens)
            return DriftKind.SAME_BYTES if same else DriftKind.CHANGED
        if info is None:
            return DriftKind.GONE
        same = holds_the_same(row, info, self._store)
        return None if same else DriftKind.OVERWRITTEN

    def _lost(self, row: LockedObject) -> DriftKind | None:
        """Ask for the locked version itself; a 403 is never read as "gone" (hazard 4.9)."""
        try:
            info = self._head(row)
        except AccessDeniedError:
            return DriftKind.DENIED
        except ObjectNotFoundError:
            return DriftKind.GONE
        return DriftKind.ARCHIVED if info.archived else None

    def _asleep(self, row: LockedObject) -> DriftKind | None:
        """Ask for a row that is listed in an archive class: it may have been restored."""
        try:
            info = self._head(row)
        except AccessDeniedError:
            return DriftKind.ARCHIVED  # as far as the listing tells
        except ObjectNotFoundError:
            return DriftKind.GONE  # since it was listed
        return DriftKind.ARCHIVED if info.archived else None

    def _head(self, row: LockedObject) -> ObjectInfo:
        version = VersionId(row.version) if row.version else None
        return self._store.head(self._uris[row.path], version)
