"""Versions as Comet lists them, and what artlock wrote into their metadata.

The metadata of a version, in JSON (``artlock_heads`` as in ``wire.py``)::

    {"artlock_schema":1,"artlock_digest":"blake3:<64 hex>","artlock_each":false,
     "artlock_objects":2,"artlock_bytes":6,"artlock_trust":"etag",
     "artlock_heads":[{"name":"val","uri":"s3://ml-data/val/","kind":"tree"}],
     "artlock_time":"2026-11-26T21:00:00Z","artlock_git_commit":"<40 hex>",
     "note":"what a person gave with --meta stands beside, under its own key"}
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec

from artlock.model.refs import LATEST, MAX_NUMBER
from artlock.model.registration import Labels, Provenance, Run, TrackerVersion
from artlock.model.tokens import Trust
from artlock.tracking import wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from artlock.model.registration import Registration
    from artlock.tracking.comet.messages import NativeVersion

OURS = "artlock_"
"""How each key begins that is not a person's."""
_SCHEMA = 1
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z\Z"
_NATIVE = re.compile(r"([1-9][0-9]{0,9})\.0\.0")
_DEEPEST = 100
"""How deeply metadata may be nested; no lockfile comes near it."""
_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_MAJOR = re.compile(r"([0-9]{1,10})\.")


class Metadata(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename=f"{OURS}{{}}".format,
):
    """What artlock writes into the metadata of a version.

    Attributes:
        schema: Raised when an older artlock could not read it.
        revision: Of the lockfile, and ``extra`` likewise.
        run_id: The run that made it, where that is not an experiment of Comet.
    """

    schema: int
    digest: Annotated[str, msgspec.Meta(pattern=r"^blake3:[0-9a-f]{64}\Z")]
    each: bool
    objects: _Count
    bytes: _Count
    trust: Trust
    heads: tuple[wire.Head, ...]
    revision: _Count = 0
    extra: dict[str, object] = {}
    time: Annotated[str, msgspec.Meta(pattern=_TIME)]
    author: str | None = None
    git_commit: str | None = None
    git_dirty: bool = False
    git_remote: str | None = None
    run_id: str | None = None
    run_service: str = ""

    @property
    def outline(self) -> wire.Outline:
        """What stands above the rows."""
        return wire.Outline(heads=self.heads, revision=self.revision, extra=self.extra)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A version that artlock made, finished or not.

    Attributes:
        number: 3 for Comet's ``3.0.0``.
        raw: All of its metadata.
    """

    native: NativeVersion
    number: int
    metadata: Metadata
    raw: dict[str, object]

    @property
    def digest(self) -> str:
        """The lock digest."""
        return self.metadata.digest


def metadata_of(registration: Registration, run: Run | None) -> dict[str, object]:
    """Return the metadata of a version.

    Args:
        registration: What is registered.
        run: What made it, if that is no experiment of Comet.
    """
    lock, provenance = registration.lock, registration.provenance
    outline = wire.outline_of(lock)
    metadata = Metadata(
        schema=_SCHEMA,
        digest=registration.digest,
        each=registration.each,
        objects=lock.count(),
        bytes=lock.size,
        trust=registration.trust,
        heads=outline.heads,
        revision=outline.revision,
        extra=outline.extra,
        time=provenance.time,
        author=provenance.author,
        git_commit=provenance.commit,
        git_dirty=provenance.dirty,
        git_remote=provenance.remote,
        run_id=run.id if run else None,
        run_service=run.service if run else "",
    )
    return {**msgspec.to_builtins(metadata), **dict(registration.labels.meta)}


def entries_of(versions: Iterable[NativeVersion]) -> tuple[Entry, ...]:
    """Return the versions that artlock made, the newest first.

    Others may stand under the same name: somebody logged them with Comet's own client.
    """
    found = [entry for version in versions if (entry := _entry(version)) is not None]
    return tuple(sorted(found, key=_number, reverse=True))


def next_number(versions: Iterable[NativeVersion]) -> int:
    """Return the major number after the highest that is taken, by whomever.

    Numbers that leave no room for another do not count: somebody else's 9999999999 would
    be the end of a name.
    """
    matches = (_MAJOR.match(version.version) for version in versions)
    majors = (int(match[1]) for match in matches if match)
    return 1 + max((major for major in majors if major < MAX_NUMBER), default=0)


def native_number(number: int) -> str:
    """Return how Comet calls a version."""
    return f"{number}.0.0"


def lock_tag(digest: str) -> str:
    """Return the tag by which people see which lock a version is."""
    return f"lock-{digest.partition(':')[2][:12]}"


def labels_of(entry: Entry) -> Labels:
    """Return the labels that people gave to a version."""
    own = lock_tag(entry.digest)
    return Labels(
        aliases=tuple(
            sorted({alias for alias in entry.native.aliases if alias.lower() != LATEST})
        ),
        tags=tuple(sorted({tag for tag in entry.native.tags if tag != own})),
        meta=tuple(
            sorted(
                (key, value if isinstance(value, str) else _json(value))
                for key, value in entry.raw.items()
                if not key.startswith(OURS)
            )
        ),
    )


def tracker_version(
    entry: Entry, *, workspace: str, name: str, parent: int | None
) -> TrackerVersion:
    """Return a version in artlock's words.

    Args:
        entry: The version.
        workspace: Where it is.
        name: Of the artifact.
        parent: Number of the version before it.
    """
    metadata = entry.metadata
    return TrackerVersion(
        name=name,
        number=entry.number,
        digest=metadata.digest,
        each=metadata.each,
        objects=metadata.objects,
        size=metadata.bytes,
        trust=metadata.trust,
        provenance=Provenance(
            time=metadata.time,
            commit=metadata.git_commit,
            dirty=metadata.git_dirty,
            remote=metadata.git_remote,
            author=metadata.author,
        ),
        labels=labels_of(entry),
        parent=parent,
        native=f"{workspace}/{name}:{entry.native.version}",
    )


def _entry(version: NativeVersion) -> Entry | None:
    match = _NATIVE.fullmatch(version.version)
    if match is None or int(match[1]) > MAX_NUMBER or version.metadata is None:
        return None
    try:
        raw = msgspec.json.decode(version.metadata, type=dict[str, object])
        metadata = msgspec.convert(raw, Metadata)
        datetime.fromisoformat(metadata.time)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None  # not artlock's: its metadata may be anything
    if _is_deep(raw):
        return None
    return Entry(native=version, number=int(match[1]), metadata=metadata, raw=raw)


def _is_deep(value: object) -> bool:
    """Tell whether a value is nested deeper than whoever writes it again could bear."""
    level: list[object] = [value]
    for _ in range(_DEEPEST):
        level = [
            item
            for one in level
            if isinstance(one, (dict, list))
            for item in (one.values() if isinstance(one, dict) else one)
        ]
    return bool(level)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _number(entry: Entry) -> int:
    return entry.number
