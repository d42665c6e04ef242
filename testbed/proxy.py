"""Stand in the middle of TCP connections and spoil what passes, by a seed."""

import re
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from selectors import EVENT_READ, DefaultSelector
from typing import Literal, Self, TypeAlias
from urllib.parse import urlsplit

from testbed.ports import LOOPBACK

Choice: TypeAlias = Callable[[Random], "Toxics"]
Flips: TypeAlias = Literal["bodies", "everything"]

_BLOCK = 1 << 20
_PATIENCE_S = 60.0
_PARTNER_S = 0.3
_TICK_S = 0.05
_HEAD_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Toxics:
    """What becomes of one connection; nothing, unless it is said.

    Bytes are counted per connection, on the way from the server to the client, heads of
    answers included.

    Attributes:
        latency_s: Waited before the first bytes that follow a request.
        bandwidth: Bytes a second at most.
        slices: At most so many bytes are sent at once.
        reset_after: So many bytes, then RST.
        truncate_after: So many bytes, then FIN, as if that were all.
        stall_after: So many bytes, then silence for ``stall_s``, then the rest.
        slow_close_s: How long the end of the server is kept from the client.
        flip_every: One bit is turned over in about so many bytes.
        flips: Whether only bodies of known length are flipped, or whatever passes: heads
            of answers too, and requests.
        is_crossed: Its answers go to the next connection that is crossed, and the other
            way round, if one comes soon.
    """

    latency_s: float = 0.0
    bandwidth: int | None = None
    slices: int | None = None
    reset_after: int | None = None
    truncate_after: int | None = None
    stall_after: int | None = None
    stall_s: float = 0.0
    slow_close_s: float = 0.0
    flip_every: int | None = None
    flips: Flips = "bodies"
    is_crossed: bool = False


HARMLESS = Toxics()


def always(toxics: Toxics) -> Choice:
    """Choose the same for every connection."""
    return lambda _luck: toxics


class Proxy:
    """A TCP proxy on loopback that counts bytes and injects faults.

    Each connection has a number and draws its toxics when it comes, from random numbers of
    its own: the same seed and order of connections give the same faults at the same bytes.
    Heads of requests pass unchanged, so a signature over Host holds as behind a
    ``Forwarder``. What it knows of HTTP is where a body begins and ends.
    """

    def __init__(
        self, upstream: str, *, seed: int = 1, choice: Choice | None = None
    ) -> None:
        """Describe a proxy; it passes bytes on within its ``with`` block.

        Args:
            upstream: The server's endpoint, for example ``http://127.0.0.1:8333``.
            seed: Of all that is random.
            choice: Gives the toxics of a connection; ``None`` spoils nothing.

        """
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or LOOPBACK, parts.port or 80)
        self._mutex = threading.Lock()
        self._stopping = threading.Event()
        self._threads: set[threading.Thread] = set()
        self._sockets: set[socket.socket] = set()
        self._failures: list[BaseException] = []
        self._crossing = _Crossing()
        self._count = _Count()
        self._listener = socket.create_server((LOOPBACK, 0), backlog=256)
        self._accepting = threading.Thread(target=self._accept, name="testbed-proxy")
        self.begin(seed, choice)

    @property
    def endpoint(self) -> str:
        """The base of its URLs, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._listener.getsockname()[1]}"

    @property
    def moved(self) -> int:
        """Bytes of answers that were handed to clients so far."""
        return self._count.moved

    @property
    def faults(self) -> Counter[str]:
        """How often each toxic struck so far, by the name of its field."""
        return self._count.faults()

    def begin(self, seed: int, choice: Choice | None) -> None:
        """Choose otherwise for connections that come from now on; they count from 0."""
        with self._mutex:
            self._seed = seed
            self._choice = choice or always(HARMLESS)
            self._number = 0

    def heal(self) -> None:
        """Spoil nothing on connections that come from now on, and end the others."""
        self.begin(self._seed, None)
        self._hang_up()

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End all connections, and wait until nothing of the proxy is left.

        Raises:
            ExceptionGroup: It failed at something that is no fault of the network.

        """
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        self._hang_up()
        while True:
            with self._mutex:
                thread = next(iter(self._threads), None)
            if thread is None:
                break
            thread.join()
            self._threads.discard(thread)
        if self._failures:
            message = "the proxy failed"
            raise BaseExceptionGroup(message, self._failures)

    def _hang_up(self) -> None:
        with self._mutex:
            for end in self._sockets:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # it was shut down
            with self._mutex:
                luck = Random(f"{self._seed} {self._number}")  # noqa: S311 - to be repeated
                self._number += 1
                toxics = self._choice(luck)
                thread = threading.Thread(
                    target=self._serve, args=(client, toxics, luck), name="testbed-proxied"
                )
                self._threads.add(thread)
                thread.start()

    def _serve(self, client: socket.socket, toxics: Toxics, luck: Random) -> None:
        connections: list[_Connection] = []
        try:
            connection = self._connected(client, toxics, luck)
            if connection is None:
                return
            if toxics.is_crossed:
                partner = self._crossing.meet(connection)
                if partner is connection:
                    return  # whoever came later serves both
                if partner is not None:
                    connection.cross(partner)
                    connections.append(partner)
                    self._count.fault("is_crossed")
            connections.append(connection)
            _carry(connections, self._stopping)
        except OSError:
            pass  # one of both sides hung up, which is what networks do
        except BaseException as error:  # noqa: BLE001 - raised where the block ends
            self._failures.append(error)
        finally:
            for connection in connections:
                self._close(connection.client, connection.server)
            with self._mutex:
                self._threads.discard(threading.current_thread())

    def _connected(
        self, client: socket.socket, toxics: Toxics, luck: Random
    ) -> "_Connection | None":
        self._keep(client)
        try:
            server = socket.create_connection(self._upstream, timeout=_PATIENCE_S)
        except OSError:
            self._close(client)
            return None
        self._keep(server)
        return _Connection(client, server, toxics, luck, self._count, self._stopping)

    def _keep(self, end: socket.socket) -> None:
        end.settimeout(_PATIENCE_S)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._mutex:
            self._sockets.add(end)

    def _close(self, *ends: socket.socket) -> None:
        for end in ends:
            with self._mutex:
                self._sockets.discard(end)
            end.close()


