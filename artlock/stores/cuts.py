"""Where to cut the rest of a long listing into ranges of keys that can be listed at once.

Any text may stand between two ranges. Folders are only good guesses at where keys are. Pure
but for the questions that a caller answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

RANGES = 16
"""Each costs a request at most: its last page is seldom full. Two for each worker, so that
one that is longer than others does not keep all waiting."""
QUESTIONS = 4
"""How many requests may go into finding folders."""


def find_cuts(
    folders_below: Callable[[str], Iterable[str]], prefix: str, behind: str
) -> list[str]:
    """Return where to cut the keys below ``prefix`` and behind the key ``behind``.

    Folders are looked at level by level until there are enough of them.

    Args:
        folders_below: Tells folders below a folder that have keys behind ``behind``, with
            their whole names; not necessarily all. Asked ``QUESTIONS`` times at most.
        prefix: Of the whole listing.
        behind: The last key that is listed already.

    Returns:
        Fewer than ``RANGES``, sorted, all behind ``behind``; none if no folder was found.
    """
    found: set[str] = set()
    level = [prefix]
    asked = 0
    while level and asked + len(level) <= QUESTIONS and len(found) < RANGES:
        asked += len(level)
        below = {name for folder in level for name in folders_below(folder)}
        # The folder that the listing stands in has keys on both sides; S3 may leave it out.
        below.update(filter(None, (_child_above(behind, folder) for folder in level)))
        level = sorted(name for name in below if name > behind or behind.startswith(name))
        found.update(name for name in level if name > behind)
    folders = sorted(found)
    if len(folders) < RANGES:
        return folders
    return [folders[number * len(folders) // RANGES] for number in range(1, RANGES)]


def _child_above(key: str, folder: str) -> str | None:
    """Return the folder right below ``folder`` that has ``key`` in it, if there is one."""
    if not key.startswith(folder):
        return None
    name, slash, _ = key.removeprefix(folder).partition("/")
    return f"{folder}{name}/" if slash else None
