"""Manifest to lockfile: what is locked stays (``resolve``), or moves on (``update``)."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from enum import StrEnum
from functools import cache, partial
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.errors import (
    AccessDeniedError,
    ArtlockError,
    GitError,
    LaterFormatError,
    LockfileError,
    ObjectNotFoundError,
    PolicyError,
)
from artlock.gitio.merging import commits_of_side
from artlock.gitio.repository import repository_root
from artlock.model.diff import diff
from artlock.model.lock import Kind, LockedArtifact, Lockfile
from artlock.model.manifest import ChecksumPolicy
from artlock.model.renames import with_renames
from artlock.model.safety import check_artifact
from artlock.model.tokens import Trust
from artlock.ops.digesting import with_digests
from artlock.ops.going_back import at, refuse_without_versions, tell_what_may_be_lost
from artlock.ops.names import LOCKFILE
from artlock.ops.observe import observe
from artlock.ops.past import PastParts, parts_beside
from artlock.ops.placements import refuse_long, refuse_overlap
from artlock.ops.policy import problem_with_source
from artlock.ops.precise import by_artifact, moved_precisely
from artlock.ops.repair import Repaired, read_with_markers
from artlock.ops.resolve_refusals import refuse_shrinking, source_is_gone, together
from artlock.ops.rows import locked_by_path, refreshed
from artlock.ops.sources import Sources
from artlock.ops.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from artlock.formats.lockfile_parts import LockText, Part
    from artlock.model.diff import Change
    from artlock.model.lock import LockedObject
    from artlock.model.manifest import Artifact, Declaration
    from artlock.ops.precise import Precise
    from artlock.ops.project import Project

_READ_ALWAYS = frozenset({"http", "https", "file", ""})
"""Schemes whose objects have no checksum unless their bytes are read once."""


class Pins(StrEnum):
    """What becomes of pins that are in the lockfile.

    ``KEEP`` lists only what is new or declared otherwise; ``MOVE`` lists the chosen
    artifacts and takes what their sources hold now; ``FORGET`` does so as if nothing had
    been locked.
    """

    KEEP = "keep"
    MOVE = "move"
    FORGET = "forget"


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What a resolve came to.

    Attributes:
        lock: The lockfile as it is or would be.
        changes: From the lockfile before to ``lock``.
        written: Whether the file was written.
        differs: Whether its bytes are, or were, to change.
        listed: Names of the artifacts whose sources were asked.
        markers: Zero-byte ``folder/`` keys that were skipped.
        read_size: Bytes that were read to get digests.
    """

    lock: Lockfile
    changes: tuple[Change, ...]
    written: bool
    differs: bool
    listed: tuple[str, ...]
    markers: int
    read_size: int


def resolve(
    project: Project,
    names: Sequence[str] | None = None,
    *,
    pins: Pins = Pins.KEEP,
    digest_all: bool = False,
    write: bool = True,
    allow_shrink: bool = False,
    as_of: str | None = None,
    precise: Sequence[Precise] = (),
) -> Resolution:
    """Make the lockfile answer the manifest.

    The lockfile is written once, at the end, if its bytes differ; if anything fails it
    stays as it was. Artifacts that are no longer declared leave it.

    Args:
        project: The manifest and where it lies.
        names: Only these artifacts; all if ``None``. Others stay as they are locked.
        pins: What becomes of pins that are in the lockfile.
        digest_all: Read every object that has no digest yet.
        write: Write the lockfile; else only tell what would be written.
        allow_shrink: Accept that an artifact loses most of its objects.
        as_of: List sources as they were at this moment (``past_moment``), where the
            manifest does not pin them. With ``MOVE`` or ``FORGET``.
        precise: Move only these objects, to these versions; ``names`` are theirs.

    Raises:
        ConfigError: A source has no past, or an object cannot be moved so.
        ManyErrors: Several artifacts failed; nothing was written.
        StoreError: A source refused or failed; nothing was written.
        PolicyError: A source, key or setting is not allowed; nothing was written.
    """
    every = project.manifest.artifacts if names is None else ()
    targets = by_artifact(precise)
    wanted = project.chosen(names) if names else every
    if as_of is not None:
        refuse_without_versions(wanted)
    chosen = {a.name for a in wanted}
    before = project.lock_files.frame()
    anew = pins is Pins.FORGET and names is None
    repaired = _readable(project, before, anew=anew)
    artifacts: list[LockedArtifact] = []
    errors: list[ArtlockError] = []
    with ExitStack() as stack:
        sources = stack.enter_context(Sources(project))
        vault = cache(lambda: stack.enter_context(_shared_vault(project)))
        run = _Run(
            project,
            sources,
            vault,
            pins,
            repaired.disputed,
            digest_all=digest_all,
            as_of=as_of,
            precise=targets,
        )
        for artifact in project.manifest.artifacts:
            old = repaired.lock.get(artifact.name)
            if artifact.name not in chosen and artifact.name not in repaired.disputed:
                artifacts += [old] if old is not None else []
                continue
            try:
                new = run.resolved(artifact, old)
                refuse_shrinking(old, new, allowed=allow_shrink)
                artifacts.append(new)
            except ArtlockError as error:
                errors.append(error)
        if errors:
            raise together(errors)
        lock = replace(repaired.lock, artifacts=tuple(artifacts))
        differs = project.text_to_write(lock) is not None
        # While the cache is held: what was read for it is needed by nobody else yet.
        written = write and project.write_lockfile(lock, before=before)
    return Resolution(
        lock=lock,
        changes=with_renames(diff(repaired.lock, lock)),
        written=written,
        differs=differs,
        listed=tuple(run.listed),
        markers=run.markers,
        read_size=run.read_size,
    )


