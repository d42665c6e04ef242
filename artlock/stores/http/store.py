"""Single files on the web: described by their headers, read as they are stored.

A URL has no version and no checksum, so trust comes from its bytes, which ``resolve`` reads
once; an etag then tells change. What this module decides about answers:

* Bytes are never inflated. ``identity`` is asked for; if a server encodes nevertheless, the
  encoding is reported and the bytes are kept as they came (hazard 1.46).
* A weak or malformed etag keeps its ``W/``: it is compared and never sent as a condition
  (hazard 1.44). ``Last-Modified`` has seconds and is only reported.
* A body without length and without chunks may have been cut anywhere; it is read only where
  its size is known from before (hazard 1.47).
* Digests that a server claims (RFC 9530) are not read: our own come from the bytes.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from artlock.errors import StoreError, StoreUnavailableError
from artlock.stores.http.address import Resolver, resolve
from artlock.stores.http.answers import (
    OK,
    PARTIAL,
    UNSATISFIABLE,
    Cut,
    another,
    bounds_of,
    described,
    expect_ok,
    is_chunked,
    is_page,
    is_sendable,
    judged,
    length_of,
)
from artlock.stores.http.session import (
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    Response,
    Session,
    translated,
)
from artlock.stores.transfer import short_body

if TYPE_CHECKING:
    from collections.abc import Iterable

    from artlock.model.objects import ObjectInfo, VersionId
    from artlock.model.uri import Uri
    from artlock.model.verification import Buffer
    from artlock.stores.base import Pin, Span, StoreContext

ATTEMPTS = 5
"""How often a description is asked for in all; reads are repeated by ``Retrying``."""
_LONGEST_DELAY_S = 8.0
_LONGEST_WAIT_S = 60.0
"""Who asks to wait longer before a description is not waited for."""
_LONGEST_SILENCE_S = 5.0
"""How long what has come is held back until it is a large piece, so that a pace is seen."""
_CHUNK_SIZE = 1 << 20
_REFUSES_HEAD = frozenset({400, 403, 405, 501})


class HttpStore:
    """Reads URLs; safe to use from several threads.

    Args:
        declared: The source; headers of ``context.access`` go to its origin only.
        context: Access, permissions, and how many connections are kept.
        resolver: Gives the addresses of a host.
        connect_timeout_s: For each address of a host.
        read_timeout_s: How long a connection may be silent.
        attempts: How often a description is asked for in all.
    """

    def __init__(
        self,
        declared: Uri,
        context: StoreContext,
        *,
        resolver: Resolver = resolve,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._declared = declared
        self._attempts = attempts
        self._notice = context.notice
        self._session = Session(
            declared,
            context,
            resolver=resolver,
            connect_timeout_s=connect_timeout_s,
            read_timeout_s=read_timeout_s,
        )

    @property
    def identity(self) -> str:
        """The origin: ``https://host``."""
        return f"{self._declared.scheme}://{self._declared.authority}"

    def reconnect(self) -> None:
        """Use other connections; see ``Reconnects``."""
        self._session.reconnect()

    def close(self) -> None:
        """Give back connections."""
        self._session.close()

    def scan(self, prefix: Uri, *, as_of: datetime | None = None) -> Iterator[ObjectInfo]:
        """Refuse: the web has no listings.

        Raises:
            StoreError: Always.
        """
        del as_of
        message = f"`{prefix}` cannot be listed: the web has no listings"
        hint = "name one file, without a `/` at the end"
        raise StoreError(message, uri=str(prefix), hint=hint)

    def head(self, uri: Uri, version: VersionId | None = None) -> ObjectInfo:
        """Describe one file, as ``Store.head`` promises.

        Asks for its first byte where a HEAD is refused or tells no length, because servers
        take more care of GET.

        Raises:
            ObjectNotFoundError: 404 or 410.
            AccessDeniedError: 401 or 403.
            PolicyError: Its host, or one that it redirects to, is not allowed.
            StoreUnavailableError: No answer; try again.
            StoreError: It tells no length in any way, or answers something else.
        """
        _refuse_version(uri, version)
        return self._patiently(lambda: self._head(uri))

    def _patiently(self, describe: Callable[[], ObjectInfo]) -> ObjectInfo:
        delay = 0.5
        for _ in range(self._attempts - 1):
            try:
                return describe()
            except StoreUnavailableError as error:
                if error.wait_s > _LONGEST_WAIT_S:
                    raise
                # Full jitter, as `Retrying` has it for reads.
                chance = random.uniform(0.0, delay)  # noqa: S311 - no secret
                time.sleep(max(chance, error.wait_s))
                delay = min(delay * 2, _LONGEST_DELAY_S)
        return describe()

    def _head(self, uri: Uri) -> ObjectInfo:
        with translated(uri):
            response = self._session.open("HEAD", uri, {})
            response.close()
            length = length_of(response)
            # Some programs answer every HEAD with a length of 0.
            if response.status in _REFUSES_HEAD or (response.status == OK and not length):
                return self._head_by_get(uri)
            expect_ok(response, uri)
            return self._described(uri, response, length)

    def _head_by_get(self, uri: Uri) -> ObjectInfo:
        response = self._session.open("GET", uri, {"Range": "bytes=0-0"})
        response.close()
        if response.status == UNSATISFIABLE:  # an empty file has no first byte
            response = self._session.open("GET", uri, {})
            response.close()
        if response.status == PARTIAL:
            return self._described(uri, response, bounds_of(response, uri).total)
        expect_ok(response, uri)
        length = length_of(response)
        if length is None and not is_chunked(response):
            message = f"`{uri}` has no length, so that a cut could not be told from its end"
            hint = "keep a copy in a bucket, or declare it with `link = true`"
            raise StoreError(message, uri=str(uri), hint=hint)
        return self._described(uri, response, length)

    def _described(self, uri: Uri, response: Response, size: int | None) -> ObjectInfo:
        if is_page(response, uri):
            # Whoever locks this may be locking a login page (hazard 4.11).
            self._notice(
                f"`{uri}` is answered with a web page: a portal or a login may stand in "
                "its place"
            )
        return described(uri, response, size)

    def read(self, pin: Pin, span: Span | None = None) -> Iterator[Buffer]:
        """Yield the bytes of a file, as ``Store.read`` promises.

        A strong etag is sent as a condition, and the etag of the answer is compared in any
        case, because servers may ignore conditions. Where a server ignores a range, the
        bytes before it are read and dropped (hazard 1.45).

        Raises:
            ObjectNotFoundError: 404 or 410.
            ObjectChangedError: Its etag or size is another.
            AccessDeniedError: 401 or 403.
            PolicyError: Its host, or one that it redirects to, is not allowed.
            StoreUnavailableError: Cut, reset, throttled or timed out; try again.
            StoreError: The answer is not what was asked for.
        """
        _refuse_version(pin.uri, pin.version)
        headers = {}
        if pin.etag is not None and is_sendable(pin.etag):
            headers["If-Match"] = f'"{pin.etag}"'
        if span is not None:
            headers["Range"] = f"bytes={span.start}-{span.start + span.length - 1}"
            if "If-Match" in headers:
                headers["If-Range"] = headers["If-Match"]
        with translated(pin.uri):
            response = self._session.open("GET", pin.uri, headers)
            try:
                cut = judged(response, pin, span)
                # Chunks of the wire may be small; large pieces are hashed outside the GIL.
                yield from _regrouped(_body(response, pin, cut))
            finally:
                response.close()


