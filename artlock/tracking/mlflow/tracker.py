"""``Tracker`` for MLflow."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlflow.entities import Run as MlflowRun

from artlock.errors import RefNotFoundError, RegistrationRefusedError, TrackingError
from artlock.model.refs import LATEST, Ref
from artlock.model.registration import (
    Lineage,
    Outcome,
    Registration,
    Run,
    TrackerVersion,
)
from artlock.tracking.base import TrackerContext
from artlock.tracking.mlflow import aliases, datasets, pushing, tags
from artlock.tracking.mlflow.address import Address
from artlock.tracking.mlflow.failures import is_missing
from artlock.tracking.mlflow.session import Session
from artlock.tracking.mlflow.store import Experiment, counts, is_active, numbered

SERVICE = "mlflow"
_RUN_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_EXPERIMENTS = 200
"""In one search."""


class MlflowTracker:
    """See ``artlock.tracking.base.Tracker``."""

    def __init__(self, address: Address, context: TrackerContext) -> None:
        self._address = address
        self._context = context
        self._session = Session(address, context)
        self._in = Experiment(self._session)

    def register(self, registration: Registration) -> Outcome:
        """Register a lock; see ``Tracker.register``."""
        self._session.begin()
        problem = tags.problem_with(registration) or datasets.problem_with(registration)
        if problem:
            message = f"`{registration.name}` cannot be registered with MLflow: {problem}"
            raise RegistrationRefusedError(message, tracker=self._address.url)
        self._in.make()
        run = pushing.run_for(self._in, registration)
        self._in.refuse_elsewhere(str(run.info.artifact_uri))
        created = not counts(run)
        warnings: tuple[str, ...] = ()
        if created:
            run_id = str(run.info.run_id)
            pushing.send(self._in, run_id, registration)
            run = pushing.finish(self._in, run_id, registration)
        elif pushing.mend(self._in, run, registration):
            lost = f"run {run.info.run_id} had not the lock as it was pushed"
            warnings = (f"{lost}: it was sent again",)
        version = self._version(self._labelled(run, registration))
        if version.digest != registration.digest:
            message = f"run {version.native} came back with another digest"
            raise TrackingError(message, tracker=self._address.url)
        return Outcome(version=version, created=created, warnings=warnings)

    def names(self) -> Sequence[str]:
        """Return the names that have a finished version, sorted."""
        self._session.begin()
        if self._in.find() is None:
            return ()
        found = {run.data.tags.get(tags.NAME, "") for run in self._in.search(numbered())}
        return sorted(found - {""})

    def versions(self, name: str, *, limit: int | None = None) -> Sequence[TrackerVersion]:
        """Return the finished versions of a name, the newest first."""
        self._session.begin()
        if self._in.find() is None:
            raise self._not_found(Ref(name=name))
        # One is asked for at least: whether there is such a name must be known.
        most = None if limit is None else max(1, limit)
        found = list(self._in.search(numbered(name), limit=most))
        if not found:
            raise self._not_found(Ref(name=name))
        pointed = {alias for run in found for alias in tags.aliases_in(run)}
        holders = aliases.holders(self._in, name, pointed)
        versions = []
        for run in found[:limit]:
            try:
                versions.append(self._made(run, holders))
            except ValueError as error:
                # One run that somebody has changed does not hide the others.
                self._context.notice(str(error))
        return versions

    def find(self, ref: Ref) -> TrackerVersion:
        """Return the version that a ref names."""
        self._session.begin()
        if self._in.find() is None:
            raise self._not_found(ref)
        if ref.alias is not None and ref.alias != LATEST:
            run = aliases.holders(self._in, ref.name, [ref.alias]).get(ref.alias)
        else:
            found = self._in.search(numbered(ref.name, ref.number), limit=1)
            run = next(found, None)
        if run is None:
            raise self._not_found(ref)
        return self._version(run)

    def fetch(self, version: TrackerVersion) -> bytes:
        """Return the text of the lock, from the file of the push run."""
        self._session.begin()
        run = self._run_of(version)
        try:
            return pushing.lock_of(self._in, run)
        except TrackingError as error:
            if not is_missing(error):
                raise
            message = f"run {run.info.run_id} has lost its file `{pushing.LOCK_PATH}`"
            raise TrackingError(message, tracker=self._address.url) from error

    def record_input(self, version: TrackerVersion, run: Run) -> None:
        """Record that a run used a version.

        A run of this MLflow gets the datasets of the version as its inputs. Any other is
        noted at the version.
        """
        self._session.begin()
        pushed = self._run_of(version)
        known = self._known(run)
        if known is None:
            key, value = tags.run_tag(tags.CONSUMED_BY, run)
            if pushed.data.tags.get(key) != value:
                self._in.set_tags(str(pushed.info.run_id), {key: value})
            return
        if datasets.uses(known, version):
            return
        run_id = str(known.info.run_id)
        self._in.log_inputs(run_id, datasets.consumed(pushed, version.ref))
        if not datasets.uses(self._in.get(run_id), version):
            message = f"run {run_id} does not show that it used {version.ref}"
            raise TrackingError(message, tracker=self._address.url)

    def lineage(self, version: TrackerVersion) -> Lineage:
        """Return who made and who used a version, in all experiments of this MLflow."""
        self._session.begin()
        pushed = self._run_of(version)
        produced = tags.runs_in(pushed, tags.PRODUCED_BY)
        if not produced:
            produced = (Run(id=str(pushed.info.run_id), service=SERVICE),)
        found: dict[str, MlflowRun] = {}
        experiments = self._in.everywhere()
        for start in range(0, len(experiments), _EXPERIMENTS):
            some = experiments[start : start + _EXPERIMENTS]
            for run in self._in.search(datasets.filter_for(version), experiments=some):
                if datasets.uses(run, version):
                    found[str(run.info.run_id)] = run
        in_time = sorted(found, key=lambda key: (found[key].info.start_time or 0, key))
        consumed = tuple(Run(id=run_id, service=SERVICE) for run_id in in_time)
        others = tags.runs_in(pushed, tags.CONSUMED_BY)
        return Lineage(version=version, produced=produced, consumed=consumed + others)

    def close(self) -> None:
        """Give back connections; may be called twice."""
        self._session.close()

    def _labelled(self, run: MlflowRun, registration: Registration) -> MlflowRun:
        """Attach labels and the run that made it to a version; return it read back."""
        run_id, name = str(run.info.run_id), registration.name
        wanted = tags.label_tags(registration.labels)
        if registration.run is not None:
            wanted |= dict([tags.run_tag(tags.PRODUCED_BY, registration.run)])
            self._tell(registration.run, registration, int(run.data.tags[tags.NUMBER]))
        missing = {k: text for k, text in wanted.items() if run.data.tags.get(k) != text}
        self._in.set_tags(run_id, missing)
        moved = [
            aliases.move(self._in, run, name, alias)
            for alias in registration.labels.aliases
        ]
        return self._in.get(run_id) if missing or any(moved) else run

    def _tell(self, producer: Run, registration: Registration, number: int) -> None:
        """Note at the run that made a version which one that is, if the run is here."""
        known = self._known(producer)
        key = f"{tags.PRODUCED}{registration.name}.v{number}"
        if known is not None and known.data.tags.get(key) != registration.digest:
            self._in.set_tags(str(known.info.run_id), {key: registration.digest})

    def _known(self, run: Run) -> MlflowRun | None:
        """Return a run of this MLflow, or ``None`` if it is another's, or a mere name."""
        if run.service not in {"", SERVICE}:
            return None
        found = self._in.get_or_none(run.id) if _RUN_ID.fullmatch(run.id) else None
        if found is not None and is_active(found):
            return found
        if run.service:
            notice = f"run {run.id} is not one of `{self._address.url}`"
            self._context.notice(f"{notice}; it is noted at the version alone")
        return None

    def _run_of(self, version: TrackerVersion) -> MlflowRun:
        """Return the push run of a version that this tracker gave out."""
        run = None
        if _RUN_ID.fullmatch(version.native):
            run = self._in.get_or_none(version.native)
        if run is None or not is_active(run):
            raise self._not_found(Ref(name=version.name, number=version.number))
        return run

    def _version(self, run: MlflowRun) -> TrackerVersion:
        name = run.data.tags.get(tags.NAME, "")
        holders = aliases.holders(self._in, name, tags.aliases_in(run))
        if not counts(run):
            message = f"run {run.info.run_id} is not finished"
            raise TrackingError(message, tracker=self._address.url)
        try:
            return self._made(run, holders)
        except ValueError as error:
            raise TrackingError(str(error), tracker=self._address.url) from error

    def _made(self, run: MlflowRun, holders: dict[str, MlflowRun]) -> TrackerVersion:
        run_id = str(run.info.run_id)
        held = tuple(a for a, holder in holders.items() if holder.info.run_id == run_id)
        server = self._address.server
        page = f"{server}/#/experiments/{run.info.experiment_id}/runs/{run_id}"
        return tags.version_in(run, url=page if server else "", aliases=held)

    def _not_found(self, ref: Ref) -> RefNotFoundError:
        message = f"there is no `{ref}` in `{self._address.url}`"
        return RefNotFoundError(message, ref=str(ref))
