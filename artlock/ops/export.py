"""Give what is locked in a form that needs no artlock."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.errors import ConfigError, StaleLockfileError, WorkspaceError
from artlock.formats.exports.bagit import as_bag
from artlock.formats.exports.croissant import as_croissant
from artlock.formats.exports.rows import as_csv, as_jsonl
from artlock.formats.exports.shell import as_shell
from artlock.formats.exports.sums import sums
from artlock.fs.atomic import replace_file
from artlock.fs.problems import raising
from artlock.model.exports import Export, ExportedArtifact, ExportedFile
from artlock.model.lock import Kind, pin_digest
from artlock.model.reach import effective_access
from artlock.ops.edit import project_name
from artlock.ops.export_digests import with_sha256
from artlock.ops.policy import refuse_outside
from artlock.ops.project import stale_reasons
from artlock.ops.trusting import is_trusted, rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from artlock.model.lock import LockedArtifact, Lockfile
    from artlock.model.manifest import Artifact
    from artlock.ops.project import Project


class Format(StrEnum):
    """The forms that there are."""

    SH = "sh"
    SHA256SUM = "sha256sum"
    B3SUM = "b3sum"
    JSONL = "jsonl"
    CSV = "csv"
    BAGIT = "bagit"
    CROISSANT = "croissant"


_WRITERS = {
    Format.SH: as_shell,
    Format.SHA256SUM: sums("sha256"),
    Format.B3SUM: sums("blake3"),
    Format.JSONL: as_jsonl,
    Format.CSV: as_csv,
    Format.CROISSANT: as_croissant,
}
"""Those of one text; a bag is several."""
_WITH_SHA256 = frozenset({Format.SH, Format.SHA256SUM, Format.BAGIT, Format.CROISSANT})
"""Those that can use what `--sha256` finds out."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What was written where.

    Attributes:
        files: Names below the folder, or of the one file; in the order of writing.
    """

    export: Export
    files: tuple[str, ...]


def exported(
    project: Project, names: Sequence[str], form: Format, *, sha256: bool = False
) -> Export:
    """Return what is to be exported.

    Args:
        project: The manifest and where it lies.
        names: Only these artifacts; all if empty.
        form: What it is for.
        sha256: Take SHA-256 of the bytes that the cache has, for rows without one.

    Raises:
        StaleLockfileError: The lockfile does not answer the manifest.
        PolicyError: A source is outside of the policy, or cannot be reached without a
            setting that is not trusted.
        ConfigError: The cache lacks bytes whose digest is needed.
        IntegrityError: The cache has other bytes than it should.
    """
    if sha256 and form not in _WITH_SHA256:
        message = f"`--sha256` has no meaning for `{form}`"
        forms = ", ".join(f"`{each}`" for each in sorted(_WITH_SHA256))
        raise ConfigError(message, hint=f"it is for {forms}")
    lock = project.read_lockfile()
    _refuse_stale(project, lock)
    chosen = project.chosen(names)
    refuse_outside(project.manifest.policy, lock, chosen)
    locked = [(a, found) for a in chosen if (found := lock.get(a.name)) is not None]
    lock = replace(lock, artifacts=tuple(found for _, found in locked))
    trusted = is_trusted(project)
    export = Export(
        name=project.manifest.name or project_name(project.root.name),
        pin=pin_digest(lock),
        artifacts=tuple(_exported(project, *pair, trusted=trusted) for pair in locked),
    )
    return with_sha256(project, lock, export) if sha256 else export


def lines_of(export: Export, form: Format) -> Iterator[str]:
    """Yield the text of a form that is one.

    Raises:
        ConfigError: The form cannot say it all, or is a folder.
    """
    if form is Format.BAGIT:
        message = "a bag is a folder, and stdout is none"
        raise ConfigError(message, hint="name a folder with `--output`")
    yield from _WRITERS[form](export)


def write(export: Export, form: Format, place: Path) -> Written:
    """Write an export to a file, or to a folder if it is a bag.

    A file appears whole or not at all, and of a bag the last one is what makes it one.

    Raises:
        ConfigError: The form cannot say it all.
        WorkspaceError: Something is at that place, or it cannot be written.
    """
    subject = f"`{place}` cannot be written"
    if form is not Format.BAGIT:
        data = "".join(lines_of(export, form)).encode()
        with raising(WorkspaceError, subject, needed=len(data)):
            _refuse_existing(place)
            replace_file(place, data)
        return Written(export=export, files=(place.name,))
    files = as_bag(export)
    with raising(WorkspaceError, subject):
        _refuse_existing(place)
        (place / "data").mkdir(parents=True)
        for name, text in files.items():
            replace_file(place / name, text.encode())
    return Written(export=export, files=tuple(files))


def _refuse_existing(place: Path) -> None:
    if os.path.lexists(place):
        message = f"there is something at `{place}` already"
        raise WorkspaceError(message, hint="name another place, or remove it first")


def _refuse_stale(project: Project, lock: Lockfile) -> None:
    stale = stale_reasons(project.manifest, lock)
    if stale:
        name, why = stale[0]
        more = f", and {len(stale) - 1} more" if len(stale) > 1 else ""
        message = f"`artifacts.lock` is stale: `{name}` is {why}{more}"
        raise StaleLockfileError(message, hint="run `artlock resolve`")


def _exported(
    project: Project, artifact: Artifact, locked: LockedArtifact, *, trusted: bool
) -> ExportedArtifact:
    if locked.kind is Kind.LINK:
        return ExportedArtifact(name=artifact.name, kind=locked.kind, uri=artifact.uri)
    runtime = project.runtime
    # Not the headers of the manifest: their values are for this machine alone.
    bare = replace(artifact, access=replace(artifact.access, headers=()))
    access, _ = effective_access(
        bare,
        runtime.settings,
        trusted=trusted,
        rules=rules_of(runtime.environ),
        environment=runtime.environ,
    )
    headers = {name for name, _ in (*artifact.access.headers, *access.headers)}
    is_file = locked.kind is Kind.FILE
    return ExportedArtifact(
        name=artifact.name,
        kind=locked.kind,
        uri=artifact.uri,
        files=tuple(
            ExportedFile(artifact.target(row.path, is_file=is_file), uri, row)
            for row, uri in locked.uris()
        ),
        access=replace(access, headers=()),
        headers=tuple(sorted(headers)),
    )
