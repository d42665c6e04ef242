"""``artifacts.lock`` as values: what was locked."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

from artlock.model.digest import Digest
from artlock.model.tokens import Tokens, Trust, count_trusts, trust_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from artlock.model.manifest import Artifact, Declaration
    from artlock.model.uri import Uri

MAX_SIZE = 2**63 - 1
"""Largest size of an object, in bytes; what TOML integers hold."""


class LockedObject(msgspec.Struct, frozen=True, array_like=True, gc=False, order=False):
    """One row: an object as it was locked.

    A msgspec struct in the shape of the row's JSON array, so that a million rows are read
    without being made twice (decision record 0002).

    Attributes:
        path: Below the artifact; a safe relative path (``model/paths.py``).
        size: In bytes.
        checksum: Tokens, in the text form of ``model/tokens.py``.
        version: S3 version ID or GCS generation; empty where there is none.
    """

    path: str
    size: int
    checksum: str
    version: str

    @property
    def tokens(self) -> Tokens:
        """The tokens, parsed."""
        return Tokens.parse(self.checksum)

    @property
    def trust(self) -> Trust:
        """The trust of the strongest token."""
        return trust_of(self.checksum)

    @property
    def has_blake3(self) -> bool:
        """Whether the row has a BLAKE3 digest, which then is its first token."""
        return self.checksum.startswith("blake3:")

    @property
    def blake3(self) -> Digest | None:
        """The BLAKE3 digest if the row has one, without parsing the other tokens."""
        return Digest.parse(self.checksum.partition(" ")[0]) if self.has_blake3 else None


class Kind(StrEnum):
    """What an artifact turned out to be."""

    FILE = "file"
    TREE = "tree"
    LINK = "link"


class LockedArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """One ``[[artifact]]`` table.

    Attributes:
        declared: A copy of the declaration that was resolved.
        objects: Sorted by path in UTF-8 byte order; no two equal. Empty for a link.
        extra: Keys of the head that this version does not know, kept as they were; sorted.
    """

    name: str
    declared: Declaration
    kind: Kind
    objects: tuple[LockedObject, ...] = ()
    extra: tuple[tuple[str, object], ...] = ()

    @property
    def root(self) -> Uri:
        """What the paths of the rows are below; the object itself for a single file.

        It differs from the declared URI only by a trailing slash.
        """
        uri = self.declared.uri
        return uri.as_tree() if self.kind is Kind.TREE else uri

    @property
    def size(self) -> int:
        """Bytes of all objects together."""
        return sum(row.size for row in self.objects)

    def checksums(self) -> list[str]:
        """Return the token texts of all rows, in their order."""
        return [row.checksum for row in self.objects]

    def uri_of(self, row: LockedObject) -> Uri:
        """Return the full URI of a row's object."""
        return self.uri_maker()(row)

    def uris(self) -> Iterator[tuple[LockedObject, Uri]]:
        """Yield every row with the full URI of its object."""
        make = self.uri_maker()
        return ((row, make(row)) for row in self.objects)

    def uri_maker(self) -> Callable[[LockedObject], Uri]:
        """Return what ``uri_of`` is for many rows, without looking at the head for each."""
        root = self.root
        if self.kind is not Kind.TREE:
            return lambda _: root
        keys = {path: key for key, path in self.declared.rename}
        return lambda row: root.child(keys.get(row.path, row.path))

    def addresses_as(self, other: LockedArtifact) -> bool:
        """Tell whether rows of equal paths name the same object in both."""
        if self.root != other.root or self.kind is not other.kind:
            return False
        return self.kind is not Kind.TREE or self.declared.rename == other.declared.rename

    def answers(self, artifact: Artifact) -> bool:
        """Tell whether this is what ``artifact`` declares, so that it is not stale."""
        if artifact.declared != self.declared:
            return False
        if self.kind is Kind.LINK:
            return artifact.is_link or artifact.link_if_denied
        return not artifact.is_link


class Lockfile(msgspec.Struct, frozen=True, kw_only=True):
    """A whole ``artifacts.lock``.

    Attributes:
        artifacts: Sorted by name; no two equal.
        revision: The minor number of the format; a newer one is kept as it was read.
        extra: Keys at the top that this version does not know, kept as they were; sorted.
    """

    artifacts: tuple[LockedArtifact, ...] = ()
    revision: int = 0
    extra: tuple[tuple[str, object], ...] = ()

    def get(self, name: str) -> LockedArtifact | None:
        """Return the artifact of that name, or ``None``."""
        return next((a for a in self.artifacts if a.name == name), None)

    def count(self) -> int:
        """Return the number of objects."""
        return sum(len(a.objects) for a in self.artifacts)

    @property
    def size(self) -> int:
        """Bytes of all objects together."""
        return sum(a.size for a in self.artifacts)

    @property
    def trust(self) -> Trust:
        """The trust of the weakest row; ``none`` if there is no row at all."""
        found = {t for a in self.artifacts for t in count_trusts(a.checksums())}
        return max(found, key=list(Trust).index, default=Trust.NONE)


def content_digest(lock: Lockfile) -> str | None:
    """Return the digest of what the data is, wherever it lies.

    BLAKE3 over one line for each object, ``<strong digest> <size> <artifact>/<path>`` and a
    newline, sorted by artifact and then by path in byte order; the strong digest is the
    row's first token. ``docs/reference/lockfile.md`` has a shell line that gives the same.

    Returns:
        ``blake3:<hex>``, or ``None`` if a row is not strong and the data therefore has no
        digest. Links have no content and do not count.
    """
    hasher = blake3()
    for artifact in sorted(lock.artifacts, key=_name):
        lines = []
        for row in sorted(artifact.objects, key=_path):
            if row.trust is not Trust.STRONG:
                return None
            strongest = row.checksum.partition(" ")[0]
            lines.append(f"{strongest} {row.size} {artifact.name}/{row.path}\n")
        hasher.update("".join(lines).encode())
    return f"blake3:{hasher.hexdigest()}"


def pin_digest(lock: Lockfile) -> str:
    """Return the digest of what the data is and where it lies.

    BLAKE3 over one line for each object, its URI, ``<artifact>/<path>`` and the other three
    columns separated by tabs, and one line ``<artifact> TAB <uri>`` for each artifact
    without objects; artifacts by name, rows by path.
    """
    hasher = blake3()
    for artifact in sorted(lock.artifacts, key=_name):
        if not artifact.objects:
            hasher.update(f"{artifact.name}\t{artifact.declared.uri}\n".encode())
        lines = [
            f"{uri}\t{artifact.name}/{row.path}\t{row.size}\t{row.checksum}\t{row.version}\n"
            for row, uri in sorted(artifact.uris(), key=_first_path)
        ]
        hasher.update("".join(lines).encode())
    return f"blake3:{hasher.hexdigest()}"


def _name(artifact: LockedArtifact) -> str:
    return artifact.name


def _path(row: LockedObject) -> str:
    return row.path


def _first_path(pair: tuple[LockedObject, Uri]) -> str:
    return pair[0].path
