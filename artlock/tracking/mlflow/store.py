"""An experiment in MLflow, and what is asked of it: runs, tags, inputs, claims."""

from __future__ import annotations

from collections.abc import Iterator

from mlflow.entities import DatasetInput, LifecycleStage, RunTag, ViewType
from mlflow.entities import Run as MlflowRun

from artlock.errors import ConfigError, TrackerUnavailableError, TrackingError
from artlock.model.secrets import redact
from artlock.tracking.mlflow import datasets, tags
from artlock.tracking.mlflow.failures import is_missing
from artlock.tracking.mlflow.session import Session

FINISHED = "FINISHED"
_PAGE = 500
_REMOTE = frozenset(
    {"mlflow-artifacts", "s3", "gs", "r2", "b2", "wasb", "wasbs", "abfs", "abfss"}
)
"""Where a server may say that files are: with itself, or in a bucket. Anything else, such
as ``file:`` or a bare path, is a folder of whoever asks, or a service not known here."""


class Experiment:
    """One experiment of an MLflow; every method raises what ``Session.ask`` raises."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.url = session.address.url
        self._id = ""
        self._location = ""

    def find(self) -> str | None:
        """Return its id, or ``None`` if it is not there yet.

        A database that is not there is not made for a question.

        Raises:
            TrackingError: It is deleted.
        """
        if self._id:
            return self._id
        if not self.session.is_there():
            return None
        name = self.session.address.experiment
        found = self.session.ask(lambda client: client.get_experiment_by_name(name))
        if found is None:
            return None
        if found.lifecycle_stage != LifecycleStage.ACTIVE:
            message = f"the experiment `{name}` is deleted in MLflow"
            hint = "restore it there, or name another one in the URL"
            raise TrackingError(message, tracker=self.url, hint=hint)
        self._id = str(found.experiment_id)
        self._location = str(found.artifact_location)
        return self._id

    def make(self) -> str:
        """Return its id; it is made if it is not there.

        Raises:
            ConfigError: See ``refuse_elsewhere``; no run has been made then.
        """
        found = self.find() or self._made()
        self.refuse_elsewhere(self._location)
        return found

    def refuse_elsewhere(self, place: str) -> None:
        """Refuse files of a server that are not with it, and not in a bucket.

        MLflow's client would write a lock to, or read a file from, the disk of this
        machine, wherever the server says.

        Raises:
            ConfigError: The server is not one whose files others can read.
        """
        if not self.session.address.server:
            return
        scheme, colon, _ = place.partition(":")
        if colon and scheme.lower() in _REMOTE:
            return
        message = f"the server of `{self.url}` keeps no files: it says `{redact(place)}`"
        hint = "start it with `--serve-artifacts`, and name a new experiment in the URL"
        raise ConfigError(message, hint=hint)

    def _made(self) -> str:
        name = self.session.address.experiment
        location = self.session.artifact_location()
        try:
            self.session.ask(
                lambda client: client.create_experiment(name, artifact_location=location),
                repeat=False,
            )
        except TrackingError:
            # Somebody else made it in the meantime; otherwise the failure stands.
            if (found := self.find()) is None:
                raise
        else:
            found = self.find()  # where its files are is what the server says
        if found is None:
            message = f"`{self.url}` does not show the experiment that it has made"
            raise TrackerUnavailableError(message, tracker=self.url)
        return found

    def everywhere(self) -> list[str]:
        """Return the ids of all experiments of this MLflow."""
        found: list[str] = []
        token: str | None = None
        while True:
            page = self.session.ask(
                lambda client, token=token: client.search_experiments(page_token=token)  # type: ignore[misc] # bound now
            )
            found.extend(str(experiment.experiment_id) for experiment in page)
            token = page.token
            if not token:
                return found

    def get(self, run_id: str) -> MlflowRun:
        """Return a run; also one that is deleted."""
        return self.session.ask(lambda client: client.get_run(run_id))

    def get_or_none(self, run_id: str) -> MlflowRun | None:
        """Return a run, or ``None`` if there is none, not even a deleted one."""
        try:
            return self.get(run_id)
        except TrackingError as error:
            if is_missing(error):
                return None
            raise

    def search(
        self,
        condition: str,
        *,
        experiments: list[str] | None = None,
        limit: int | None = None,
        deleted: bool = False,
    ) -> Iterator[MlflowRun]:
        """Yield runs by the number of their version, the highest first.

        Args:
            condition: In MLflow's language for filters.
            experiments: Where; by default in this one, which must be there.
            limit: At most so many.
            deleted: Whether deleted ones count too.
        """
        where = [self._id] if experiments is None else experiments
        view = ViewType.ALL if deleted else ViewType.ACTIVE_ONLY
        order = [f"tags.`{tags.NUMBER}` DESC"]
        token: str | None = None
        left = limit
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            page = self.session.ask(
                lambda client, size=size, token=token: client.search_runs(  # type: ignore[misc] # bound now
                    where, condition, view, size, order, token
                )
            )
            yield from page
            left = None if left is None else left - len(page)
            token = page.token
            if not token:
                return

    def log_inputs(self, run_id: str, inputs: list[DatasetInput]) -> None:
        """Add datasets to a run; those that it has change nothing."""
        for start in range(0, len(inputs), datasets.MAX_DATASETS):
            some = inputs[start : start + datasets.MAX_DATASETS]
            self.session.ask(
                lambda client, some=some: client.log_inputs(run_id, datasets=some),  # type: ignore[misc] # bound now
                sending=True,
            )

    def set_tags(self, run_id: str, values: dict[str, str]) -> None:
        """Set tags of a run."""
        every = [RunTag(key, value) for key, value in values.items()]
        for start in range(0, len(every), tags.MAX_TAGS):
            some = every[start : start + tags.MAX_TAGS]
            self.session.ask(
                lambda client, some=some: client.log_batch(run_id, tags=some),  # type: ignore[misc] # bound now
                sending=True,
            )

    def remove_tag(self, run_id: str, key: str) -> None:
        """Remove a tag of a run, if it is there."""
        try:
            self.session.ask(lambda client: client.delete_tag(run_id, key))
        except TrackingError as error:
            if not is_missing(error):  # somebody else who moves it was faster
                raise

    def claim(self, run_id: str, name: str, key: str) -> tuple[str, MlflowRun]:
        """Claim ``key`` of a name for a run.

        Returns:
            The id of the run that has it, this one or whoever was first; and this one, as
            it was read back.

        Raises:
            TrackingError: MLflow has not kept the claim.
        """
        self.log_inputs(run_id, [datasets.claim_of(name, key, run_id)])
        run = self.get(run_id)
        winner = datasets.claims_in(run, name).get(key)
        if not winner:
            message = f"`{self.url}` has not kept the claim of run {run_id}"
            raise TrackingError(message, tracker=self.url)
        return winner, run


def is_active(run: MlflowRun) -> bool:
    """Tell whether a run is there for everybody, and not in MLflow's bin."""
    return bool(run.info.lifecycle_stage == LifecycleStage.ACTIVE)


def counts(run: MlflowRun) -> bool:
    """Tell whether a run is a version: it is finished and has a number."""
    return run.info.status == FINISHED and tags.NUMBER in run.data.tags


def has(key: str, value: str) -> str:
    """Return the filter for a tag; the value has no character that a filter reads."""
    return f"tags.`{key}` = '{value}'"


def numbered(name: str = "", number: int | None = None) -> str:
    """Return the filter for versions: of a name, and with a number, where one is said."""
    which = "!= ''" if number is None else f"= '{tags.padded(number)}'"
    found = f"attributes.status = '{FINISHED}' and tags.`{tags.NUMBER}` {which}"
    return f"{found} and {has(tags.NAME, name)}" if name else found
