"""The datasets of a push run, and claims, which are datasets too.

::

    lock:image-classifier-data   the lock as a whole; its digest is that of the lock
    val                          each artifact; its digest is of its source and its pins
    claim:image-classifier-data  whoever says a digest, or `v3`, first has it

MLflow knows a dataset by experiment, name and digest, and keeps what was said of it first.
So these digests cover whatever the source says: a tree and a single file may have equal
pins. A digest of a dataset has 36 characters at most. The lock's own stands whole in its
source; an artifact's pin digest stands in a tag of the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from blake3 import blake3
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.entities import Run as MlflowRun

from artlock.model.lock import LockedArtifact, Lockfile, pin_digest
from artlock.model.registration import Registration, TrackerVersion
from artlock.tracking.mlflow.tags import DIGEST, NAME

PUSHED, TRAINED = "artlock", "training"
"""What an input is to its run; MLflow's own readers know the second."""
CONTEXT = "mlflow.data.context"
MAX_DATASETS = 1000
"""In one request."""
_MAX_NAME, _MAX_SOURCE = 500, 65_535
_SHORT = 36
"""Characters of a dataset's digest."""
_TYPES: Mapping[str, str] = {
    "s3": "s3",
    "gs": "gs",
    "http": "http",
    "https": "http",
    "file": "local",
    "hdfs": "hdfs",
}
"""What MLflow can read by itself; of anything else it keeps text."""


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """Of a dataset; one of the three, by what MLflow's own types of sources have."""

    uri: str = ""
    url: str = ""
    tags: dict[str, str] = {}


def problem_with(registration: Registration) -> str | None:
    """Return why MLflow would not take the datasets, or ``None``; no network."""
    for artifact in registration.lock.artifacts:
        _, source = _source_of(artifact)
        if len(artifact.name) > _MAX_NAME:
            return f"the name of `{artifact.name[:40]}…` has over {_MAX_NAME} characters"
        if len(source) > _MAX_SOURCE:
            return f"the URI of `{artifact.name}` has over {_MAX_SOURCE} characters"
    return None


def datasets_of(registration: Registration) -> Iterator[DatasetInput]:
    """Yield the inputs of a push run: the lock as a whole, then each artifact."""
    lock = registration.lock
    yield _input(
        Dataset(
            name=_lock_dataset(registration.name),
            digest=_short(registration.digest),
            source_type="code",  # what MLflow calls a source that it does not read
            source=_tagged(**{NAME: registration.name, DIGEST: registration.digest}),
            profile=_profile(lock.count(), lock.size),
        ),
        registration.digest,
        context=PUSHED,
    )
    for artifact in lock.artifacts:
        digest = pin_digest(Lockfile(artifacts=(artifact,)))
        kind, source = _source_of(artifact)
        dataset = Dataset(
            name=artifact.name,
            digest=_short(_digest_of(kind, source, digest)),
            source_type=kind,
            source=source,
            profile=_profile(len(artifact.objects), artifact.size),
        )
        yield _input(dataset, digest, context=PUSHED)


def consumed(pushed: MlflowRun, ref: str) -> list[DatasetInput]:
    """Return the inputs of a push run as those of a run that used the version."""
    found = []
    for one in _inputs_of(pushed):
        digest = _tag_of(one, DIGEST)
        if _tag_of(one, CONTEXT) == PUSHED and digest:
            again = _input(one.dataset, digest, context=TRAINED)
            again.tags.append(InputTag("artlock.ref", ref))
            found.append(again)
    return found


def filter_for(version: TrackerVersion) -> str:
    """Return the filter for runs that may have used a version; ``uses`` tells."""
    name, digest = _lock_dataset(version.name), _short(version.digest)
    return f"dataset.name = '{name}' and dataset.digest = '{digest}'"


def uses(run: MlflowRun, version: TrackerVersion) -> bool:
    """Tell whether a run says of itself that it used a version."""
    return any(
        (one.dataset.name, one.dataset.digest)
        == (_lock_dataset(version.name), _short(version.digest))
        and _tag_of(one, CONTEXT) == TRAINED
        and _parse_source(one.dataset.source).get(DIGEST) == version.digest
        for one in _inputs_of(run)
    )


