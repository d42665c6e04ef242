"""The second phase of a sync: what was planned is done to the files of the workspace."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from artlock.errors import BlobMissingError, ConflictError, WorkspaceError
from artlock.fs.problems import raising
from artlock.fs.rename import is_other
from artlock.fs.walk import stat_many, walk
from artlock.model.paths import fold
from artlock.model.plan import FileState
from artlock.ops.materialize import Materializer, Write

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from artlock.fs.root import Root
    from artlock.model.digest import Digest
    from artlock.model.plan import Placement, SyncPlan
    from artlock.ops.project import Project
    from artlock.ops.sync_fetch import SyncFetch
    from artlock.ops.sync_memory import SyncMemory
    from artlock.ops.sync_values import SyncOptions
    from artlock.ops.vault import Vault
    from artlock.ops.workspace import Survey

TRASH = ".artlock/trash"
"""Where ``--force`` and ``--exact`` put what they move out of the way, a folder a run."""


class SyncWrite:
    """Writes and removes files of one workspace.

    Args:
        project: Whose workspace it is.
        vault: The cache.
        root: The project's folder.
        options: What a person chose.
        survey: How the workspace was when it was planned.
        memory: Told of the files that are about to get their names.
        fetcher: Asked for blobs that vanished since they were planned.
    """

    def __init__(
        self,
        project: Project,
        vault: Vault,
        root: Root,
        options: SyncOptions,
        *,
        survey: Survey,
        memory: SyncMemory,
        fetcher: SyncFetch,
    ) -> None:
        self._project = project
        self._vault = vault
        self._root = root
        self._options = options
        self._survey = survey
        self._memory = memory
        self._fetcher = fetcher

    def carry_out(self, plan: SyncPlan, digests: dict[str, Digest]) -> list[str]:
        """Do what was planned, with bytes that are all in the cache.

        Args:
            plan: What to do.
            digests: The blob of every target that is written; one that has to be fetched
                again takes the place of another.

        Returns:
            Where in the trash things were moved to.

        Raises:
            ConflictError: Somebody changed a file meanwhile; it is kept.
            BlobMissingError: A blob vanished twice.
            WorkspaceError: The workspace cannot be written.
        """
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
                trashed = self.discard(obstacles)
                self._remove(first)
                self._stage(files, plan.write, digests)
                self._refuse_changed(plan)
                self._keep_copies(plan)
                trashed += self.discard(occupied)
                self._remove(between)
                for folder in self._survey.folders:
                    self._root.remove_empty_tree(folder)
                self._memory.placing(plan.write, digests, files.stamps)
                files.settle()
                self._memory.settled()
                files.place((p.target for p in plan.write), self._replaced(plan))
                self._remove(last)
        finally:
            progress.end()
        return trashed

    def discard(self, paths: Sequence[str]) -> list[str]:
        """Move paths into the trash, and return where they are now.

        Raises:
            WorkspaceError: One cannot be moved.
        """
        with raising(WorkspaceError, "cannot move a file into the trash"):
            found = [self._root.discard(path, self._trash) for path in paths]
        return [path for path in found if path is not None]

    def discard_unknown(self, placements: Sequence[Placement]) -> list[str]:
        """Move what nothing locks out of the artifacts' folders; links are left alone.

        Args:
            placements: What is locked.

        Returns:
            Where in the trash it is now.

        Raises:
            WorkspaceError: The workspace cannot be read or written.
        """
        wanted = {p.target for p in placements}
        names = {p.artifact for p in placements}
        artifacts = self._project.manifest.artifacts
        folders = {artifact.folder for artifact in artifacts if artifact.name in names}
        with raising(WorkspaceError, "cannot look at the workspace"):
            unknown = sorted(
                path
                for folder in folders
                if folder not in wanted
                for path, _ in walk(self._root, folder)
                if path not in wanted
            )
            return self.discard(unknown)

    def _stage(
        self,
        files: Materializer,
        placements: Sequence[Placement],
        digests: dict[str, Digest],
    ) -> None:
        writes = [Write(p.target, digests[p.target], p.row.size) for p in placements]
        missing = files.stage(writes)
        if not missing:
            return
        # A blob vanished or was damaged since it was planned: fetch it again, once.
        targets = {write.target for write in missing}
        again = [p for p in placements if p.target in targets]
        digests |= self._fetcher.fetch(again)[1]
        still = files.stage(missing)
        if still:
            raise BlobMissingError(str(still[0].digest))

    def _keep_copies(self, plan: SyncPlan) -> None:
        """Let blobs stay for their grace that are the last copies of what is replaced."""
        for placement in plan.write:
            if self._survey.states.get(placement.target) is FileState.KEPT_ELSEWHERE:
                self._vault.blobs.note_use(self._survey.digests[placement.target])

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


def _removals(plan: SyncPlan) -> tuple[list[str], list[str], list[str]]:
    """Split what is removed.

    Returns:
        Files where a new file needs a folder; files in folders where there is to be a file,
        and of another spelling of its name; and the rest.
    """
    if not plan.remove:
        return [], [], []
    removed = set(plan.remove)
    targets = {placement.target for placement in plan.write}
    needed = {folder for target in targets for folder in _above(target)} & removed
    # Of two spellings of one name the old one goes first: on some file systems they are one
    # file, and the new one would go with it (hazard 2.7).
    spelled = {fold(target) for target in targets}
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
