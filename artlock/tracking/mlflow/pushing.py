"""How a lock becomes a run: found or begun, sent, looked at, numbered, finished.

MLflow has no versions of data, and nothing that decides between two who write at once; but
of a dataset, known by experiment, name and digest, it keeps what was said first. So a run
*claims*: it logs a dataset whose source names the run, and reads whose name was kept. The
digest is claimed first, so that two pushes of one lock go on with one run, and the number
last, when all is sent (decision record 0039).

Every step may be taken again, and by several at once: each finds what is there.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mlflow import MlflowClient, artifacts
from mlflow.entities import Run as MlflowRun

from artlock.errors import (
    RegistrationRefusedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.model.registration import Registration
from artlock.tracking.mlflow import datasets, tags
from artlock.tracking.mlflow.store import Experiment, counts, has, is_active, numbered

LOCK_FOLDER = "artlock"
LOCK_FILE = "artifacts.lock"
LOCK_PATH = f"{LOCK_FOLDER}/{LOCK_FILE}"
_TRIES = 5
_MAX_DELETED = 999
"""How often one lock may be deleted in MLflow and pushed again."""


def run_for(experiment: Experiment, registration: Registration) -> MlflowRun:
    """Return the one run that this lock has, or gets: begun by whoever was first."""
    for _ in range(_TRIES):
        there = _pushed(experiment, registration)
        if there is not None and counts(there):
            return there
        mine = there or _begin(experiment, registration)
        try:
            return _settled(experiment, str(mine.info.run_id), registration)
        except TrackingError:
            # Whoever began it has deleted it since, as one too many.
            now = experiment.get_or_none(str(mine.info.run_id))
            if there is None or (now is not None and is_active(now)):
                raise
    message = f"`{registration.name}` is pushed by too many at once"
    raise TrackerUnavailableError(message, tracker=experiment.url)


def send(experiment: Experiment, run_id: str, registration: Registration) -> None:
    """Send datasets and the lock, and look whether all of it is there.

    Raises:
        RegistrationRefusedError: It is not there as it was sent, and will not be.
    """
    wanted = list(datasets.datasets_of(registration))
    experiment.log_inputs(run_id, wanted)
    _send_lock(experiment, run_id, registration)
    run = experiment.get(run_id)
    if problem := datasets.problem_with_inputs(run, wanted):
        raise RegistrationRefusedError(problem, tracker=experiment.url)
    _refuse_half(experiment, run, registration)


def mend(experiment: Experiment, run: MlflowRun, registration: Registration) -> bool:
    """Send the lock again if a version has lost it; tell whether it had to be sent.

    It is of another size where somebody has changed it, or a server cut it.
    """
    if _has_lock(experiment, run, registration):
        return False
    _send_lock(experiment, str(run.info.run_id), registration)
    _refuse_half(experiment, run, registration)
    return True


def _send_lock(experiment: Experiment, run_id: str, registration: Registration) -> None:
    with experiment.session.folder() as folder:
        file = folder / LOCK_FILE
        file.write_bytes(registration.text)
        experiment.session.ask(
            lambda client: client.log_artifact(run_id, str(file), LOCK_FOLDER),
            sending=True,
        )


def _refuse_half(
    experiment: Experiment, run: MlflowRun, registration: Registration
) -> None:
    if not _has_lock(experiment, run, registration):
        message = f"the lock did not arrive whole at run {run.info.run_id}"
        raise TrackerUnavailableError(message, tracker=experiment.url)


def _has_lock(experiment: Experiment, run: MlflowRun, registration: Registration) -> bool:
    sizes = _files_of(experiment, run)
    return LOCK_FILE in sizes and sizes[LOCK_FILE] in {None, len(registration.text)}


def lock_of(experiment: Experiment, run: MlflowRun) -> bytes:
    """Return the text of the lock that a run has as a file.

    Raises:
        TrackingError: Also if the file is not there; see ``failures.is_missing``.
        ConfigError: See ``Experiment.refuse_elsewhere``.
    """
    experiment.refuse_elsewhere(str(run.info.artifact_uri))
    # By its place, and not by its run: MLflow would look at the run's models too, and hide
    # why it got no file.
    place = f"{run.info.artifact_uri}/{LOCK_PATH}"
    with experiment.session.folder() as folder:

        def read(client: MlflowClient) -> bytes:
            file = artifacts.download_artifacts(
                artifact_uri=place, dst_path=str(folder), tracking_uri=client.tracking_uri
            )
            return Path(file).read_bytes()

        return experiment.session.ask(read)


def _files_of(experiment: Experiment, run: MlflowRun) -> dict[str, int | None]:
    """Return the names beside the lock, each with its size in bytes if it is known."""
    place = f"{run.info.artifact_uri}/{LOCK_FOLDER}"
    listed = experiment.session.ask(
        lambda client: artifacts.list_artifacts(
            artifact_uri=place, tracking_uri=client.tracking_uri
        )
    )
    return {one.path.rpartition("/")[2]: one.file_size for one in listed}


def finish(experiment: Experiment, run_id: str, registration: Registration) -> MlflowRun:
    """Give the run its number and let it count; return it read back."""
    name = registration.name
    number = _number(experiment, run_id, name)
    values = {tags.NUMBER: tags.padded(number), "mlflow.runName": f"{name}:v{number}"}
    experiment.set_tags(run_id, values | tags.label_tags(registration.labels))
    experiment.session.ask(lambda client: client.set_terminated(run_id), sending=True)
    return experiment.get(run_id)


def _pushed(experiment: Experiment, registration: Registration) -> MlflowRun | None:
    """Return the run of this lock: the first version, or else the oldest begun.

    There are two versions where one was deleted, pushed anew and restored.
    """
    condition = (
        f"{has(tags.NAME, registration.name)} and {has(tags.DIGEST, registration.digest)}"
    )
    found = list(experiment.search(condition))
    if counted := [run for run in found if counts(run)]:
        return counted[-1]
    return min(found, key=lambda r: (r.info.start_time, r.info.run_id), default=None)


def _begin(experiment: Experiment, registration: Registration) -> MlflowRun:
    where = experiment.make()
    # Not repeated: a request whose answer was lost leaves a run, which is found later.
    return experiment.session.ask(
        lambda client: client.create_run(
            where,
            tags=tags.tags_of(registration),
            run_name=f"{registration.name} {registration.short}",
        ),
        repeat=False,
        sending=True,
    )


def _settled(experiment: Experiment, mine_id: str, registration: Registration) -> MlflowRun:
    """Return the run that has the digest: that of ``mine_id``, or another's."""
    for generation in range(1, _MAX_DELETED + 1):
        key = datasets.digest_key(registration.digest, generation)
        winner, mine = experiment.claim(mine_id, registration.name, key)
        if winner == mine_id:
            return mine
        run = experiment.get_or_none(winner)
        if run is not None and is_active(run):
            _discard(experiment, mine_id)
            if run.data.tags.get(tags.DIGEST) != registration.digest:
                message = f"run {winner} has another digest than it claims"
                raise TrackingError(message, tracker=experiment.url)
            return run
        # It was deleted, and this lock is pushed anew: a new version, with a new number.
    message = f"`{registration.name}` was deleted in MLflow too often"
    raise RegistrationRefusedError(message, tracker=experiment.url)


def _discard(experiment: Experiment, run_id: str) -> None:
    """Delete a run that was begun for nothing, so that nobody wonders about it."""

    def delete(client: MlflowClient) -> None:
        client.set_terminated(run_id, status="KILLED")
        client.delete_run(run_id)

    with suppress(TrackingError):  # it counts for nothing, there or not
        experiment.session.ask(delete)


def _number(experiment: Experiment, run_id: str, name: str) -> int:
    """Return the number of a run's version; claimed, so that nobody else has it.

    Numbers are claimed one after the other, so all below one that counts are taken.
    Those of deleted runs stay taken.
    """
    newest = experiment.search(numbered(name), limit=1, deleted=True)
    number = max((int(run.data.tags[tags.NUMBER]) for run in newest), default=0) + 1
    # After the search: another client may be at work on the same run.
    for key, winner in datasets.claims_in(experiment.get(run_id), name).items():
        if winner == run_id and key.startswith("v"):
            return int(key[1:])
    while experiment.claim(run_id, name, f"v{number}")[0] != run_id:
        number += 1
    return number
