"""``artlock sync``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, is_typed, option
from artlock.cli.output import count, human_size
from artlock.cli.registering import full_ref, run_json
from artlock.errors import EXIT_INCOMPLETE, EXIT_NO, EXIT_OK
from artlock.model.settings import LinkMode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artlock.cli.options import Shell
    from artlock.cli.output import Output
    from artlock.model.registration import Run
    from artlock.ops.sending import Delivery
    from artlock.ops.sync import SyncOptions, SyncReport


@command("sync")
@click.argument("names", nargs=-1)
@option(
    "--from",
    "ref",
    envvar=None,
    metavar="REF",
    help="Make DIR, in place of NAMES, what a registered version says.",
)
@option("--run", help="With --from: the run that uses it, to be recorded.")
@option(
    "--group", "groups", multiple=True, help="Only artifacts of this group; repeatable."
)
@option("--check", is_flag=True, help="Write nothing; exit 1 if something would change.")
@option("--dry-run", is_flag=True, help="Write nothing; show what would be done.")
@option("--frozen", is_flag=True, help="Do not ask whether the lockfile is stale.")
@option("--locked", is_flag=True, help="Refuse a stale lockfile; so it is anyway.")
@option("--exact", is_flag=True, help="Also move files that are not locked into the trash.")
@option("--force", is_flag=True, help="Move changed files into the trash, and write anew.")
@option(
    "--link-mode",
    type=click.Choice([str(mode) for mode in LinkMode]),
    help="How files get from the cache into the workspace.",
)
def sync(
    shell: Shell,
    names: tuple[str, ...],
    ref: str | None,
    run: str | None,
    groups: tuple[str, ...],
    check: bool,  # noqa: FBT001 - a flag
    dry_run: bool,  # noqa: FBT001 - a flag
    frozen: bool,  # noqa: FBT001 - a flag
    locked: bool,  # noqa: FBT001 - a flag
    exact: bool,  # noqa: FBT001 - a flag
    force: bool,  # noqa: FBT001 - a flag
    link_mode: str | None,
) -> int:
    """Make the workspace what the lockfile says; the lockfile itself is never written.

    Bytes are fetched into the cache, verified against the lockfile, and only then put into
    the workspace. If one object fails, no file of the workspace is touched. A file that you
    changed stops the sync before anything is written; --force moves it to .artlock/trash.

    `artlock sync --from REF DIR` needs no project: each artifact of the registered version
    lands at DIR/<artifact>/. REF is name, name:v3, name@alias, or TRACKER#name:v3.
    """
    from artlock.ops.sync import SyncOptions  # noqa: PLC0415 - not for --help
    from artlock.ops.sync import sync as make  # noqa: PLC0415 - not for --help

    del locked  # accepted because it says what always holds
    options = SyncOptions(
        groups=groups,
        frozen=frozen,
        exact=exact,
        force=force,
        write=not (check or dry_run),
        link_mode=LinkMode(link_mode) if link_mode else None,
    )
    if ref is not None:
        return _registered(shell, ref, names, options, run, check=check)
    if run is not None and is_typed("run"):  # ARTLOCK_RUN may be there for others
        message = "`--run` goes with `--from`"
        raise click.UsageError(message)
    report = make(shell.project(), names, options)
    show_sync(shell.output, report, dry=check or dry_run)
    return EXIT_NO if check and not report.plan.is_empty else EXIT_OK


def _registered(
    shell: Shell,
    ref: str,
    places: tuple[str, ...],
    options: SyncOptions,
    run: str | None,
    *,
    check: bool,
) -> int:
    from artlock.ops.registered import sync_from  # noqa: PLC0415 - loads the registry

    if len(places) != 1 or options.groups:
        message = "`--from REF` wants one folder: `artlock sync --from name:v3 DIR`"
        raise click.UsageError(message)
    project = shell.project_if_any()
    found = sync_from(
        project.runtime if project else shell.runtime(),
        ref,
        shell.directory / places[0],
        options,
        project=project,
        run=run,
    )
    output, version, used = shell.output, found.held.version, found.input
    registered = {
        "tracker": found.held.target.name,
        "ref": version.ref,
        "digest": version.digest,
        "run": None if found.run is None else run_json(found.run),
        "recorded": None if used is None else str(used.state),
    }
    output.say(f"{full_ref(found.held.target.name, version)} ({version.digest})")
    show_sync(output, found.sync, dry=not options.write, registered=registered)
    if used is not None:
        _show_input(output, found.run, used)
    if used is not None and used.error is not None:
        return EXIT_INCOMPLETE
    return EXIT_NO if check and not found.sync.plan.is_empty else EXIT_OK


def _show_input(output: Output, run: Run | None, used: Delivery) -> None:
    what = f"run {run} used {used.version.ref if used.version else used.name}"
    if used.error is not None:
        output.failure(used.error)
    if used.state.is_done:
        output.say(f"recorded: {what}")
    elif used.error is None:
        output.warn(f"that {what} waits in the outbox")
        output.say("hint: `artlock push --outbox` sends it")
    else:
        output.warn(f"that {what} is not recorded; the files are there")


def show_sync(
    output: Output,
    report: SyncReport,
    *,
    dry: bool,
    registered: Mapping[str, object] | None = None,
) -> None:
    """Print what a sync did, or would do.

    Args:
        output: Where.
        report: Of the sync.
        dry: Whether nothing was written.
        registered: The registered version that was synced, for ``--json``.
    """
    plan = report.plan
    output.document(
        "sync",
        {
            "artifacts": report.artifacts,
            "fetched": report.fetched,
            "fetched_bytes": report.fetched_size,
            "written": len(plan.write),
            "written_bytes": plan.write_size,
            "removed": len(plan.remove),
            "unchanged": plan.current,
            "links": report.links,
            "left": list(plan.left),
            "trashed": list(report.trashed),
            "weak": report.weak,
            "objects_to_fetch": report.download.objects,
            "bytes_to_fetch": report.download.size,
            "requests": report.download.requests,
            "dry_run": dry,
            "registered": registered,
        },
    )
    links = f", {count(report.links, 'link')} not downloaded" if report.links else ""
    artifacts = count(report.artifacts, "artifact")
    if dry:
        for placement in plan.write:
            output.data(f"write: {output.styled(placement.target)}")
        for target in plan.remove:
            output.data(f"remove: {output.styled(target)}")
        todo = report.download
        how = f" in {count(todo.requests, 'request')}" if todo.requests else ""
        output.say(
            f"Would sync {artifacts}: {len(plan.write):,} to write, "
            f"{len(plan.remove):,} to remove, {count(todo.objects, 'object')} of "
            f"{human_size(todo.size)} to fetch{how}{links}"
        )
        return
    for target in plan.left:
        output.warn(f"`{target}` is no longer locked; it was changed here, so it stays")
    for path in report.trashed:
        output.say(f"moved to {path}")
    if plan.is_empty:
        output.say(f"Synced {artifacts}: nothing to do ({plan.current:,} unchanged{links})")
    else:
        cached = len(plan.write) - len(plan.fetch)
        removed = f", {len(plan.remove):,} removed" if plan.remove else ""
        output.say(
            f"Synced {artifacts}: {human_size(plan.write_size)} "
            f"({len(plan.fetch):,} fetched, {cached:,} cached, "
            f"{plan.current:,} unchanged{removed}{links})"
        )
    if report.weak and report.fetched:  # said when it happened, and not by every sync
        output.say(
            f"trusted on first use: {count(report.weak, 'object')} without digest and "
            "checksum\nhint: `artlock resolve --hash` locks a digest of each"
        )
