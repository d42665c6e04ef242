"""Stand between a client and a server: count what passes, and spoil some of it."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlsplit

from testbed.delivery import Reply, deliver
from testbed.faults import Fault, FaultList
from testbed.ports import LOOPBACK
from testbed.wire import BLOCK, Exchange, Listener, RecordingServer

# RFC 9110 section 7.6.1: these belong to one connection. "Expect" was answered here.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
)
_NOT_FORWARDED = _HOP_BY_HOP | {"expect"}
_FRAMING = _HOP_BY_HOP | {"content-length", "trailer"}
_UPSTREAM_TIMEOUT_S = 60.0


class Forwarder(RecordingServer):
    """A reverse proxy on loopback that records requests and injects faults.

    The Host header passes unchanged as a rule, so that a signature made for the
    forwarder's own address holds at the server: S3's SigV4 covers Host, and the server
    sees no other. Each connection of a client has one of its own to the server; both are
    kept alive and bodies are streamed.
    """

    def __init__(
        self, upstream: str, *, faults: Iterable[Fault] = (), keep_host: bool = True
    ) -> None:
        """Describe a forwarder; it answers within its ``with`` block.

        Args:
            upstream: The server's endpoint, for example ``http://127.0.0.1:8333``.
            faults: What goes wrong; see ``inject``.
            keep_host: False sends the server's own address as Host. fake-gcs-server
                wants it: it finds out by Host which of its interfaces is meant.

        """
        parts = urlsplit(upstream)
        self._host = parts.hostname or LOOPBACK
        self._port = parts.port or 80
        self._keep_host = keep_host
        self._faults = FaultList(faults)
        super().__init__(Listener(self._answer))

    @property
    def endpoint(self) -> str:
        """The base of its URLs, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._listener.port}"

    def inject(self, *faults: Fault) -> None:
        """Add faults; for each request the first that matches and is not used up acts."""
        self._faults.add(faults)

    def heal(self) -> None:
        """Forget all faults; the requests stay."""
        self._faults.clear()

    def _answer(self, exchange: Exchange) -> None:
        actions, fault = self._faults.claim(
            exchange.command, exchange.path_on_wire, exchange.query
        )
        for action in actions:
            action()
        if fault is not None and fault.kind == "status":
            for _ in exchange.request_body():
                pass
            deliver(exchange, Reply(status=fault.status), fault)
            return
        response = self._forward(exchange, fault)
        try:
            deliver(exchange, _reply(exchange, response), fault)
        finally:
            if not response.isclosed():
                # Something of the answer is still on its way: not to be used again.
                response.close()
                _hang_up(exchange)

    def _forward(self, exchange: Exchange, fault: Fault | None) -> HTTPResponse:
        skip = set() if self._keep_host else {"host"}
        if fault is not None and fault.kind == "ignore_range":
            skip.add("range")
        has_body = (
            "Content-Length" in exchange.headers or "Transfer-Encoding" in exchange.headers
        )
        if exchange.upstream is not None and not has_body:
            # The server may have closed an idle connection; without a body it is safe
            # to ask again on a fresh one.
            with suppress(HTTPException, ConnectionError):
                return self._send(exchange, skip)
            _hang_up(exchange)
        return self._send(exchange, skip)

    def _send(self, exchange: Exchange, skip: set[str]) -> HTTPResponse:
        upstream = exchange.upstream
        if upstream is None:
            upstream = HTTPConnection(self._host, self._port, timeout=_UPSTREAM_TIMEOUT_S)
            exchange.upstream = upstream
        target = exchange.requestline.split(" ")[1]
        upstream.putrequest(
            exchange.command,
            target,
            skip_host=self._keep_host,
            skip_accept_encoding=True,
        )
        for name, text in exchange.headers.items():
            if name.lower() not in _NOT_FORWARDED | skip:
                upstream.putheader(name, text)
        chunked = "Transfer-Encoding" in exchange.headers
        if chunked:
            upstream.putheader("Transfer-Encoding", "chunked")
        upstream.endheaders()
        try:
            for block in exchange.request_body():
                upstream.send(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
            if chunked:
                upstream.send(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            # The server answers early, for example with a refusal, and reads no more.
            exchange.close_connection = True
        return upstream.getresponse()


def _reply(exchange: Exchange, response: HTTPResponse) -> Reply:
    length = response.getheader("Content-Length")
    return Reply(
        status=response.status,
        headers=tuple(
            (name, text)
            for name, text in response.getheaders()
            if name.lower() not in _FRAMING
        ),
        body=_blocks(response) if exchange.command != "HEAD" else (),
        length=None if length is None else int(length),
    )


def _blocks(response: HTTPResponse) -> Iterator[bytes]:
    while block := response.read1(BLOCK):
        yield block


def _hang_up(exchange: Exchange) -> None:
    if exchange.upstream is not None:
        exchange.upstream.close()
        exchange.upstream = None