@contextmanager
def _shared_vault(project: Project) -> Iterator[Vault]:
    """Open the cache, and keep `gc` from removing what is read until it is locked."""
    with (
        Vault.open(project.runtime) as vault,
        vault.layout.mutex(purpose="resolve"),
    ):
        yield vault


def _readable(project: Project, before: bytes | None, *, anew: bool) -> Repaired:
    """Return what was locked; nothing of a damaged lockfile that is to be made anew."""
    if before is None:
        return Repaired()
    try:
        return read_with_markers(before, partial(_text_of_side, project))
    except LaterFormatError:
        raise
    except (LockfileError, PolicyError):
        if anew:
            return Repaired()
        raise


def _text_of_side(project: Project, data: bytes) -> LockText:
    """Return the text of the lockfile, or of a side of a merge, whose parts git has."""
    past = cache(partial(_past_of_side, project, data))

    def in_git(part: Part) -> Iterator[bytes]:
        found = past()
        if found is not None:
            yield from found.candidates(part)

    return project.lock_files.text_of(data, in_git)


def _past_of_side(project: Project, data: bytes) -> PastParts | None:
    # Without git it is told what is missing, and not that nobody else has it.
    with suppress(GitError):
        root = repository_root(project.root)
        if root is not None:
            path = (project.root / LOCKFILE).relative_to(root).as_posix()
            return PastParts(root, parts_beside(path), commits_of_side(root, path, data))
    return None


class _Run:
    """One resolve: what it was told, and what it counts.

    Its cache is opened when the first object is read: most artifacts need none.
    """

    def __init__(
        self,
        project: Project,
        sources: Sources,
        vault: Callable[[], Vault],
        pins: Pins,
        disputed: frozenset[str],
        *,
        digest_all: bool,
        as_of: str | None,
        precise: Mapping[str, tuple[Precise, ...]],
    ) -> None:
        self._project = project
        self._sources = sources
        self._vault = vault
        self._pins = pins
        self._disputed = disputed
        self._digest_all = digest_all
        self._as_of = as_of
        self._precise = precise
        self.listed: list[str] = []
        self.markers = 0
        self.read_size = 0

    def resolved(self, artifact: Artifact, old: LockedArtifact | None) -> LockedArtifact:
        """Return the artifact as it is to be locked; ``old`` is as it was."""
        problem = problem_with_source(self._project.manifest.policy, artifact)
        if problem is not None:
            raise PolicyError(problem, hint="change `[policy] allow`, or the `uri`")
        stays = (
            self._pins is Pins.KEEP
            and old is not None
            and old.answers(artifact)
            and artifact.name not in self._disputed
        )
        refuse_overlap(self._project, artifact)
        precise = self._precise.get(artifact.name)
        if precise is not None:
            new = moved_precisely(artifact, old, precise, self._sources)
        else:
            new = old if stays and old is not None else self._asked(artifact, old)
        check_artifact(new)
        refuse_long(artifact, new)
        missing = [row for row in new.objects if row.trust is not Trust.STRONG]
        if not missing or not (self._digest_all or _reads(artifact)):
            return new
        rows, size = with_digests(
            self._project, self._sources, artifact, self._vault(), new, missing
        )
        self.read_size += size
        return replace(new, objects=rows)

    def _asked(self, artifact: Artifact, old: LockedArtifact | None) -> LockedArtifact:
        link = LockedArtifact(
            name=artifact.name, declared=artifact.declared, kind=Kind.LINK
        )
        if artifact.is_link:
            return link
        try:
            return self._listed(artifact, old)
        except AccessDeniedError as error:
            if not artifact.link_if_denied:
                raise
            self._project.runtime.progress.notice(
                f"`{artifact.name}` is locked as a link: {error.message}"
            )
            return link

    def _listed(self, artifact: Artifact, old: LockedArtifact | None) -> LockedArtifact:
        progress = self._project.runtime.progress
        asked = at(artifact, self._as_of)
        same_source = old is not None and _source(old.declared) == _source(
            artifact.declared
        )
        try:
            store = self._sources.store(artifact)
            tell_what_may_be_lost(asked, store, progress)
            observation = observe(asked, store, progress)
        except ObjectNotFoundError as error:
            moves = self._pins is Pins.MOVE and asked is artifact
            if moves and same_source and old is not None and old.objects:
                raise source_is_gone(old, error) from error
            raise
        self.listed.append(artifact.name)
        self.markers += observation.markers
        if observation.archived:
            progress.notice(
                f"`{artifact.name}`: {observation.archived} objects are archived and must "
                "be restored before `artlock sync` can read them"
            )
        locked: dict[str, LockedObject] = {}
        if same_source and old is not None and old.kind is observation.kind:
            forgets = self._pins is Pins.FORGET
            locked = {} if forgets else locked_by_path(observation, artifact, old)
        keeps = self._pins is Pins.KEEP
        return LockedArtifact(
            name=artifact.name,
            declared=artifact.declared,
            kind=observation.kind,
            objects=tuple(refreshed(observation.objects, locked, keep_pins=keeps)),
            extra=old.extra if old is not None else (),
        )


def _reads(artifact: Artifact) -> bool:
    policy = artifact.declared.checksum
    return policy is ChecksumPolicy.BLAKE3 or artifact.uri.scheme in _READ_ALWAYS


def _source(declared: Declaration) -> tuple[object, ...]:
    return (declared.uri, declared.version, declared.as_of)
