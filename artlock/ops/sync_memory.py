"""What a sync remembers of the workspace: whose its files are, and what is in them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from artlock.cache.records import Stamp
from artlock.errors import WorkspaceError
from artlock.fs.problems import raising
from artlock.ops.claims import claim, drop_claims, with_claimed
from artlock.ops.memory import Known, load_index, update_index

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from artlock.cache.statindex import WorkspaceIndex
    from artlock.fs.root import Root
    from artlock.model.digest import Digest
    from artlock.model.plan import Placement
    from artlock.ops.blobs import Pinned
    from artlock.ops.memory import Settled
    from artlock.ops.project import Project
    from artlock.ops.workspace import Survey


class SyncMemory:
    """The stat index of a workspace, before and after one run.

    Attributes:
        index: What was remembered when the run began.

    Args:
        project: Whose workspace it is.
        root: Its folder.
        pinned: What identifies each placement.

    Raises:
        WorkspaceError: A file that a killed run had named cannot be looked at.
    """

    def __init__(self, project: Project, root: Root, pinned: Pinned) -> None:
        self._project = project
        self._root = root
        self._pinned = pinned
        self._stored = load_index(project)
        with raising(WorkspaceError, "cannot look at the workspace"):
            self.index = with_claimed(project, root, self._stored)
        self._written: Mapping[str, Stamp] = {}
        self._looked_ns = self._placed_ns = time.monotonic_ns()

    def placing(
        self,
        placements: Iterable[Placement],
        digests: Mapping[str, Digest],
        stamps: Mapping[str, Stamp],
    ) -> None:
        """Remember which files get their names from now on.

        Args:
            placements: Where.
            digests: Of the bytes, by target.
            stamps: How each file looks, by target; kept up to date as they get their names.
        """
        claim(self._project, self._root, placements, digests, stamps)
        self._written = stamps

    def settled(self) -> None:
        """Take note that no write from now on can bear the time of what was staged."""
        self._placed_ns = time.monotonic_ns()

    def known(self, survey: Survey, digests: Mapping[str, Digest]) -> dict[str, Digest]:
        """Return what is known of the bytes of files by now, by target.

        Of a file that was not replaced only what it is counts, not what it was to be.

        Args:
            survey: How the workspace was.
            digests: Of what was to be written, by target.
        """
        written = {t: d for t, d in digests.items() if t in self._written}
        return {**survey.digests, **written}

    def save(
        self,
        placements: Iterable[Placement],
        survey: Survey,
        known: Mapping[str, Digest],
        *,
        gone: Collection[str],
        now_settled: tuple[bytes, Settled] | None,
    ) -> WorkspaceIndex:
        """Remember the workspace as it is now, so that the next look costs only a stat.

        A memory only: if it cannot be written, the next run reads the files once more.

        Args:
            placements: What should be there.
            survey: How the workspace was.
            known: As ``known`` tells.
            gone: Paths to forget.
            now_settled: The stamp and counts if there is nothing more to do.

        Returns:
            What is remembered now, or would be if it could be written.
        """
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
            for p in placements
            if p.target in known and (before := self._looked(survey, p.target)) is not None
        ]
        index, is_stored = update_index(
            self._project,
            self._root,
            self.index,
            fresh,
            frozenset(gone),
            now_settled,
            is_stored=self.index is self._stored,
        )
        if is_stored:
            drop_claims(self._root)
        return index

    def _looked(self, survey: Survey, target: str) -> Stamp | None:
        """Return how a file looked when its bytes were known, if they were in this run."""
        if target in self._written:
            return self._written[target]
        if target not in survey.digests or target not in survey.stats:
            return None
        return Stamp.of(survey.stats[target])

    def _was_ours(self, target: str, digest: Digest) -> bool:
        """Tell whether artlock wrote these very bytes; a person's are not its own."""
        entry = self.index.get(target)
        return (
            entry is not None
            and bool(entry.artifact)
            and entry.digest == bytes.fromhex(digest.hex)
        )
