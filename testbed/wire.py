"""Listen on loopback, and note every request."""

import socket
import socketserver
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import ClassVar, Self

from testbed.ports import LOOPBACK

BLOCK = 64 * 1024
_HANG_UP = (ConnectionError, TimeoutError, ssl.SSLError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A request as it came, and what became of it.

    Attributes:
        method: For example ``GET``.
        path: As on the wire, not decoded, without the query.
        query: As on the wire, without the question mark.
        headers: In the order and spelling of the client.
        status: Of the answer; 0 while there is none, and for a reset before it.
        response_bytes: Bytes of the body that were handed to the network so far.

    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    status: int = 0
    response_bytes: int = 0

    def header(self, name: str) -> str | None:
        """Return the first header of that name, in any case, or None."""
        found = (text for key, text in self.headers if key.lower() == name.lower())
        return next(found, None)


class RequestLog:
    """The requests in the order of their arrival; thread-safe."""

    def __init__(self) -> None:
        """Start empty."""
        self._mutex = threading.Lock()
        self._entries: list[_Entry] = []

    def open(self, request: Recorded) -> "_Entry":
        """Note a request before it is answered, so that no count comes too late."""
        entry = _Entry(request)
        with self._mutex:
            self._entries.append(entry)
        return entry

    def snapshot(self) -> tuple[Recorded, ...]:
        """Return what is known now."""
        with self._mutex:
            return tuple(entry.recorded() for entry in self._entries)

    def clear(self) -> None:
        """Forget all requests."""
        with self._mutex:
            self._entries.clear()


class _Entry:
    def __init__(self, request: Recorded) -> None:
        self._request = request
        self.status = 0
        self.response_bytes = 0

    def recorded(self) -> Recorded:
        return replace(
            self._request, status=self.status, response_bytes=self.response_bytes
        )


class Exchange(BaseHTTPRequestHandler):
    """A client's connection and the request that is answered on it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize: ClassVar[int] = BLOCK
    timeout: ClassVar[float | None] = 60.0
    server: "_Server"

    path_on_wire: str
    query: str
    entry: _Entry
    upstream: HTTPConnection | None = None

    @property
    def stopping(self) -> threading.Event:
        """Set when the server ends; whoever waits, waits on this."""
        return self.server.stopping

    def reset(self) -> None:
        """Close the connection with RST."""
        self.server.reset(self.connection)
        self.close_connection = True

    def request_body(self) -> Iterator[bytes]:
        """Yield the body of the request in pieces; at most once."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield from self._read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # trailers
        else:
            yield from self._read(int(self.headers.get("Content-Length", "0")))

    def _read(self, size: int) -> Iterator[bytes]:
        while size > 0:
            block = self.rfile.read(min(size, BLOCK))
            if not block:
                message = "the client hung up within its request"
                raise ConnectionResetError(message)
            size -= len(block)
            yield block

    def handle_expect_100(self) -> bool:
        """Ask for the body at once."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def finish(self) -> None:
        """Close what this connection holds."""
        with suppress(*_HANG_UP):
            super().finish()
        self.wfile.close()
        if self.upstream is not None:
            self.upstream.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
        """Print nothing; requests are recorded."""

    def _serve(self) -> None:
        # Not self.path: the standard library folds slashes at its start.
        target = self.requestline.split(" ")[1]
        self.path_on_wire, _, self.query = target.partition("?")
        self.entry = self.server.log.open(
            Recorded(
                method=self.command,
                path=self.path_on_wire,
                query=self.query,
                headers=tuple(self.headers.items()),
            )
        )
        self.server.answer(self)
        self.wfile.flush()

    # The names are the standard library's.
    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - see above


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False  # joined at the end, so that nothing outlives a test
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(
        self, answer: Callable[[Exchange], None], context: ssl.SSLContext | None
    ) -> None:
        self.answer = answer
        self.log = RequestLog()
        self.stopping = threading.Event()
        self.failures: list[BaseException] = []
        self._context = context
        self._mutex = threading.Lock()
        self._open: set[socket.socket] = set()
        self._without_farewell: set[socket.socket] = set()
        super().__init__((LOOPBACK, 0), Exchange)

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        if self._context is not None:
            # The handshake comes with the first read, in the connection's own thread.
            connection = self._context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        with self._mutex:
            self._open.add(connection)
        return connection, address

    def reset(self, connection: socket.socket) -> None:
        # Closed without lingering and without a FIN before it: that is an RST.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with self._mutex:
            self._without_farewell.add(connection)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override] # never a datagram
        with self._mutex:
            self._open.discard(request)
            silent = request in self._without_farewell
            self._without_farewell.discard(request)
        if silent:
            request.close()
        else:
            super().shutdown_request(request)

    def hang_up(self) -> None:
        with self._mutex:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        del request, client_address
        error = sys.exception()
        if error is not None and not isinstance(error, _HANG_UP):
            self.failures.append(error)


class Listener:
    """A threaded HTTP/1.1 server on a free port, from ``start`` to ``stop``."""

    def __init__(
        self,
        answer: Callable[[Exchange], None],
        *,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Bind a port; requests are answered from ``start`` on.

        Args:
            answer: Called for each request, in the thread of its connection.
            context: For TLS, or None.

        """
        self._server = _Server(answer, context)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="testbed-listener"
        )

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return self._server.socket.getsockname()[1]  # type: ignore[no-any-return] # by the family

    @property
    def log(self) -> RequestLog:
        """The requests so far."""
        return self._server.log

    def start(self) -> None:
        """Answer requests."""
        self._thread.start()

    def stop(self) -> None:
        """Hang up on all clients, and wait until nothing of the server is left.

        Raises:
            ExceptionGroup: Something failed in the answer to a request, for example an
                action that a test gave.

        """
        self._server.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()
        if self._server.failures:
            message = "the testbed failed to answer"
            raise BaseExceptionGroup(message, self._server.failures)


class RecordingServer:
    """A server in this process that remembers what it was asked."""

    def __init__(self, listener: Listener) -> None:
        """Describe a server; it answers within its ``with`` block."""
        self._listener = listener

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.stop()

    @property
    def requests(self) -> tuple[Recorded, ...]:
        """The requests so far, in the order of their arrival."""
        return self._listener.log.snapshot()

    def count(self, predicate: Callable[[Recorded], bool] = lambda _: True) -> int:
        """Return how many requests so far satisfy ``predicate``."""
        return sum(1 for request in self.requests if predicate(request))

    def clear(self) -> None:
        """Forget the requests so far; how it answers stays."""
        self._listener.log.clear()
