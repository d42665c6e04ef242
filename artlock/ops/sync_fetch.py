"""The first phase of a sync: every byte that the cache lacks comes in and is verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import (
    ArtlockError,
    IntegrityError,
    ManyErrors,
    ObjectChangedError,
    PolicyError,
)
from artlock.model.tokens import Trust
from artlock.ops.blobs import Pinned, remember
from artlock.ops.fetch import Fetched, FetchReport, Wanted, fetch, reads_of
from artlock.ops.pins import pin_of
from artlock.ops.recovery import OtherPlaces
from artlock.ops.sync_values import Download

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from artlock.model.digest import Digest
    from artlock.model.lock import Lockfile
    from artlock.model.manifest import Artifact
    from artlock.model.plan import Placement
    from artlock.ops.project import Project
    from artlock.ops.sources import Sources
    from artlock.ops.vault import Vault


class SyncFetch:
    """Fetches the bytes of placements into the cache."""

    def __init__(
        self,
        project: Project,
        lock: Lockfile,
        vault: Vault,
        sources: Sources,
        pinned: Pinned,
    ) -> None:
        self._project = project
        self._vault = vault
        self._sources = sources
        self._pinned = pinned
        self._elsewhere = OtherPlaces(project.manifest, lock, sources)

    def fetch(
        self, placements: Sequence[Placement]
    ) -> tuple[dict[str, Fetched], dict[str, Digest]]:
        """Get blobs for placements; each content once, whoever wants it.

        Returns:
            What was fetched, by the target that stood for it, and the blob of every target.

        Raises:
            ManyErrors: Several could not be fetched; what was verified stays in the cache.
            IntegrityError: One is not what was locked; likewise.
            StoreError: One could not be fetched; likewise.
            CacheError: The cache cannot be written.
        """
        groups = self._by_content(placements)
        firsts = {group[0].target: group for group in groups}
        progress = self._project.runtime.progress
        size = sum(group[0].row.size for group in groups)
        if groups:
            progress.begin("fetching", objects=len(groups), size=size)
        report = FetchReport()
        try:
            fetch(
                self._vault.blobs,
                self._reachable((group[0] for group in groups), report),
                report,
                jobs=self._project.runtime.jobs,
                progress=progress,
            )
        finally:
            progress.end()
            # Also of a run that was interrupted: the next one goes on from there.
            learnt = ((firsts[t][0], f.digest) for t, f in report.fetched.items())
            remember(self._vault, self._pinned, learnt)
        if report.errors:
            raise _together(
                [_explained(e, firsts[t][0]) for t, e in sorted(report.errors.items())],
                len(groups),
            )
        digests = {
            placement.target: fetched.digest
            for target, fetched in report.fetched.items()
            for placement in firsts[target]
        }
        return report.fetched, digests

    def estimate(self, placements: Sequence[Placement]) -> Download:
        """Return what ``fetch`` would ask for; nobody is asked (hazard 4.20)."""
        sizes = [group[0].row.size for group in self._by_content(placements)]
        return Download(
            objects=len(sizes), size=sum(sizes), requests=sum(map(reads_of, sizes))
        )

    def _by_content(self, placements: Sequence[Placement]) -> list[list[Placement]]:
        groups: dict[object, list[Placement]] = {}
        for placement in placements:
            content = placement.row.tokens.blake3 or self._pinned.key(placement)
            groups.setdefault(content or placement.target, []).append(placement)
        return list(groups.values())

    def _reachable(
        self, placements: Iterable[Placement], report: FetchReport
    ) -> Iterator[Wanted]:
        """Pass over what has no open source: it must not keep the others from coming in."""
        for placement in placements:
            try:
                yield self._wanted(placement)
            except ArtlockError as error:
                report.errors[placement.target] = error

    def _wanted(self, placement: Placement) -> Wanted:
        artifact = self._artifact(placement)
        uri = self._pinned.uri(placement)
        row = placement.row
        tokens = row.tokens
        proves = tokens.trust in {Trust.STRONG, Trust.STORE}
        return Wanted(
            key=placement.target,
            pin=pin_of(row, uri, tokens),
            tokens=tokens,
            store=self._sources.store(artifact, uri),
            elsewhere=lambda: (
                self._elsewhere.of(artifact, placement, uri) if proves else ()
            ),
        )

    def _artifact(self, placement: Placement) -> Artifact:
        artifact = self._project.manifest.get(placement.artifact)
        if artifact is None:
            message = f"`{placement.artifact}` is not declared"
            raise PolicyError(message, hint="run `artlock resolve`")
        return artifact


def _together(errors: list[ArtlockError], total: int) -> ArtlockError:
    if len(errors) == 1:
        return errors[0]
    message = f"{len(errors)} of {total} objects could not be fetched; no file was written"
    return ManyErrors(message, errors)


def _explained(error: ArtlockError, placement: Placement) -> ArtlockError:
    """Add what a person does about bytes that are not those that were locked."""
    if isinstance(error, (IntegrityError, ObjectChangedError)) and error.hint is None:
        error.hint = (
            "the object was replaced at its source, or changed on the way; no file was "
            f"written. Run `artlock verify --remote {placement.artifact}`; only if the "
            f"change is wanted, `artlock update {placement.artifact}`"
        )
    return error
