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

from artlock.engine.threads import each
from artlock.errors import ArtlockError, ObjectNotFoundError, gravest
from artlock.formats.manifest import parse_manifest
from artlock.gitio.repository import merge_base, read_at, work_tree
from artlock.model.diff import diff
from artlock.model.objects import VersionId
from artlock.model.review import says_otherwise
from artlock.model.tally import Tally
from artlock.ops.check import Fault, Finding
from artlock.ops.comparing import holds_the_same
from artlock.ops.policy import problem_with_source, problems_with_rows
from artlock.ops.project import MANIFEST
from artlock.ops.revisions import changed_rows
from artlock.ops.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artlock.model.lock import LockedArtifact, LockedObject, Lockfile
    from artlock.model.manifest import Artifact, Policy
    from artlock.model.objects import ObjectInfo
    from artlock.model.uri import Uri
    from artlock.ops.project import Project
    from artlock.stores.base import Store

_PATIENCE_S = 2.0
"""How long an interruption waits for an answer that is on its way."""
_TAKE_BACK = "take the row from git again, or run `artlock update` to lock what is there"
_LOOK = "run `artlock update`, if the source is meant to have moved on"


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
        PolicyError: A setting without which a source cannot be reached is not trusted.
    """
    root = work_tree(project.root)
    base = merge_base(root, revision)
    old, new = changed_rows(project, base)
    findings = list(_altered(old, new))
    policy = _policy_at(project, base)
    outside = list(_outside(project, policy, revision))
    findings += outside
    shut = {finding.artifact for finding in outside}
    questions: list[_Question] = []
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
        questions += [_Question(artifact, row, uri_of(row)) for row in locked.objects]
    known = {(finding.artifact, finding.path) for finding in findings}
    questions = [q for q in questions if (q.artifact.name, q.row.path) not in known]
    answers = _Answers()
    if not offline:
        answers.ask(project, questions)
    return BranchReport(
        base=base,
        findings=tuple(sorted([*findings, *answers.findings], key=_place)),
        errors=tuple(answers.errors.values()),
        changed=changed,
        asked=answers.asked,
        unread=answers.unread,
    )


class _Question(msgspec.Struct, frozen=True):
    artifact: Artifact
    row: LockedObject
    uri: Uri


class _Answers:
    """What the sources said of rows."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.errors: dict[tuple[str, str], ArtlockError] = {}
        self.asked = 0
        self.unread = 0

    def ask(self, project: Project, questions: list[_Question]) -> None:
        with Sources(project) as sources:
            outcomes = each(
                lambda q: _answer(q, sources.store(q.artifact)),
                questions,
                workers=min(project.runtime.jobs, max(len(questions), 1)),
                patience_s=_PATIENCE_S,
            )
            for outcome in outcomes:
                if outcome.error is not None:
                    key = (outcome.item.artifact.name, outcome.error.code)
                    self.errors.setdefault(key, outcome.error)
                    continue
                self.asked += 1
                self.unread += bool(outcome.item.row.tokens.digests)
                if outcome.result is not None:
                    self.findings.append(outcome.result)


def _answer(question: _Question, store: Store) -> Finding | None:
    """Return in what a source has something else than a row says."""
    name, row, uri = question.artifact.name, question.row, question.uri
    try:
        info = store.head(uri, VersionId(row.version) if row.version else None)
    except ObjectNotFoundError:
        what = f"version `{row.version}` of `{uri}`" if row.version else f"`{uri}`"
        return Finding(Fault.GONE, name, f"the source has no {what}", _LOOK, row.path)
    if row.version:
        if _denies(row, info):
            text = f"the source says something else of version `{row.version}` of `{uri}`"
            return Finding(Fault.ALTERED, name, text, _TAKE_BACK, row.path)
    elif not holds_the_same(row, info, store):
        text = f"the source has something else at `{uri}`"
        return Finding(Fault.OVERWRITTEN, name, text, _LOOK, row.path)
    return None


def _denies(row: LockedObject, info: ObjectInfo) -> bool:
    """Tell whether a version as its store describes it cannot be what a row says."""
    tokens = row.tokens
    etags = (tokens.etag, info.tokens.etag)
    return (
        info.size not in {None, row.size}
        or tokens.contradicts(info.tokens)
        or (None not in etags and tokens.etag != info.tokens.etag)
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
                yield Finding(Fault.ALTERED, artifact.name, text, _TAKE_BACK, row.path)


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