def _body(response: Response, pin: Pin, cut: Cut) -> Iterator[memoryview]:
    skip, received = cut.skip, 0
    # As it comes: a call that waits for a large piece would hide how slowly it comes.
    while chunk := response.read1(_CHUNK_SIZE, decode_content=False):
        view = memoryview(chunk)[skip:]
        skip = max(skip - len(chunk), 0)
        surplus = 0 if cut.length is None else received + view.nbytes - cut.length
        if surplus > 0:
            if not cut.is_part:
                raise another(response, pin.uri, f"more than {cut.length} bytes come")
            view = view[: view.nbytes - surplus]
        received += view.nbytes
        if view.nbytes:
            yield view
        if cut.is_part and received == cut.length:
            return
    if cut.length is not None and received < cut.length:
        if is_chunked(response) and not cut.is_part:
            # The last chunk came, so nothing was cut.
            difference = f"it has {received} bytes instead of {cut.length}"
            raise another(response, pin.uri, difference)
        raise short_body(pin.uri, received=received, length=cut.length)


def _regrouped(pieces: Iterable[memoryview]) -> Iterator[memoryview]:
    """Yield the same bytes in pieces of at least ``_CHUNK_SIZE``, unless they are slow."""
    waiting: list[memoryview] = []
    size = 0
    since = time.monotonic()
    for piece in pieces:
        waiting.append(piece)
        size += piece.nbytes
        if size >= _CHUNK_SIZE or time.monotonic() - since > _LONGEST_SILENCE_S:
            yield waiting[0] if len(waiting) == 1 else memoryview(b"".join(waiting))
            waiting, size = [], 0
            since = time.monotonic()
    if waiting:
        yield memoryview(b"".join(waiting))


def _refuse_version(uri: Uri, version: VersionId | None) -> None:
    if version is not None:
        message = f"the web keeps no versions, so the past of `{uri}` cannot be read"
        raise StoreError(message, uri=str(uri), hint="leave out `version`")
