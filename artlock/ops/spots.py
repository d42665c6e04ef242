"""At which line of which file a finding points, for those who show it there."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from artlock.errors import ArtlockError
from artlock.formats.lines import line_of_declaration, line_of_row
from artlock.formats.lockfile_parts import LockText, place_of_line
from artlock.gitio.repository import repository_root
from artlock.ops.names import LOCKFILE, MANIFEST, PARTS

if TYPE_CHECKING:
    from pathlib import Path

    from artlock.ops.project import Project


class Spot(msgspec.Struct, frozen=True):
    """A line of a file.

    Attributes:
        file: From the top of the repository, or of the project where there is none.
        line: From 1.
    """

    file: str
    line: int


class Spots:
    """Looks lines up in the files of one project, which it reads when it is asked."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._folder = folder_in_repository(project.root)

    def of(self, artifact: str, path: str = "") -> Spot:
        """Return where what is said of an artifact, or of one of its rows, is to be seen.

        A row stands in the lockfile or in a part of it; an artifact in the manifest, or in
        the lockfile where it is declared no more. What is said of none is said at the top
        of the lockfile.
        """
        if not path and self._project.manifest.get(artifact) is not None:
            line = line_of_declaration(self._project.manifest_text, artifact)
            return Spot(self._folder + MANIFEST, line or 1)
        text = self._lockfile
        line = line_of_row(text.data, artifact, path) if artifact else None
        part, line = place_of_line(text, line or 1)
        file = LOCKFILE if part is None else f"{PARTS}/{part.path}"
        return Spot(self._folder + file, line)

    @cached_property
    def _lockfile(self) -> LockText:
        return self._project.lock_files.text() or LockText(data=b"")


def folder_in_repository(folder: Path) -> str:
    """Return a folder as a prefix of paths from the top of its repository.

    Empty where it is in no repository, or where git cannot be asked.
    """
    try:
        root = repository_root(folder)
    except ArtlockError:
        return ""  # a place that nobody finds is better than no answer at all
    if root is None or not folder.is_relative_to(root) or folder == root:
        return ""
    return folder.relative_to(root).as_posix() + "/"
