"""The settings by which git calls artlock, and the commits that it is about to merge."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from artlock.gitio.repository import failure, run_git

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MERGED = re.compile(r"GITHEAD_([0-9a-f]{40,64})")
"""How `git merge` tells its drivers which commits it merges."""
_OTHER_SIDES = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD")


def merged_commits() -> list[str]:
    """Return revisions that may be the sides of the merge that git is in the middle of."""
    found = (_MERGED.fullmatch(name) for name in os.environ)
    return ["HEAD", *sorted(match[1] for match in found if match), *_OTHER_SIDES]


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
        known = run_git(root, ["config", "--local", "--null", "--get-all", key])
        if known.returncode == 0 and known.stdout == f"{value}\0".encode():
            continue
        answer = run_git(root, ["config", "--local", "--replace-all", key, value])
        if answer.returncode != 0:
            raise failure(answer, f"cannot set `{key}`")
        changed.append(key)
    return changed


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
        known = run_git(root, ["config", "--local", "--null", "--get-all", key])
        if known.returncode != 0 or known.stdout != f"{value}\0".encode():
            continue
        answer = run_git(root, ["config", "--local", "--unset-all", key])
        if answer.returncode != 0:
            raise failure(answer, f"cannot take `{key}` away")
        gone.append(key)
    return gone
