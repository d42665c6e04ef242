"""What a push is in MLflow: the tags of a run, and the datasets that are its inputs.

::

    artlock.schema        1
    artlock.name          image-classifier-data
    artlock.digest        blake3:<64 hex>
    artlock.each          false
    artlock.objects       2
    artlock.bytes         6
    artlock.trust         etag
    artlock.provenance    {"time":"2026-11-26T21:00:00Z","commit":"<40 hex>", ...}
    artlock.number        0000000003          once it counts; padded, so that text sorts
    artlock.alias.prod    7                   the highest of a name is the one that holds
    artlock.tag.nightly   true
    artlock.meta.note     text
    artlock.produced-by.<16 hex>  {"id":"<run>","service":"mlflow"}
    artlock.consumed-by.<16 hex>  {"id":"<run>","service":"comet"}

A run of this MLflow that made a version gets one tag::

    artlock.produced.image-classifier-data.v3  blake3:<64 hex>

MLflow knows a dataset by experiment, name and digest, and keeps what was said of it first.
So the digests here cover whatever the source says. A digest of a dataset has 36 characters
at most; the whole one stands in a tag of the input, and in the source of the lock's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote

import msgspec
from blake3 import blake3
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.entities import Run as MlflowRun

from artlock.model.lock import Kind, LockedArtifact, Lockfile, pin_digest
from artlock.model.refs import problem_with_registered_name
from artlock.model.registration import (
    Labels,
    Provenance,
    Registration,
    Run,
    TrackerVersion,
)
from artlock.model.tokens import Trust
from artlock.model.uri import Uri

SERVICE = "mlflow"
LOCK_FOLDER = "artlock"
LOCK_FILE = "artifacts.lock"
NAME, DIGEST, NUMBER = "artlock.name", "artlock.digest", "artlock.number"
ALIAS, TAG, META = "artlock.alias.", "artlock.tag.", "artlock.meta."
PRODUCED = "artlock.produced."
PRODUCED_BY, CONSUMED_BY = "artlock.produced-by.", "artlock.consumed-by."
PUSHED, TRAINED = "artlock", "training"
"""What an input is to its run: MLflow's own words for the second, none for the first."""
CONTEXT = "mlflow.data.context"
MAX_DATASETS = 1000
"""In one request."""
MAX_TAGS = 100
"""In one request."""
_MAX_KEY, _MAX_VALUE = 250, 8000
"""Characters of a run's tag; a longer value is cut by MLflow, with a warning."""
_MAX_DATASET_NAME, _MAX_SOURCE = 500, 65_535
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
_DIGEST = re.compile(r"blake3:[0-9a-f]{64}")
_PADDED = re.compile(r"[0-9]{10}")
_ESCAPED = re.compile(r":([0-9A-F]{2})")


class _Provenance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    time: str
    commit: str | None = None
    dirty: bool = False
    remote: str | None = None
    author: str | None = None


