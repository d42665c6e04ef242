"""Ranges of a long listing of S3 that are listed at once; see ``stores.cuts``.

A listing begins behind whatever key it is told, so the ranges leave nothing out and overlap
nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from artlock.stores.s3.pages import Entry, Page, PageError


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


def _unsorted(key: str, previous: str | None) -> PageError:
    return PageError(f"`{key}` comes after `{previous}`")
