"""What lies in a folder at a commit."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from artlock.gitio.repository import failure, run_git

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FILES = frozenset({"100644", "100755"})
"""Modes of regular files; links and other repositories are none."""
_FOUND = 4
"""Commits that are looked at for one that has a file: mostly the first has it."""


class Blob(msgspec.Struct, frozen=True):
    """A file of a commit.

    Attributes:
        name: The object name.
        size: In bytes.
    """

    name: str
    size: int


def files_below(root: Path, commit: str, folder: str) -> dict[str, Blob]:
    """Return the regular files below a folder, by their path from it; none if it is absent.

    Args:
        root: A folder of the repository.
        commit: An object name, or another word for a commit or tree that is to be trusted.
        folder: Relative to ``root``, with ``/`` between segments.

    Raises:
        GitError: git is absent, or does not know the commit.
    """
    answer = run_git(root, ["ls-tree", "-r", "-z", "-l", commit, "--", f"{folder}/"])
    if answer.returncode != 0:
        raise failure(answer, f"cannot look into `{commit}`")
    files = {}
    prefix = os.fsencode(f"{folder}/")
    for entry in answer.stdout.split(b"\0")[:-1]:
        about, _, path = entry.partition(b"\t")
        mode, _, name, size = about.decode("ascii").split()
        if mode in _FILES and path.startswith(prefix):
            files[os.fsdecode(path.removeprefix(prefix))] = Blob(name, int(size))
    return files


def commits_that_have(root: Path, path: str, data: bytes) -> list[str]:
    """Return commits at which a file may have these bytes: those that brought or took them.

    Looked for are all commits that a ref or its past states lead to, and their parents.

    Args:
        root: A folder of the repository.
        path: Relative to ``root``, with ``/`` between segments.
        data: What the file has in git.

    Raises:
        GitError: git is absent, or cannot read its history.
    """
    hashed = run_git(root, ["hash-object", "--stdin"], stdin=data)
    if hashed.returncode != 0:
        raise failure(hashed, "cannot name an object")
    name = hashed.stdout.decode("ascii").strip()
    query = ["log", "--all", "--reflog", "-m", f"--max-count={_FOUND}", "--format=%H %P"]
    answer = run_git(root, [*query, f"--find-object={name}", "--", path])
    if answer.returncode != 0:
        raise failure(answer, f"cannot search the history of `{path}`")
    return list(dict.fromkeys(answer.stdout.decode("ascii").split()))


def is_merged_by(root: Path, paths: Sequence[str], driver: str) -> bool:
    """Tell whether git is to merge all of some files with a driver, as attributes say.

    Args:
        root: The top of the work tree.
        paths: Relative to ``root``, with ``/`` between segments.
        driver: Its name.

    Raises:
        GitError: git is absent, or cannot tell.
    """
    answer = run_git(root, ["check-attr", "-z", "merge", "--", *paths], options=())
    if answer.returncode != 0:
        raise failure(answer, "cannot read the attributes")
    values = answer.stdout.split(b"\0")[2::3]
    return all(value == driver.encode() for value in values)
