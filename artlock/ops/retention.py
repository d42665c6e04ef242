"""How long the sources keep what is locked."""

from __future__ import annotations

from collections import defaultdict
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
    ObjectNotFoundError,
    gravest,
)
from artlock.model.lock import Kind
from artlock.model.objects import VersionId
from artlock.model.retention import Since, fates
from artlock.ops import retention_words as words
from artlock.ops.sources import Sources
from artlock.stores.base import TellsRetention

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from artlock.model.lock import LockedArtifact, LockedObject
    from artlock.model.objects import Protection
    from artlock.model.retention import Fate, Retention
    from artlock.model.uri import Uri
    from artlock.ops.project import Project
    from artlock.stores.base import Store

_PATIENCE_S = 2.0
"""How long an interruption waits for an answer that is on its way."""


class RetentionKind(StrEnum):
    """What may become of a locked version.

    ``EXPIRES``: a lifecycle rule deletes it. ``OVERWRITABLE``: it is lost when its object
    is overwritten or deleted. ``NOT_KEPT``: its source has no settings to ask for, and
    promises nothing. ``GONE``: it is not there any more. ``ARCHIVES``: a rule moves it to
    where it must be restored from. ``PROTECTED``: it would be one of the first two, but
    cannot be deleted now. ``UNKNOWN``: a setting could not be read.
    """

    EXPIRES = "expires"
    OVERWRITABLE = "overwritable"
    NOT_KEPT = "not-kept"
    GONE = "gone"
    ARCHIVES = "archives"
    PROTECTED = "protected"
    UNKNOWN = "unknown"

    @property
    def exit_code(self) -> int:
        """1 if locked versions may disappear, 3 if that is unknown, else 0.

        A source without settings is told of and is no "no": nothing that its owner could
        set would make it a "yes". ``require-version-ids`` refuses such sources.
        """
        if self is RetentionKind.UNKNOWN:
            return EXIT_INCOMPLETE
        harmless = {
            RetentionKind.NOT_KEPT,
            RetentionKind.ARCHIVES,
            RetentionKind.PROTECTED,
        }
        return EXIT_OK if self in harmless else EXIT_NO


class RetentionFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule or setting means for some objects of an artifact.

    Attributes:
        uri: What was locked: the artifact's root.
        text: What becomes of each, as a phrase that begins with a verb.
        hint: What helps; empty if nothing is wrong.
        rules: Names of the lifecycle rules, if it is they.
        objects: How many.
        size: Their bytes together.
        since: What ``days`` are counted from, if there is a term.
        date: The moment (UTC) of a rule, or at which the first protection ends.
    """

    artifact: str
    kind: RetentionKind
    uri: str
    text: str
    hint: str = ""
    rules: tuple[str, ...] = ()
    objects: int
    size: int
    days: int | None = None
    since: Since | None = None
    date: datetime | None = None


class RetentionReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer.

    Attributes:
        findings: By artifact, in the order of the manifest.
        errors: Artifacts whose source could not be asked.
        objects: How many locked objects were judged by the settings of their sources.
        at_risk: How many of them may disappear.
    """

    findings: tuple[RetentionFinding, ...]
    errors: tuple[ArtlockError, ...]
    objects: int
    at_risk: int

    @property
    def exit_code(self) -> int:
        """0 if no setting ends anything, 1 if one does, 3 if that is unknown."""
        codes = [error.exit_code for error in self.errors]
        return gravest([*codes, *(finding.kind.exit_code for finding in self.findings)])


def find_retention(project: Project, *, now: datetime) -> RetentionReport:
    """Tell which locked versions may disappear, when, and what helps.

    A few requests for each bucket. Only where a bucket protects single versions, one more
    for each version that may disappear otherwise.

    Args:
        project: The manifest and where it lies.
        now: The moment (UTC) at which protections are judged.

    Raises:
        LockfileError: There is no lockfile, or it is not valid.
        PolicyError: A setting without which a source cannot be reached is not trusted.
    """
    lock = project.read_lockfile()
    findings: list[RetentionFinding] = []
    errors: list[ArtlockError] = []
    objects = at_risk = 0
    known: dict[tuple[int, str | None], Retention | None] = {}
    with Sources(project) as sources:
        for artifact in project.manifest.artifacts:
            locked = lock.get(artifact.name)
            if locked is None or locked.kind is Kind.LINK:
                continue
            uri = locked.declared.uri
            try:
                store = sources.store(artifact, uri)
                bucket = (id(store), uri.authority)
                if bucket not in known:
                    known[bucket] = (
                        store.retention(uri) if isinstance(store, TellsRetention) else None
                    )
                judged = _Judgement(project, locked, store, known[bucket], now)
                findings += judged.findings()
                at_risk += judged.at_risk
                objects += len(locked.objects) if known[bucket] is not None else 0
            except ArtlockError as error:
                errors.append(error)
    return RetentionReport(
        findings=tuple(findings), errors=tuple(errors), objects=objects, at_risk=at_risk
    )


_Row = tuple["LockedObject", "Uri"]


