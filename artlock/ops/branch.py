"""What a branch changed in the lockfile, held against its past and against the sources.

For branches of people whom nobody has to trust. A lockfile is text, and whoever can push
can write into it what no source ever held; so what is new in it is asked of the sources,
and what a version was said to be is not believed to be something else now. Beside its own
policy a branch keeps those of its past (``ops/yardstick.py``): it cannot widen them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from artlock.errors import ArtlockError, gravest
from artlock.model.diff import ChangeKind, diff, locked_otherwise
from artlock.model.review import says_otherwise, states_of
from artlock.model.tally import Tally
from artlock.ops.answers import TAKE_BACK, Answers, Question, ask
from artlock.ops.check import Fault, Finding
from artlock.ops.policy import problem_with_source, problems_with_rows
from artlock.ops.revisions import changed_rows, locked_at
from artlock.ops.yardstick import yardstick_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from artlock.model.lock import LockedArtifact, LockedObject
    from artlock.ops.project import Project
    from artlock.ops.yardstick import Rule, Yardstick


class BranchReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer.

    Attributes:
        base: The commit in which the branch began.
        findings: Sorted by artifact and path.
        errors: Why sources could not be asked: for each artifact the first of each code.
        changed: How many rows are new, not what they were, or name another object.
        removed: How many rows are no longer there.
        declared: How many artifacts came, went, or are declared otherwise.
        asked: How many of the changed rows were asked of their sources.
        unread: How many of those have a digest that no source told: only reading the
            bytes proves it.
        blind: How many of those have no token that the source told anything about.
    """

    base: str
    findings: tuple[Finding, ...]
    errors: tuple[ArtlockError, ...]
    changed: int
    removed: int
    declared: int
    asked: int
    unread: int
    blind: int

    @property
    def exit_code(self) -> int:
        """The gravest of what was found, and of what could not be asked."""
        codes = [finding.fault.exit_code for finding in self.findings]
        return gravest([*codes, *(error.exit_code for error in self.errors)])


def check_branch(project: Project, revision: str, *, offline: bool = False) -> BranchReport:
    """Judge what changed since a branch left ``revision``, in the working lockfile.

    Asks for each changed row once, by its version where it has one. Not asked are links,
    artifacts whose lockfile is stale, and sources outside of a policy.

    Args:
        project: The manifest and where it lies.
        revision: What the branch is to be merged into.
        offline: Ask no source: only the past and the policies are held against it.

    Raises:
        GitError: There is no git or no such revision, the two have no common commit, or
            other projects are there, but not this one.
        ManifestError: The manifest of ``revision`` cannot be read.
        LockfileError: A lockfile is missing or not valid.
    """
    yardstick = yardstick_of(project, revision)
    old, new = changed_rows(project, yardstick.base)
    otherwise = tuple(locked_otherwise(old, new))
    findings = [
        *_altered(project, yardstick, otherwise),
        *_outside(project, yardstick.rules),
    ]
    shut = {finding.artifact for finding in findings if finding.fault is Fault.POLICY}
    questions: list[Question] = []
    for locked in otherwise:
        artifact = project.manifest.get(locked.name)
        if artifact is None or not locked.answers(artifact):
            continue  # stale, which `check` says
        findings += _short_of(yardstick.rules, locked)
        if artifact.name in shut or problem_with_source(project.manifest.policy, artifact):
            continue
        uri_of = locked.uri_maker()
        questions += [Question(artifact, row, uri_of(row)) for row in locked.objects]
    known = {(finding.artifact, finding.path) for finding in findings}
    questions = [q for q in questions if (q.artifact.name, q.row.path) not in known]
    answers = Answers() if offline else ask(project, questions)
    changes = diff(old, new)
    return BranchReport(
        base=yardstick.base,
        findings=tuple(sorted([*findings, *answers.findings], key=_place)),
        errors=answers.errors,
        changed=sum(len(locked.objects) for locked in otherwise),
        removed=sum(1 for c in changes if c.path and c.kind is ChangeKind.DELETED),
        declared=sum(1 for c in changes if not c.path),
        asked=answers.asked,
        unread=answers.unread,
        blind=answers.blind,
    )


def _altered(
    project: Project, yardstick: Yardstick, otherwise: Sequence[LockedArtifact]
) -> Iterator[Finding]:
    """Yield rows that say something else of a state than a lockfile said before.

    Rows are known by their object, whichever artifact has them, and all that was ever said
    of it counts: neither another name for an artifact is a reason to believe another
    digest, nor a second row beside the one that stays.
    """
    said: dict[tuple[str, str], list[tuple[str, LockedObject]]] = {}
    for artifact in otherwise:
        for row, uri in artifact.uris():
            for state in states_of(row):
                said.setdefault((str(uri), state), []).append((artifact.name, row))
    states = {state for _, state in said}
    told = set()
    for place, state, was in _locked_before(project, yardstick, states):
        for name, row in said.get((place, state), ()):
            if (name, row.path) not in told and says_otherwise(was, row):
                told.add((name, row.path))
                what = (
                    f"version `{row.version}` of `{place}`" if row.version else f"`{place}`"
                )
                text = f"says something else of {what} than it was locked with"
                yield Finding(Fault.ALTERED, name, text, TAKE_BACK, row.path)


def _locked_before(
    project: Project, yardstick: Yardstick, states: set[str]
) -> Iterator[tuple[str, str, LockedObject]]:
    """Yield the URI, state and row of all that was locked in one of some states."""
    for revision in yardstick.locked if states else ():
        for artifact in locked_at(project, revision):
            uri_of = artifact.uri_maker()
            for row in artifact.objects:
                # Most rows are none of these, and a URI costs more than a look.
                for state in states.intersection(states_of(row)):
                    yield str(uri_of(row)), state, row


def _outside(project: Project, rules: Iterable[Rule]) -> Iterator[Finding]:
    """Yield sources and mirrors that a policy of the past does not allow."""
    for artifact in project.manifest.artifacts:
        for rule in rules:
            problem = problem_with_source(rule.policy, artifact)
            if problem is not None:
                text = f"{problem} {rule.since}"
                yield Finding(Fault.POLICY, artifact.name, text, rule.hint)
                break


def _short_of(rules: Iterable[Rule], locked: LockedArtifact) -> Iterator[Finding]:
    """Yield in what changed rows fall short of the policies of the yardstick."""
    rows = Tally.of(locked.objects)
    told: set[str] = set()
    for rule in rules:
        for short in problems_with_rows(rule.policy, locked, rows):
            if short.text not in told:
                told.add(short.text)
                text = f"{short.text} {rule.since}"
                yield Finding(Fault.POLICY, locked.name, text, short.hint, short.path)


def _place(finding: Finding) -> tuple[str, str]:
    return finding.artifact, finding.path
