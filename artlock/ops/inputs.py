"""Record that a run used a registered version: at the tracker, or in the outbox first."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from artlock.errors import TrackingError
from artlock.model.registration import Labels, Provenance
from artlock.ops.sending import Delivery, Sender, State
from artlock.ops.trackers import Trackers
from artlock.tracking.registry import NewParcel, ParcelKind

if TYPE_CHECKING:
    from artlock.model.registration import Run
    from artlock.ops.project import Project
    from artlock.ops.pull import Held
    from artlock.ops.runtime import Runtime
    from artlock.tracking.base import Tracker


def record_input(
    runtime: Runtime, project: Project | None, held: Held, run: Run
) -> Delivery:
    """Record that ``run`` used a version; what cannot be sent now waits in the outbox.

    Raises:
        TrackingError: The outbox cannot be written.
    """
    target, version = held.target, held.version
    base = project.root if project else Path.cwd()
    with Trackers(runtime, base) as trackers:
        if target.is_local:
            return _recorded_here(trackers.tracker(target.url), held, run)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        parcel = NewParcel(
            created=now,
            target=str(target.url),
            kind=ParcelKind.INPUT,
            name=version.name,
            digest=version.digest,
            each=version.each,
            run=run,
            provenance=Provenance(time=now),
            labels=Labels(),
            number=version.number,
        )
        url = str(target.url)
        outbox = trackers.outbox()
        (queued,) = outbox.add([parcel], {})
        if not runtime.offline:
            sender = Sender(outbox, trackers, {url: target.name}, runtime)
            for delivery in sender.send(frozenset({url}), early=True):
                is_it = delivery.digest == queued.digest
                if is_it and delivery.state is State.RECORDED:
                    return delivery
    return Delivery(
        tracker=target.name,
        name=version.name,
        digest=version.digest,
        state=State.WAITING,
        version=version,
    )


def _recorded_here(tracker: Tracker, held: Held, run: Run) -> Delivery:
    """Record it in the user's own registry; that it failed undoes nothing else."""
    error: TrackingError | None = None
    try:
        tracker.record_input(held.version, run)
    except TrackingError as failure:
        error = failure
    return Delivery(
        tracker=held.target.name,
        name=held.version.name,
        digest=held.version.digest,
        state=State.RECORDED if error is None else State.REFUSED,
        version=held.version,
        error=error,
    )