class _Judgement:
    """One artifact under the settings of its bucket.

    Attributes:
        at_risk: How many of its objects may disappear; known after ``findings``.
    """

    def __init__(
        self,
        project: Project,
        locked: LockedArtifact,
        store: Store,
        retention: Retention | None,
        now: datetime,
    ) -> None:
        self._project = project
        self._locked = locked
        self._store = store
        self._retention = retention
        self._now = now
        self._bucket = f"{locked.root.scheme}://{locked.root.authority}"
        self.at_risk = 0

    def findings(self) -> list[RetentionFinding]:
        """Return what there is to say, kind by kind; rules in the order of the bucket."""
        rows = list(self._locked.uris())
        if not rows:
            return []
        if self._retention is None:
            return [
                self._finding(
                    RetentionKind.NOT_KEPT,
                    rows,
                    text="is not kept by its source",
                    hint=words.NOT_KEPT_HINT,
                )
            ]
        return list(self._judged(self._retention, rows))

    def _judged(self, retention: Retention, rows: list[_Row]) -> Iterator[RetentionFinding]:
        ends = _Ends(retention)
        risky = [pair for pair in rows if ends.are_risky(*pair)]
        protected, gone = self._asked(risky) if retention.protects else ({}, set())
        safe = protected.keys() | gone
        self.at_risk = len(risky) - len(protected)
        expiring: dict[Fate, list[_Row]] = defaultdict(list)
        archiving: dict[Fate, list[_Row]] = defaultdict(list)
        loose: dict[bool, list[_Row]] = defaultdict(list)
        for row, uri in rows:
            has_version = bool(row.version)
            if row.path not in safe and not retention.keeps(has_version=has_version):
                loose[has_version].append((row, uri))
            for fate in ends.of(row, uri):
                if fate.archives_to is not None:
                    archiving[fate].append((row, uri))
                elif row.path not in safe:
                    expiring[fate].append((row, uri))
        for fate, found in expiring.items():
            soft = retention.restorable_days
            yield self._ending(RetentionKind.EXPIRES, fate, found, restorable_days=soft)
        for has_version, found in loose.items():
            yield self._finding(
                RetentionKind.OVERWRITABLE,
                found,
                text=words.overwritable_text(retention, self._bucket),
                hint=words.overwritable_hint(retention, has_versions=has_version),
            )
        if gone:
            found = [pair for pair in risky if pair[0].path in gone]
            yield self._finding(
                RetentionKind.GONE,
                found,
                text="is gone: the store does not have this version any more",
                hint="`artlock check --remote` tells what became of the others",
            )
        for fate, found in archiving.items():
            yield self._ending(RetentionKind.ARCHIVES, fate, found)
        if protected:
            yield self._protected(protected, risky)
        for unread in retention.unread:
            if unread.only_protects and not self.at_risk:
                continue
            yield self._finding(
                RetentionKind.UNKNOWN,
                rows,
                text=words.unread_text(unread.setting, self._bucket),
                hint=unread.hint,
            )

    def _asked(self, rows: list[_Row]) -> tuple[dict[str, Protection], set[str]]:
        """Ask for each version by itself: which are protected, and which are gone."""
        progress = self._project.runtime.progress
        protected: dict[str, Protection] = {}
        gone: set[str] = set()

        def ask(pair: _Row) -> Protection | None:
            row, uri = pair
            version = VersionId(row.version) if row.version else None
            try:
                return self._store.head(uri, version).protection
            except AccessDeniedError:
                return None  # no promise without a proof

        progress.begin("asking", objects=len(rows), size=None)
        try:
            outcomes = each(
                ask,
                rows,
                workers=min(self._project.runtime.jobs, max(len(rows), 1)),
                patience_s=_PATIENCE_S,
            )
            for outcome in outcomes:
                progress.advance(objects=1)
                path = outcome.item[0].path
                if isinstance(outcome.error, ObjectNotFoundError):
                    gone.add(path)
                elif outcome.error is not None:
                    raise outcome.error
                elif outcome.result is not None and outcome.result.lasts(self._now):
                    protected[path] = outcome.result
        finally:
            progress.end()
        return protected, gone

    def _ending(
        self,
        kind: RetentionKind,
        fate: Fate,
        rows: list[_Row],
        *,
        restorable_days: int = 0,
    ) -> RetentionFinding:
        return self._finding(
            kind,
            rows,
            text=words.fate_text(fate, restorable_days=restorable_days),
            hint=words.fate_hint(fate),
            rules=fate.rules,
            days=fate.days,
            since=fate.since,
            date=fate.date,
        )

    def _protected(
        self, protected: dict[str, Protection], risky: list[_Row]
    ) -> RetentionFinding:
        ends = [
            p.until for p in protected.values() if p.until is not None and not p.is_held
        ]
        return self._finding(
            RetentionKind.PROTECTED,
            [pair for pair in risky if pair[0].path in protected],
            text=words.protected_text(ends, held=len(protected) - len(ends)),
            date=min(ends, default=None),
        )

    def _finding(
        self,
        kind: RetentionKind,
        rows: Iterable[_Row],
        *,
        text: str,
        hint: str = "",
        rules: tuple[str, ...] = (),
        days: int | None = None,
        since: Since | None = None,
        date: datetime | None = None,
    ) -> RetentionFinding:
        sizes = [row.size for row, _ in rows]
        return RetentionFinding(
            artifact=self._locked.name,
            kind=kind,
            uri=str(self._locked.root),
            text=text,
            hint=hint,
            rules=rules,
            objects=len(sizes),
            size=sum(sizes),
            days=days,
            since=since,
            date=date,
        )


class _Ends:
    """Fates of rows; most rows of a bucket share them."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._known: dict[tuple[tuple[int, ...], bool], tuple[Fate, ...]] = {}

    def of(self, row: LockedObject, uri: Uri) -> tuple[Fate, ...]:
        """Return how a row ends by rules."""
        covering = self._retention.covering(uri.key, row.size)
        key = covering, bool(row.version)
        if key not in self._known:
            self._known[key] = fates(self._retention, covering, has_version=key[1])
        return self._known[key]

    def are_risky(self, row: LockedObject, uri: Uri) -> bool:
        """Tell whether a row may disappear."""
        if not self._retention.keeps(has_version=bool(row.version)):
            return True
        return any(fate.archives_to is None for fate in self.of(row, uri))
