"""Register what is locked: in one's own registry, or with trackers by way of the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.errors import (
    EXIT_INCOMPLETE,
    EXIT_VIOLATION,
    IntegrityError,
    PolicyError,
    TrackingError,
    gravest,
)
from artlock.ops.registering import PushOptions, registrations_of
from artlock.ops.sending import Delivery, Sender, State
from artlock.ops.trackers import Trackers, chosen_targets, names_of_trackers
from artlock.tracking.registry import NewParcel, ParcelKind, ParcelState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from artlock.model.registration import Registration
    from artlock.ops.project import Project
    from artlock.ops.runtime import Runtime
    from artlock.ops.trackers import Target
    from artlock.tracking.base import Tracker
    from artlock.tracking.registry import Outbox, Parcel

__all__ = [
    "Planned",
    "PushOptions",
    "PushReport",
    "dropped",
    "plan",
    "push",
    "send_waiting",
    "waiting",
]


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What a push would register, and where."""

    registrations: tuple[Registration, ...]
    targets: tuple[Target, ...]


class PushReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a push.

    Attributes:
        deliveries: In the order in which they were sent; older ones that waited first.
        waiting: What is still in the outbox after it, the oldest first.
        exit_code: 3 if anything of this push is left, 4 if it is damaged, else 0.
    """

    deliveries: tuple[Delivery, ...]
    waiting: tuple[Parcel, ...]
    exit_code: int


def plan(project: Project, options: PushOptions) -> Planned:
    """Return what a push would do; nothing is opened, and nobody is asked.

    Raises:
        ArtlockError: As ``push``, before anything is sent or queued.
    """
    targets = chosen_targets(project.runtime, project, options.to)
    registrations = registrations_of(project, options)
    return Planned(registrations=tuple(registrations), targets=tuple(targets))


def push(project: Project, options: PushOptions | None = None) -> PushReport:
    """Register the lockfile of a project with every tracker that was chosen.

    The user's own registry is written at once, in one transaction. What goes to a tracker
    is first written into the outbox, with the lock itself, and sent from there: whatever
    happens from then on, it is sent once, now or by a later push. No store is asked, and
    neither lockfile nor manifest is written.

    Args:
        project: Whose lockfile.
        options: What a person may choose.

    Raises:
        StaleLockfileError: The lockfile does not answer the manifest.
        DirtyLockfileError: It is not what git has committed.
        LockfileError: There is none, or it is not valid.
        PolicyError: It falls short of the policy, or a tracker is not trusted.
        ConfigError: A tracker, name or label is none.
        TrackingError: The outbox cannot be read or written.
    """
    options = options or PushOptions()
    planned = plan(project, options)
    runtime = project.runtime
    local = [target for target in planned.targets if target.is_local]
    others = [target for target in planned.targets if not target.is_local]
    deliveries: list[Delivery] = []
    with Trackers(runtime, project.root) as trackers:
        for target in local:
            tracker = trackers.tracker(target.url)
            deliveries += (_registered(tracker, target, o) for o in planned.registrations)
        if not others:
            return _report(None, deliveries, deliveries)
        outbox = trackers.outbox()
        parcels = _queue(outbox, planned.registrations, others)
        if runtime.offline:
            return _report(outbox, deliveries, deliveries)
        names = {str(target.url): target.name for target in others}
        sender = Sender(outbox, trackers, names, runtime)
        deliveries += sender.send(frozenset(names), early=True)
        if _queue_missing(outbox, planned.registrations, others, deliveries):
            # Another push took them and sent them: they are found there.
            deliveries += sender.send(frozenset(names), early=True)
        own = {parcel.id for parcel in parcels}
        mine = [d for d in deliveries if d.parcel is None or d.parcel in own]
        # What is due elsewhere goes too; it is no matter of this push if it does not.
        later = list(sender.send(early=False))
        return _report(outbox, [*deliveries, *later], mine, own)


def send_waiting(runtime: Runtime, project: Project | None = None) -> PushReport:
    """Send everything that waits in the outbox, now.

    Raises:
        TrackingError: The outbox cannot be read or written.
    """
    names = names_of_trackers(runtime, project)
    base = project.root if project else runtime.directory.absolute()
    with Trackers(runtime, base) as trackers:
        outbox = trackers.outbox()
        sender = Sender(outbox, trackers, names, runtime)
        sent = list(sender.send(early=True))
        left = {p.id for p in outbox.waiting() if p.state is not ParcelState.DEAD}
        return _report(outbox, sent, sent, left)


def waiting(runtime: Runtime) -> list[Parcel]:
    """Return what waits in the outbox, the oldest first.

    Raises:
        TrackingError: The outbox cannot be read.
    """
    with Trackers(runtime, runtime.directory.absolute()) as trackers:
        return trackers.outbox().waiting()


def dropped(runtime: Runtime, number: int) -> Parcel:
    """Take one parcel out of the outbox, unsent, and return it.

    Raises:
        ConfigError: There is none of that number.
        TrackingError: The outbox cannot be written.
    """
    with Trackers(runtime, runtime.directory.absolute()) as trackers:
        return trackers.outbox().drop(number)


def _registered(tracker: Tracker, target: Target, one: Registration) -> Delivery:
    """Register in the user's own registry, at once; a failure is told like any other."""
    about = Delivery(
        tracker=target.name,
        name=one.name,
        digest=one.digest,
        state=State.REFUSED,
        labels=one.labels,
    )
    try:
        outcome = tracker.register(one)
    except TrackingError as error:
        return replace(about, error=error)
    state = State.CREATED if outcome.created else State.UNCHANGED
    return replace(about, state=state, version=outcome.version)


