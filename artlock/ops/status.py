"""What ``sync`` would do, and whether the lockfile is stale: without network or writing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from artlock.model.plan import FileState
from artlock.ops.project import stale_reasons
from artlock.ops.sync import SyncOptions, settled_report, survey_only

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from artlock.model.plan import SyncPlan
    from artlock.ops.project import Project

_WORDS = {
    FileState.OURS: "outdated",
    FileState.KEPT_ELSEWHERE: "modified",
    FileState.FOREIGN: "modified",
    FileState.BLOCKED: "blocked",
}


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer.

    Attributes:
        stale: ``(artifact, why)`` for everything in which the lockfile is stale.
        links: How many artifacts are links.
    """

    plan: SyncPlan
    states: Mapping[str, FileState]
    stale: tuple[tuple[str, str], ...]
    links: int

    @property
    def is_clean(self) -> bool:
        """Whether the workspace is as locked, and the lockfile answers the manifest."""
        return self.plan.is_empty and not self.stale

    def paths(self) -> list[tuple[str, str]]:
        """Return ``(state, path)`` of each file that is not as locked, sorted by path.

        ``missing``: not there. ``outdated``: as artlock wrote it, but another version is
        locked. ``modified``: somebody changed it. ``blocked``: something else is there.
        ``extra``: artlock wrote it, and it is no longer locked.
        """
        found = [
            (_WORDS.get(self.states.get(p.target, FileState.ABSENT), "missing"), p.target)
            for p in self.plan.write
        ]
        found += [("extra", target) for target in (*self.plan.remove, *self.plan.left)]
        return sorted(found, key=lambda pair: pair[1])


def status(project: Project, names: Sequence[str] = ()) -> StatusReport:
    """Compare the workspace with the lockfile.

    Files that did not change since artlock last looked cost a stat each; others are read.

    Raises:
        LockfileError: There is no lockfile, or it is not valid.
        WorkspaceError: A file cannot be read.
    """
    if not names and (known := settled_report(project)):
        return StatusReport(plan=known.plan, states={}, stale=(), links=known.links)
    from artlock.model.lock import Kind  # noqa: PLC0415 - not for one with nothing to do

    lock = project.read_lockfile()
    plan, states = survey_only(project, names, SyncOptions(frozen=True, write=False))
    chosen = {a.name for a in project.chosen(names)}
    return StatusReport(
        plan=plan,
        states=states,
        stale=tuple(
            (name, why)
            for name, why in stale_reasons(project.manifest, lock)
            if not names or name in chosen
        ),
        links=sum(1 for a in lock.artifacts if a.kind is Kind.LINK and a.name in chosen),
    )
