"""``Tracker`` for MLflow: find, create, send, claim a number, finish, read back.

MLflow has no versions of data, and nothing that decides between two who write at once; but
of a dataset, known by experiment, name and digest, it keeps what was said first. So a run
*claims*: it logs a dataset whose source names the run, and reads whose name was kept. The
digest is claimed first, so that two pushes of one lock go on with one run, and the number
last, when all is sent (decision record 0039).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from mlflow import MlflowClient
from mlflow.entities import DatasetInput, LifecycleStage, RunTag, ViewType
from mlflow.entities import Run as MlflowRun

from artlock.errors import (
    RefNotFoundError,
    RegistrationRefusedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.model.refs import LATEST, Ref
from artlock.model.registration import (
    Lineage,
    Outcome,
    Registration,
    Run,
    TrackerVersion,
)
from artlock.tracking.base import TrackerContext
from artlock.tracking.mlflow import runs
from artlock.tracking.mlflow.address import Address
from artlock.tracking.mlflow.failures import is_missing
from artlock.tracking.mlflow.session import Session

_FINISHED = "FINISHED"
_RUN_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_PAGE = 500
_EXPERIMENTS = 200
"""In one search."""
_TRIES = 5
_MAX_DELETED = 999
"""How often one lock may be deleted in MLflow and pushed again."""


class MlflowTracker:
    """See ``artlock.tracking.base.Tracker``."""

    def __init__(self, address: Address, context: TrackerContext) -> None:
        self._address = address
        self._context = context
        self._session = Session(address, context)
        self._found_experiment = ""

    def register(self, registration: Registration) -> Outcome:
        """Register a lock; see ``Tracker.register``."""
        self._session.begin()
        if problem := runs.problem_with(registration):
            message = f"`{registration.name}` cannot be registered with MLflow: {problem}"
            raise RegistrationRefusedError(message, tracker=self._address.url)
        experiment = self._experiment_to_write()
        run = self._run_for(experiment, registration)
        created = not _counts(run)
        if created:
            self._send(run, registration)
            run = self._finished(run, registration)
        run = self._labelled(run, registration)
        version = self._version(run)
        if version.digest != registration.digest:
            message = f"run {version.native} came back with another digest"
            raise TrackingError(message, tracker=self._address.url)
        return Outcome(version=version, created=created)

    def names(self) -> Sequence[str]:
        """Return the names that have a finished version, sorted."""
        self._session.begin()
        experiment = self._experiment()
        if experiment is None:
            return ()
        found = self._search([experiment], _numbered())
        return sorted({str(run.data.tags.get(runs.NAME, "")) for run in found} - {""})

    def versions(self, name: str, *, limit: int | None = None) -> Sequence[TrackerVersion]:
        """Return the finished versions of a name, the newest first."""
        self._session.begin()
        experiment = self._experiment()
        found = (
            list(self._search([experiment], _numbered(name), limit=limit))
            if experiment is not None
            else []
        )
        if experiment is None or (not found and limit != 0):
            raise self._not_found(Ref(name=name))
        holders = self._holders(
            experiment, name, {alias for run in found for alias in runs.aliases_in(run)}
        )
        versions = []
        for run in found:
            try:
                versions.append(self._made(run, holders))
            except ValueError as error:
                # One run that somebody has changed does not hide the others.
                self._context.notice(str(error))
        return versions

    def find(self, ref: Ref) -> TrackerVersion:
        """Return the version that a ref names."""
        self._session.begin()
        experiment = self._experiment()
        if experiment is None:
            raise self._not_found(ref)
        if ref.alias is not None and ref.alias != LATEST:
            run = self._holders(experiment, ref.name, {ref.alias}).get(ref.alias)
        else:
            number = "" if ref.number is None else runs.padded(ref.number)
            found = self._search([experiment], _numbered(ref.name, number), limit=1)
            run = next(iter(found), None)
        if run is None:
            raise self._not_found(ref)
        return self._version(run)

    def fetch(self, version: TrackerVersion) -> bytes:
        """Return the text of the lock, from the file of the push run."""
        self._session.begin()
        run = self._run_of(version)
        folder = self._context.scratch / uuid4().hex
        path = f"{runs.LOCK_FOLDER}/{runs.LOCK_FILE}"

        def read(client: MlflowClient) -> bytes:
            folder.mkdir(exist_ok=True)
            place = client.download_artifacts(run.info.run_id, path, str(folder))
            return Path(place).read_bytes()

        try:
            return self._session.ask(read)
        except TrackingError as error:
            if not is_missing(error):
                raise
            message = f"run {run.info.run_id} has lost its file `{path}`"
            raise TrackingError(message, tracker=self._address.url) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def record_input(self, version: TrackerVersion, run: Run) -> None:
        """Record that a run used a version.

        A run of this MLflow gets the datasets of the version as its inputs. Any other is
        noted at the version.
        """
        self._session.begin()
        pushed = self._run_of(version)
        known = self._known(run)
        if known is None:
            self._note(pushed, runs.CONSUMED_BY, run)
            return
        if runs.uses(known, version):
            return
        inputs = runs.consumed(runs.inputs_of(pushed), version.ref)
        self._log_inputs(str(known.info.run_id), inputs)
        if not runs.uses(self._get(str(known.info.run_id)), version):
            message = f"run {known.info.run_id} does not show that it used {version.ref}"
            raise TrackingError(message, tracker=self._address.url)

    def lineage(self, version: TrackerVersion) -> Lineage:
        """Return who made and who used a version, in all experiments of this MLflow."""
        self._session.begin()
        pushed = self._run_of(version)
        produced = runs.runs_in(pushed, runs.PRODUCED_BY)
        if not produced:
            produced = (Run(id=str(pushed.info.run_id), service=runs.SERVICE),)
        condition = (
            f"dataset.name = '{runs.lock_dataset(version.name)}'"
            f" and dataset.digest = '{runs.short(version.digest)}'"
        )
        found: dict[str, MlflowRun] = {}
        experiments = self._experiments()
        for start in range(0, len(experiments), _EXPERIMENTS):
            some = experiments[start : start + _EXPERIMENTS]
            for run in self._search(some, condition):
                if runs.uses(run, version):
                    found[str(run.info.run_id)] = run
        in_time = sorted(found, key=lambda key: (found[key].info.start_time or 0, key))
        consumed = tuple(Run(id=run_id, service=runs.SERVICE) for run_id in in_time)
        others = runs.runs_in(pushed, runs.CONSUMED_BY)
        return Lineage(version=version, produced=produced, consumed=consumed + others)

    def close(self) -> None:
        """Give back connections; may be called twice."""
        self._session.close()

    # -- experiments

    def _experiment(self) -> str | None:
        """Return the id of the experiment, or ``None`` if there is none yet.

        A database that is not there is not made for a question.
        """
        if self._found_experiment:
            return self._found_experiment
        if not self._session.is_there():
            return None
        name = self._address.experiment
        found = self._session.ask(lambda client: client.get_experiment_by_name(name))
        if found is None:
            return None
        if found.lifecycle_stage != LifecycleStage.ACTIVE:
            message = f"the experiment `{name}` is deleted in MLflow"
            hint = "restore it there, or name another one in the URL"
            raise TrackingError(message, tracker=self._address.url, hint=hint)
        self._found_experiment = str(found.experiment_id)
        return self._found_experiment

    def _experiment_to_write(self) -> str:
        found = self._experiment()
        if found is not None:
            return found
        name, location = self._address.experiment, self._session.artifact_location()
        try:
            self._found_experiment = str(
                self._session.ask(
                    lambda client: client.create_experiment(
                        name, artifact_location=location
                    ),
                    repeat=False,
                )
            )
        except TrackingError:
            # Somebody else made it in the meantime; otherwise the failure stands.
            if self._experiment() is None:
                raise
        return self._found_experiment

    def _experiments(self) -> list[str]:
        found: list[str] = []
        token: str | None = None
        while True:
            page = self._session.ask(
                lambda client, token=token: client.search_experiments(page_token=token)  # type: ignore[misc] # bound now
            )
            found.extend(str(experiment.experiment_id) for experiment in page)
            token = page.token
            if not token:
                return found

    # -- the push run

    def _run_for(self, experiment: str, registration: Registration) -> MlflowRun:
        """Return the one run that this lock has, or gets: begun by whoever was first."""
        for _ in range(_TRIES):
            there = self._pushed(experiment, registration)
            if there is not None and _counts(there):
                return there
            mine = there or self._create(experiment, registration)
            try:
                return self._settled(str(mine.info.run_id), registration)
            except TrackingError:
                # Whoever began it has deleted it since, as one too many.
                now = self._get_or_none(str(mine.info.run_id))
                if there is None or (now is not None and _is_active(now)):
                    raise
        message = f"`{registration.name}` is pushed by too many at once"
        raise TrackerUnavailableError(message, tracker=self._address.url)

    def _pushed(self, experiment: str, registration: Registration) -> MlflowRun | None:
        """Return the run of this lock: the first version, or else the oldest begun.

        There are two versions where one was deleted, pushed anew and restored.
        """
        name, digest = registration.name, registration.digest
        condition = f"{_is(runs.NAME, name)} and {_is(runs.DIGEST, digest)}"
        found = list(self._search([experiment], condition))
        if counted := [run for run in found if _counts(run)]:
            return counted[-1]
        begun = [run for run in found if run.info.status != _FINISHED]
        return min(begun, key=lambda r: (r.info.start_time, r.info.run_id), default=None)

    def _settled(self, mine_id: str, registration: Registration) -> MlflowRun:
        """Return the run that has the digest: that of ``mine_id``, or another's."""
        for generation in range(1, _MAX_DELETED + 1):
            key = f"{runs.short(registration.digest, 32)}.{generation}"
            winner, mine = self._claim(mine_id, registration.name, key)
            if winner == mine_id:
                return mine
            run = self._get_or_none(winner)
            if run is not None and _is_active(run):
                self._discard(mine_id)
                if run.data.tags.get(runs.DIGEST) != registration.digest:
                    message = f"run {winner} has another digest than it claims"
                    raise TrackingError(message, tracker=self._address.url)
                return run
        message = f"`{registration.name}` was deleted in MLflow too often"
        raise RegistrationRefusedError(message, tracker=self._address.url)

    def _create(self, experiment: str, registration: Registration) -> MlflowRun:
        # Not repeated: a request whose answer was lost leaves a run, which is found above.
        return self._session.ask(
            lambda client: client.create_run(
                experiment,
                tags=runs.tags_of(registration),
                run_name=f"{registration.name} {registration.short}",
            ),
            repeat=False,
            sending=True,
        )

    def _discard(self, run_id: str) -> None:
        """Delete a run that was begun for nothing, so that nobody wonders about it."""

        def delete(client: MlflowClient) -> None:
            client.set_terminated(run_id, status="KILLED")
            client.delete_run(run_id)

        with suppress(TrackingError):  # it counts for nothing, there or not
            self._session.ask(delete)

    def _send(self, run: MlflowRun, registration: Registration) -> None:
        """Send datasets and the lock, and look whether all of it is there."""
        run_id = str(run.info.run_id)
        wanted = list(runs.datasets_of(registration))
        self._log_inputs(run_id, wanted)
        folder = self._context.scratch / uuid4().hex
        folder.mkdir()
        try:
            file = folder / runs.LOCK_FILE
            file.write_bytes(registration.text)
            self._session.ask(
                lambda client: client.log_artifact(run_id, str(file), runs.LOCK_FOLDER),
                sending=True,
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if problem := runs.problem_with_inputs(self._get(run_id), wanted):
            raise RegistrationRefusedError(problem, tracker=self._address.url)
        listed = self._session.ask(
            lambda client: client.list_artifacts(run_id, runs.LOCK_FOLDER)
        )
        sizes = {one.path.rpartition("/")[2]: one.file_size for one in listed}
        if sizes.get(runs.LOCK_FILE) not in {None, len(registration.text)} or (
            runs.LOCK_FILE not in sizes
        ):
            message = f"the lock did not arrive whole at run {run_id}"
            raise TrackerUnavailableError(message, tracker=self._address.url)

    def _finished(self, run: MlflowRun, registration: Registration) -> MlflowRun:
        run_id, name = str(run.info.run_id), registration.name
        number = self._number(run, name)
        tags = {runs.NUMBER: runs.padded(number), "mlflow.runName": f"{name}:v{number}"}
        self._set_tags(run_id, tags | runs.label_tags(registration.labels))
        self._session.ask(lambda client: client.set_terminated(run_id), sending=True)
        return self._get(run_id)

    def _number(self, run: MlflowRun, name: str) -> int:
        """Return the number of a run's version; claimed, so that nobody else has it.

        Numbers are claimed one after the other, so all below one that counts are taken.
        Those of deleted runs stay taken.
        """
        run_id = str(run.info.run_id)
        experiment = str(run.info.experiment_id)
        newest = self._search([experiment], _numbered(name), limit=1, deleted=True)
        number = max((int(r.data.tags[runs.NUMBER]) for r in newest), default=0) + 1
        # After the search: another client may be at work on the same run.
        for key, winner in runs.claims_in(self._get(run_id), name).items():
            if winner == run_id and key.startswith("v"):
                return int(key[1:])
        while self._claim(run_id, name, f"v{number}")[0] != run_id:
            number += 1
        return number

    def _claim(self, run_id: str, name: str, key: str) -> tuple[str, MlflowRun]:
        """Return the id of the run that has ``key``, this one or whoever was first.

        And this one, as it was read back.
        """
        self._log_inputs(run_id, [runs.claim_of(name, key, run_id)])
        run = self._get(run_id)
        winner = runs.claims_in(run, name).get(key)
        if not winner:
            message = f"`{self._address.url}` has not kept the claim of run {run_id}"
            raise TrackingError(message, tracker=self._address.url)
        return winner, run

    # -- labels and runs

    def _labelled(self, run: MlflowRun, registration: Registration) -> MlflowRun:
        """Attach labels and the run that made it to a version; return it read back."""
        run_id, name = str(run.info.run_id), registration.name
        tags = run.data.tags
        wanted = runs.label_tags(registration.labels)
        if registration.run is not None:
            wanted |= dict([runs.run_tag(runs.PRODUCED_BY, registration.run)])
        missing = {key: value for key, value in wanted.items() if tags.get(key) != value}
        self._set_tags(run_id, missing)
        moved = [self._move(run, name, alias) for alias in registration.labels.aliases]
        if registration.run is not None:
            self._tell_producer(registration, int(tags[runs.NUMBER]))
        return self._get(run_id) if missing or any(moved) else run

    def _move(self, run: MlflowRun, name: str, alias: str) -> bool:
        """Give an alias to a run, and take it from others; tell if that changed the run."""
        run_id = run.info.run_id
        key = f"{runs.ALIAS}{alias}"
        holding = self._candidates(str(run.info.experiment_id), name, alias)
        is_moved = not holding or holding[-1].info.run_id != run_id
        if is_moved:
            moves = max((runs.aliases_in(r)[alias] for r in holding), default=0)
            # First there, then gone elsewhere: the alias always points somewhere.
            self._set_tags(run_id, {key: str(moves + 1)})
        for other in holding:
            if other.info.run_id != run_id:
                self._remove_tag(str(other.info.run_id), key)
        return is_moved

    def _candidates(self, experiment: str, name: str, alias: str) -> list[MlflowRun]:
        """Return the runs with an alias, the one that holds it last.

        There are several only while it moves, or after that was interrupted.
        """
        condition = f"{_numbered(name)} and tags.`{runs.ALIAS}{alias}` != ''"
        found = [
            run
            for run in self._search([experiment], condition)
            if alias in runs.aliases_in(run)
        ]
        return sorted(
            found, key=lambda run: (runs.aliases_in(run)[alias], run.data.tags[runs.NUMBER])
        )

    def _holders(
        self, experiment: str, name: str, aliases: set[str]
    ) -> dict[str, MlflowRun]:
        found = {
            alias: self._candidates(experiment, name, alias) for alias in sorted(aliases)
        }
        return {alias: candidates[-1] for alias, candidates in found.items() if candidates}

    def _tell_producer(self, registration: Registration, number: int) -> None:
        """Note at the run that made a version which one that is, if the run is here."""
        known = self._known(registration.run) if registration.run is not None else None
        key = f"{runs.PRODUCED}{registration.name}.v{number}"
        if known is not None and known.data.tags.get(key) != registration.digest:
            self._set_tags(str(known.info.run_id), {key: registration.digest})

    def _note(self, pushed: MlflowRun, prefix: str, run: Run) -> None:
        key, value = runs.run_tag(prefix, run)
        if pushed.data.tags.get(key) != value:
            self._set_tags(str(pushed.info.run_id), {key: value})

    def _known(self, run: Run) -> MlflowRun | None:
        """Return a run of this MLflow, or ``None`` if it is another's, or a mere name."""
        if run.service not in {"", runs.SERVICE} or not _RUN_ID.fullmatch(run.id):
            return None
        found = self._get_or_none(run.id)
        if found is None or not _is_active(found):
            if run.service:
                self._context.notice(
                    f"run {run.id} is not one of `{self._address.url}`; "
                    "it is noted at the version alone"
                )
            return None
        return found

    def _run_of(self, version: TrackerVersion) -> MlflowRun:
        """Return the push run of a version that this tracker gave out."""
        run = self._get_or_none(version.native) if version.native else None
        if run is None or not _is_active(run):
            raise self._not_found(Ref(name=version.name, number=version.number))
        return run

    def _version(self, run: MlflowRun) -> TrackerVersion:
        name, experiment = str(run.data.tags.get(runs.NAME, "")), run.info.experiment_id
        holders = self._holders(str(experiment), name, set(runs.aliases_in(run)))
        if not _counts(run):
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
        return runs.version_in(run, url=page if server else "", aliases=held)

    def _not_found(self, ref: Ref) -> RefNotFoundError:
        message = f"there is no `{ref}` in `{self._address.url}`"
        return RefNotFoundError(message, ref=str(ref))

    # -- requests

    def _get(self, run_id: str) -> MlflowRun:
        return self._session.ask(lambda client: client.get_run(run_id))

    def _get_or_none(self, run_id: str) -> MlflowRun | None:
        try:
            return self._get(run_id)
        except TrackingError as error:
            if is_missing(error):
                return None
            raise

    def _log_inputs(self, run_id: str, inputs: list[DatasetInput]) -> None:
        for start in range(0, len(inputs), runs.MAX_DATASETS):
            some = inputs[start : start + runs.MAX_DATASETS]
            self._session.ask(
                lambda client, some=some: client.log_inputs(run_id, datasets=some),  # type: ignore[misc] # bound now
                sending=True,
            )

    def _set_tags(self, run_id: str, tags: dict[str, str]) -> None:
        every = [RunTag(key, value) for key, value in tags.items()]
        for start in range(0, len(every), runs.MAX_TAGS):
            some = every[start : start + runs.MAX_TAGS]
            self._session.ask(
                lambda client, some=some: client.log_batch(run_id, tags=some),  # type: ignore[misc] # bound now
                sending=True,
            )

    def _remove_tag(self, run_id: str, key: str) -> None:
        try:
            self._session.ask(lambda client: client.delete_tag(run_id, key))
        except TrackingError as error:
            if not is_missing(error):  # somebody else who moves it was faster
                raise

    def _search(
        self,
        experiments: list[str],
        condition: str,
        *,
        limit: int | None = None,
        deleted: bool = False,
    ) -> Iterator[MlflowRun]:
        """Yield runs by the number of their version, the highest first."""
        view = ViewType.ALL if deleted else ViewType.ACTIVE_ONLY
        order = [f"tags.`{runs.NUMBER}` DESC"]
        token: str | None = None
        left = limit
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            page = self._session.ask(
                lambda client, size=size, token=token: client.search_runs(  # type: ignore[misc] # bound now
                    experiments, condition, view, size, order, token
                )
            )
            yield from page
            left = None if left is None else left - len(page)
            token = page.token
            if not token:
                return


def _is_active(run: MlflowRun) -> bool:
    """Tell whether a run is there for everybody, and not in MLflow's bin."""
    return bool(run.info.lifecycle_stage == LifecycleStage.ACTIVE)


def _counts(run: MlflowRun) -> bool:
    """Tell whether a run is a version: it is finished and has a number."""
    return run.info.status == _FINISHED and runs.NUMBER in run.data.tags


def _is(key: str, value: str) -> str:
    return f"tags.`{key}` = '{value}'"


def _numbered(name: str = "", number: str = "") -> str:
    """Return the filter for versions: of a name, and with a number, where one is said.

    Names and numbers have no character that a filter would read otherwise.
    """
    which = f"= '{number}'" if number else "!= ''"
    found = f"attributes.status = '{_FINISHED}' and tags.`{runs.NUMBER}` {which}"
    return f"{found} and {_is(runs.NAME, name)}" if name else found
