"""``artlock push``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, is_typed, option
from artlock.cli.output import count, human_size
from artlock.cli.registering import (
    delivery_json,
    full_ref,
    labels_json,
    labels_line,
    parcel_json,
    parcel_line,
    run_json,
)
from artlock.errors import EXIT_OK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artlock.cli.options import Shell
    from artlock.cli.output import Output
    from artlock.ops.project import Project
    from artlock.ops.push import Planned, PushReport
    from artlock.ops.registering import PushOptions
    from artlock.ops.sending import Delivery
    from artlock.tracking.registry.parcels import Parcel

_MOST_ID = 2**31 - 1
_MOST_SHOWN = 20


@command("push")
@option("--to", "to", multiple=True, help="Name or URL of a tracker; repeatable.")
@option("--each", is_flag=True, help="Register every artifact under its own name.")
@option("--alias", "aliases", multiple=True, help="Let this alias point there; repeatable.")
@option("--tag", "tags", multiple=True, help="Attach a tag; repeatable.")
@option("--meta", "meta", multiple=True, metavar="KEY=TEXT", help="Attach metadata.")
@option("--run", help="The run that made the data.")
@option("--allow-dirty", is_flag=True, help="Also what git has not committed.")
@option("--dry-run", is_flag=True, help="Send and queue nothing; show what would be.")
@option(
    "--outbox", is_flag=True, envvar=None, help="Only send what waits; needs no project."
)
@option(
    "--drop",
    type=click.IntRange(1, _MOST_ID),
    envvar=None,
    metavar="ID",
    help="Take one thing out of the outbox, unsent.",
)
def push(
    shell: Shell,
    to: tuple[str, ...],
    each: bool,  # noqa: FBT001 - a flag
    aliases: tuple[str, ...],
    tags: tuple[str, ...],
    meta: tuple[str, ...],
    run: str | None,
    allow_dirty: bool,  # noqa: FBT001 - a flag
    dry_run: bool,  # noqa: FBT001 - a flag
    outbox: bool,  # noqa: FBT001 - a flag
    drop: int | None,
) -> int:
    """Register what is locked as an artifact version with every tracker that is named.

    Without [trackers] that is your own registry, a file in your data folder. No store is
    asked, and no file of the project is written. The same lock is registered once, however
    often it is pushed. What a tracker cannot take now waits in the outbox, and a later push
    sends it, in order; --offline only queues.
    """
    from artlock.model.registration import Labels  # noqa: PLC0415 - not for --help
    from artlock.ops.registering import PushOptions  # noqa: PLC0415 - not for --help

    if outbox or drop is not None:
        others = ("to", "each", "aliases", "tags", "meta", "run", "allow_dirty")
        if any(map(is_typed, others)) or (outbox and drop is not None):
            message = "`--outbox` and `--drop` go with no other option of a push"
            raise click.UsageError(message)
        return _outbox(shell, drop, dry_run=dry_run)
    options = PushOptions(
        to=to,
        each=each,
        labels=Labels(
            aliases=tuple(sorted(set(aliases))),
            tags=tuple(sorted(set(tags))),
            meta=_meta(meta),
        ),
        run=run,
        allow_dirty=allow_dirty,
    )
    project = shell.project()
    if dry_run:
        return _plan(shell.output, project, options)
    from artlock.ops.push import push as register  # noqa: PLC0415 - loads the registry

    report = register(project, options)
    show_push(shell.output, report)
    return report.exit_code


def show_push(output: Output, report: PushReport) -> None:
    """Print what came of a push."""
    output.document(
        "push",
        {
            "deliveries": [delivery_json(delivery) for delivery in report.deliveries],
            "waiting": [parcel_json(parcel) for parcel in report.waiting],
        },
    )
    for delivery in report.deliveries:
        _show(output, delivery)
    told = {delivery.parcel for delivery in report.deliveries}
    rest = [parcel for parcel in report.waiting if parcel.id not in told]
    waiting = [parcel for parcel in rest if parcel.state != "dead"]
    refused = [parcel for parcel in rest if parcel.state == "dead"]
    _show_left(output, "waiting in the outbox", waiting)
    if waiting:
        output.say("hint: `artlock push --outbox` sends what waits")
    _show_left(output, "refused earlier", refused)
    if refused:
        output.say("hint: push it anew when that is mended, or `artlock push --drop ID`")


def _show_left(output: Output, what: str, parcels: Sequence[Parcel]) -> None:
    if not parcels:
        return
    output.say(f"{what}: {len(parcels):,}")
    for parcel in parcels[:_MOST_SHOWN]:
        output.say(f"  {parcel_line(parcel)}")
    if len(parcels) > _MOST_SHOWN:
        output.say(f"  ... and {len(parcels) - _MOST_SHOWN:,} more")


def _show(output: Output, delivery: Delivery) -> None:
    from artlock.ops.sending import State  # noqa: PLC0415 - not for --help

    version, error = delivery.version, delivery.error
    if version is not None:
        output.data(output.styled(full_ref(delivery.tracker, version)))
    match delivery.state:
        case State.CREATED if version is not None:
            size = f"{count(version.objects, 'object')}, {human_size(version.size)}"
            dirty = ", not committed" if version.provenance.dirty else ""
            output.say(f"Registered {version.ref} in `{delivery.tracker}`: {size}{dirty}")
        case State.UNCHANGED if version is not None:
            labels = labels_line(delivery.labels)
            done = f"labelled {labels}" if labels else "nothing to do"
            output.say(f"{version.ref} is in `{delivery.tracker}` already: {done}")
        case State.RECORDED if version is not None:
            output.say(f"Recorded in `{delivery.tracker}` who used {version.ref}")
        case State.WRITTEN:
            output.say(
                f"`{delivery.tracker}` works offline and has written it down\n"
                f"hint: run `{delivery.next_deed}`"
            )
        case _:
            pass  # `error` says it
    for warning in delivery.warnings:
        output.warn(warning)
    if error is not None:
        output.failure(error)
        what = f"`{delivery.name}` for `{delivery.tracker}`"
        if delivery.state is State.REFUSED and delivery.parcel is not None:
            output.say(f"{what} is not tried again before you ask for it anew")
        elif delivery.state is State.REFUSED:
            output.say(f"{what} is not registered")
        else:
            output.say(
                f"{what} waits in the outbox: `artlock push --outbox` sends it, "
                f"`artlock push --drop {delivery.parcel}` forgets it"
            )


def _plan(output: Output, project: Project, options: PushOptions) -> int:
    from artlock.ops.push import plan  # noqa: PLC0415 - not for --help

    planned = plan(project, options)
    output.document("push-plan", {"registrations": _planned_json(planned)})
    for target in planned.targets:
        for one in planned.registrations:
            run = f", made by run {one.run}" if one.run else ""
            output.data(
                f"{output.styled(target.name)}: {one.name} ({one.short}), "
                f"{count(one.lock.count(), 'object')}, {human_size(one.lock.size)}{run}"
            )
    trackers = count(len(planned.targets), "tracker")
    output.say(f"Would push {count(len(planned.registrations), 'lock')} to {trackers}")
    return EXIT_OK


def _planned_json(planned: Planned) -> list[dict[str, object]]:
    return [
        {
            "tracker": target.name,
            "url": str(target.url),
            "name": one.name,
            "digest": one.digest,
            "objects": one.lock.count(),
            "bytes": one.lock.size,
            "trust": str(one.trust),
            "run": None if one.run is None else run_json(one.run),
            **labels_json(one.labels),
        }
        for target in planned.targets
        for one in planned.registrations
    ]


def _outbox(shell: Shell, drop: int | None, *, dry_run: bool) -> int:
    from artlock.ops.push import dropped, send_waiting, waiting  # noqa: PLC0415 - not for --help

    output = shell.output
    if drop is not None and dry_run:
        return _list(output, [p for p in waiting(shell.runtime()) if p.id == drop])
    if drop is not None:
        parcel = dropped(shell.runtime(), drop)
        left = [parcel_json(other) for other in waiting(shell.runtime())]
        output.document("outbox", {"waiting": left})
        output.say(f"dropped, unsent: {parcel_line(parcel)}")
        return EXIT_OK
    if dry_run or shell.offline:
        return _list(output, waiting(shell.runtime()))
    project = shell.project_if_any()  # names of trackers come from it
    report = send_waiting(project.runtime if project else shell.runtime(), project)
    show_push(output, report)
    if not report.deliveries and not report.waiting:
        output.say("nothing waits")
    return report.exit_code


def _list(output: Output, parcels: Sequence[Parcel]) -> int:
    output.document("outbox", {"waiting": [parcel_json(parcel) for parcel in parcels]})
    for parcel in parcels:
        output.data(parcel_line(parcel))
    if not parcels:
        output.say("nothing waits")
    return EXIT_OK


def _meta(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            message = f"`--meta {text}` is not `KEY=TEXT`"
            raise click.UsageError(message)
        pairs[key] = value
    return tuple(sorted(pairs.items()))
