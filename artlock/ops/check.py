"""Judge the lockfile without the network: the hook's command."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from artlock.errors import EXIT_NO, EXIT_VIOLATION, gravest
from artlock.model.tokens import Trust
from artlock.ops.policy import problem_with_source, problems_with_rows
from artlock.ops.project import stale_reasons
from artlock.ops.surveys import survey

if TYPE_CHECKING:
    from artlock.ops.project import Project


class Fault(StrEnum):
    """What is wrong; each has an exit code of its own.

    ``ALTERED`` is a row that says of a version what neither the lockfile said before nor
    its source says now. ``GONE`` and ``OVERWRITTEN`` mean as in ``DriftKind``. These three
    are found in branches only (``ops/branch.py``).
    """

    STALE = "stale"
    NOT_CANONICAL = "not-canonical"
    POLICY = "policy"
    ALTERED = "altered"
    GONE = "gone"
    OVERWRITTEN = "overwritten"

    @property
    def exit_code(self) -> int:
        """4 where the policy is violated or a row cannot be true, else 1."""
        return EXIT_VIOLATION if self in {Fault.POLICY, Fault.ALTERED} else EXIT_NO


class Finding(msgspec.Struct, frozen=True):
    """One fault.

    Attributes:
        artifact: Its name; empty if it concerns the whole file.
        text: What is wrong, as a phrase.
        hint: What mends it.
        path: Of the row that it is about, or the first of them; empty for none.
    """

    fault: Fault
    artifact: str
    text: str
    hint: str
    path: str = ""


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer.

    Attributes:
        findings: In the order of faults and names; empty if all is well.
        weak: How many rows have no digest: their bytes are trusted on first use.
    """

    artifacts: int
    objects: int
    weak: int
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 if all is well, else that of the gravest finding."""
        return gravest(finding.fault.exit_code for finding in self.findings)


def check(project: Project, *, require: Trust | None = None) -> CheckReport:
    """Tell whether the lockfile answers the manifest, is canonical, and keeps the policy.

    Args:
        project: The manifest and where it lies.
        require: The least trust that every row must have, beside the policy's own.

    Raises:
        LockfileError: There is no lockfile, or it is not valid.
        PolicyError: It has a row that no declaration covers, or an unsafe path.
    """
    found = survey(project)
    manifest, lock = project.manifest, found.lock
    findings = [
        Finding(Fault.STALE, name, why, "run `artlock resolve`")
        for name, why in stale_reasons(manifest, lock)
    ]
    if not found.is_canonical:
        findings.append(
            Finding(
                Fault.NOT_CANONICAL,
                "",
                "`artifacts.lock` is not as artlock writes it",
                "run `artlock fmt`, or `artlock resolve` if rows were edited by hand",
            )
        )
    odd = found.oddity or project.lock_files.problem()
    if odd is not None:
        findings.append(Finding(Fault.NOT_CANONICAL, "", odd, "run `artlock fmt`"))
    for artifact in manifest.artifacts:
        problem = problem_with_source(manifest.policy, artifact)
        if problem is not None:
            hint = "change `[policy] allow`, or the `uri`"
            findings.append(Finding(Fault.POLICY, artifact.name, problem, hint))
    for locked, rows in zip(lock.artifacts, found.tallies, strict=True):
        findings += [
            Finding(Fault.POLICY, locked.name, short.text, short.hint, short.path)
            for short in problems_with_rows(manifest.policy, locked, rows, require=require)
        ]
    return CheckReport(
        artifacts=len(lock.artifacts),
        objects=sum(rows.objects for rows in found.tallies),
        weak=sum(rows.below(Trust.STRONG)[0].number for rows in found.tallies),
        findings=tuple(findings),
    )
