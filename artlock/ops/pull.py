"""Bring back what a tracker holds: find it, fetch it, and judge it before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.errors import (
    ConfigError,
    ConflictError,
    IntegrityError,
    LockfileError,
    RefNotFoundError,
)
from artlock.formats.lockfile import format_lockfile, parse_lockfile, read_lockfile
from artlock.model.lock import Lockfile
from artlock.model.refs import Ref
from artlock.model.registration import lock_digest
from artlock.ops.names import LOCKFILE, PARTS
from artlock.ops.project import stale_reasons
from artlock.ops.provenance import state_of
from artlock.ops.trackers import opened, target_of

if TYPE_CHECKING:
    from artlock.model.registration import TrackerVersion
    from artlock.ops.project import Project
    from artlock.ops.runtime import Runtime
    from artlock.ops.trackers import Target
    from artlock.tracking.base import Tracker


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A lock as it was registered, verified.

    Attributes:
        target: The tracker that holds it.
        text: The canonical text; its digest is that of the version.
    """

    target: Target
    version: TrackerVersion
    lock: Lockfile
    text: bytes


class PullReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a pull did.

    Attributes:
        written: Whether the lockfile was another before.
        stale: ``(artifact, why)`` of what in it does not answer the manifest.
    """

    held: Held
    written: bool
    stale: tuple[tuple[str, str], ...]


def parsed_ref(text: str) -> Ref:
    """Read a ref as a person wrote it.

    Raises:
        ConfigError: It is none.
    """
    try:
        return Ref.parse(text)
    except ValueError as error:
        message = f"`{text}` is no ref: {error}"
        hint = "write `name`, `name:v3`, `name@alias`, or `TRACKER#name:v3`"
        raise ConfigError(message, hint=hint) from error


def held(
    runtime: Runtime, project: Project | None, ref: Ref, to: str | None = None
) -> Held:
    """Find and fetch what a ref names, and hold it against the digest it was registered by.

    Raises:
        RefNotFoundError: There is no such name, version or alias.
        TrackingError: The tracker cannot be asked.
        IntegrityError: What it gave is not what was registered.
        LockfileError: It is no lockfile, or of a later format.
        PolicyError: Its rows are none that a lockfile may have.
        ConfigError: There is no such tracker.
    """
    target = target_of(runtime, project, ref, to)
    with opened(runtime, project, target) as tracker:
        version = tracker.find(ref)
        return fetched(tracker, target, version)


def fetched(tracker: Tracker, target: Target, version: TrackerVersion) -> Held:
    """Fetch a version and judge it; as ``held``.

    Raises:
        ArtlockError: As ``held``.
    """
    found = tracker.fetch(version)
    text = format_lockfile(found) if isinstance(found, Lockfile) else found
    actual = lock_digest(text)
    if actual != version.digest:
        raise IntegrityError(
            subject=version.ref,
            expected=version.digest,
            actual=actual,
            record=target.name,
            hint="the tracker's record was changed; push the lockfile of that commit again",
        )
    lock = parse_lockfile(text, name=version.ref)
    if version.each and len(lock.artifacts) != 1:
        raise IntegrityError(
            subject=version.ref,
            expected="one artifact",
            actual=f"{len(lock.artifacts)} artifacts",
            record=target.name,
            hint="the tracker's record was changed",
        )
    return Held(target=target, version=version, lock=lock, text=text)


def pull(
    project: Project, text: str, *, to: str | None = None, force: bool = False
) -> PullReport:
    """Write the lock that a tracker holds into the project's lockfile.

    What was registered with ``--each`` replaces that artifact, and no other. The workspace
    stays as it is: ``sync`` makes it what is locked.

    Args:
        project: Whose lockfile.
        text: The ref.
        to: Name or URL of the tracker.
        force: Also over a lockfile that neither git nor the tracker has.

    Raises:
        ConflictError: It has such changes; nothing was written.
        WorkspaceError: It cannot be written.
        ArtlockError: As ``held``; nothing was written.
    """
    ref = parsed_ref(text)
    before = project.lock_files.frame()
    target = target_of(project.runtime, project, ref, to)
    with opened(project.runtime, project, target) as tracker:
        got = fetched(tracker, target, tracker.find(ref))
        lock = _joined(project, got) if got.version.each else got.lock
        if before is not None and not force and project.text_to_write(lock) is not None:
            _refuse_loss(project, tracker, ref)
    written = project.write_lockfile(lock, before=before)
    return PullReport(
        held=got,
        written=written,
        stale=tuple(stale_reasons(project.manifest, lock)),
    )


def _joined(project: Project, got: Held) -> Lockfile:
    """Return the project's lockfile with the one artifact that was pulled."""
    text = project.lock_files.text()
    lock = Lockfile() if text is None else read_lockfile(text.data).lock
    (artifact,) = got.lock.artifacts
    others = [other for other in lock.artifacts if other.name != artifact.name]
    artifacts = sorted([*others, artifact], key=lambda a: a.name)
    return replace(lock, artifacts=tuple(artifacts))


def _refuse_loss(project: Project, tracker: Tracker, ref: Ref) -> None:
    """Refuse to write over a lockfile that git does not have, and the tracker neither.

    Raises:
        ConflictError: It is nowhere else.
    """
    state = state_of(project, (LOCKFILE, PARTS))
    if state is not None and not state.uncommitted:
        return
    if _is_registered(project, tracker, ref):
        return
    where = "are not committed" if state is not None else "are registered nowhere"
    message = f"`{LOCKFILE}` has changes that {where}; they would be lost"
    raise ConflictError(
        message,
        paths=state.uncommitted if state is not None else (LOCKFILE,),
        hint="commit or push them, or pull with `--force`",
    )


def _is_registered(project: Project, tracker: Tracker, ref: Ref) -> bool:
    try:
        text = project.lock_files.text()
        known = {version.digest for version in tracker.versions(ref.name)}
    except (LockfileError, RefNotFoundError):
        return False  # broken, or of another name: then it is not known to be there
    return text is not None and lock_digest(text.data) in known
