"""Lockfiles out of git: a frame of one time, with the parts of that time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import GitError
from artlock.formats.lockfile_parts import LockText, join, parse_frame
from artlock.formats.lockfile_read import MAX_BYTES
from artlock.gitio.repository import read_at, read_version
from artlock.gitio.trees import files_below
from artlock.ops.names import LOCKFILE, PARTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from artlock.formats.lockfile_parts import Part
    from artlock.gitio.trees import Blob


class PastParts:
    """The parts that lie in some commits; each commit is looked into when it is needed.

    Args:
        root: A folder of the repository.
        folder: The folder of parts, relative to ``root``.
        commits: In the order in which they are asked. Those that git does not know are
            passed over.
    """

    def __init__(self, root: Path, folder: str, commits: Iterable[str]) -> None:
        self._root = root
        self._folder = folder
        self._commits = iter(commits)
        self._known: list[dict[str, Blob]] = []

    def candidates(self, part: Part) -> Iterator[bytes]:
        """Yield what the commits have for a part, each content once.

        Raises:
            GitError: git cannot read it: a partial clone may lack it.
        """
        seen = set()
        for files in self._files():
            blob = files.get(part.path)
            if blob is not None and blob.name not in seen and blob.size <= MAX_BYTES:
                seen.add(blob.name)
                yield read_version(self._root, blob.name)

    def _files(self) -> Iterator[dict[str, Blob]]:
        yield from self._known
        for commit in self._commits:
            try:
                files = files_below(self._root, commit, self._folder)
            except GitError:
                continue  # no such commit now, like `MERGE_HEAD` without a merge
            self._known.append(files)
            yield files


def parts_beside(path: str) -> str:
    """Return the folder of parts of a lockfile, by the path of that."""
    return path.removesuffix(LOCKFILE) + PARTS


def text_of(
    root: Path, data: bytes, commits: Iterable[str], *, path: str, name: str
) -> LockText:
    """Return a lockfile as one text, by its frame.

    Args:
        root: A folder of the repository.
        data: The frame.
        commits: Which may have its parts.
        path: Of the frame, relative to ``root``.
        name: What it is, for messages.

    Raises:
        LockfileError: It is none, or no commit has a part that it lists.
        GitError: git is absent, or cannot read a part.
    """
    frame = parse_frame(data, name=name)
    if frame is None:
        return LockText(data=data)
    past = PastParts(root, parts_beside(path), commits)
    return join(frame, past.candidates, name=name)


def text_at(root: Path, revision: str, path: str) -> LockText | None:
    """Return a lockfile as it was at a revision; ``None`` if it was not there.

    Args:
        root: A folder of the repository.
        revision: Anything that names a commit.
        path: Relative to ``root``.

    Raises:
        GitError: No such revision, git is absent, or this is not a repository.
        LockfileError: A part is missing, or another than it lists.
    """
    data = read_at(root, revision, path)
    if data is None:
        return None
    # `read_at` took the revision for one commit, so it begins with no dash.
    return text_of(root, data, (revision,), path=path, name=f"{revision}:{path}")


def text_of_version(
    root: Path, version: str, commits: Iterable[str], *, path: str, name: str = LOCKFILE
) -> LockText:
    """Return a lockfile by the object name of its frame.

    Args:
        root: A folder of the repository.
        version: The object name.
        commits: Which may have its parts.
        path: Relative to ``root``.
        name: What it is, for messages.

    Raises:
        LockfileError: As ``text_of``.
        GitError: git cannot read it: a partial clone may lack it.
    """
    return text_of(root, read_version(root, version), commits, path=path, name=name)
