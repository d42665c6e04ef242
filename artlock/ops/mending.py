"""Put files of the workspace right that nobody changed: the half of a sync that mends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.cache.records import Stamp
from artlock.errors import ArtlockError, CacheError, ManyErrors
from artlock.ops.blobs import known_digests
from artlock.ops.space import refuse_without_space
from artlock.ops.sync_run import SyncRun
from artlock.ops.sync_values import SyncReport

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from artlock.model.digest import Digest
    from artlock.model.plan import Placement


class Mended(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a workspace.

    Attributes:
        written: Files that are as locked now, sorted.
        kept: Files that a person changed, and that stay; sorted.
        trashed: Where such files were moved to.
        quarantined: Damaged blobs that were met, and put aside.
        refilled: Blobs that came from files of the workspace.
        fetched: Objects that came from a store.
        fetched_size: Their bytes.
        failures: Why some could not be fetched; their files are as they were.
    """

    written: tuple[str, ...]
    kept: tuple[str, ...]
    trashed: tuple[str, ...]
    quarantined: tuple[Digest, ...]
    refilled: int = 0
    fetched: int
    fetched_size: int
    failures: tuple[ArtlockError, ...]


class MendRun(SyncRun):
    """One run that mends and removes nothing."""

    def mend(self, suspects: AbstractSet[str]) -> Mended:
        """Write what is missing, what rotted, and what artlock wrote of another version.

        Files are independent of each other here: one that cannot be fetched keeps no other
        from being put right.

        Args:
            suspects: Targets that are missing, or were read and are not what is locked; no
                other is written.

        Raises:
            ConflictError: A file changed while its bytes were fetched; none was replaced.
            CacheError: The cache cannot be read or written; no file was replaced.
            WorkspaceError: Likewise of the workspace.
        """
        planned = self._plan(suspects)
        conflicts = suspects & frozenset(planned.conflicts)
        kept = frozenset() if self._options.force else conflicts
        write = [p for p in planned.write if p.target in suspects - kept]
        # Whole, and also those that would be linked and not read: a file that rotted may be
        # another name of its blob.
        known = self._survey.known
        stored = {known[p.target] for p in write if p.target in known}
        stored = {digest for digest in stored if self._vault.blobs.has(digest)}
        bad = self._put_damaged_aside(stored)
        self._misfits.clear()  # of what is not written nothing is replaced
        if bad:
            self._look_again(write)
        self._digests = {t: d for t, d in self._digests.items() if d not in bad}
        plan = replace(
            planned,
            write=tuple(write),
            fetch=tuple(p for p in write if p.target not in self._digests),
            remove=(),
            left=(),
            conflicts=tuple(sorted(conflicts - kept)),
        )
        refuse_without_space(self._project, plan, self._fetcher.estimate(plan.fetch))
        fetched, fetched_size, failures = self._fetch(plan.fetch)
        able = tuple(p for p in write if p.target in self._digests)
        targets = {p.target for p in able}
        plan = replace(
            plan,
            write=able,
            fetch=(),
            conflicts=tuple(c for c in plan.conflicts if c in targets),
        )
        for placement in planned.write:
            if placement.target not in targets:
                # It is not as locked, and must not be remembered as if it were, nor as a
                # file that artlock wrote.
                self._digests.pop(placement.target, None)
                self._survey.digests.pop(placement.target, None)
        done = self.carry_out(SyncReport(plan=plan, artifacts=0, links=0))
        return Mended(
            written=tuple(sorted(targets)),
            kept=tuple(sorted(kept)),
            trashed=done.trashed,
            quarantined=tuple(sorted(bad)),
            fetched=fetched,
            fetched_size=fetched_size,
            failures=failures,
        )

    def _look_again(self, write: Sequence[Placement]) -> None:
        """Allow for what putting a blob aside does to a file that is a hard link to it."""
        stats = self._survey.stats
        for placement in write:
            before = stats.get(placement.target)
            now = None if before is None else self._root.lstat(placement.target)
            if (
                before is not None
                and now is not None
                and Stamp.of(before).is_but_linked(Stamp.of(now))
            ):
                stats[placement.target] = now

    def _fetch(
        self, placements: Sequence[Placement]
    ) -> tuple[int, int, tuple[ArtlockError, ...]]:
        """Fetch as many as can be had; return how many, their bytes, and what failed."""
        try:
            fetched, digests = self._fetcher.fetch(placements)
        except CacheError:
            raise
        except ArtlockError as error:
            # What did come is in the cache.
            known = known_digests(placements, self._pinned, self._vault)
            sizes = {p.target: p.row.size for p in placements}
            there = {
                target: digest
                for target, digest in known.items()
                if self._vault.blobs.size_of(digest) == sizes[target]
            }
            self._digests |= there
            size = sum(sizes[target] for target in there)
            failures = error.errors if isinstance(error, ManyErrors) else (error,)
            return len(there), size, failures
        self._digests |= digests
        return len(fetched), sum(item.size for item in fetched.values()), ()
