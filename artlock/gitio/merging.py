"""The settings by which git calls artlock, and the commits that it is about to merge."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from artlock.gitio.repository import failure, run_git
from artlock.gitio.trees import commits_that_have

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MERGED = re.compile(r"GITHEAD_([0-9a-f]{40,64})")
"""How `git merge` tells its drivers which commits it merges."""
_OTHER_SIDES = (
    *("MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD"),
    # A revert merges what was before a commit, as if that were the common past.
    *("REVERT_HEAD^", "REVERT_HEAD"),
)
_STASH = "refs/stash"
_SQUASHED = re.compile(rb"^commit ([0-9a-f]{40,64})$", re.MULTILINE)
"""How `git merge --squash` names what it merged, in the message that it proposes."""


def merged_commits() -> list[str]:
    """Return revisions that may be the sides of the merge that git is in the middle of."""
    found = (_MERGED.fullmatch(name) for name in os.environ)
    return ["HEAD", *sorted(match[1] for match in found if match), *_OTHER_SIDES]


def commits_of_side(root: Path, path: str, data: bytes) -> Iterator[str]:
    """Yield revisions that may be a side of the merge that git is in the middle of.

    Where git keeps no name of the other side, whatever commit had the file like that is
    one. Each is looked for when it is asked for.

    Args:
        root: A folder of the repository.
        path: Of a file, relative to ``root``, with ``/`` between segments.
        data: What that side has in it.

    Raises:
        GitError: git is absent, or cannot read its history.
    """
    yield from merged_commits()
    yield _STASH
    yield from _squashed(root)
    yield from commits_that_have(root, path, data)


def _squashed(root: Path) -> list[str]:
    """Return the newest commit of a squash that is not committed yet."""
    answer = run_git(root, ["rev-parse", "--git-path", "SQUASH_MSG"])
    if answer.returncode != 0:
        raise failure(answer, "cannot tell what is being merged")
    path = root / os.fsdecode(answer.stdout.removesuffix(b"\n"))
    try:
        found = _SQUASHED.search(path.read_bytes())
    except OSError:
        return []  # there is none, as nearly always
    return [] if found is None else [found[1].decode("ascii")]


def configure(root: Path, settings: Sequence[tuple[str, str]]) -> list[str]:
    """Write settings of one repository, and return the keys of those that were others.

    Args:
        root: A folder of the repository.
        settings: Keys and values.

    Raises:
        GitError: git is absent, this is not a repository, or it cannot be written.
    """
    changed = []
    for key, value in settings:
        if _is_set(root, key, value):
            continue
        answer = run_git(root, ["config", "--local", "--replace-all", key, value])
        if answer.returncode != 0:
            raise failure(answer, f"cannot set `{key}`")
        changed.append(key)
    return changed


def _is_set(root: Path, key: str, value: str) -> bool:
    """Tell whether a setting of a repository has this value, and no other beside it."""
    known = run_git(root, ["config", "--local", "--null", "--get-all", key])
    return known.returncode == 0 and known.stdout == f"{value}\0".encode()


def unconfigure(root: Path, settings: Sequence[tuple[str, str]]) -> list[str]:
    """Take settings out of one repository, and return the keys of those that went.

    A setting that has another value by now is somebody's own, and stays.

    Args:
        root: A folder of the repository.
        settings: Keys and values.

    Raises:
        GitError: git is absent, this is not a repository, or it cannot be written.
    """
    gone = []
    for key, value in settings:
        if not _is_set(root, key, value):
            continue
        answer = run_git(root, ["config", "--local", "--unset-all", key])
        if answer.returncode != 0:
            raise failure(answer, f"cannot take `{key}` away")
        gone.append(key)
    return gone