class _Count:
    """What passed and what was done to it; thread-safe."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._faults: Counter[str] = Counter()
        self.moved = 0

    def passed(self, size: int) -> None:
        with self._mutex:
            self.moved += size

    def fault(self, name: str, times: int = 1) -> None:
        with self._mutex:
            self._faults[name] += times

    def faults(self) -> Counter[str]:
        with self._mutex:
            return Counter(self._faults)


class _Crossing:
    """Where two connections meet to exchange their answers."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: _Connection | None = None

    def meet(self, connection: "_Connection") -> "_Connection | None":
        """Return who waits here, ``connection`` itself if it was taken, or nobody."""
        with self._condition:
            if self._waiting is not None:
                partner, self._waiting = self._waiting, None
                self._condition.notify_all()
                return partner
            self._waiting = connection
            self._condition.wait_for(
                lambda: self._waiting is not connection, timeout=_PARTNER_S
            )
            if self._waiting is not connection:
                return connection
            self._waiting = None
            return None


class _EndedError(Exception):
    """A toxic ended the connection."""


class _Connection:
    """A client, its own connection to the server, and what happens in between."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        toxics: Toxics,
        luck: Random,
        count: _Count,
        stopping: threading.Event,
    ) -> None:
        self.client = client
        self.server = server
        self.answers_to = client
        self._toxics = toxics
        self._luck = luck
        self._count = count
        self._stopping = stopping
        self._sent = 0
        self._has_stalled = False
        self._is_asked = True
        self._bodies = _Bodies()
        self._is_spoiling_all = toxics.flips == "everything"
        self._next_flip = self._distance()
        self._buffer = bytearray(_BLOCK)

    def cross(self, other: "_Connection") -> None:
        """Exchange the answers of two connections."""
        self.answers_to, other.answers_to = other.client, self.client

    def ask(self) -> bool:
        """Pass on what the client says; tell whether there may be more."""
        size = self.client.recv_into(self._buffer)
        view = memoryview(self._buffer)[:size]
        self._bodies.asked(view)
        if self._is_spoiling_all:
            self._flip(view)
        self._is_asked = True
        if size:
            self.server.sendall(view)
        else:
            self.server.shutdown(socket.SHUT_WR)
        return size > 0

    def answer(self) -> bool:
        """Pass on what the server says; tell whether there may be more.

        Raises:
            _EndedError: A toxic ended it.
        """
        size = self.server.recv_into(self._buffer)
        if not size:
            self._wait("slow_close_s", self._toxics.slow_close_s)
            self.answers_to.shutdown(socket.SHUT_WR)
            return False
        if self._is_asked:
            self._is_asked = False
            self._wait("latency_s", self._toxics.latency_s)
        view = memoryview(self._buffer)[:size]
        if self._is_spoiling_all:
            self._flip(view)
        elif self._toxics.flip_every is not None:
            for start, end in self._bodies.within(view):
                self._flip(view[start:end])
        step = self._toxics.slices or size
        if step < size:
            self._count.fault("slices")
        for start in range(0, size, step):
            self._send(view[start : start + step])
        return True

    def _send(self, view: memoryview) -> None:
        """Send a piece, up to where something is to happen."""
        toxics = self._toxics
        if toxics.stall_after is not None and not self._has_stalled:
            first = toxics.stall_after - self._sent
            if first <= view.nbytes:
                self._deliver(view[: max(first, 0)])
                self._has_stalled = True
                self._wait("stall_s", toxics.stall_s)
                view = view[max(first, 0) :]
        for name, limit in (
            ("reset_after", toxics.reset_after),
            ("truncate_after", toxics.truncate_after),
        ):
            if limit is not None and limit - self._sent <= view.nbytes:
                self._deliver(view[: max(limit - self._sent, 0)])
                self._count.fault(name)
                self._end(with_reset=name == "reset_after")
        self._deliver(view)

    def _deliver(self, view: memoryview) -> None:
        if not view.nbytes:
            return
        # Counted before: who has received it all finds the full count.
        self._sent += view.nbytes
        self._count.passed(view.nbytes)
        if self._toxics.bandwidth:
            self._wait("bandwidth", view.nbytes / self._toxics.bandwidth)
        self.answers_to.sendall(view)

    def _end(self, *, with_reset: bool) -> None:
        target = self.answers_to
        if with_reset:
            # Closed without lingering and without a FIN before it: that is an RST.
            linger = struct.pack("ii", 1, 0)
            target.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            target.shutdown(socket.SHUT_WR)
        raise _EndedError

    def _wait(self, name: str, seconds: float) -> None:
        if seconds > 0:
            self._count.fault(name)
            self._stopping.wait(seconds)

    def _flip(self, view: memoryview) -> None:
        if self._toxics.flip_every is None:
            return
        flips = 0
        while self._next_flip < view.nbytes:
            view[self._next_flip] ^= 1 << self._luck.randrange(8)
            self._next_flip += self._distance()
            flips += 1
        self._next_flip -= view.nbytes
        if flips:
            self._count.fault("flip_every", flips)

    def _distance(self) -> int:
        every = self._toxics.flip_every
        return 0 if every is None else 1 + int(self._luck.expovariate(1 / every))


def _carry(connections: list[_Connection], stopping: threading.Event) -> None:
    """Pass bytes on in both directions until the servers have said all, or it was ended."""
    with DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.client, EVENT_READ, connection.ask)
            selector.register(connection.server, EVENT_READ, connection.answer)
        answering = len(connections)
        while answering and not stopping.is_set():
            for key, _ in selector.select(_TICK_S):
                pass_on: Callable[[], bool] = key.data
                try:
                    goes_on = pass_on()
                except _EndedError:
                    return
                if not goes_on:
                    selector.unregister(key.fileobj)
                    answering -= pass_on.__name__ == "answer"


@dataclass(slots=True)
class _Bodies:
    """Where bodies of known length are in the answers of one connection.

    Requests and answers come in the same order; HEAD has no body whatever its answer
    says. Of an answer without a length nothing more is known on this connection.
    """

    _head: bytearray = field(default_factory=bytearray)
    _left: int = 0
    _is_lost: bool = False
    _methods: deque[bytes] = field(default_factory=deque)

    def asked(self, view: memoryview) -> None:
        """Note the methods of requests: as a rule a request comes in one piece."""
        found = re.match(rb"([A-Z]+) \S+ HTTP/1\.1\r\n", view)
        if found is not None:
            self._methods.append(found[1])

    def within(self, view: memoryview) -> list[tuple[int, int]]:
        """Return the parts of the next bytes that are bodies: start and end of each."""
        found = []
        at = 0
        while at < view.nbytes and not self._is_lost:
            if self._left:
                end = min(view.nbytes, at + self._left)
                found.append((at, end))
                self._left -= end - at
                at = end
            else:
                at = self._read_head(view, at)
        return found

    def _read_head(self, view: memoryview, at: int) -> int:
        """Take bytes of a head; return where it ends."""
        before = len(self._head)
        self._head += view[at : at + _HEAD_LIMIT]
        end = self._head.find(b"\r\n\r\n", max(before - 3, 0))
        if end < 0:
            self._is_lost = len(self._head) > _HEAD_LIMIT
            return view.nbytes
        head = bytes(self._head[: end + 4]).lower()
        self._head.clear()
        status = int(head[9:12]) if head[9:12].isdigit() else 0
        if status >= 200:  # noqa: PLR2004 - others come before the answer
            method = self._methods.popleft() if self._methods else b""
            length = re.search(rb"\r\ncontent-length: *(\d+)", head)
            is_bodiless = method == b"HEAD" or status in {204, 304}
            self._is_lost = length is None and not is_bodiless
            self._left = 0 if length is None or is_bodiless else int(length[1])
        return at + end + 4 - before
