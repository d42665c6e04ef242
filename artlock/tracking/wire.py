"""A lock as heads and rows, for trackers that keep values and not the lockfile's text.

What stands above the rows is one ``Outline``, in JSON::

    {"heads":[{"name":"val","uri":"s3://ml-data/val/","kind":"tree","portable":false},
              {"name":"board","uri":"labelbox://project/42","kind":"link"}],
     "revision":1,"extra":{"owner":"vision"}}

Keys are those of the lockfile; one that has its default is left out, and so is ``root``
where it is ``uri``. Keys that this version does not know are below ``extra``. A row is what
``LockedObject`` is in JSON, ``["a.txt",2,"blake3:…","3HL4kqtJ"]``, or four fields of the
tracker's own.

Nothing is lost on the way, and nothing is judged: what comes back has the right types. Who
pulls writes it as text, parses that as a lockfile of anybody, and compares the digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.manifest import ChecksumPolicy, Declaration
from artlock.model.uri import Uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Head(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="kebab"):
    """An artifact without its rows; the fields are the keys of its table.

    Attributes:
        root: As text, where it is not ``uri``; else ``None``.
        rename: Key below ``uri``, and path.
        extra: Keys that this version does not know.
    """

    name: str
    uri: str
    kind: Kind
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    version: str | None = None
    as_of: str | None = None
    checksum: ChecksumPolicy = ChecksumPolicy.STORE
    rename: dict[str, str] = {}
    portable: bool = True
    root: str | None = None
    extra: dict[str, object] = {}


class Outline(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A lock without its rows.

    Attributes:
        heads: Sorted by name; no two equal.
        revision: As in ``Lockfile``.
        extra: Keys at the top that this version does not know.
    """

    heads: tuple[Head, ...]
    revision: int = 0
    extra: dict[str, object] = {}


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """What a tracker keeps one entry for.

    Attributes:
        place: ``<artifact>/<path>``, or ``<path>`` where one artifact is registered by
            itself; of a link artifact its name. No two of a lock are equal.
        artifact: What it is of.
        row: The row; ``None`` for a link artifact, which has none.
        uri: Of the object, or of the link.
    """

    place: str
    artifact: LockedArtifact
    row: LockedObject | None
    uri: Uri


def outline_of(lock: Lockfile) -> Outline:
    """Return what stands above the rows of a lock."""
    return Outline(
        heads=tuple(map(_head, lock.artifacts)),
        revision=lock.revision,
        extra=dict(lock.extra),
    )


def lock_of(outline: Outline, rows: Mapping[str, Sequence[LockedObject]]) -> Lockfile:
    """Return the lock that an outline and its rows are of.

    Args:
        outline: What stands above the rows.
        rows: By the name of their artifact, in any order.

    Raises:
        ValueError: A URI is none that may be in a lockfile, a root is not that of its URI,
            or there are rows of an artifact that has no head.
    """
    unknown = rows.keys() - {head.name for head in outline.heads}
    if unknown:
        message = f"there are rows of `{min(unknown)}`, which has no head"
        raise ValueError(message)
    return Lockfile(
        artifacts=tuple(_artifact(head, rows.get(head.name, ())) for head in outline.heads),
        revision=outline.revision,
        extra=tuple(sorted(outline.extra.items())),
    )


def items_of(lock: Lockfile, *, each: bool) -> Iterator[Item]:
    """Yield what a lock registers: every row, and every link artifact.

    Args:
        lock: In the order of which.
        each: Whether its one artifact is registered by itself.
    """
    for artifact in lock.artifacts:
        if artifact.kind is Kind.LINK:
            yield Item(
                place=artifact.name, artifact=artifact, row=None, uri=artifact.declared.uri
            )
        above = "" if each else f"{artifact.name}/"
        for row, uri in artifact.uris():
            yield Item(place=f"{above}{row.path}", artifact=artifact, row=row, uri=uri)


def artifact_and_path(place: str, outline: Outline, *, each: bool) -> tuple[str, str]:
    """Return of which artifact an entry is, and its path there; empty for a link.

    Raises:
        ValueError: No entry of such a lock is at ``place``.
    """
    if each:
        if len(outline.heads) != 1:
            message = f"one artifact by itself has {len(outline.heads)} heads"
            raise ValueError(message)
        (head,) = outline.heads
        is_link = head.kind is Kind.LINK and place == head.name
        return head.name, "" if is_link else place
    # No name of an artifact has a slash.
    name, _, path = place.partition("/")
    return name, path


def _head(artifact: LockedArtifact) -> Head:
    declared = artifact.declared
    return Head(
        name=artifact.name,
        uri=str(declared.uri),
        kind=artifact.kind,
        include=declared.include,
        exclude=declared.exclude,
        version=declared.version,
        as_of=declared.as_of,
        checksum=declared.checksum,
        rename=dict(declared.rename),
        portable=declared.portable,
        root=None if artifact.root == declared.uri else str(artifact.root),
        extra=dict(artifact.extra),
    )


def _artifact(head: Head, rows: Sequence[LockedObject]) -> LockedArtifact:
    artifact = LockedArtifact(
        name=head.name,
        declared=Declaration(
            uri=Uri.parse(head.uri),
            include=head.include,
            exclude=head.exclude,
            version=head.version,
            as_of=head.as_of,
            checksum=head.checksum,
            rename=tuple(sorted(head.rename.items())),
            portable=head.portable,
        ),
        kind=head.kind,
        objects=tuple(sorted(rows, key=_path)),
        extra=tuple(sorted(head.extra.items())),
    )
    if (head.root or head.uri) != str(artifact.root):
        message = f"the root of `{head.name}` is not that of its URI"
        raise ValueError(message)
    return artifact


def _path(row: LockedObject) -> str:
    return row.path
