"""Where the hooks of a repository are, and the index that a commit is made from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from artlock.gitio.repository import failure, run_git, work_tree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def hooks_folder(start: Path) -> tuple[Path, bool]:
    """Return the folder that git takes this repository's hooks from, absolute.

    All work trees of a repository have one. It may not be there yet.

    Args:
        start: A folder of the repository.

    Returns:
        The folder, and whether it is this repository's own and for hooks alone:
        ``core.hooksPath`` may lead to one that several have, and an empty one means the top
        of the work tree.

    Raises:
        GitError: git is absent, or this is not a repository.
    """
    root = work_tree(start)
    hooks = _git_path(root, "--git-path", "hooks")
    places = (_git_path(root, "--git-common-dir"), root.resolve())
    is_below = any(hooks.is_relative_to(place) for place in places)
    return hooks, is_below and hooks not in places


def is_rebasing(start: Path) -> bool:
    """Tell whether a rebase is under way in this work tree.

    Raises:
        GitError: git is absent, or this is not a repository.
    """
    root = work_tree(start)
    states = ("rebase-merge", "rebase-apply")
    return any(_git_path(root, "--git-path", state).is_dir() for state in states)


def staged_changes(start: Path) -> tuple[str, ...]:
    """Return the paths, from the top, that the next commit adds, changes or deletes.

    Raises:
        GitError: git is absent, or this is not a repository.
    """
    root = work_tree(start)
    # Against nothing where there is no commit yet.
    query = ["diff", "--cached", "--name-only", "--no-renames", "-z"]
    answer = run_git(root, query, index=_index_of_hook())
    if answer.returncode != 0:
        raise failure(answer, "cannot tell what is staged")
    return _names(answer.stdout)


def changed_between(start: Path, old: str, new: str) -> tuple[str, ...]:
    """Return the paths, from the top, in which two commits differ.

    Raises:
        GitError: git is absent, or knows one of them not.
    """
    root = work_tree(start)
    query = ["diff-tree", "-r", "--name-only", "--no-renames", "-z"]
    answer = run_git(root, [*query, "--end-of-options", old, new])
    if answer.returncode != 0:
        raise failure(answer, f"cannot compare `{old}` and `{new}`")
    return _names(answer.stdout)


def export_staged(start: Path, paths: Sequence[str], target: Path) -> tuple[str, ...]:
    """Write what is staged of some files and folders below ``target``.

    Args:
        start: A folder of the repository.
        paths: From the top; those that are not staged are passed over.
        target: An existing folder; files lie in it as below the top.

    Returns:
        The files that were written, from the top.

    Raises:
        GitError: git is absent, this is not a repository, or it cannot be written.
    """
    root = work_tree(start)
    index = _index_of_hook()
    listed = run_git(root, ["ls-files", "--cached", "-z", "--", *paths], index=index)
    if listed.returncode != 0:
        raise failure(listed, "cannot tell what is staged")
    command = ["checkout-index", "-z", "--stdin", f"--prefix={target}{os.sep}"]
    answer = run_git(root, command, stdin=listed.stdout, index=index)
    if answer.returncode != 0:
        raise failure(answer, "cannot read what is staged")
    return _names(listed.stdout)


def _git_path(root: Path, *query: str) -> Path:
    """Ask git for one path: several answers would be told apart by line breaks."""
    answer = run_git(root, ["rev-parse", *query])
    if answer.returncode != 0:
        raise failure(answer, "cannot tell where the files of the repository are")
    return (root / os.fsdecode(answer.stdout.removesuffix(b"\n"))).resolve()


def _index_of_hook() -> str | None:
    """Return the index that git tells a hook of: `git commit FILE` has one of its own.

    A relative one is from the top of the work tree, in which git runs its hooks.
    """
    return os.environ.get("GIT_INDEX_FILE")


def _names(listing: bytes) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(os.fsdecode, listing.split(b"\0")))))
