"""``artlock check``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from msgspec.structs import asdict

from artlock.cli.checking import GithubTeller, TextTeller, findings_json
from artlock.cli.options import command, option
from artlock.cli.output import count
from artlock.errors import ArtlockError, gravest
from artlock.model.tokens import Trust

if TYPE_CHECKING:
    from artlock.cli.checking import Teller
    from artlock.cli.options import Shell
    from artlock.ops.branch import BranchReport
    from artlock.ops.check import CheckReport
    from artlock.ops.retention import RetentionFinding


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
@option(
    "--changed-since",
    metavar="REV",
    help="Also ask the sources for what this branch, which left REV, locks otherwise.",
)
@option(
    "--output-format",
    "form",
    type=click.Choice(["text", "github"]),
    default="text",
    help="How to write what is wrong; github shows it at its line.",
)
def check(
    shell: Shell,
    require: str | None,
    remote: bool,  # noqa: FBT001 - a flag
    retention: bool,  # noqa: FBT001 - a flag
    changed_since: str | None,
    form: str,
) -> int:
    """Judge the lockfile: does it answer artifacts.toml, well-formed, within policy?

    Uses no network unless --remote, --retention or --changed-since is given. Exits 1 if the
    lockfile is stale or not canonical, a source has drifted, or locked versions can
    disappear; 4 if the policy is violated, or a row says of a version what it never was.
    """
    try:
        return _check(
            shell,
            require=require,
            remote=remote,
            retention=retention,
            changed_since=changed_since,
            form=form,
        )
    except ArtlockError as error:
        if form == "github" and not shell.output.as_json:
            _point_at(shell, error)
        raise


def _check(
    shell: Shell,
    *,
    require: str | None,
    remote: bool,
    retention: bool,
    changed_since: str | None,
    form: str,
) -> int:
    from artlock.ops.check import check as judge  # noqa: PLC0415 - not for --help

    asks = remote or retention or changed_since is not None
    # Two files are compared: nothing is fetched, written or sent for whoever owns them.
    project = shell.project(of_anybody=not asks)
    output = shell.output
    teller: Teller = TextTeller(output)
    if form == "github":
        teller = GithubTeller(output, project)
    report = judge(project, require=Trust(require) if require else None)
    teller.findings(report.findings)
    content = _content(report)
    exit_codes = [report.exit_code]
    errors: list[ArtlockError] = []
    if remote:
        from artlock.cli.commands.status import drift_json  # noqa: PLC0415 - rarely asked
        from artlock.ops.drift import find_drift  # noqa: PLC0415 - rarely asked

        drift = find_drift(project)
        teller.drift(drift)
        content["drift"] = drift_json(drift)
        errors += drift.errors
        exit_codes.append(drift.exit_code)
    if retention:
        from artlock.ops.retention import find_retention  # noqa: PLC0415 - rarely asked

        kept = find_retention(project, now=datetime.now(UTC))
        teller.retention(kept)
        content["retention"] = [_retention_json(finding) for finding in kept.findings]
        errors += kept.errors
        exit_codes.append(kept.exit_code)
    if changed_since is not None:
        from artlock.ops.branch import check_branch  # noqa: PLC0415 - rarely asked

        branch = check_branch(project, changed_since, offline=shell.offline)
        teller.branch(branch)
        content["branch"] = _branch_json(branch)
        errors += branch.errors
        exit_codes.append(branch.exit_code)
    if asks:
        from artlock.cli.commands.status import failures_json  # noqa: PLC0415 - rarely asked

        content["errors"] = failures_json(errors)
    exit_code = gravest(exit_codes)
    if not exit_code:
        weak = f", {report.weak:,} without a digest" if report.weak else ""
        have = count(report.objects, "object")
        output.say(f"Checked {count(report.artifacts, 'artifact')}: {have}{weak}")
    output.document("check", {**content, "ok": not exit_code})
    return exit_code


def _point_at(shell: Shell, error: ArtlockError) -> None:
    """Show an error that ends the command where it is, before it is told as ever."""
    from artlock.cli.annotations import error_annotation  # noqa: PLC0415 - rarely asked
    from artlock.ops.project import find_root  # noqa: PLC0415 - rarely asked
    from artlock.ops.spots import folder_in_repository  # noqa: PLC0415 - rarely asked

    try:
        folder = folder_in_repository(find_root(shell.directory))
    except ArtlockError:
        folder = ""  # there is no manifest, which is what the error says
    shell.output.data(error_annotation(error, folder))


def _content(report: CheckReport) -> dict[str, object]:
    return {
        "artifacts": report.artifacts,
        "objects": report.objects,
        "weak": report.weak,
        "findings": findings_json(report.findings),
    }


def _branch_json(report: BranchReport) -> dict[str, object]:
    return {
        "base": report.base,
        "changed": report.changed,
        "removed": report.removed,
        "declared": report.declared,
        "asked": report.asked,
        "unread": report.unread,
        "blind": report.blind,
        "findings": findings_json(report.findings),
    }


def _retention_json(finding: RetentionFinding) -> dict[str, object]:
    date = finding.date
    return {
        **asdict(finding),
        "date": None if date is None else date.isoformat().replace("+00:00", "Z"),
        "exit_code": finding.kind.exit_code,
    }
