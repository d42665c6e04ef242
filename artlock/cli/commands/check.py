"""``artlock check``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from msgspec.structs import asdict

from artlock.cli.options import command, option
from artlock.cli.output import count, escape, escape_line, human_size
from artlock.errors import gravest
from artlock.model.tokens import Trust

if TYPE_CHECKING:
    from artlock.cli.options import Shell
    from artlock.cli.output import Output
    from artlock.errors import ArtlockError
    from artlock.ops.retention import RetentionFinding, RetentionReport


@command("check")
@option(
    "--require",
    type=click.Choice([str(trust) for trust in Trust]),
    help="Least trust that every object must have.",
)
@option("--remote", is_flag=True, help="Also ask the sources whether they have moved on.")
@option(
    "--retention",
    is_flag=True,
    help="Also ask how long the sources keep what is locked.",
)
def check(
    shell: Shell,
    require: str | None,
    remote: bool,  # noqa: FBT001 - a flag
    retention: bool,  # noqa: FBT001 - a flag
) -> int:
    """Judge the lockfile: does it answer artifacts.toml, well-formed, within policy?

    Uses no network unless --remote or --retention is given. Exits 1 if the lockfile is
    stale or not canonical, a source has drifted, or locked versions can disappear; 4 if
    the policy is violated.
    """
    from artlock.ops.check import check as judge  # noqa: PLC0415 - not for --help

    # Two files are compared: nothing is fetched, written or sent for whoever owns them.
    project = shell.project(of_anybody=not (remote or retention))
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
    errors: list[ArtlockError] = []
    if remote:
        from artlock.cli.commands.status import show_drift  # noqa: PLC0415 - rarely asked
        from artlock.ops.drift import find_drift  # noqa: PLC0415 - rarely asked

        drift = find_drift(project)
        content |= show_drift(output, drift)
        errors += drift.errors
        exit_code = gravest((exit_code, drift.exit_code))
    if retention:
        from artlock.ops.retention import find_retention  # noqa: PLC0415 - rarely asked

        kept = find_retention(project, now=datetime.now(UTC))
        _show_retention(output, kept)
        content["retention"] = [_finding_json(finding) for finding in kept.findings]
        errors += kept.errors
        exit_code = gravest((exit_code, kept.exit_code))
    if remote or retention:
        from artlock.cli.commands.status import failures_json  # noqa: PLC0415 - rarely asked

        content["errors"] = failures_json(errors)
    if not exit_code:
        weak = f", {report.weak:,} without a digest" if report.weak else ""
        have = count(report.objects, "object")
        output.say(f"Checked {count(report.artifacts, 'artifact')}: {have}{weak}")
    output.document("check", {**content, "ok": not exit_code})
    return exit_code


def _show_retention(output: Output, report: RetentionReport) -> None:
    """Print what may become of locked versions: a line for each rule and artifact."""
    hints: dict[str, None] = {}
    for finding in report.findings:
        have = f"{count(finding.objects, 'object')}, {human_size(finding.size)}"
        which = "it" if finding.objects == 1 else "each"
        text = f"{finding.artifact}: {have}: {which} {finding.text}"
        output.data(f"{finding.kind}: {escape_line(text)}")
        if finding.hint:
            hints[finding.hint] = None
    for error in report.errors:
        output.error(error) if not output.as_json else None
    if report.at_risk:
        of = count(report.objects, "object")
        output.say(f"Sources may lose what is locked: {report.at_risk:,} of {of}")
    elif not report.exit_code and report.objects:
        output.say(
            f"The sources' settings keep what is locked: {count(report.objects, 'object')}"
        )
    for hint in hints:
        output.say(f"hint: {escape_line(hint)}")


def _finding_json(finding: RetentionFinding) -> dict[str, object]:
    date = finding.date
    return {
        **asdict(finding),
        "date": None if date is None else date.isoformat().replace("+00:00", "Z"),
        "exit_code": finding.kind.exit_code,
    }
