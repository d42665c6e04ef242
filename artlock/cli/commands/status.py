"""``artlock status``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, option
from artlock.cli.output import count, human_size
from artlock.errors import EXIT_NO, EXIT_OK, gravest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from artlock.cli.options import Shell
    from artlock.cli.output import Output
    from artlock.errors import ArtlockError
    from artlock.ops.drift import DriftReport
    from artlock.ops.status import StatusReport

_LISTED = 20
"""How many paths of one kind are shown; ``--verbose`` shows all."""

_STOPPING = {"modified", "blocked"}
"""What `sync` does not overwrite unless it is told to."""


@command("status")
@click.argument("names", nargs=-1)
@option("--remote", is_flag=True, help="Also ask the sources whether they have moved on.")
@option("--porcelain", is_flag=True, help="One line a path, for scripts: state TAB path.")
def status(shell: Shell, names: tuple[str, ...], remote: bool, porcelain: bool) -> int:  # noqa: FBT001 - flags
    """Tell what differs from the lockfile: files, and with --remote sources.

    Exits 0 if nothing differs, else 1. Without --remote no network is used.
    """
    from artlock.ops.status import status as look  # noqa: PLC0415 - not for --help

    project = shell.project()
    report = look(project, names)
    output = shell.output
    content = _as_json(report)
    if porcelain:
        for state, path in report.paths():
            output.data(f"{state}\t{output.styled(path)}")
    else:
        _show(output, report)
    exit_code = EXIT_OK if report.is_clean else EXIT_NO
    if remote:
        from artlock.ops.drift import find_drift  # noqa: PLC0415 - rarely asked

        drift = find_drift(project, names)
        show_drift(output, drift)
        content |= {"drift": drift_json(drift), "errors": failures_json(drift.errors)}
        exit_code = gravest((exit_code, drift.exit_code))
    output.document("status", {**content, "clean": exit_code == EXIT_OK})
    return exit_code


def show_drift(output: Output, report: DriftReport) -> None:
    """Print a drift report."""
    for drift in report.drifts:
        output.data(f"{drift.kind}: {output.styled(f'{drift.artifact}/{drift.path}')}")
    for error in report.errors:
        output.error(error) if not output.as_json else None
    if report.drifts:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in report.counts().items())
        output.say(f"Sources have moved on: {kinds}")
        if report.counts().get("archived"):
            output.say(
                "hint: restore what is archived before `artlock sync`, for example with "
                "`aws s3api restore-object`"
            )
        output.say("hint: `artlock update --dry-run` shows what would change")
    elif not report.errors:
        output.say(f"Sources are as locked: {count(report.objects, 'object')}")


def drift_json(report: DriftReport) -> list[dict[str, object]]:
    """Return what ``--json`` says of drifts."""
    return [
        {"artifact": d.artifact, "path": d.path, "kind": str(d.kind), "uri": d.uri}
        for d in report.drifts
    ]


def failures_json(errors: Iterable[ArtlockError]) -> list[dict[str, object]]:
    """Return what ``--json`` says of errors that did not end the command."""
    return [{"code": e.code, "message": e.message, "hint": e.hint} for e in errors]


def _show(output: Output, report: StatusReport) -> None:
    for name, why in report.stale:
        output.data(f"stale: {name}: {output.styled(why)}")
    shown: dict[str, int] = {}
    for state, path in report.paths():
        shown[state] = shown.get(state, 0) + 1
        if shown[state] <= _LISTED or output.verbose:
            output.data(f"{state}: {output.styled(path)}")
    for state, number in shown.items():
        if number > _LISTED and not output.verbose:
            output.data(f"{state}: ... and {number - _LISTED:,} more")
    plan = report.plan
    links = f", {count(report.links, 'link')}" if report.links else ""
    if report.is_clean:
        output.say(f"Clean: {count(plan.current, 'file')} as locked{links}")
        return
    if report.stale:
        output.say("hint: `artlock resolve` makes the lockfile answer artifacts.toml")
    if plan.write or plan.remove:
        fetch = f", {human_size(plan.fetch_size)} to fetch" if plan.fetch else ""
        output.say(
            f"{count(plan.current, 'file')} as locked, {len(plan.write):,} to write, "
            f"{len(plan.remove):,} to remove{fetch}{links}"
        )
        if shown.keys() & _STOPPING:
            output.say(
                "hint: `artlock sync` stops at modified and blocked files: move them away, "
                "or use `--force`, which puts them into the trash"
            )
        else:
            output.say("hint: `artlock sync` makes the workspace what the lockfile says")


def _as_json(report: StatusReport) -> dict[str, object]:
    return {
        "stale": [{"artifact": name, "why": why} for name, why in report.stale],
        "files": [{"state": state, "path": path} for state, path in report.paths()],
        "current": report.plan.current,
        "links": report.links,
        "bytes_to_fetch": report.plan.fetch_size,
        "bytes_to_write": report.plan.write_size,
    }
