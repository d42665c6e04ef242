"""Verify, and put right what is wrong: files of the workspace, or blobs of the cache."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from artlock.errors import (
    ArtlockError,
    CacheError,
    IntegrityError,
    ManyErrors,
    WorkspaceError,
    gravest,
)
from artlock.fs.problems import raising
from artlock.model.tokens import Trust
from artlock.ops.blobs import Pinned, known_digests, remember
from artlock.ops.mending import Mended, MendRun
from artlock.ops.placements import placements_of
from artlock.ops.policy import refuse_outside
from artlock.ops.sources import Sources
from artlock.ops.sync import prepared
from artlock.ops.sync_fetch import SyncFetch
from artlock.ops.sync_values import SyncOptions
from artlock.ops.vault import Vault
from artlock.ops.verify import Place, VerifyReport, verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from artlock.fs.root import Root
    from artlock.model.digest import Digest
    from artlock.model.plan import Placement
    from artlock.ops.project import Project

_PIECE = 2**20
_NOTHING = Mended(
    written=(),
    kept=(),
    trashed=(),
    quarantined=(),
    fetched=0,
    fetched_size=0,
    failures=(),
)


class Repaired(msgspec.Struct, frozen=True, kw_only=True):
    """What was wrong, and how it is now.

    Attributes:
        report: Of what was read, as it is afterwards.
        mended: What was done.
    """

    report: VerifyReport
    mended: Mended

    @property
    def exit_code(self) -> int:
        """0 if all is right now; else what ``verify`` would end with, or why it is not."""
        failures = [error.exit_code for error in self.mended.failures]
        return gravest([self.report.exit_code, *failures])


def repair(
    project: Project,
    names: Sequence[str] = (),
    *,
    place: Place = Place.WORKSPACE,
    share: float = 1.0,
    force: bool = False,
) -> Repaired:
    """Read locked objects at a place, and put right what is wrong or missing.

    A file is artlock's to replace if artlock knew its bytes to be right, and inode, size
    and times are still those of then: nobody wrote to it, so the disk did. As in a sync, so
    are bytes of an earlier version that artlock wrote, and those of which the cache has a
    copy. Every other file with wrong bytes may be a person's work and stays, unless
    ``force`` moves it into the trash. A damaged blob is put aside, never deleted.

    Args:
        project: The manifest and where it lies.
        names: Only these artifacts; all if empty.
        place: The workspace or the cache.
        share: As for ``verify``.
        force: Move files that a person changed into the trash, and write anew.

    Raises:
        LockfileError: There is no lockfile, or it is not valid.
        PolicyError: A source is outside of what is allowed; nothing was written.
        ConflictError: A file changed while its bytes were fetched; none was replaced.
        CacheError: The cache cannot be read or written.
        WorkspaceError: The workspace cannot be written.
    """
    before = verify(project, names, place=place, share=share)
    suspects = frozenset((*before.wrong, *before.missing))
    if not suspects:
        return Repaired(report=before, mended=_NOTHING)
    if place is Place.CACHE:
        mended = _refill(project, names, before)
    else:
        options = SyncOptions(frozen=True, force=force)
        with prepared(MendRun, project, names, options) as run:
            mended = run.mend(suspects)
    after = verify(project, names, place=place, only=suspects)
    return Repaired(
        report=VerifyReport(
            place=place,
            checked=before.checked + after.checked,
            size=before.size + after.size,
            weak=before.weak + after.weak,
            missing=after.missing,
            wrong=after.wrong,
            errors=after.errors,
        ),
        mended=mended,
    )


def _refill(project: Project, names: Sequence[str], before: VerifyReport) -> Mended:
    """Bring the blobs that were damaged or missing into the cache again."""
    lock = project.read_lockfile()
    artifacts = project.chosen(names)
    refuse_outside(project.manifest.policy, lock, artifacts)
    wanted = {*before.wrong, *before.missing}
    placements = [
        placement
        for placement in placements_of(project, lock, artifacts)
        if placement.target in wanted
    ]
    failures: tuple[ArtlockError, ...] = ()
    with (
        Sources(project) as sources,
        Vault.open(project.runtime) as vault,
        vault.layout.mutex(purpose="verify"),
        project.files() as root,
    ):
        pinned = Pinned(project, lock, sources)
        known = known_digests(placements, pinned, vault)
        damaged = {known[target] for target in before.wrong if target in known}
        vault.forget(damaged)
        taken = _take_from_workspace(root, vault, placements)
        remember(vault, pinned, taken)
        here = {placement.target for placement, _ in taken}
        far = [placement for placement in placements if placement.target not in here]
        fetched = 0
        size = 0
        try:
            came, _ = SyncFetch(project, lock, vault, sources, pinned).fetch(far)
            fetched, size = len(came), sum(item.size for item in came.values())
        except CacheError:
            raise
        except ArtlockError as error:
            # What did come is in the cache; whoever reads it again tells how much.
            failures = error.errors if isinstance(error, ManyErrors) else (error,)
    return Mended(
        written=(),
        kept=(),
        trashed=(),
        quarantined=tuple(sorted(damaged)),
        refilled=len(taken),
        fetched=fetched,
        fetched_size=size,
        failures=failures,
    )


def _take_from_workspace(
    root: Root, vault: Vault, placements: Sequence[Placement]
) -> list[tuple[Placement, Digest]]:
    """Put files into the cache that are what is locked: they may be the last copies."""
    taken = []
    with vault.blobs.batch() as batch:
        for placement in placements:
            row = placement.row
            if row.trust not in {Trust.STRONG, Trust.STORE}:
                continue  # nothing would prove that these are the bytes
            try:
                with root.open_file(placement.target) as fd:
                    if os.fstat(fd).st_size != row.size:
                        continue
                    verified = batch.put(
                        _pieces(fd, placement.target),
                        row.tokens,
                        size=row.size,
                        subject=placement.target,
                    )
            except (IntegrityError, WorkspaceError, OSError):
                continue  # there is no right copy: it is fetched
            taken.append((placement, verified.digest))
    return taken


def _pieces(fd: int, target: str) -> Iterator[bytes]:
    # By its own name: whoever writes the pieces would take it for a failure of the cache.
    with raising(WorkspaceError, f"cannot read `{target}`"):
        while piece := os.read(fd, _PIECE):
            yield piece
