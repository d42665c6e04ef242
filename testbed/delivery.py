"""Deliver answers, also with faults."""

import gzip
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, repeat
from typing import Literal, TypeAlias

from testbed.faults import Fault
from testbed.wire import BLOCK, Exchange

Body: TypeAlias = bytes | memoryview

_Framing: TypeAlias = Literal["length", "chunks", "end"]
_BODILESS = frozenset({204, 304})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer before it is framed.

    Attributes:
        status: The status code.
        headers: All but those that frame the body.
        body: In pieces; read once.
        length: Of the body in bytes; None if it is not known: chunks are sent.

    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: Iterable[Body] = ()
    length: int | None = None


def deliver(exchange: Exchange, reply: Reply, fault: Fault | None = None) -> None:
    """Send an answer, with the fault if there is one."""
    if fault is None:
        _send(exchange, reply)
        return
    reply = _altered(reply, fault)
    match fault.kind:
        case "reset" if fault.after == 0:
            exchange.reset()
        case "truncate" | "nolen" | "chunked" | "stall" | "reset":
            _send_part(exchange, reply, fault)
        case "endless":
            _send_endlessly(exchange, reply, fault)
        case "slow":
            _send_slowly(exchange, reply, fault)
        case "extra":
            _send(exchange, reply)
            exchange.wfile.write(fault.body)
        case _:
            _send(exchange, reply)


def _altered(reply: Reply, fault: Fault) -> Reply:
    """Return the answer with the fault, as far as it lies in the content."""
    match fault.kind:
        case "status":
            reply = _with_body(Reply(status=fault.status), fault.body)
        case "rewrite" if fault.rewrite is not None:
            reply = _with_body(reply, fault.rewrite(_whole(reply)))
        case "gzip":
            reply = _with_body(reply, gzip.compress(_whole(reply), mtime=0))
            reply = _with_headers(reply, {"Content-Encoding": "gzip"})
        case "corrupt":
            reply = replace(reply, body=_flipped(reply.body, fault.offset))
        case "wrong_range":
            headers = tuple((name, _one_off(name, text)) for name, text in reply.headers)
            reply = replace(reply, headers=headers)
        case _:
            pass
    return _with_headers(reply, fault.headers, drop=fault.drop)


def _whole(reply: Reply) -> bytes:
    return b"".join(reply.body)


def _with_body(reply: Reply, body: bytes) -> Reply:
    return replace(reply, body=(body,), length=len(body))


def _with_headers(
    reply: Reply, headers: Mapping[str, str], *, drop: tuple[str, ...] = ()
) -> Reply:
    gone = {name.lower() for name in (*headers, *drop)}
    kept = (pair for pair in reply.headers if pair[0].lower() not in gone)
    return replace(reply, headers=(*kept, *headers.items()))


def _flipped(body: Iterable[Body], offset: int) -> Iterator[Body]:
    for block in body:
        if 0 <= offset < len(block):
            changed = bytearray(block)
            changed[offset] ^= 0xFF
            yield bytes(changed)
        else:
            yield block
        offset -= len(block)


def _one_off(name: str, text: str) -> str:
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(.+)", text)
    if name.lower() != "content-range" or found is None:
        return text
    return f"bytes {int(found[1]) + 1}-{int(found[2]) + 1}/{found[3]}"


def _send(exchange: Exchange, reply: Reply) -> None:
    framing: _Framing = "chunks" if reply.length is None else "length"
    _send_head(exchange, reply, framing)
    # RFC 9110 section 6.4.1: these have no body, whatever their headers say.
    if exchange.command != "HEAD" and reply.status not in _BODILESS:
        body = _Body(exchange, framing)
        for piece in reply.body:
            body.write(piece)
        body.end()


def _send_part(exchange: Exchange, reply: Reply, fault: Fault) -> None:
    """Send ``fault.after`` bytes of the body, and what the fault does then."""
    framing: _Framing = "chunks" if reply.length is None else "length"
    if fault.kind == "nolen":
        framing = "end"
    if fault.kind == "chunked":
        framing = "chunks"
    after = fault.after
    if after is None:
        whole = _whole(reply)
        after = len(whole) // 2
        reply = replace(reply, body=(whole,))
    first, rest = _split(reply.body, after)
    _send_head(exchange, reply, framing)
    body = _Body(exchange, framing)
    if fault.kind == "chunked":
        body.write_within_chunk(first)
    else:
        body.write(first)
    exchange.wfile.flush()
    if fault.kind == "stall":
        exchange.stopping.wait(fault.seconds)
        for piece in rest:
            body.write(piece)
        body.end()
        return
    if fault.kind == "reset":
        exchange.reset()
    exchange.close_connection = True


def _send_endlessly(exchange: Exchange, reply: Reply, fault: Fault) -> None:
    reply = replace(reply, length=fault.claims)
    framing: _Framing = "chunks" if fault.claims is None else "length"
    exchange.close_connection = True
    _send_head(exchange, reply, framing)
    body = _Body(exchange, framing)
    for piece in chain(reply.body, repeat(bytes(BLOCK))):
        if exchange.stopping.is_set():
            return
        body.write(piece)


def _send_slowly(exchange: Exchange, reply: Reply, fault: Fault) -> None:
    whole = _whole(reply)
    size = fault.after or max(len(whole) // 2, 1)
    framing: _Framing = "chunks" if reply.length is None else "length"
    _send_head(exchange, reply, framing)
    body = _Body(exchange, framing)
    for start in range(0, len(whole), size):
        body.write(whole[start : start + size])
        exchange.wfile.flush()
        exchange.stopping.wait(fault.seconds)
    body.end()


def _split(body: Iterable[Body], after: int) -> tuple[bytes, Iterator[Body]]:
    """Return the first ``after`` bytes, and the rest in pieces."""
    pieces = iter(body)
    first = b""
    while len(first) < after:
        piece = next(pieces, None)
        if piece is None:
            break
        first += piece
    return first[:after], chain((first[after:],), pieces)


def _send_head(exchange: Exchange, reply: Reply, framing: _Framing) -> None:
    exchange.entry.status = reply.status
    exchange.send_response_only(reply.status)
    for name, text in reply.headers:
        exchange.send_header(name, text)
    if reply.status not in _BODILESS:
        if framing == "length":
            exchange.send_header("Content-Length", str(reply.length))
        elif framing == "chunks" and exchange.command != "HEAD":
            exchange.send_header("Transfer-Encoding", "chunked")
        elif framing == "end":
            exchange.send_header("Connection", "close")
    exchange.end_headers()


class _Body:
    """Writes a body in its framing, and counts its bytes."""

    def __init__(self, exchange: Exchange, framing: _Framing) -> None:
        self._exchange = exchange
        self._chunked = framing == "chunks"

    def write(self, piece: Body) -> None:
        if not piece:
            return  # an empty chunk would be the end
        if self._chunked:
            self._exchange.wfile.write(f"{len(piece):x}\r\n".encode())
        self._write(piece)
        if self._chunked:
            self._exchange.wfile.write(b"\r\n")

    def write_within_chunk(self, piece: bytes) -> None:
        """Begin a chunk that promises one byte more than comes."""
        self._exchange.wfile.write(f"{len(piece) + 1:x}\r\n".encode())
        self._write(piece)

    def end(self) -> None:
        if self._chunked:
            self._exchange.wfile.write(b"0\r\n\r\n")
        self._exchange.wfile.flush()

    def _write(self, piece: Body) -> None:
        # Counted before it is sent: who has received it all finds the full count.
        self._exchange.entry.response_bytes += len(piece)
        self._exchange.wfile.write(piece)
