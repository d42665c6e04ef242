"""Serve resources over HTTP, right by RFC 9110 or wrong as a test asks."""

import base64
import tempfile
import threading
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from awscrt.checksums import crc64nvme

from testbed.conditions import lists, span
from testbed.delivery import Body, Reply, deliver
from testbed.faults import Fault, FaultList
from testbed.ports import LOOPBACK
from testbed.tls import loopback_context
from testbed.wire import Exchange, Listener, RecordingServer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resource:
    status: int
    body: Body
    headers: tuple[tuple[str, str], ...]
    etag: str | None
    accept_ranges: bool
    faults: FaultList


class HttpServer(RecordingServer):
    """A threaded HTTP/1.1 server on loopback whose resources a test programs.

    GET and HEAD obey Range (one range, of bytes), If-Match, If-None-Match and If-Range;
    other methods are answered 405, and unknown paths 404. Every request is recorded
    with its headers, so that a test sees which credentials left.
    """

    def __init__(
        self, *, tls: bool = False, is_expired: bool = False, is_old: bool = False
    ) -> None:
        """Describe a server; it answers within its ``with`` block.

        Args:
            tls: Whether to speak https, with a certificate of its own; see ``ca_file``.
            is_expired: Whether that certificate has ended.
            is_old: Whether it speaks nothing newer than TLS 1.1.

        """
        self._mutex = threading.Lock()
        self._resources: dict[str, _Resource] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="artlock-http-") if tls else None
        self._scheme = "https" if tls else "http"
        self.ca_file: Path | None = None
        context = None
        if self._folder is not None:
            context, self.ca_file = loopback_context(
                Path(self._folder.name), is_expired=is_expired, is_old=is_old
            )
        super().__init__(Listener(self._answer, context=context))

    @property
    def endpoint(self) -> str:
        """The base of its URLs, without a slash at the end."""
        return f"{self._scheme}://{LOOPBACK}:{self._listener.port}"

    def url(self, path: str) -> str:
        """Return the URL of a path, which begins with a slash."""
        return self.endpoint + path

    def put(
        self,
        path: str,
        body: Body,
        *,
        etag: str | None = None,
        headers: Mapping[str, str] | None = None,
        accept_ranges: bool = True,
        faults: Iterable[Fault] = (),
    ) -> None:
        """Make a resource, or replace it.

        Args:
            path: As on the wire: with its percent signs, without a query.
            body: The bytes; a view is served as it is, so that large ones may share memory.
            etag: With its quotes, strong ``"x"`` or weak ``W/"x"``; None sends none.
            headers: Further headers of every answer.
            accept_ranges: Whether Range is obeyed, and Accept-Ranges sent.
            faults: For each request the first that matches and is not used up acts.

        """
        self._resources_put(
            path,
            _Resource(
                status=200,
                body=body,
                headers=tuple((headers or {}).items()),
                etag=etag,
                accept_ranges=accept_ranges,
                faults=FaultList(faults),
            ),
        )

    def redirect(self, path: str, location: str, *, status: int = 302) -> None:
        """Answer ``path`` with a redirection to ``location``, which is sent as it is."""
        self._resources_put(
            path,
            _Resource(
                status=status,
                body=b"",
                headers=(("Location", location),),
                etag=None,
                accept_ranges=False,
                faults=FaultList(),
            ),
        )

    def remove(self, path: str) -> None:
        """Answer ``path`` with 404 from now on."""
        with self._mutex:
            del self._resources[path]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            super().__exit__(kind, error, traceback)
        finally:
            if self._folder is not None:
                self._folder.cleanup()

    def _resources_put(self, path: str, resource: _Resource) -> None:
        with self._mutex:
            self._resources[path] = resource

    def _answer(self, exchange: Exchange) -> None:
        for _ in exchange.request_body():
            pass
        method, path = exchange.command, exchange.path_on_wire
        resource = self._resource(path)
        if resource is None:
            deliver(exchange, Reply(status=404, length=0))
            return
        if method not in {"GET", "HEAD"}:
            allow = (("Allow", "GET, HEAD"),)
            deliver(exchange, Reply(status=405, headers=allow, length=0))
            return
        actions, fault = resource.faults.claim(method, path, exchange.query)
        for action in actions:
            action()
            resource = self._resource(path) or resource  # it may have been replaced
        ignore_range = fault is not None and fault.kind == "ignore_range"
        deliver(exchange, _reply(exchange, resource, ignore_range=ignore_range), fault)

    def _resource(self, path: str) -> _Resource | None:
        with self._mutex:
            return self._resources.get(path)


def checksum_header(
    body: bytes, algorithm: Literal["crc32", "crc64nvme"]
) -> dict[str, str]:
    """Return the header in which S3 states the checksum of a whole body."""
    if algorithm == "crc32":
        value = zlib.crc32(body).to_bytes(4, "big")
    else:
        value = crc64nvme(body).to_bytes(8, "big")
    return {f"x-amz-checksum-{algorithm}": base64.b64encode(value).decode()}


def _reply(exchange: Exchange, resource: _Resource, *, ignore_range: bool) -> Reply:
    headers = list(resource.headers)
    if resource.etag is not None:
        headers.append(("ETag", resource.etag))
    if resource.accept_ranges:
        headers.append(("Accept-Ranges", "bytes"))
    size = len(resource.body)
    whole = Reply(
        status=resource.status, headers=tuple(headers), body=(resource.body,), length=size
    )
    if resource.status != 200:  # noqa: PLR2004 - a redirection has no preconditions
        return whole
    # RFC 9110 section 13.2.2, in its order of precedence.
    wanted = exchange.headers.get("If-Match")
    if wanted is not None and not lists(wanted, resource.etag, weak=False):
        return Reply(status=412, headers=tuple(headers), length=0)
    unwanted = exchange.headers.get("If-None-Match")
    if unwanted is not None and lists(unwanted, resource.etag, weak=True):
        return Reply(status=304, headers=tuple(headers), length=0)
    if ignore_range or not resource.accept_ranges or exchange.command != "GET":
        return whole
    same = exchange.headers.get("If-Range")
    if same is not None and not lists(same, resource.etag, weak=False):
        return whole
    found = span(exchange.headers.get("Range", ""), size)
    if found is None:
        return whole
    first, end = found
    if first >= end:
        headers.append(("Content-Range", f"bytes */{size}"))
        return Reply(status=416, headers=tuple(headers), length=0)
    headers.append(("Content-Range", f"bytes {first}-{end - 1}/{size}"))
    return Reply(
        status=206,
        headers=tuple(headers),
        body=(resource.body[first:end],),
        length=end - first,
    )