def _inputs_of(run: MlflowRun) -> list[DatasetInput]:
    """Return the datasets that a run has as inputs."""
    return list(run.inputs.dataset_inputs) if run.inputs is not None else []


def problem_with_inputs(run: MlflowRun, wanted: list[DatasetInput]) -> str | None:
    """Return which of ``wanted`` the run has not, or with another source; or ``None``."""
    there = {(i.dataset.name, i.dataset.digest): i.dataset for i in _inputs_of(run)}
    for one in wanted:
        key = (one.dataset.name, one.dataset.digest)
        kept = there.get(key)
        if kept is None:
            return f"the dataset `{one.dataset.name}` is not there"
        if _parsed(kept.source) != _parsed(one.dataset.source):
            return f"MLflow has kept another source for the dataset `{one.dataset.name}`"
    return None


def claim_of(name: str, key: str, run_id: str) -> DatasetInput:
    """Return a claim: the run that is the first to say ``key`` of ``name`` has it."""
    dataset = Dataset(
        name=f"claim:{name}",
        digest=key,
        source_type="code",
        source=_tagged(**{"artlock.run": run_id}),
    )
    return _input(dataset, "", context="artlock.claim")


def claims_in(run: MlflowRun, name: str) -> dict[str, str]:
    """Return what a run has claimed, in vain or not, with the run that has it."""
    return {
        one.dataset.digest: _parse_source(one.dataset.source).get("artlock.run", "")
        for one in _inputs_of(run)
        if one.dataset.name == f"claim:{name}"
    }


def digest_key(digest: str, generation: int) -> str:
    """Return what a lock's run claims; once more where that of before was deleted."""
    return f"{_short(digest, 32)}.{generation}"


def _lock_dataset(name: str) -> str:
    """Return the name of the dataset that stands for a whole lock; no artifact has it."""
    return f"lock:{name}"


def _short(digest: str, length: int = _SHORT) -> str:
    """Return the first hex digits of a digest; where they must do, the rest is beside."""
    return digest.partition(":")[2][:length]


def _parse_source(source: str) -> dict[str, str]:
    """Return what ``_tagged`` said; nothing of a source that is another's."""
    found = _parsed(source)
    return dict(found.tags) if found is not None else {}


def _parsed(source: str) -> _Source | None:
    try:
        return msgspec.json.decode(source, type=_Source)
    except msgspec.MsgspecError:
        return None


def _tagged(**tags: str) -> str:
    return msgspec.json.encode({"tags": tags}).decode()


def _source_of(artifact: LockedArtifact) -> tuple[str, str]:
    """Return type and text of an artifact's source, in the shapes that MLflow reads."""
    uri = artifact.root
    kind = _TYPES.get(uri.scheme, "code")
    if kind == "http":
        return kind, msgspec.json.encode({"url": str(uri)}).decode()
    if kind == "code":
        return kind, _tagged(uri=str(uri))
    return kind, msgspec.json.encode({"uri": str(uri)}).decode()


def _digest_of(kind: str, source: str, pins: str) -> str:
    """Return the digest of an artifact's dataset: of all that MLflow keeps of it."""
    text = f"{kind}\n{source}\n{pins}"  # none of them has a line break
    return f"blake3:{blake3(text.encode()).hexdigest()}"


def _profile(objects: int, size: int) -> str:
    return msgspec.json.encode({"num_objects": objects, "total_size": size}).decode()


def _input(dataset: Dataset, digest: str, *, context: str) -> DatasetInput:
    tags = [InputTag(CONTEXT, context)]
    if digest:
        tags.append(InputTag(DIGEST, digest))
    return DatasetInput(dataset, tags)


def _tag_of(one: DatasetInput, key: str) -> str:
    return next((str(tag.value) for tag in one.tags if tag.key == key), "")