def _queue(
    outbox: Outbox, registrations: Sequence[Registration], targets: Sequence[Target]
) -> list[Parcel]:
    parcels = [
        NewParcel(
            created=one.provenance.time,
            target=str(target.url),
            kind=ParcelKind.PUSH,
            name=one.name,
            digest=one.digest,
            each=one.each,
            run=one.run,
            provenance=one.provenance,
            labels=one.labels,
        )
        for target in targets
        for one in registrations
    ]
    return outbox.add(parcels, {one.digest: one.text for one in registrations})


def _queue_missing(
    outbox: Outbox,
    registrations: Sequence[Registration],
    targets: Sequence[Target],
    deliveries: Sequence[Delivery],
) -> bool:
    """Queue again what is neither told of nor waits; tell whether there was any."""
    told = {(delivery.tracker, delivery.digest) for delivery in deliveries}
    waits = {(parcel.target, parcel.digest) for parcel in outbox.waiting()}
    missing = False
    for target in targets:
        found = [
            one
            for one in registrations
            if (target.name, one.digest) not in told
            and (str(target.url), one.digest) not in waits
        ]
        _queue(outbox, found, [target])
        missing = missing or bool(found)
    return missing


def _report(
    outbox: Outbox | None,
    deliveries: Sequence[Delivery],
    mine: Sequence[Delivery],
    own: Collection[int] = (),
) -> PushReport:
    """Return what came of it.

    Args:
        outbox: Where things may wait; ``None`` if nothing was to.
        deliveries: All.
        mine: Those that decide about the exit code.
        own: Parcels that do, if they still wait.
    """
    left = tuple(outbox.waiting()) if outbox is not None else ()
    codes = [EXIT_INCOMPLETE for parcel in left if parcel.id in own]
    for delivery in mine:
        if not delivery.state.is_done:
            is_grave = isinstance(delivery.error, (IntegrityError, PolicyError))
            codes.append(EXIT_VIOLATION if is_grave else EXIT_INCOMPLETE)
    return PushReport(deliveries=tuple(deliveries), waiting=left, exit_code=gravest(codes))
