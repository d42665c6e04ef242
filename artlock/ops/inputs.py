"""Record that a run used a registered version: at the tracker, or in the outbox first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import TrackingError
from artlock.model.registration import Labels, Provenance
from artlock.ops.provenance import now
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
        ConfigError: The tracker's client is not installed.
    """
    target = held.target
    base = project.root if project else runtime.directory.absolute()
    with Trackers(runtime, base) as trackers:
        if target.is_local:
            return _recorded_here(trackers.tracker(target.url), held, run)
        try:
            return _sent(runtime, trackers, held, run)
        except TrackingError as error:  # of the outbox: the files are there all the same
            return _left(held, State.REFUSED, error)


def _sent(runtime: Runtime, trackers: Trackers, held: Held, run: Run) -> Delivery:
    target, version = held.target, held.version
    time = now()
    parcel = NewParcel(
        created=time,
        target=str(target.url),
        kind=ParcelKind.INPUT,
        name=version.name,
        digest=version.digest,
        each=version.each,
        run=run,
        provenance=Provenance(time=time),
        labels=Labels(),
        number=version.number,
    )
    url = str(target.url)
    outbox = trackers.outbox()
    (queued,) = outbox.add([parcel], {})
    found: Delivery | None = None
    if not runtime.offline:
        sender = Sender(outbox, trackers, {url: target.name}, runtime)
        for delivery in sender.send(frozenset({url}), early=True):
            if delivery.parcel == queued.id:
                found = delivery
    return found or _left(held, State.WAITING)


def _left(held: Held, state: State, error: TrackingError | None = None) -> Delivery:
    return Delivery(
        tracker=held.target.name,
        name=held.version.name,
        digest=held.version.digest,
        state=state,
        version=held.version,
        error=error,
    )


def _recorded_here(tracker: Tracker, held: Held, run: Run) -> Delivery:
    """Record it in the user's own registry; that it failed undoes nothing else."""
    try:
        tracker.record_input(held.version, run)
    except TrackingError as error:
        return _left(held, State.REFUSED, error)
    return _left(held, State.RECORDED)
