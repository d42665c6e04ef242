"""What leaves artlock: what is locked, with all that another tool must know to fetch it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from artlock.model.lock import Kind
from artlock.model.manifest import Access

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artlock.model.lock import LockedObject
    from artlock.model.uri import Uri


class ExportedFile(msgspec.Struct, frozen=True, gc=False):
    """One row, where its object is, and the file that it becomes.

    Attributes:
        target: The file, relative to the project.
        uri: The object's own URI.
        row: What was locked.
    """

    target: str
    uri: Uri
    row: LockedObject


class ExportedArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact.

    Attributes:
        uri: As it was declared.
        files: Sorted by path; empty for a link.
        access: How its source is reached, as far as that is in force; without the values of
            headers, which may be secrets.
        headers: Names of the headers that its source is asked with.
    """

    name: str
    kind: Kind
    uri: Uri
    files: tuple[ExportedFile, ...] = ()
    access: Access = msgspec.field(default_factory=Access)
    headers: tuple[str, ...] = ()


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """All that is exported.

    Attributes:
        name: Of the project.
        pin: The pin digest of what is exported, as ``blake3:<hex>``.
        artifacts: Sorted by name.
    """

    name: str
    pin: str
    artifacts: tuple[ExportedArtifact, ...]

    def files(self) -> Iterator[tuple[ExportedArtifact, ExportedFile]]:
        """Yield every file with its artifact, in the order of the lockfile."""
        return ((a, file) for a in self.artifacts for file in a.files)

    @property
    def count(self) -> int:
        """The number of files."""
        return sum(len(a.files) for a in self.artifacts)

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.row.size for _, file in self.files())
