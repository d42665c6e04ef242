"""How ``artlock check`` tells what it found: lines for people, or GitHub's commands.

A teller is told of each part as it is known, so that what was found is told although the
next part cannot be asked for.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import asdict

from artlock.cli.output import count, escape_line, human_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from artlock.cli.output import Output
    from artlock.errors import ArtlockError
    from artlock.ops.branch import BranchReport
    from artlock.ops.check import Finding
    from artlock.ops.drift import DriftReport
    from artlock.ops.project import Project
    from artlock.ops.retention import RetentionFinding, RetentionReport

_POINTED_AT = 50
"""How many of a kind are shown at their lines: GitHub shows ten of a step, and each is
looked for in the whole lockfile."""


class Teller(Protocol):
    """Who tells what was found."""

    def findings(self, findings: Iterable[Finding]) -> None:
        """Tell what is wrong with the lockfile itself."""

    def drift(self, report: DriftReport) -> None:
        """Tell which sources have moved on."""

    def retention(self, report: RetentionReport) -> None:
        """Tell what may become of locked versions."""

    def branch(self, report: BranchReport) -> None:
        """Tell what is wrong with what a branch changed."""


class TextTeller:
    """Prints a line for each finding, and each hint once below."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def findings(self, findings: Iterable[Finding]) -> None:
        """Print what is wrong with the lockfile itself."""
        hints: dict[str, None] = {}
        for finding in findings:
            text = _with_place(finding)
            self._output.data(f"{finding.fault}: {escape_line(text)}")
            hints[finding.hint] = None
        self._hints(hints)

    def drift(self, report: DriftReport) -> None:
        """Print the drift as ``status --remote`` does."""
        from artlock.cli.commands.status import show_drift  # noqa: PLC0415 - rarely asked

        show_drift(self._output, report)

    def retention(self, report: RetentionReport) -> None:
        """Print a line for each rule and artifact."""
        output = self._output
        hints: dict[str, None] = {}
        for finding in report.findings:
            output.data(f"{finding.kind}: {escape_line(_retention_text(finding))}")
            if finding.hint:
                hints[finding.hint] = None
        self._errors(report.errors)
        if report.at_risk:
            of = count(report.objects, "object")
            output.say(f"Sources may lose what is locked: {report.at_risk:,} of {of}")
        elif not report.exit_code and report.objects:
            have = count(report.objects, "object")
            output.say(f"The sources' settings keep what is locked: {have}")
        self._hints(hints)

    def branch(self, report: BranchReport) -> None:
        """Print what the sources deny, or how many were asked."""
        self.findings(report.findings)
        self._errors(report.errors)
        _say_asked(self._output, report)

    def _errors(self, errors: Iterable[ArtlockError]) -> None:
        for error in errors if not self._output.as_json else ():
            self._output.error(error)

    def _hints(self, hints: Iterable[str]) -> None:
        for hint in hints:
            self._output.say(f"hint: {escape_line(hint)}")


