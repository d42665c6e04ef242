"""Find every live object below a prefix; where a tree is wide, several pages at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import msgspec

from artlock.engine.streams import merged, watched
from artlock.engine.threads import Stop
from artlock.model.uri import Uri
from artlock.stores.cuts import find_cuts
from artlock.stores.gcs.failures import Action, ForbiddenError, translated
from artlock.stores.gcs.listing import (
    FIELDS,
    Item,
    described,
    folders_of,
    last_name,
    live_items,
    name_of,
    within,
)

if TYPE_CHECKING:
    from artlock.model.objects import ObjectInfo

_SERIAL_PAGES = 8
"""What is longer is listed in ranges at once; what is not would gain little."""
_LISTINGS_AT_ONCE = 8

Raw = Mapping[str, Any]
"""A page as the service sent it."""


class Range(msgspec.Struct, frozen=True):
    """Names from ``start`` on, and below ``end``; ``None`` is the end of the listing.

    JSON API, Objects: list, ``startOffset`` and ``endOffset``. All generations of a name
    lie in one range.
    """

    start: str
    end: str | None


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """One question: what is live below ``prefix``.

    Attributes:
        prefix: Of the listing.
        as_of: The moment (UTC) that is asked about; ``None`` is now.
        begin: Starts a listing, as ``Client.list_blobs`` of a bucket does.
        is_google: Whether names come sorted for certain, so that ranges of them are what
            the whole listing is. Other servers are listed page by page.
    """

    prefix: Uri
    as_of: datetime | None
    begin: Callable[..., Any]
    is_google: bool

    def run(self) -> Iterator[ObjectInfo]:
        """Yield what ``Store.scan`` promises."""
        for item in self._items():
            yield described(item, self.prefix)

    def _items(self) -> Iterator[Item]:
        pages = self._pages(self.prefix.key, fields=FIELDS)
        first = list(islice(pages, _SERIAL_PAGES)) if self.is_google else []
        behind = last_name(first[-1], self.prefix) if first else None
        cuts = [] if behind is None else self._cuts(behind)
        if behind is None or not cuts:
            yield from self._live(chain(first, pages))
            return
        # The last name may have generations on the next page, so it begins the next range.
        for item in self._live(first):
            if name_of(item) < behind:
                yield item
        stop = Stop()
        ends = [*cuts, None]
        ranges = [
            Range(start, end) for start, end in zip([behind, *cuts], ends, strict=True)
        ]
        sources = [self._in_range(each, stop) for each in ranges]
        yield from merged(sources, workers=_LISTINGS_AT_ONCE, stop=stop)

    def _live(self, pages: Iterable[Raw]) -> Iterator[Item]:
        return live_items(pages, self.prefix, as_of=self.as_of)

    def _in_range(self, each: Range, stop: Stop) -> Iterator[Item]:
        """Yield the live items of a range; nothing is asked before the first is wanted."""
        pages = self._pages(
            self.prefix.key, fields=FIELDS, start_offset=each.start, end_offset=each.end
        )
        for item in self._live(watched(pages, stop)):
            yield within(item, each.start, each.end, self.prefix)

    def _cuts(self, behind: str) -> list[str]:
        """Return where to divide the listing behind a name."""

        def folders_below(folder: str) -> list[str]:
            asked = {"delimiter": "/", "start_offset": behind}
            fields = "kind,prefixes,nextPageToken"
            page = next(self._pages(folder, fields=fields, **asked), {})
            return folders_of(page, self.prefix)

        try:
            return find_cuts(folders_below, self.prefix.key, behind)
        except ForbiddenError:
            return []  # a condition of a policy may forbid it, and allow the listing itself

    def _pages(self, prefix: str, **asked: str | None) -> Iterator[Raw]:
        with translated(self.prefix, Action.LIST):
            pages = self.begin(
                prefix=prefix or None,
                # As text: the library's own spelling of True is not understood by all.
                versions=None if self.as_of is None else "true",
                **asked,
            ).pages
        while True:
            with translated(self.prefix, Action.LIST):
                page = next(pages, None)
            if page is None:
                return
            yield page.raw_page
