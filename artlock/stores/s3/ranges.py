"""Cut the rest of a long listing into ranges of keys that can be listed at once.

Any text may stand between two ranges: a listing begins behind whatever it is told, and the
ranges leave nothing out and overlap nowhere. Folders are only good guesses at where keys
are. Pure but for the questions that a caller answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from artlock.stores.s3.pages import Entry, Page, PageError

RANGES = 16
"""Each costs a request at most: its last page is seldom full. Two for each worker, so that
one that is longer than others does not keep all waiting."""
QUESTIONS = 4
"""How many requests may go into finding folders."""


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of a sorted listing: those behind ``after``, up to ``until`` and with it.

    ``None`` stands for the beginning of the listing, and for its end.
    """

    after: str | None
    until: str | None

    def of(self, pages: Iterable[Page]) -> Iterator[Page]:
        """Yield what of a listing lies in it, and ask for no page behind that.

        Args:
            pages: A listing that was told to begin behind ``after``. Some servers begin at
                it: its versions belong to the range before, and are not yielded.

        Raises:
            PageError: The listing begins before that, or is not sorted where it is cut.
        """
        for page in pages:
            entries = page.entries
            if self.after is not None and entries and entries[0].key <= self.after:
                entries = self._begun(entries)
            if self.until is not None and entries and entries[-1].key > self.until:
                yield replace(page, entries=self._ended(entries))
                return
            yield page if entries is page.entries else replace(page, entries=entries)

    def _begun(self, entries: list[Entry]) -> list[Entry]:
        for entry in entries:
            if entry.key < (self.after or ""):
                raise _unsorted(entry.key, self.after)
        return [entry for entry in entries if entry.key != self.after]

    def _ended(self, entries: list[Entry]) -> list[Entry]:
        inside = [entry for entry in entries if entry.key <= (self.until or "")]
        # Whoever lists the next range does not see what this page has behind the cut.
        for entry, following in pairwise(entries):
            if following.key < entry.key:
                raise _unsorted(following.key, entry.key)
        return inside


def ranges(after: str | None, cuts: Iterable[str]) -> list[Range]:
    """Return the ranges behind ``after`` that are divided by ``cuts``, which are sorted."""
    bounds = [after, *cuts, None]
    return [Range(after=low, until=high) for low, high in pairwise(bounds)]


def last_key(pages: Iterable[Page]) -> str | None:
    """Return the last key of the first pages of a listing; ``None`` if it has ended."""
    last: str | None = None
    is_truncated = False
    for page in pages:
        last = page.entries[-1].key if page.entries else last
        is_truncated = page.is_truncated
    return last if is_truncated else None


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


def _unsorted(key: str, previous: str | None) -> PageError:
    return PageError(f"`{key}` comes after `{previous}`")
