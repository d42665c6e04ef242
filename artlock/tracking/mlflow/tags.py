"""What a push run says in its tags.

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
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

import msgspec
from blake3 import blake3
from mlflow.entities import Run as MlflowRun

from artlock.model.refs import problem_with_registered_name
from artlock.model.registration import (
    Labels,
    Provenance,
    Registration,
    Run,
    TrackerVersion,
)
from artlock.model.tokens import Trust

NAME, DIGEST, NUMBER = "artlock.name", "artlock.digest", "artlock.number"
ALIAS, TAG, META = "artlock.alias.", "artlock.tag.", "artlock.meta."
PRODUCED = "artlock.produced."
PRODUCED_BY, CONSUMED_BY = "artlock.produced-by.", "artlock.consumed-by."
MAX_TAGS = 100
"""In one request."""
_MAX_KEY, _MAX_VALUE = 250, 8000
"""Characters of a run's tag; a longer value is cut by MLflow, with a warning."""
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


def problem_with(registration: Registration) -> str | None:
    """Return why MLflow would not take the tags as they are, or ``None``; no network."""
    if problem := problem_with_registered_name(registration.name):
        return f"the name {problem}"
    for key, value in (tags_of(registration) | label_tags(registration.labels)).items():
        if len(key) > _MAX_KEY:
            return f"the key of `{key[:40]}…` has over {_MAX_KEY} characters"
        if len(value) > _MAX_VALUE:
            return f"the text of `{key}` has over {_MAX_VALUE} characters"
        if problem := _problem_with_text(value):
            return f"the text of `{key}` {problem}"
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


def _escaped(key: str) -> str:
    """Write a key with the characters that MLflow allows; ``:`` is before two digits."""
    quoted = quote(key, safe=" ", errors="surrogatepass")
    return quoted.replace("~", "%7E").replace("%", ":")


def _unescaped(key: str) -> str:
    return unquote(_ESCAPED.sub(r"%\1", key), errors="replace")
