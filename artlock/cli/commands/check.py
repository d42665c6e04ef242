"""``artlock check``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, option
from artlock.cli.output import count, escape
from artlock.errors import gravest
from artlock.model.tokens import Trust

if TYPE_CHECKING:
    from artlock.cli.options import Shell


@command("check")
@option(
    "--require",
    type=click.Choice([str(trust) for trust in Trust]),
    help="Least trust that every object must have.",
)
@option("--remote", is_flag=True, help="Also ask the sources whether they have moved on.")
def check(shell: Shell, require: str | None, remote: bool) -> int:  # noqa: FBT001 - a flag
    """Judge the lockfile: does it answer artifacts.toml, well-formed, within policy?

    Uses no network unless --remote is given. Exits 1 if the lockfile is stale or not
    canonical, or a source has drifted; 4 if the policy is violated.
    """
    from artlock.ops.check import check as judge  # noqa: PLC0415 - not for --help

    project = shell.project()
    report = judge(project, require=Trust(require) if require else None)
    output = shell.output
    findings = [{**asdict(f), "exit_code": f.fault.exit_code} for f in report.findings]
    content: dict[str, object] = {
        "artifacts": report.artifacts,
        "objects": report.objects,
        "weak": report.weak,
        "findings": findings,
    }
    hints: dict[str, None] = {}
    for finding in report.findings:
        where = f"{finding.artifact}: " if finding.artifact else ""
        lead = "" if finding.text.startswith("`") else where
        output.data(f"{finding.fault}: {escape(lead + finding.text)}")
        hints[finding.hint] = None
    for hint in hints:
        output.say(f"hint: {hint}")
    exit_code = report.exit_code
    if remote:
        from artlock.cli.commands.status import show_drift  # noqa: PLC0415 - rarely asked
        from artlock.ops.drift import find_drift  # noqa: PLC0415 - rarely asked

        drift = find_drift(project)
        content |= show_drift(output, drift)
        exit_code = gravest((exit_code, drift.exit_code))
    if not exit_code:
        weak = f", {report.weak:,} without a digest" if report.weak else ""
        have = count(report.objects, "object")
        output.say(f"Checked {count(report.artifacts, 'artifact')}: {have}{weak}")
    output.document("check", {**content, "ok": not exit_code})
    return exit_code
