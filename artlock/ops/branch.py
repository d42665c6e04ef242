"""What a branch changed in the lockfile, held against its past and against the sources.

For branches of people whom nobody has to trust. A lockfile is text, and whoever can push
can write into it what no source ever held; so what is new in it is asked of the sources,
and what a version was said to be is not believed to be something else now. A branch is
judged by the policy that was in force where it began, beside its own: it cannot widen it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.errors import ArtlockError, gravest
from artlock.formats.manifest import parse_manifest
from artlock.gitio.repository import merge_base, read_at, work_tree
from artlock.model.diff import diff
from artlock.model.review import says_otherwise
from artlock.model.tally import Tally
from artlock.ops.answers import TAKE_BACK, Answers, Question, ask
from artlock.ops.check import Fault, Finding
from artlock.ops.names import MANIFEST
from artlock.ops.policy import problem_with_source, problems_with_rows
from artlock.ops.revisions import changed_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artlock.model.lock import LockedArtifact, LockedObject, Lockfile
    from artlock.model.manifest import Policy
    from artlock.ops.project import Project


class BranchReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer.

    Attributes:
        base: The commit in which the branch began.
        findings: Sorted by artifact and path.
        errors: Why sources could not be asked: for each artifact the first of each code.
        changed: How many rows are new, or not what they were.
        asked: How many of these were asked of their sources.
        unread: How many of those have a digest, which no source tells: only reading the
            bytes proves it.
    """

    base: str
    findings: tuple[Finding, ...]
    errors: tuple[ArtlockError, ...]
    changed: int
    asked: int
    unread: int

    @property
    def exit_code(self) -> int:
        """The gravest of what was found, and of what could not be asked."""
        codes = [finding.fault.exit_code for finding in self.findings]
        return gravest([*codes, *(error.exit_code for error in self.errors)])


def check_branch(project: Project, revision: str, *, offline: bool = False) -> BranchReport:
    """Judge what changed since a branch left ``revision``, in the working lockfile.

    Asks for each changed row once, by its version where it has one. Not asked are links,
    artifacts whose lockfile is stale, and sources outside of either policy.

    Args:
        project: The manifest and where it lies.
        revision: What the branch is to be merged into.
        offline: Ask no source: only the past and the policy are held against it.

    Raises:
        GitError: There is no git or no such revision, or the two have no common commit.
        LockfileError: A lockfile is missing or not valid.
    """
    root = work_tree(project.root)
    base = merge_base(root, revision)
    old, new = changed_rows(project, base)
    findings = list(_altered(old, new))
    policy = _policy_at(project, base)
    outside = list(_outside(project, policy, revision))
    findings += outside
    shut = {finding.artifact for finding in outside}
    questions: list[Question] = []
    changed = 0
    for locked in _only_changed(old, new):
        changed += len(locked.objects)
        artifact = project.manifest.get(locked.name)
        if artifact is None or not locked.answers(artifact):
            continue  # stale, which `check` says
        findings += _short_of(policy, locked, revision)
        if artifact.name in shut or problem_with_source(project.manifest.policy, artifact):
            continue
        uri_of = locked.uri_maker()
        questions += [Question(artifact, row, uri_of(row)) for row in locked.objects]
    known = {(finding.artifact, finding.path) for finding in findings}
    questions = [q for q in questions if (q.artifact.name, q.row.path) not in known]
    answers = Answers() if offline else ask(project, questions)
    return BranchReport(
        base=base,
        findings=tuple(sorted([*findings, *answers.findings], key=_place)),
        errors=answers.errors,
        changed=changed,
        asked=answers.asked,
        unread=answers.unread,
    )


def _altered(old: Lockfile, new: Lockfile) -> Iterator[Finding]:
    """Yield rows that say something else of a version than the lockfile said before.

    Rows are known by their object, whichever artifact has them: another name for an
    artifact is no reason to believe another digest.
    """
    before = {
        (str(uri), row.version): row
        for artifact in old.artifacts
        for row, uri in artifact.uris()
        if row.version
    }
    for artifact in new.artifacts:
        for row, uri in artifact.uris() if before else ():
            known = before.get((str(uri), row.version))
            if known is not None and says_otherwise(known, row):
                text = (
                    f"says something else of version `{row.version}` of `{uri}` "
                    "than it was locked with"
                )
                yield Finding(Fault.ALTERED, artifact.name, text, TAKE_BACK, row.path)


def _only_changed(old: Lockfile, new: Lockfile) -> Iterator[LockedArtifact]:
    """Yield artifacts that changed, with those rows only that are new or not as before."""
    rows: dict[str, list[LockedObject]] = {}
    for change in diff(old, new):
        found = rows.setdefault(change.artifact, [])
        if change.new is not None:
            found.append(change.new)
    for artifact in new.artifacts:
        if artifact.name in rows:
            yield replace(artifact, objects=tuple(rows[artifact.name]))


def _policy_at(project: Project, base: str) -> Policy | None:
    """Return the policy where the branch began; ``None`` if there was none to keep."""
    path = (project.root / MANIFEST).relative_to(work_tree(project.root)).as_posix()
    data = read_at(project.root, base, path)
    # What nobody could read then held nobody to anything.
    with suppress(ArtlockError, UnicodeDecodeError):
        return None if data is None else parse_manifest(data.decode()).policy
    return None


def _outside(project: Project, policy: Policy | None, revision: str) -> Iterator[Finding]:
    """Yield sources and mirrors that the policy where the branch began does not allow."""
    hint = f"change `[policy]` in a branch of its own, and merge it into `{revision}` first"
    if policy is None:
        return
    for artifact in project.manifest.artifacts:
        problem = problem_with_source(policy, artifact)
        if problem is not None:
            text = f"{problem} as of `{revision}`"
            yield Finding(Fault.POLICY, artifact.name, text, hint)


def _short_of(
    policy: Policy | None, locked: LockedArtifact, revision: str
) -> Iterator[Finding]:
    """Yield in what changed rows fall short of the policy where the branch began."""
    if policy is None:
        return
    for short in problems_with_rows(policy, locked, Tally.of(locked.objects)):
        text = f"{short.text} as of `{revision}`"
        yield Finding(Fault.POLICY, locked.name, text, short.hint, short.path)


def _place(finding: Finding) -> tuple[str, str]:
    return finding.artifact, finding.path
