"""One sync, from looking at the workspace to remembering it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from artlock.cache.projects import remember_needs
from artlock.cache.records import Stamp
from artlock.engine.threads import each
from artlock.errors import BlobMissingError, ConflictError, WorkspaceError
from artlock.fs.problems import raising
from artlock.fs.rename import is_other
from artlock.fs.walk import stat_many, walk
from artlock.model.digest import HEX_LENGTHS
from artlock.model.lock import Kind
from artlock.model.paths import fold
from artlock.model.plan import FileState, SyncPlan, plan_sync
from artlock.model.tokens import Trust
from artlock.ops.blobs import Pinned
from artlock.ops.materialize import Materializer, Write
from artlock.ops.memory import Known, Settled, load_index, stamp_of, update_index
from artlock.ops.space import refuse_without_space
from artlock.ops.sync_fetch import SyncFetch
from artlock.ops.sync_values import SyncOptions, SyncReport
from artlock.ops.workspace import Survey

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence
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
TRASH = ".artlock/trash"
"""Where ``--force`` and ``--exact`` put what they move out of the way, a folder a run."""


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
        lockfile: bytes,
        whole: bool,
    ) -> None:
        self._project = project
        self._lock = lock
        self._vault = vault
        self._root = root
        self._sources = sources
        self._options = options
        self._pinned = Pinned(project, lock, sources)
        self._index = load_index(project)
        self._survey = Survey(
            root, self._index, self._pinned, vault, jobs=project.runtime.jobs
        )
        self._fetcher = SyncFetch(project, lock, vault, sources, self._pinned)
        self._digests: dict[str, Digest] = {}
        self._misfits: set[Digest] = set()
        """Blobs of another size than their rows say."""
        self._artifacts = artifacts
        self._placements = placements
        self._lockfile = lockfile
        self._whole = whole
        self._written: dict[str, Stamp] = {}
        self._looked_ns = self._placed_ns = time.monotonic_ns()

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
            if digest is None:
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
        refuse_without_space(self._project, plan)
        self._put_damaged_aside(self._misfits)
        fetched, digests = self._fetcher.fetch(plan.fetch)
        self._digests |= digests
        self._sources.rest()
        trashed: list[str] = []
        try:
            if plan.write or plan.remove:
                trashed = self._materialize(plan)
            if self._options.exact:
                trashed += self._discard_unknown()
        except (ConflictError, WorkspaceError):
            # What got its name is artlock's own all the same.
            self._save_index(report, complete=False)
            raise
        self._save_index(report)
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

    def _materialize(self, plan: SyncPlan) -> list[str]:
        progress = self._project.runtime.progress
        mode = self._options.link_mode or self._project.runtime.settings.link_mode
        progress.begin("writing", objects=len(plan.write), size=plan.write_size)
        try:
            obstacles, occupied = self._conflicts(plan)
            first, between, last = _removals(plan)
            with (
                raising(WorkspaceError, "cannot write to the workspace"),
                Materializer(
                    self._root,
                    self._vault.blobs,
                    mode,
                    progress,
                    may_fork=self._project.runtime.may_fork,
                ) as files,
            ):
                # What stands where a folder is needed goes first: nothing can be staged for
                # a folder that cannot be made. What else is in a new file's way goes when
                # all are staged, and everything else last: a crash in between leaves files
                # that are missing, never a wrong one.
                self._refuse_changed(plan)
                trashed = self._discard(obstacles)
                self._remove(first)
                self._stage(files, plan.write)
                self._refuse_changed(plan)
                trashed += self._discard(occupied)
                self._remove(between)
                for folder in self._survey.folders:
                    self._root.remove_empty_tree(folder)
                self._written = files.stamps
                files.settle()
                self._placed_ns = time.monotonic_ns()
                files.place((p.target for p in plan.write), self._replaced(plan))
                self._remove(last)
        finally:
            progress.end()
        return trashed

    def _stage(self, files: Materializer, placements: Sequence[Placement]) -> None:
        writes = [Write(p.target, self._digests[p.target], p.row.size) for p in placements]
        missing = files.stage(writes)
        if not missing:
            return
        # A blob vanished or was damaged since it was planned: fetch it again, once.
        targets = {write.target for write in missing}
        again = [p for p in placements if p.target in targets]
        self._digests |= self._fetcher.fetch(again)[1]
        still = files.stage(missing)
        if still:
            raise BlobMissingError(str(still[0].digest))

    def _refuse_changed(self, plan: SyncPlan) -> None:
        """Refuse to go on if a person changed something while bytes were fetched.

        What was planned may be an hour old. Looked at once more before the first name is
        given, so that nobody's work of that hour is lost; each file is looked at again when
        its turn comes.
        """
        before = self._replaced(plan)
        targets = [p.target for p in plan.write if p.target not in plan.conflicts]
        targets += plan.remove
        changed = [
            target
            for target, now in zip(targets, stat_many(self._root, targets), strict=True)
            if is_other(before.get(target), now)
        ]
        if changed:
            message = "files were changed while their new bytes were fetched"
            raise ConflictError(
                message,
                paths=sorted(changed),
                hint="run `artlock sync` again; no file was replaced",
            )

    def _replaced(self, plan: SyncPlan) -> dict[str, os.stat_result]:
        """Return how files looked that may be replaced or removed.

        Not those in conflict: they were moved away, and nothing is to be there.
        """
        conflicts = set(plan.conflicts)
        return {t: s for t, s in self._survey.stats.items() if t not in conflicts}

    def _remove(self, targets: Sequence[str]) -> None:
        for target in targets:
            self._root.remove(target, self._survey.stats.get(target))
            self._root.remove_empty_folders(target.rpartition("/")[0])

    def _discard(self, paths: Sequence[str]) -> list[str]:
        """Move paths into the trash, and return where they are now."""
        found = [self._root.discard(path, self._trash) for path in paths]
        return [path for path in found if path is not None]

    def _conflicts(self, plan: SyncPlan) -> tuple[list[str], list[str]]:
        """Return what stands where folders are needed, and what stands at targets."""
        obstacles: dict[str, None] = {}
        occupied: list[str] = []
        for target in plan.conflicts:
            obstacle = self._root.obstruction(target.rpartition("/")[0])
            if obstacle is None:
                occupied.append(target)
            else:
                obstacles[obstacle] = None
        return list(obstacles), occupied

    @property
    def _trash(self) -> str:
        return f"{TRASH}/{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"

    def _discard_unknown(self) -> list[str]:
        """Move what nothing locks out of the artifacts' folders; links are left alone."""
        wanted = {p.target for p in self._placements}
        folders = {
            artifact.folder
            for artifact in self._project.manifest.artifacts
            if artifact.name in {p.artifact for p in self._placements}
        }
        with raising(WorkspaceError, "cannot look at the workspace"):
            unknown = sorted(
                path
                for folder in folders
                if folder not in wanted
                for path, _ in walk(self._root, folder)
                if path not in wanted
            )
            return self._discard(unknown)

    def _save_index(self, report: SyncReport, *, complete: bool = True) -> None:
        """Remember the workspace as it is now, so that the next look costs only a stat.

        A memory only: if it cannot be written, the next run reads the files once more.

        Args:
            report: What was planned.
            complete: Whether all of it was done.
        """
        plan = report.plan
        # Of a file that was not replaced only what it is counts, not what it was to be.
        written = {t: d for t, d in self._digests.items() if t in self._written}
        known = {**self._survey.digests, **written}
        fresh = [
            Known(
                placement=p,
                digest=known[p.target],
                # What a row's own digest names needs no pin.
                pin=None if p.row.has_blake3 else self._pinned.key(p),
                before=before,
                since_ns=self._placed_ns if p.target in self._written else self._looked_ns,
                is_ours=p.target in self._written
                or self._was_ours(p.target, known[p.target]),
                is_new=p.target in self._written,
            )
            for p in self._placements
            if p.target in known and (before := self._looked(p.target)) is not None
        ]
        gone = frozenset((*plan.remove, *plan.left, *self._survey.vanished()))
        if not complete:
            gone = frozenset()
        # Of the whole project, and not of a lockfile that was used although it was stale.
        whole = complete and self._whole and not self._options.frozen and not plan.left
        counts = Settled(
            artifacts=report.artifacts,
            links=report.links,
            weak=report.weak,
            files=len(self._placements),
        )
        stamp = stamp_of(self._project, self._sources, self._lockfile) if whole else b""
        done = (stamp, counts) if whole else None
        index = update_index(self._project, self._root, self._index, fresh, gone, done)
        learnt = {
            bytes.fromhex(known[p.target].hex)
            for p in self._placements
            if not p.row.has_blake3 and p.target in known
        }
        needs = index.digests() | locked_digests(self._lock) | learnt
        remember_needs(self._vault.layout, self._project.root, needs)

    def _looked(self, target: str) -> Stamp | None:
        """Return how a file looked when its bytes were known, if they were in this run."""
        if target in self._written:
            return self._written[target]
        if target not in self._survey.digests or target not in self._survey.stats:
            return None
        return Stamp.of(self._survey.stats[target])

    def _was_ours(self, target: str, digest: Digest) -> bool:
        """Tell whether artlock wrote these very bytes; a person's are not its own."""
        entry = self._index.get(target)
        return (
            entry is not None
            and bool(entry.artifact)
            and entry.digest == bytes.fromhex(digest.hex)
        )

    def _is_in_scope(self, artifact: str) -> bool:
        """Tell whether what artlock wrote for an artifact may be removed by this run."""
        if any(a.name == artifact for a in self._artifacts):
            return True
        # With `--frozen` the lockfile is right where the manifest says nothing.
        return self._whole and self._lock.get(artifact) is None


def _removals(plan: SyncPlan) -> tuple[list[str], list[str], list[str]]:
    """Split what is removed.

    Returns:
        Files where a new file needs a folder; files in folders where there is to be a file,
        and of another spelling of its name; and the rest.
    """
    removed = set(plan.remove)
    targets = {placement.target for placement in plan.write}
    needed = {folder for target in targets for folder in _above(target)} & removed
    # Of two spellings of one name the old one goes first: on some file systems they are one
    # file, and the new one would go with it (hazard 2.7).
    spelled = {fold(target) for target in targets} if removed else set()
    inside = {
        path
        for path in removed - needed
        if targets.intersection(_above(path)) or fold(path) in spelled
    }
    return sorted(needed), sorted(inside), sorted(removed - needed - inside)


def _above(path: str) -> Iterator[str]:
    """Yield the folders that ``path`` is in, the innermost first."""
    while path := path.rpartition("/")[0]:
        yield path


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
