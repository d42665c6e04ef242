"""Find every live object below a prefix, with as few requests as S3 allows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from artlock.errors import AccessDeniedError, ObjectNotFoundError, StoreError
from artlock.model.objects import ObjectInfo, VersionId
from artlock.model.tokens import Tokens
from artlock.model.uri import Uri
from artlock.stores.base import missing_bucket
from artlock.stores.s3.failures import (
    Action,
    ForbiddenError,
    status_of,
    translated,
)
from artlock.stores.s3.listing import (
    HISTORY_PAGES,
    Marker,
    Rules,
    follow,
    is_mostly_history,
    live_entries,
    problem_with_keys,
)
from artlock.stores.s3.pages import Entry, Page, PageError
from artlock.stores.s3.session import PAGE
from artlock.stores.transfer import PORTAL_HINT

if TYPE_CHECKING:
    from artlock.stores.base import Notice
    from artlock.stores.s3.session import Connection

ARCHIVED_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Must be restored before a read; GLACIER_IR need not."""
NULL_VERSION = "null"
"""S3's name for the state that is overwritten in place (hazard 1.13)."""
_HEADS_AT_ONCE = 16
_NOT_FOUND = 404


def is_directory_bucket(uri: Uri) -> bool:
    """Tell whether this is S3 Express: no versions, no order, sessions (hazard 1.19)."""
    return (uri.authority or "").endswith("--x-s3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One question: what is live below ``prefix``.

    Attributes:
        head: Describes one object; for listings that give no versions.
        page_size: Entries a page; ``None`` leaves it to the server.
    """

    connection: Connection
    prefix: Uri
    as_of: datetime | None
    notice: Notice
    cross_check: bool
    head: Callable[[Uri], ObjectInfo]
    page_size: int | None

    def run(self) -> Iterator[ObjectInfo]:
        """Yield what ``Store.scan`` promises."""
        with self._believed():
            yield from self._choose()

    def _choose(self) -> Iterator[ObjectInfo]:
        if is_directory_bucket(self.prefix):
            yield from self._without_versions(is_sorted=False)
            return
        status = self._versioning()
        if status == "":
            yield from self._without_versions(is_sorted=self.connection.is_aws)
            return
        try:
            yield from self._with_versions()
        except _VersionsRefusedError as refused:
            if self.as_of is not None:
                raise refused.error from None
            self.notice(
                f"versions of `{self.prefix}` may not be listed, so each object is asked "
                "for its own: that is one request for each. Ask for the permission "
                "`s3:ListBucketVersions`"
            )
            yield from self._by_heads()

    def _versioning(self) -> str | None:
        """Return ``Enabled``, ``Suspended``, ``""`` for never, ``None`` for unknown."""
        bucket = self.prefix.authority or ""
        with translated(self.prefix, Action.LIST):
            try:
                answer = self.connection.client.get_bucket_versioning(Bucket=bucket)
            except ClientError as error:
                status = status_of(error)
                if status == _NOT_FOUND:
                    raise missing_bucket(self.prefix) from error
                if status in {401, 403, 405, 501}:
                    return None  # it takes a permission of its own; the listing will tell
                raise
        return answer.get("Status", "")

    # -- the three ways ----------------------------------------------------------------

    def _without_versions(self, *, is_sorted: bool) -> Iterator[ObjectInfo]:
        if self.as_of is not None:
            message = f"`{self.prefix}` keeps no versions, so `as-of` cannot be answered"
            hint = "take `as-of` away, or turn on versioning for the time to come"
            raise StoreError(message, uri=str(self.prefix), hint=hint)
        rules = Rules(prefix=self.prefix.key, is_sorted=is_sorted)
        for entry in live_entries(self._plain_pages(), rules):
            yield self._info(entry)

    def _with_versions(self) -> Iterator[ObjectInfo]:
        pages = self._version_pages()
        first: list[Page] = []
        for page in pages:
            first.append(page)
            if len(first) == HISTORY_PAGES:
                break
        if (
            len(first) == HISTORY_PAGES
            and first[-1].is_truncated
            and self.as_of is None
            and is_mostly_history(first)
        ):
            self.notice(
                f"most versions below `{self.prefix}` are old ones, so each live object is "
                "asked for its own: that is one request for each"
            )
            yield from self._by_heads()
            return
        rules = Rules(
            prefix=self.prefix.key, is_sorted=self.connection.is_aws, as_of=self.as_of
        )
        if self.connection.is_aws or not self.cross_check:
            for entry in live_entries(chain(first, pages), rules):
                yield self._info(entry)
            return
        keys: set[str] = set()
        with self._plain_keys() as plain:
            for entry in live_entries(chain(first, pages), rules, seen=keys):
                yield self._info(entry)
            problem = problem_with_keys(keys, plain.result())
        if problem is not None:
            reason = f"two listings of it differ: {problem}"
            raise PageError(reason)

    def _by_heads(self) -> Iterator[ObjectInfo]:
        is_sorted = self.connection.is_aws
        rules = Rules(prefix=self.prefix.key, is_sorted=is_sorted)
        refused = threading.Event()

        def describe(entry: Entry) -> ObjectInfo | None:
            listed = self._info(entry)
            if refused.is_set():
                return listed
            try:
                return self.head(listed.uri)
            except AccessDeniedError:
                refused.set()
                return listed
            except ObjectNotFoundError:
                return None  # deleted since it was listed

        with ThreadPoolExecutor(_HEADS_AT_ONCE) as threads:
            for page in self._plain_pages_checked(rules):
                for info in threads.map(describe, page):
                    if info is not None:
                        yield info
        if refused.is_set():
            self.notice(
                f"objects below `{self.prefix}` may not be described, so their rows have "
                "no versions. Ask for the permission `s3:GetObject`"
            )

    def _plain_pages_checked(self, rules: Rules) -> Iterator[list[Entry]]:
        """Yield live entries in handfuls, so that heads run at once but not all at once."""
        handful: list[Entry] = []
        for entry in live_entries(self._plain_pages(), rules):
            handful.append(entry)
            if len(handful) == _HEADS_AT_ONCE * 8:
                yield handful
                handful = []
        yield handful

    # -- requests ----------------------------------------------------------------------

    def _plain_pages(self) -> Iterator[Page]:
        client = self.connection.client
        return follow(lambda marker: self._ask(client.list_objects_v2, Action.LIST, marker))

    def _version_pages(self) -> Iterator[Page]:
        client = self.connection.client

        def ask(marker: Marker) -> Page:
            try:
                return self._ask(client.list_object_versions, Action.LIST_VERSIONS, marker)
            except ForbiddenError as error:
                if marker:
                    raise
                raise _VersionsRefusedError(error) from error

        return follow(ask)

    def _ask(self, call: Callable[..., Any], action: Action, marker: Marker) -> Page:
        parameters: dict[str, Any] = {
            "Bucket": self.prefix.authority,
            "Prefix": self.prefix.key,
            "EncodingType": "url",
            **self.connection.extra,
            **dict(marker),
        }
        if self.page_size is not None:
            parameters["MaxKeys"] = self.page_size
        with translated(self.prefix, action):
            answer = call(**parameters)
        page = answer.get(PAGE)
        if isinstance(page, Page):
            return page
        if isinstance(page, PageError):
            raise page
        message = f"the answer for `{self.prefix}` is not that of a store"
        raise StoreError(message, uri=str(self.prefix), hint=PORTAL_HINT)

    @contextmanager
    def _plain_keys(self) -> Iterator[Future[set[str]]]:
        """List plainly at the same time, in another thread."""
        stop = threading.Event()
        rules = Rules(prefix=self.prefix.key, is_sorted=False)

        def pages() -> Iterator[Page]:
            for page in self._plain_pages():
                yield page
                if stop.is_set():
                    return

        def keys() -> set[str]:
            return {entry.key for entry in live_entries(pages(), rules)}

        with ThreadPoolExecutor(1) as thread:
            try:
                yield thread.submit(keys)
            finally:
                stop.set()

    # -- values ------------------------------------------------------------------------

    def _info(self, entry: Entry) -> ObjectInfo:
        version = entry.version
        return ObjectInfo(
            uri=Uri("s3", self.prefix.authority, entry.key),
            size=entry.size,
            version=None if version in {"", NULL_VERSION} else VersionId(version),
            tokens=Tokens(etag=entry.etag or None),
            modified=(
                None if self.as_of is None else datetime.fromisoformat(entry.modified)
            ),
            archived=(
                entry.storage_class if entry.storage_class in ARCHIVED_CLASSES else None
            ),
        )

    @contextmanager
    def _believed(self) -> Iterator[None]:
        try:
            yield
        except PageError as error:
            message = f"the listing of `{self.prefix}` is not to be believed: {error}"
            hint = "if somebody writes there now, run it again when they have finished"
            raise StoreError(message, uri=str(self.prefix), hint=hint) from error


class _VersionsRefusedError(Exception):
    """Versions may not be listed, and nothing was yielded yet."""

    def __init__(self, error: ForbiddenError) -> None:
        super().__init__(str(error))
        self.error = error
