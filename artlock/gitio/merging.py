"""git's own merge of text, and the settings by which git calls artlock's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.gitio.repository import failure, run_git

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TOO_MANY = 127
"""git tells the number of conflicts by its exit code, and no more than this."""


def merge_text(
    base: Path, ours: Path, theirs: Path, *, size: int, labels: tuple[str, str]
) -> tuple[bytes, bool]:
    """Merge three files by their lines, as git does without a merge driver.

    Args:
        base: What both sides began as.
        ours: One side.
        theirs: The other.
        size: Of conflict markers.
        labels: Names of the two sides.

    Returns:
        The text, and whether it has no conflict.

    Raises:
        GitError: git is absent, or cannot merge them.
    """
    mine, other = labels
    options = ["--stdout", "--quiet", f"--marker-size={size}"]
    names = [word for label in (mine, "base", other) for word in ("-L", label)]
    files = [str(path.absolute()) for path in (ours, base, theirs)]
    answer = run_git(ours.absolute().parent, ["merge-file", *options, *names, *files])
    if not 0 <= answer.returncode <= _TOO_MANY:
        raise failure(answer, "cannot merge the text")
    return answer.stdout, answer.returncode == 0


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
