"""Make W&B's artifact of a plan, without a look at any bucket.

W&B's public way to add a reference is not taken: it cannot say which version is meant, and
asks a bucket, or for its credentials (decision record 0040).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from artlock.errors import ConfigError
from artlock.tracking.wandb.plan import (
    LOCK_PATH,
    TYPE,
    Entry,
    entries_of,
    metadata_of,
    warning_about_links,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from artlock.model.registration import Registration

_PROBE = Entry(
    path="a/b c.txt",
    uri="s3://bucket/b c.txt",
    digest="e-1",
    size=0,
    extra=(("etag", "e-1"), ("versionID", "1")),
)
"""What an entry has that W&B's own code makes of S3; and it has no bytes, which would make
the public way drop it."""


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

    Raises:
        ConfigError: This version of the library does not take entries as they are meant.
    """
    if not survives(wandb, _add):
        version = getattr(wandb, "__version__", "of this version")
        message = f"wandb {version} takes no references with a version"
        raise ConfigError(message, hint="pip install 'artlock[wandb]'")
    artifact = wandb.Artifact(
        registration.name, type=TYPE, metadata=metadata_of(registration)
    )
    links: dict[str, int] = {}
    for entry in entries_of(registration):
        if entry.link:
            links[entry.link] = links.get(entry.link, 0) + 1
        _add(artifact, entry)
    # Not by W&B's `new_file`, which leaves its file to the garbage collector.
    lockfile = scratch / "artifacts.lock"
    lockfile.write_bytes(registration.text)
    artifact.add_file(str(lockfile), name=LOCK_PATH)
    lockfile.unlink()
    return Built(
        artifact=artifact,
        links=sum(links.values()),
        warnings=warning_about_links(links),
    )


def _add(artifact: Any, entry: Entry) -> None:  # noqa: ANN401 - W&B's artifact
    # The class is not for outside code: so one entry is tried before it is believed.
    from wandb.sdk.artifacts.artifact_manifest_entry import (  # noqa: PLC0415 - see ``client``
        ArtifactManifestEntry,
    )
    from wandb.sdk.lib.paths import LogicalPath  # noqa: PLC0415 - see ``client``

    made = ArtifactManifestEntry(
        path=LogicalPath(entry.path),
        ref=entry.uri,
        digest=entry.digest,
        size=entry.size,
        extra=dict(entry.extra),
    )
    artifact.manifest.add_entry(made)


def survives(wandb: Any, add: Callable[[Any, Entry], None]) -> bool:  # noqa: ANN401 - W&B's library
    """Tell whether an entry that ``add`` adds stands in the manifest as it was meant."""
    trial = wandb.Artifact("trial", type=TYPE)
    try:
        add(trial, _PROBE)
        contents = trial.manifest.to_manifest_json()["contents"]
    except (AttributeError, ImportError, KeyError, TypeError, ValueError):
        # What a later version of that class would raise: the answer is no.
        return False
    wanted = {
        "digest": _PROBE.digest,
        "ref": _PROBE.uri,
        "size": _PROBE.size,
        "extra": dict(_PROBE.extra),
    }
    return bool(contents == {_PROBE.path: wanted})
