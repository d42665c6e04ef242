"""Make W&B's artifact of a plan, without a look at any bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from artlock.tracking.wandb.plan import (
    LOCK_PATH,
    TYPE,
    entries_of,
    metadata_of,
    warning_about_links,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from artlock.model.registration import Registration
    from artlock.tracking.wandb.plan import Entry

_NO_PINS = (
    "this version of W&B's client takes no entries with a version: it got plain references,"
    " and its own download takes today's objects; `artlock sync --from` fetches the locked"
)


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact that is ready to be logged.

    Attributes:
        artifact: W&B's.
        links: Rows that went as a plain link.
        warnings: For the person.
    """

    artifact: Any
    links: int
    warnings: tuple[str, ...]


def build(wandb: Any, registration: Registration, scratch: Path) -> Built:  # noqa: ANN401 - W&B's library
    """Return the artifact of a registration; its limits were checked.

    Args:
        wandb: W&B's library.
        registration: What to make it of.
        scratch: A folder, from which W&B copies the lockfile into one of its own.
    """
    artifact = wandb.Artifact(
        registration.name, type=TYPE, metadata=metadata_of(registration)
    )
    add = _adder(wandb)
    links: dict[str, int] = {}
    rows = 0
    for entry in entries_of(registration):
        rows += entry.size is not None
        if entry.link:
            links[entry.link] = links.get(entry.link, 0) + 1
        (add or _add_plainly)(artifact, entry)
    # Not by W&B's `new_file`, which leaves its file to the garbage collector.
    lockfile = scratch / "artifacts.lock"
    lockfile.write_bytes(registration.text)
    artifact.add_file(str(lockfile), name=LOCK_PATH)
    lockfile.unlink()
    if add is None:
        return Built(artifact=artifact, links=rows, warnings=(_NO_PINS,))
    return Built(
        artifact=artifact,
        links=sum(links.values()),
        warnings=warning_about_links(links),
    )


def _adder(wandb: Any) -> Callable[[Any, Entry], None] | None:  # noqa: ANN401 - W&B's library
    """Return what adds an entry as it is meant; ``None`` if this client does not do it.

    The class of entries is not for outside code: so one is tried before it is believed.
    """
    try:
        from wandb.sdk.artifacts.artifact_manifest_entry import (  # noqa: PLC0415 - see ``client``
            ArtifactManifestEntry,
        )
    except ImportError:
        return None

    def add(artifact: Any, entry: Entry) -> None:  # noqa: ANN401 - W&B's artifact
        made = ArtifactManifestEntry(
            path=entry.path,
            ref=entry.uri,
            digest=entry.digest,
            size=entry.size,
            extra=dict(entry.extra),
        )
        artifact.manifest.add_entry(made)

    return add if survives(wandb, add) else None


def survives(wandb: Any, add: Callable[[Any, Entry], None]) -> bool:  # noqa: ANN401 - W&B's library
    """Tell whether an entry that ``add`` adds stands in the manifest as it was meant."""
    # What follows is to fail like an entry that was changed: the public way is there.
    from artlock.tracking.wandb.plan import Entry  # noqa: PLC0415 - a value, to try with

    probe = Entry(
        path="a/b c.txt",
        uri="s3://bucket/b c.txt",
        digest="e-1",
        size=0,
        extra=(("etag", "e-1"), ("versionID", "1")),
    )
    trial = wandb.Artifact("trial", type=TYPE)
    try:
        add(trial, probe)
        contents = trial.manifest.to_manifest_json()["contents"]
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    wanted = {
        "digest": probe.digest,
        "ref": probe.uri,
        "size": probe.size,
        "extra": dict(probe.extra),
    }
    return bool(contents == {probe.path: wanted})


def _add_plainly(artifact: Any, entry: Entry) -> None:  # noqa: ANN401 - W&B's artifact
    artifact.add_reference(entry.uri, name=entry.path, checksum=False)
