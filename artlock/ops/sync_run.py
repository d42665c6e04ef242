"""One sync, from looking at the workspace to remembering it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from artlock.cache.projects import remember_needs
from artlock.engine.threads import each
from artlock.errors import ConflictError, WorkspaceError
from artlock.model.digest import HEX_LENGTHS
from artlock.model.lock import Kind
from artlock.model.plan import FileState, SyncPlan, plan_sync
from artlock.model.tokens import Trust
from artlock.ops.blobs import Pinned
from artlock.ops.memory import Settled, stamp_of
from artlock.ops.space import refuse_without_space
from artlock.ops.sync_fetch import SyncFetch
from artlock.ops.sync_memory import SyncMemory
from artlock.ops.sync_values import SyncOptions, SyncReport
from artlock.ops.sync_write import TRASH, SyncWrite
from artlock.ops.workspace import Survey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from artlock.fs.root import Root
    from artlock.model.digest import Digest
    from artlock.model.lock import Lockfile
    from artlock.model.manifest import Artifact
    from artlock.model.plan import Placement
    from artlock.ops.project import Project
    from artlock.ops.sources import Sources
    from artlock.ops.vault import Vault

_BLAKE3 = "blake3:"


class SyncRun:
    """One run: what it works on."""

    def __init__(
        self,
        project: Project,
        lock: Lockfile,
        vault: Vault,
        root: Root,
        sources: Sources,
        options: SyncOptions,
        *,
        artifacts: Sequence[Artifact],
        placements: Sequence[Placement],
        lockfile_key: bytes,
        whole: bool,
        saved: Sequence[str],
    ) -> None:
        self._project = project
        self._lock = lock
        self._vault = vault
        self._root = root
        self._sources = sources
        self._options = options
        self._pinned = Pinned(project, lock, sources)
        self._memory = SyncMemory(project, root, self._pinned)
        self._survey = Survey(
            root,
            self._memory.index,
            self._pinned,
            vault,
            jobs=project.runtime.jobs,
            only_look=not options.write,
        )
        self._fetcher = SyncFetch(project, lock, vault, sources, self._pinned)
        self._write = SyncWrite(
            project,
            vault,
            root,
            options,
            survey=self._survey,
            memory=self._memory,
            fetcher=self._fetcher,
        )
        self._digests: dict[str, Digest] = {}
        self._misfits: set[Digest] = set()
        """Blobs of another size than their rows say."""
        self._artifacts = artifacts
        self._placements = placements
        self._lockfile_key = lockfile_key
        self._whole = whole
        self._saved = saved

    @property
    def states(self) -> Mapping[str, FileState]:
        """What stands at each target; absent ones are left out."""
        return self._survey.states

    def report(self) -> SyncReport:
        """Look at the workspace and decide."""
        return SyncReport(
            plan=self._agreed(self._plan()),
            artifacts=len(self._artifacts),
            links=sum(1 for a in self._artifacts if _is_link(self._lock, a)),
            weak=sum(
                1 for p in self._placements if p.row.trust in {Trust.ETAG, Trust.NONE}
            ),
        )

    def estimated(self, report: SyncReport) -> SyncReport:
        """Add what carrying it out would ask of the sources."""
        return replace(report, download=self._fetcher.estimate(report.plan.fetch))

    def _plan(self, rotten: AbstractSet[str] = frozenset()) -> SyncPlan:
        placements = self._placements
        self._survey.look(placements, in_scope=self._is_in_scope, rotten=rotten)
        known = self._survey.known
        # A blob of another size is not what the row means, whatever its digest.
        self._digests = {}
        self._misfits = set()
        for placement in placements:
            digest = known.get(placement.target)
            if digest is None or digest in self._survey.damaged:
                continue
            size = self._vault.blobs.size_of(digest)
            if size == placement.row.size:
                self._digests[placement.target] = digest
            elif size is not None:
                self._misfits.add(digest)
        return plan_sync(
            placements,
            self._survey.states,
            leftovers=self._survey.leftovers,
            blob_of=lambda placement: self._digests.get(placement.target),
        )

    def _agreed(self, plan: SyncPlan) -> SyncPlan:
        """Return the plan if nothing of a person's would be lost, or they said so."""
        if plan.conflicts and not self._options.force and self._options.write:
            number = len(plan.conflicts)
            what, them = ("a file", "it") if number == 1 else (f"{number} files", "them")
            message = f"sync would destroy {what} that you changed or made"
            raise ConflictError(
                message,
                paths=plan.conflicts,
                hint=f"move {them} away, or let `artlock sync --force` move {them} into "
                f"`{TRASH}/`; nothing was written",
            )
        return plan

    def carry_out(self, report: SyncReport) -> SyncReport:
        """Do what was planned."""
        plan = report.plan
        refuse_without_space(self._project, plan, self._fetcher.estimate(plan.fetch))
        self._put_damaged_aside(self._misfits)
        fetched, digests = self._fetcher.fetch(plan.fetch)
        self._digests |= digests
        self._sources.rest()
        trashed: list[str] = []
        try:
            trashed += self._write.discard(self._saved)
            if plan.write or plan.remove:
                trashed += self._write.carry_out(plan, self._digests)
            if self._options.exact:
                trashed += self._write.discard_unknown(self._placements)
        except (ConflictError, WorkspaceError):
            # What got its name is artlock's own all the same.
            self._remember(report, complete=False)
            raise
        self._remember(report)
        return replace(
            report,
            fetched=len(fetched),
            fetched_size=sum(item.size for item in fetched.values()),
            trashed=tuple(trashed),
        )

    def _put_damaged_aside(self, digests: AbstractSet[Digest]) -> frozenset[Digest]:
        """Put blobs aside that are damaged: what is fetched would take their places.

        Returns:
            Which ones, and those that are not there.
        """
        if not digests:
            return frozenset()
        bad = set()
        jobs = self._project.runtime.jobs
        for outcome in each(self._vault.blobs.verify, sorted(digests), workers=jobs):
            if outcome.error is not None:
                raise outcome.error
            if not outcome.result:
                bad.add(outcome.item)
        self._vault.forget(bad)
        return frozenset(bad)

    def _remember(self, report: SyncReport, *, complete: bool = True) -> None:
        """Remember the workspace as it is now, and what this project needs of the cache.

        Args:
            report: What was planned.
            complete: Whether all of it was done.
        """
        plan = report.plan
        gone = (*plan.remove, *plan.left, *self._survey.vanished()) if complete else ()
        # Of the whole project, and not of a lockfile that was used although it was stale.
        whole = complete and self._whole and not self._options.frozen and not plan.left
        known = self._memory.known(self._survey, self._digests)
        index = self._memory.save(
            self._placements,
            self._survey,
            known,
            gone=gone,
            now_settled=self._now_settled(report) if whole else None,
        )
        learnt = {
            bytes.fromhex(known[p.target].hex)
            for p in self._placements
            if not p.row.has_blake3 and p.target in known
        }
        needs = index.digests() | locked_digests(self._lock) | learnt
        remember_needs(self._vault.layout, self._project.root, needs)

    def _now_settled(self, report: SyncReport) -> tuple[bytes, Settled]:
        counts = Settled(
            artifacts=report.artifacts,
            links=report.links,
            weak=report.weak,
            files=len(self._placements),
        )
        return stamp_of(self._project, self._sources, self._lockfile_key), counts

    def _is_in_scope(self, artifact: str) -> bool:
        """Tell whether what artlock wrote for an artifact may be removed by this run."""
        if any(a.name == artifact for a in self._artifacts):
            return True
        # With `--frozen` the lockfile is right where the manifest says nothing.
        return self._whole and self._lock.get(artifact) is None


def _is_link(lock: Lockfile, artifact: Artifact) -> bool:
    locked = lock.get(artifact.name)
    return locked is not None and locked.kind is Kind.LINK


def locked_digests(lock: Lockfile) -> set[bytes]:
    """Return the digests that rows name themselves, raw."""
    start = len(_BLAKE3)
    end = start + HEX_LENGTHS["blake3"]
    return {
        bytes.fromhex(row.checksum[start:end])
        for artifact in lock.artifacts
        for row in artifact.objects
        if row.has_blake3
    }
