"""An S3 bucket that keeps versions, in this process: reads and heads, and nothing else."""

import hashlib
import threading
from collections import defaultdict
from urllib.parse import parse_qs, unquote

from testbed.delivery import Reply, deliver
from testbed.ports import LOOPBACK
from testbed.wire import Exchange, Listener, RecordingServer

_MODIFIED = ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
_MISSING = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>m</Message></Error>"


class Versions(RecordingServer):
    """Objects of one bucket, each with its history; the newest version is the last one."""

    def __init__(self, bucket: str) -> None:
        """Describe a server; it answers within its ``with`` block."""
        self._bucket = bucket
        self._mutex = threading.Lock()
        self._objects: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        super().__init__(Listener(self._answer))

    @property
    def endpoint(self) -> str:
        """The base of its URLs, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._listener.port}"

    def put(self, key: str, version: str, body: bytes) -> None:
        """Add a version of an object; an empty ``version`` is overwritten in place."""
        with self._mutex:
            self._objects[key][version] = body

    def bodies(self, key: str) -> dict[str, bytes]:
        """Return the bytes of an object by version."""
        with self._mutex:
            return dict(self._objects.get(key, {}))

    def _answer(self, exchange: Exchange) -> None:
        for _ in exchange.request_body():
            pass
        bucket, _, key = unquote(exchange.path_on_wire)[1:].partition("/")
        found = self.bodies(key) if bucket == self._bucket else {}
        if not found:
            deliver(exchange, _missing(b"NoSuchKey"))
            return
        wanted = parse_qs(exchange.query).get("versionId", [list(found)[-1]])[0]
        if wanted not in found:
            deliver(exchange, _missing(b"NoSuchVersion"))
            return
        body = found[wanted]
        headers = [("ETag", f'"{etag_of(body)}"'), _MODIFIED]
        headers += [("x-amz-version-id", wanted)] if wanted else []
        if exchange.headers.get("If-Match", headers[0][1]) != headers[0][1]:
            deliver(exchange, Reply(status=412, headers=tuple(headers), length=0))
            return
        reply = Reply(status=200, headers=tuple(headers), body=(body,), length=len(body))
        deliver(exchange, reply)


def etag_of(body: bytes) -> str:
    """Return what S3 gives a plain object as its etag."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _missing(code: bytes) -> Reply:
    body = _MISSING % code
    return Reply(status=404, body=(body,), length=len(body))
