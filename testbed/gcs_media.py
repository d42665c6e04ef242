"""A GCS server whose links to media name the generation, as Google's do.

fake-gcs-server's do not: a client that looks up a generation and then follows its link gets
the newest one from it. This server knows just what such a client asks.
"""

import json
from urllib.parse import parse_qs, quote, unquote

from testbed.delivery import Reply, deliver
from testbed.ports import LOOPBACK
from testbed.wire import Exchange, Listener, RecordingServer

_API = "/storage/v1/b/"


class GcsMedia(RecordingServer):
    """Objects with all of their generations, within its ``with`` block."""

    def __init__(self) -> None:
        """Describe an empty server."""
        self._objects: dict[tuple[str, str], dict[int, bytes]] = {}
        self._next = 1_700_000_000_000_000
        super().__init__(Listener(self._answer))

    @property
    def endpoint(self) -> str:
        """The base of its URLs; for ``STORAGE_EMULATOR_HOST``."""
        return f"http://{LOOPBACK}:{self._listener.port}"

    def put(self, bucket: str, key: str, body: bytes) -> str:
        """Write an object; return its generation."""
        self._next += 1
        self._objects.setdefault((bucket, key), {})[self._next] = body
        return str(self._next)

    def _answer(self, exchange: Exchange) -> None:
        for _ in exchange.request_body():
            pass
        is_media = exchange.path_on_wire.startswith("/download")
        path = exchange.path_on_wire.removeprefix("/download").removeprefix(_API)
        bucket, _, key = path.partition("/o/")
        versions = self._objects.get((bucket, unquote(key)), {})
        wanted = parse_qs(exchange.query).get("generation", [str(max(versions, default=0))])
        generation = int(wanted[0])
        body = versions.get(generation)
        if body is None:
            deliver(exchange, Reply(status=404, length=0))
            return
        if not is_media:
            link = (
                f"{self.endpoint}/download{_API}{bucket}/o/{quote(unquote(key), safe='')}"
            )
            body = json.dumps(
                {
                    "kind": "storage#object",
                    "bucket": bucket,
                    "name": unquote(key),
                    "generation": str(generation),
                    "size": str(len(body)),
                    "mediaLink": f"{link}?generation={generation}&alt=media",
                }
            ).encode()
        deliver(
            exchange,
            Reply(
                status=200,
                headers=(("Content-Type", "application/json"),),
                body=(body,),
                length=len(body),
            ),
        )