class GithubTeller:
    """Prints a workflow command for each finding, with the file and line it is about."""

    def __init__(self, output: Output, project: Project) -> None:
        from artlock.ops.spots import Spots, folder_in_repository  # noqa: PLC0415 - rarely asked

        self._output = output
        self._spots = Spots(project)
        self._folder = folder_in_repository(project.root)

    def findings(self, findings: Iterable[Finding]) -> None:
        """Show each finding at its row or declaration; of very many the first ones."""
        seen: Counter[str] = Counter()
        for finding in findings:
            seen[finding.fault] += 1
            if seen[finding.fault] <= _POINTED_AT:
                text = f"{_with_place(finding)}\nhint: {finding.hint}"
                self._tell("error", finding.fault, text, finding.artifact, finding.path)
        self._more("error", seen)

    def drift(self, report: DriftReport) -> None:
        """Show each drift at its row; of very many the first ones, and a count."""
        for item in report.drifts[:_POINTED_AT]:
            text = f"{item.artifact}/{item.path}: {item.uri}"
            self._tell("error", item.kind, text, item.artifact, item.path)
        more = len(report.drifts) - _POINTED_AT
        if more > 0:
            self._tell("error", "drift", f"{more:,} more objects have drifted")
        self._errors(report.errors)

    def retention(self, report: RetentionReport) -> None:
        """Show each rule at the declaration of its artifact; of many the first ones."""
        seen: dict[str, Counter[str]] = {"error": Counter(), "notice": Counter()}
        for finding in report.findings:
            level = "error" if finding.kind.exit_code else "notice"
            seen[level][finding.kind] += 1
            if seen[level][finding.kind] <= _POINTED_AT:
                hint = f"\nhint: {finding.hint}" if finding.hint else ""
                text = _retention_text(finding) + hint
                self._tell(level, finding.kind, text, finding.artifact)
        for level, kinds in seen.items():
            self._more(level, kinds)
        self._errors(report.errors)

    def branch(self, report: BranchReport) -> None:
        """Show each row that a source denies."""
        self.findings(report.findings)
        self._errors(report.errors)
        _say_asked(self._output, report)

    def _more(self, level: str, seen: Counter[str]) -> None:
        """Say how many of each kind are not shown."""
        for what, number in seen.items():
            if number > _POINTED_AT:
                self._tell(level, what, f"{number - _POINTED_AT:,} more are `{what}`")

    def _tell(
        self, level: str, what: str, text: str, artifact: str = "", path: str = ""
    ) -> None:
        from artlock.cli.annotations import annotation  # noqa: PLC0415 - rarely asked

        spot = self._spots.of(artifact, path)
        self._output.data(annotation(level, f"artlock: {what}", text, spot))

    def _errors(self, errors: Iterable[ArtlockError]) -> None:
        from artlock.cli.annotations import error_annotation  # noqa: PLC0415 - rarely asked

        seen: Counter[str] = Counter()
        for error in errors:
            seen[error.code] += 1
            if seen[error.code] <= _POINTED_AT:
                self._output.data(error_annotation(error, self._folder))
        self._more("error", seen)


def findings_json(findings: Iterable[Finding]) -> list[dict[str, object]]:
    """Return findings as ``--json`` shows them."""
    return [{**asdict(f), "exit_code": f.fault.exit_code} for f in findings]


def _say_asked(output: Output, report: BranchReport) -> None:
    """Say how much of a branch was held against its sources, if nothing is wrong."""
    if not report.changed:
        _say_what_went(output, report)
    elif not report.exit_code:
        changed = count(report.changed, "changed object")
        of = f"asked for {report.asked:,} of {changed}" if report.asked else changed
        if not report.asked:
            said = "No source was asked for what the branch locks"
        elif report.blind:
            said = "No source denies what the branch locks"
        else:
            said = "Sources have what the branch locks"
        output.say(f"{said}: {of}")
    if report.blind:
        which = count(report.blind, "object")
        output.warn(f"of {which} the sources tell nothing but the size")
    if report.unread:
        what = count(report.unread, "digest")
        proof = "is proven" if report.unread == 1 else "are proven"
        output.say(f"{what} of these {proof} by reading only: `artlock verify --remote`")


def _say_what_went(output: Output, report: BranchReport) -> None:
    """Say what a branch does that changes no row, so that no source is asked."""
    did = []
    if report.removed:
        did.append(f"takes out {count(report.removed, 'object')}")
    if report.declared:
        did.append(f"changes {count(report.declared, 'declaration')}")
    if did:
        output.say(f"The branch {' and '.join(did)}, and locks nothing new")
    else:
        output.say("The branch locks nothing otherwise")


def _with_place(finding: Finding) -> str:
    where = "/".join(part for part in (finding.artifact, finding.path) if part)
    # What begins with a name in quotes names its artifact itself.
    return finding.text if finding.text.startswith("`") else f"{where}: {finding.text}"


def _retention_text(finding: RetentionFinding) -> str:
    have = f"{count(finding.objects, 'object')}, {human_size(finding.size)}"
    which = "it" if finding.objects == 1 else "each"
    return f"{finding.artifact}: {have}: {which} {finding.text}"
