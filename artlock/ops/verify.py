"""Read bytes again and judge them: of the workspace, the cache, or the sources."""

from __future__ import annotations

import os
import random
import stat
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from artlock.engine.threads import each
from artlock.errors import (
    EXIT_OK,
    ArtlockError,
    IntegrityError,
    WorkspaceError,
    gravest,
)
from artlock.fs.problems import reason
from artlock.model.tokens import Trust
from artlock.model.verification import Verification
from artlock.ops.blobs import Pinned, known_digests
from artlock.ops.pins import pin_of
from artlock.ops.placements import placements_of
from artlock.ops.policy import refuse_outside
from artlock.ops.sources import Sources
from artlock.ops.vault import Vault
from artlock.stores.base import TellsEtag, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from artlock.fs.root import Root
    from artlock.model.digest import Digest
    from artlock.model.plan import Placement
    from artlock.ops.project import Project

_PATIENCE_S = 2.0
"""How long an interruption waits for what is being read."""
_PIECE = 2**20


class Place(StrEnum):
    """Whose bytes are read."""

    WORKSPACE = "workspace"
    CACHE = "cache"
    REMOTE = "remote"


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer.

    Attributes:
        checked: How many objects were read and held.
        size: Their bytes.
        weak: How many of them had no digest or checksum to hold against.
        missing: Subjects that are not there (workspace, cache).
        wrong: Targets, sorted, of those that did not hold or could not be read.
        errors: Why, in the order of ``wrong``.
    """

    place: Place
    checked: int
    size: int
    weak: int
    missing: tuple[str, ...]
    wrong: tuple[str, ...]
    errors: tuple[ArtlockError, ...]

    @property
    def exit_code(self) -> int:
        """4 if bytes were wrong, 3 if some could not be read, 1 if some are missing."""
        codes = [error.exit_code for error in self.errors]
        return gravest([*codes, 1 if self.missing else EXIT_OK])


def verify(
    project: Project,
    names: Sequence[str] = (),
    *,
    place: Place = Place.WORKSPACE,
    share: float = 1.0,
    only: Collection[str] | None = None,
) -> VerifyReport:
    """Read locked objects at a place, whole, and hold each against its row.

    Nothing is written, but a damaged blob of the cache is put aside.

    Args:
        project: The manifest and where it lies.
        names: Only these artifacts; all if empty.
        place: Where.
        share: Which part of the objects, chosen at random; at least one.
        only: Targets; ``None`` means all.

    Raises:
        LockfileError: There is no lockfile, or it is not valid.
        PolicyError: A source is outside of what is allowed; none was read.
        CacheError: The cache cannot be read.
    """
    lock = project.read_lockfile()
    artifacts = project.chosen(names)
    if place is Place.REMOTE:
        refuse_outside(project.manifest.policy, lock, artifacts)
    placements = placements_of(project, lock, artifacts)
    if only is not None:
        placements = [p for p in placements if p.target in only]
    if share < 1 and placements:
        number = max(1, round(share * len(placements)))
        chosen = random.sample(range(len(placements)), number)
        placements = [placements[position] for position in sorted(chosen)]
    with (
        Sources(project) as sources,
        Vault.open(project.runtime) as vault,
        project.files() as root,
    ):
        pinned = Pinned(project, lock, sources)
        if place is Place.WORKSPACE:
            known = known_digests(placements, pinned, vault)
            in_workspace = _InWorkspace(root, vault, known)
            return _judged(project, placements, in_workspace.read, place)
        if place is Place.REMOTE:
            at_source = _AtSource(sources, pinned)
            return _judged(project, placements, at_source.read, place)
        in_cache = _InCache(vault, known_digests(placements, pinned, vault))
        return _judged(project, placements, in_cache.read, place)


def _judged(
    project: Project,
    placements: Sequence[Placement],
    reader: Callable[[Placement], int | None],
    place: Place,
) -> VerifyReport:
    # Files and sources are only read; a blob may be put aside, and that is to end.
    patience_s = None if place is Place.CACHE else _PATIENCE_S
    progress = project.runtime.progress
    total = sum(p.row.size for p in placements)
    progress.begin("verifying", objects=len(placements), size=total)
    missing: list[str] = []
    errors: list[tuple[str, ArtlockError]] = []
    checked = size = weak = 0
    try:
        for outcome in each(
            reader, placements, workers=project.runtime.jobs, patience_s=patience_s
        ):
            item = outcome.item
            if outcome.error is not None:
                errors.append((item.target, outcome.error))
            elif outcome.result is None:
                missing.append(item.target)
            else:
                checked += 1
                size += outcome.result
                weak += item.row.trust in {Trust.ETAG, Trust.NONE}
            progress.advance(objects=1, size=item.row.size)
    finally:
        progress.end()
    errors.sort(key=lambda pair: pair[0])
    return VerifyReport(
        place=place,
        checked=checked,
        size=size,
        weak=weak,
        missing=tuple(sorted(missing)),
        wrong=tuple(target for target, _ in errors),
        errors=tuple(error for _, error in errors),
    )


class _InWorkspace:
    """Reads files, and holds them against rows and what is known of those.

    An etag of 32 digits proves nothing here: whether it is an MD5 only the store can tell
    (hazard 1.2).
    """

    def __init__(self, root: Root, vault: Vault, known: Mapping[str, Digest]) -> None:
        self._root = root
        self._vault = vault
        self._known = known

    def read(self, placement: Placement) -> int | None:
        """Return the size of a file that held; ``None`` if there is none."""
        target = placement.target
        row = placement.row
        known = self._known.get(target)
        if known is not None and self._is_link_to(target, known):
            return self._linked(placement, known)
        check = Verification(row.tokens, size=row.size, subject=target)
        try:
            with self._root.open_file(target) as fd:
                while data := os.read(fd, _PIECE):
                    check.update(data)
        except FileNotFoundError:
            return None
        except OSError as error:
            message = f"`{target}` cannot be read: {reason(error)}"
            raise WorkspaceError(message) from error
        verified = check.finish()
        if known is not None and verified.digest != known:
            raise IntegrityError(
                subject=target, expected=str(known), actual=str(verified.digest)
            )
        return verified.size

    def _is_link_to(self, target: str, digest: Digest) -> bool:
        """Tell whether a file is a link to its blob, as `link-mode = "symlink"` makes."""
        try:
            found = self._root.lstat(target)
            if found is None or not stat.S_ISLNK(found.st_mode):
                return False
            linked = (self._root.path / target).readlink()
        except (OSError, WorkspaceError):
            return False  # whoever opens it says why
        return linked == self._vault.blobs.path(digest)

    def _linked(self, placement: Placement, digest: Digest) -> int | None:
        if not self._vault.blobs.has(digest):
            return None
        if not self._vault.blobs.verify(digest):
            raise IntegrityError(
                subject=placement.target,
                expected=str(digest),
                actual="a link to other bytes; they were put aside",
            )
        return placement.row.size


class _InCache:
    """Reads the blobs that satisfy rows; each once, whoever shares it."""

    def __init__(self, vault: Vault, known: Mapping[str, Digest]) -> None:
        self._vault = vault
        self._known = known

    def read(self, placement: Placement) -> int | None:
        """Return the size of an intact blob; ``None`` if the cache has none."""
        digest = self._known.get(placement.target)
        if digest is None or not self._vault.blobs.has(digest):
            return None
        if not self._vault.blobs.verify(digest):
            raise IntegrityError(
                subject=f"{placement.target} in the cache",
                expected=str(digest),
                actual="other bytes; the blob was put aside",
                hint="run `artlock verify --repair --cache` to fetch it again",
            )
        return placement.row.size


class _AtSource:
    """Reads locked versions at their sources, without keeping them."""

    def __init__(self, sources: Sources, pinned: Pinned) -> None:
        self._sources = sources
        self._pinned = pinned

    def read(self, placement: Placement) -> int | None:
        """Return the size of an object whose bytes held."""
        row = placement.row
        uri = self._pinned.uri(placement)
        artifact = self._sources.artifact(placement.artifact)
        if artifact is None:
            return None
        store = self._sources.store(artifact, uri)
        pin = pin_of(row, uri)
        tells = store.etag_is_md5(pin) if isinstance(store, TellsEtag) else None
        compares = row.trust is Trust.ETAG and tells is True
        check = Verification(
            row.tokens, size=row.size, subject=str(uri), etag_is_md5=compares
        )
        with reading(store, pin) as chunks:
            for chunk in chunks:
                check.update(chunk)
        verified = check.finish()
        if verified.etag_differs:
            raise IntegrityError(
                subject=str(uri),
                expected=f"etag:{row.tokens.etag}",
                actual=str(verified.digest),
            )
        return verified.size