class _RunJson(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    service: str


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """Of a dataset; one of the two, by what MLflow's own types of sources have."""

    uri: str = ""
    tags: dict[str, str] = {}


def problem_with(registration: Registration) -> str | None:
    """Return why MLflow cannot take a registration as it is, or ``None``; no network."""
    if problem := problem_with_registered_name(registration.name):
        return f"the name {problem}"
    tags = tags_of(registration) | label_tags(registration.labels)
    for key, value in tags.items():
        if len(key) > _MAX_KEY:
            return f"the key of `{key[:40]}…` has over {_MAX_KEY} characters"
        if len(value) > _MAX_VALUE:
            return f"the text of `{key}` has over {_MAX_VALUE} characters"
        if problem := _problem_with_text(value):
            return f"the text of `{key}` {problem}"
    for artifact in registration.lock.artifacts:
        _, source = _source_of(artifact)
        if len(artifact.name) > _MAX_DATASET_NAME:
            return f"the name of `{artifact.name[:40]}…` is too long for MLflow"
        if len(source) > _MAX_SOURCE:
            return f"the URI of `{artifact.name}` has over {_MAX_SOURCE} characters"
    return None


def _problem_with_text(text: str) -> str | None:
    if "\0" in text:
        return "has a NUL"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    return None


def tags_of(registration: Registration) -> dict[str, str]:
    """Return the tags of a push run, but for its labels and its number."""
    provenance = registration.provenance
    tags = {
        "artlock.schema": "1",
        NAME: registration.name,
        DIGEST: registration.digest,
        "artlock.each": str(registration.each).lower(),
        "artlock.objects": str(registration.lock.count()),
        "artlock.bytes": str(registration.lock.size),
        "artlock.trust": str(registration.trust),
        "artlock.provenance": msgspec.json.encode(
            msgspec.convert(provenance, _Provenance, from_attributes=True)
        ).decode(),
        "mlflow.source.name": "artlock push",
    }
    if provenance.commit is not None:
        tags["mlflow.source.git.commit"] = provenance.commit
    if provenance.remote is not None:
        tags["mlflow.source.git.repoURL"] = provenance.remote
    return tags


def label_tags(labels: Labels) -> dict[str, str]:
    """Return the tags that stay where they are: all labels but the aliases."""
    tags = {f"{TAG}{tag}": "true" for tag in labels.tags}
    return tags | {f"{META}{_escaped(key)}": text for key, text in labels.meta}


def padded(number: int) -> str:
    """Return a version's number as its tag has it."""
    return f"{number:010d}"


def run_tag(prefix: str, run: Run) -> tuple[str, str]:
    """Return key and value of the tag that names a run; the same for the same run."""
    value = msgspec.json.encode(_RunJson(id=run.id, service=run.service)).decode()
    return f"{prefix}{blake3(value.encode()).hexdigest()[:16]}", value


def runs_in(run: MlflowRun, prefix: str) -> tuple[Run, ...]:
    """Return the runs that tags of ``run`` name; what is no such tag is left out."""
    found = []
    for key, value in sorted(run.data.tags.items()):
        if key.startswith(prefix):
            try:
                parsed = msgspec.json.decode(value, type=_RunJson)
            except msgspec.MsgspecError:
                continue  # somebody else's: anybody may write tags
            found.append(Run(id=parsed.id, service=parsed.service))
    return tuple(found)


def aliases_in(run: MlflowRun) -> dict[str, int]:
    """Return the aliases that ``run`` may hold, with how often each has moved."""
    return {
        key.removeprefix(ALIAS): int(value)
        for key, value in run.data.tags.items()
        if key.startswith(ALIAS) and value.isascii() and value.isdecimal()
    }


def version_in(run: MlflowRun, *, url: str, aliases: tuple[str, ...]) -> TrackerVersion:
    """Return the version that a finished run is.

    Args:
        run: With all its tags.
        url: A page that shows it, or empty.
        aliases: Those that it holds.

    Raises:
        ValueError: The tags are not those of artlock: somebody changed them.
    """
    tags = run.data.tags
    try:
        digest = _matched(_DIGEST, tags[DIGEST])
        version = int(_matched(_PADDED, tags[NUMBER]))
        provenance = msgspec.json.decode(tags["artlock.provenance"], type=_Provenance)
        return TrackerVersion(
            name=tags[NAME],
            number=version,
            digest=digest,
            each=tags["artlock.each"] == "true",
            objects=int(tags["artlock.objects"]),
            size=int(tags["artlock.bytes"]),
            trust=Trust(tags["artlock.trust"]),
            provenance=msgspec.convert(provenance, Provenance, from_attributes=True),
            labels=_labels_in(tags, aliases),
            # Numbers are given without a gap, so that the one before was there.
            parent=version - 1 if version > 1 else None,
            native=str(run.info.run_id),
            url=url,
        )
    except (KeyError, ValueError) as error:
        message = f"the tags of run {run.info.run_id} are not those of a push"
        raise ValueError(message) from error


def _matched(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(text)
    return text


def _labels_in(tags: Mapping[str, str], aliases: tuple[str, ...]) -> Labels:
    return Labels(
        aliases=tuple(sorted(aliases)),
        tags=tuple(sorted(k.removeprefix(TAG) for k in tags if k.startswith(TAG))),
        meta=tuple(
            sorted(
                (_unescaped(key.removeprefix(META)), text)
                for key, text in tags.items()
                if key.startswith(META)
            )
        ),
    )


def datasets_of(registration: Registration) -> Iterator[DatasetInput]:
    """Yield the inputs of a push run: the lock as a whole, then each artifact."""
    lock = registration.lock
    yield _input(
        Dataset(
            name=lock_dataset(registration.name),
            digest=short(registration.digest),
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
            digest=short(digest),
            source_type=kind,
            source=source,
            profile=_profile(len(artifact.objects), artifact.size),
        )
        yield _input(dataset, digest, context=PUSHED)


def consumed(inputs: list[DatasetInput], ref: str) -> list[DatasetInput]:
    """Return what a push run has as inputs as those of a run that used it."""
    found = []
    for one in inputs:
        digest = _tag_of(one, DIGEST)
        if _tag_of(one, CONTEXT) == PUSHED and digest:
            again = _input(one.dataset, digest, context=TRAINED)
            again.tags.append(InputTag("artlock.ref", ref))
            found.append(again)
    return found


def uses(run: MlflowRun, version: TrackerVersion) -> bool:
    """Tell whether a run says of itself that it used a version."""
    return any(
        (one.dataset.name, one.dataset.digest)
        == (lock_dataset(version.name), short(version.digest))
        and _tag_of(one, CONTEXT) == TRAINED
        and parse_source(one.dataset.source).get(DIGEST) == version.digest
        for one in inputs_of(run)
    )


def inputs_of(run: MlflowRun) -> list[DatasetInput]:
    """Return the datasets that a run has as inputs."""
    return list(run.inputs.dataset_inputs) if run.inputs is not None else []


def problem_with_inputs(run: MlflowRun, wanted: list[DatasetInput]) -> str | None:
    """Return which of ``wanted`` the run has not, or with another source; or ``None``."""
    there = {(i.dataset.name, i.dataset.digest): i.dataset for i in inputs_of(run)}
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
        one.dataset.digest: parse_source(one.dataset.source).get("artlock.run", "")
        for one in inputs_of(run)
        if one.dataset.name == f"claim:{name}"
    }


def lock_dataset(name: str) -> str:
    """Return the name of the dataset that stands for a whole lock; no artifact has it."""
    return f"lock:{name}"


def short(digest: str, length: int = _SHORT) -> str:
    """Return the first hex digits of a digest; where they must do, the rest is beside."""
    return digest.partition(":")[2][:length]


def parse_source(source: str) -> dict[str, str]:
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
    uri: Uri = artifact.root
    kind = _TYPES.get(uri.scheme, "code")
    if artifact.kind is Kind.LINK and kind != "http":
        kind = "code"
    if kind == "http":
        return kind, msgspec.json.encode({"url": str(uri)}).decode()
    if kind == "code":
        return kind, _tagged(uri=str(uri))
    return kind, msgspec.json.encode({"uri": str(uri)}).decode()


def _profile(objects: int, size: int) -> str:
    return msgspec.json.encode({"num_objects": objects, "total_size": size}).decode()


def _input(dataset: Dataset, digest: str, *, context: str) -> DatasetInput:
    tags = [InputTag(CONTEXT, context)]
    if digest:
        tags.append(InputTag(DIGEST, digest))
    return DatasetInput(dataset, tags)


def _tag_of(one: DatasetInput, key: str) -> str:
    return next((str(tag.value) for tag in one.tags if tag.key == key), "")


def _escaped(key: str) -> str:
    """Write a key with the characters that MLflow allows; ``:`` is before two digits."""
    quoted = quote(key, safe=" ", errors="surrogatepass")
    return quoted.replace("~", "%7E").replace("%", ":")


def _unescaped(key: str) -> str:
    return unquote(_ESCAPED.sub(r"%\1", key), errors="replace")
