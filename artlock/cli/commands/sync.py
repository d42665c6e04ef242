"""``artlock sync``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, option
from artlock.cli.output import count, human_size
from artlock.errors import EXIT_NO, EXIT_OK
from artlock.model.settings import LinkMode

if TYPE_CHECKING:
    from artlock.cli.options import Shell
    from artlock.cli.output import Output
    from artlock.ops.sync import SyncOptions, SyncReport


@command("sync")
@click.argument("names", nargs=-1)
@option(
    "--from",
    "ref",
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
        report = _registered(shell, ref, names, options, run)
    elif run is not None and _is_typed("run"):  # ARTLOCK_RUN may be there for others
        message = "`--run` goes with `--from`"
        raise click.UsageError(message)
    else:
        report = make(shell.project(), names, options)
    show_sync(shell.output, report, dry=check or dry_run)
    return EXIT_NO if check and not report.plan.is_empty else EXIT_OK


def _is_typed(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def _registered(
    shell: Shell,
    ref: str,
    places: tuple[str, ...],
    options: SyncOptions,
    run: str | None,
) -> SyncReport:
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
    version = found.held.version
    shell.output.say(f"{found.held.target.name}#{version.ref} ({version.digest})")
    if found.run is not None and found.input is not None:
        if found.input.state.is_done:
            shell.output.say(f"recorded: run {found.run} used {version.ref}")
        else:
            shell.output.warn(
                f"that run {found.run} used {version.ref} waits in the outbox; "
                "`artlock push --outbox` sends it"
            )
    return found.sync


def show_sync(output: Output, report: SyncReport, *, dry: bool) -> None:
    """Print what a sync did, or would do."""
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
