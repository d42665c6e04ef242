"""The user's own settings, as values. They need no trust: nobody else wrote them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from artlock.model.manifest import Access

if TYPE_CHECKING:
    from artlock.model.uri import Uri


class LinkMode(StrEnum):
    """How bytes get from the cache into the workspace.

    ``auto`` is a reflink where the file system has them, else a copy.
    """

    AUTO = "auto"
    REFLINK = "reflink"
    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One ``[sources."<URI prefix>"]`` table: how the user reaches what is below a URI.

    Attributes:
        prefix: In canonical spelling; covers URIs at a segment's boundary.
        access: What the table says; the rest as by default.
        given: Names of the access settings that the table has, as they are written; only
            these win over what a repository says.
        cross_check: Whether version listings of a store that is not AWS are compared with a
            plain listing.
    """

    prefix: str
    access: Access = msgspec.field(default_factory=Access)
    given: tuple[str, ...] = ()
    cross_check: bool = True


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A whole ``config.toml``; the default is what holds without one.

    Attributes:
        cache_dir: An absolute path; ``None`` means the place that the operating system
            has for caches.
        jobs: How many objects are moved at once; ``None`` lets artlock choose.
        sources: Sorted by prefix; no two equal.
        allow_private_hosts: Hosts that HTTP sources may reach although their addresses are
            private or loopback; lower case, without port; sorted.
        trackers: ``(name, URL)`` in the order of the file.
    """

    cache_dir: str | None = None
    jobs: int | None = None
    link_mode: LinkMode = LinkMode.AUTO
    sources: tuple[Source, ...] = ()
    allow_private_hosts: tuple[str, ...] = ()
    trackers: tuple[tuple[str, str], ...] = ()

    def source_for(self, uri: Uri) -> Source | None:
        """Return the table of the longest prefix that covers ``uri``, or ``None``."""
        covering = [source for source in self.sources if uri.is_allowed_by(source.prefix)]
        return max(covering, key=lambda source: len(source.prefix), default=None)

    def access_for(self, uri: Uri) -> Access:
        """Return how the user reaches ``uri``; the default if no table covers it."""
        source = self.source_for(uri)
        return source.access if source else Access()

    def cross_checks(self, uri: Uri) -> bool:
        """Tell whether version listings at ``uri`` are compared with plain ones."""
        source = self.source_for(uri)
        return source is None or source.cross_check

    def may_connect(self, host: str) -> bool:
        """Tell whether ``host`` may be reached at a private or loopback address.

        Args:
            host: Lower case, without port; an IPv6 address without brackets.
        """
        return host in self.allow_private_hosts
