"""How versions, deliveries and what waits are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from artlock.cli.output import count, escape_line, human_size, safe

if TYPE_CHECKING:
    from artlock.cli.output import Output
    from artlock.model.registration import Labels, Run, TrackerVersion
    from artlock.ops.sending import Delivery
    from artlock.tracking.registry.parcels import Parcel

_SHORT = 12
"""Hex digits of a digest that are enough to look at."""
_COMMIT = 10


def full_ref(tracker: str, version: TrackerVersion) -> str:
    """Return the ref with the tracker before it: what any command finds it by."""
    return f"{tracker}#{version.ref}"


def labels_json(labels: Labels) -> dict[str, object]:
    """Return labels as ``--json`` shows them."""
    return {
        "aliases": list(labels.aliases),
        "tags": list(labels.tags),
        "meta": dict(labels.meta),
    }


def labels_line(labels: Labels) -> str:
    """Return labels in one line: aliases, ``#tags``, keys of metadata; perhaps empty."""
    tags = (f"#{tag}" for tag in labels.tags)
    keys = (f"{key}=" for key, _ in labels.meta)
    return ", ".join([*labels.aliases, *tags, *keys])


def version_json(tracker: str, version: TrackerVersion) -> dict[str, object]:
    """Return a version as ``--json`` shows it."""
    made = version.provenance
    return {
        "tracker": tracker,
        "ref": version.ref,
        "name": version.name,
        "number": version.number,
        "digest": version.digest,
        "each": version.each,
        "parent": version.parent,
        "objects": version.objects,
        "bytes": version.size,
        "trust": str(version.trust),
        "time": made.time,
        "git": {"commit": made.commit, "dirty": made.dirty, "remote": made.remote},
        "author": made.author,
        **labels_json(version.labels),
        "native": version.native,
        "url": version.url,
    }


def run_json(run: Run) -> dict[str, object]:
    """Return a run as ``--json`` shows it."""
    return {"id": run.id, "service": run.service or None}


def version_line(output: Output, version: TrackerVersion, *, name: bool) -> str:
    """Return a version in one line.

    Args:
        output: Whether it has colours.
        version: Which one.
        name: Whether the name is in it.
    """
    made = version.provenance
    shown = version.ref if name else f"v{version.number}"
    commit = (made.commit or "-")[:_COMMIT] + ("+" if made.dirty else "")
    labels = labels_line(replace(version.labels, meta=()))
    parts = [
        output.styled(shown, fg="yellow"),
        made.time.partition("T")[0],
        f"{count(version.objects, 'object')}, {human_size(version.size)}",
        version.digest.partition(":")[2][:_SHORT],
        commit,
        *([escape_line(made.author)] if made.author else []),
        *([f"({escape_line(labels)})"] if labels else []),
    ]
    return "  ".join(parts)


def delivery_json(delivery: Delivery) -> dict[str, object]:
    """Return what became of something as ``--json`` shows it."""
    version, error = delivery.version, delivery.error
    return {
        "tracker": delivery.tracker,
        "name": delivery.name,
        "digest": delivery.digest,
        "state": str(delivery.state),
        "ref": None if version is None else version.ref,
        "native": None if version is None else version.native,
        "url": None if version is None else version.url,
        "sent": None if version is None else version.objects - delivery.links,
        "links": delivery.links,
        "next": delivery.next_deed,
        "warnings": [safe(warning) for warning in delivery.warnings],
        "error": None
        if error is None
        else {"code": error.code, "message": error.message, "hint": error.hint},
    }


def parcel_json(parcel: Parcel) -> dict[str, object]:
    """Return what waits as ``--json`` shows it."""
    return {
        "id": parcel.id,
        "created": parcel.created,
        "target": parcel.target,
        "kind": str(parcel.kind),
        "name": parcel.name,
        "digest": parcel.digest,
        "run": None if parcel.run is None else run_json(parcel.run),
        **labels_json(parcel.labels),
        "state": str(parcel.state),
        "attempts": parcel.attempts,
        "error": None
        if parcel.last_error is None
        else {
            "code": parcel.last_error.code,
            "message": safe(parcel.last_error.message),
            "status": parcel.last_error.status,
        },
    }


def parcel_line(parcel: Parcel) -> str:
    """Return what waits in one line."""
    short = parcel.digest.partition(":")[2][:_SHORT]
    what = f"{parcel.name} ({short})"
    if parcel.run is not None and parcel.kind == "input":
        what = f"that run {parcel.run} used {what}"
    line = f"{parcel.id}  {parcel.target}  {what}  {parcel.state}"
    if parcel.attempts:
        line += f" after {count(parcel.attempts, 'attempt')}"
    if parcel.last_error is not None:
        line += f": {safe(parcel.last_error.message)}"
    return escape_line(line)
