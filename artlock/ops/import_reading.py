"""Lock pins that tell no size: ask for the state that was pinned, read it, and compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from artlock.errors import IntegrityError
from artlock.model.lock import LockedArtifact, LockedObject
from artlock.model.objects import VersionId
from artlock.model.safety import check_artifact
from artlock.model.tokens import Tokens
from artlock.ops.digesting import with_digests
from artlock.ops.import_proof import HINT, differences, raise_all
from artlock.ops.observe import Observed, head_at
from artlock.ops.placements import refuse_long, refuse_overlap
from artlock.ops.rows import row_of
from artlock.ops.sources import Sources
from artlock.ops.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from artlock.model.imports import ImportedArtifact, PinnedObject
    from artlock.model.manifest import Artifact
    from artlock.model.objects import ObjectInfo
    from artlock.ops.project import Project


def lock_as_pinned(
    project: Project, one: ImportedArtifact, rows: Sequence[LockedObject]
) -> LockedArtifact:
    """Return an imported artifact with these rows, if it keeps all rules of a lockfile.

    Raises:
        PolicyError: It does not.
    """
    artifact = _declared(project, one)
    locked = LockedArtifact(
        name=one.name,
        declared=artifact.declared,
        kind=one.kind,
        objects=tuple(sorted(rows, key=lambda row: row.path)),
    )
    check_artifact(locked)
    refuse_overlap(project, artifact)
    refuse_long(artifact, locked)
    return locked


def lock_by_reading(
    project: Project, imported: Iterable[ImportedArtifact], *, record: str
) -> list[LockedArtifact]:
    """Return artifacts some of whose pins tell no size.

    Those objects are read once, whole, at the version that was pinned, and every token of
    their pins has to hold; the others are locked as they were pinned. What was read stays
    in the cache.

    Args:
        project: Whose manifest declares them.
        imported: What was pinned.
        record: The file of pins, for messages.

    Raises:
        IntegrityError: An object is not what was pinned.
        ManyErrors: Several are not, or could not be read.
        PolicyError: A row or setting is not allowed.
        StoreError: A source refused or failed.
    """
    made = []
    with (
        Sources(project) as sources,
        Vault.open(project.runtime) as vault,
        vault.layout.mutex(purpose="import"),
    ):
        for one in imported:
            artifact = _declared(project, one)
            refuse_overlap(project, artifact)
            asked = _asked(sources, artifact, one, record)
            rows = one.rows_with({path: row for path, (_, row) in asked.items()})
            locked = lock_as_pinned(project, one, rows)
            unread = [row for row in locked.objects if row.path in asked]
            read, _ = with_digests(project, sources, artifact, vault, locked, unread)
            by_path = {row.path: row for row in read}
            pairs = [(found, by_path[path]) for path, (found, _) in asked.items()]
            raise_all(differences(vault, pairs, record=record))
            proved = {row.path: _with_tokens(row, found) for found, row in pairs}
            objects = tuple(proved.get(row.path, row) for row in read)
            made.append(replace(locked, objects=objects))
    return made


def _declared(project: Project, one: ImportedArtifact) -> Artifact:
    artifact = project.manifest.get(one.name)
    if artifact is None:
        raise AssertionError
    return artifact


def _asked(
    sources: Sources, artifact: Artifact, one: ImportedArtifact, record: str
) -> dict[str, tuple[PinnedObject, LockedObject]]:
    """Return the pins without a size and the rows that their source gives, by path."""
    store = sources.store(artifact)
    found = {}
    errors = []
    for pinned in one.objects:
        if pinned.size is not None:
            continue
        path = one.path_of(pinned)
        uri, version = pinned.uri, VersionId(pinned.version)
        info = head_at(store, uri, version) if version else store.head(uri)
        difference = _difference(pinned, info)
        if difference is not None:
            expected, actual = difference
            errors.append(
                IntegrityError(
                    subject=str(uri),
                    expected=expected,
                    actual=actual,
                    hint=HINT,
                    record=record,
                )
            )
        found[path] = pinned, row_of(Observed(path, info))
    raise_all(errors)
    return found


def _difference(pinned: PinnedObject, info: ObjectInfo) -> tuple[str, str] | None:
    """Return what was pinned and what is there instead, or ``None``."""
    etag, other = pinned.tokens.etag, info.tokens.etag
    # Weakly, as tools and stores differ in the mark (RFC 9110 §8.8.3.2).
    if etag and other and etag.removeprefix("W/") != other.removeprefix("W/"):
        return f"etag:{etag}", f"etag:{other}"
    if pinned.tokens.contradicts(info.tokens):
        return str(pinned.tokens), str(info.tokens)
    return None


def _with_tokens(row: LockedObject, pinned: PinnedObject) -> LockedObject:
    """Return a row that also has the digests and checksums of its pin, which held."""
    tokens, more = row.tokens, pinned.tokens
    digests = {token.algorithm: token for token in (*more.digests, *tokens.digests)}
    checksums = {token.algorithm: token for token in (*more.checksums, *tokens.checksums)}
    added = Tokens(
        digests=tuple(digests.values()),
        checksums=tuple(checksums.values()),
        unknown=tokens.unknown,
        etag=tokens.etag,
    )
    return replace(row, checksum=str(added))
