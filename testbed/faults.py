"""Say, as data, what goes wrong with the answer to a request."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "status",
    "headers",
    "truncate",
    "corrupt",
    "rewrite",
    "gzip",
    "nolen",
    "chunked",
    "stall",
    "slow",
    "reset",
    "endless",
    "extra",
    "ignore_range",
    "wrong_range",
    "before",
]
Matches: TypeAlias = Callable[[str, str, str], bool]

# These change a body, so that the answer to HEAD neither shows them nor uses them up.
_OF_BODIES: frozenset[Kind] = frozenset(
    {
        "truncate",
        "corrupt",
        "rewrite",
        "gzip",
        "nolen",
        "chunked",
        "stall",
        "slow",
        "endless",
        "extra",
    }
)


def any_request(method: str, path: str, query: str) -> bool:
    """Match every request."""
    del method, path, query
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way in which an answer goes wrong.

    ======== ===================================================================
    kind     what the client sees
    ======== ===================================================================
    status   ``status``, ``headers`` and ``body`` instead of the answer
    headers  the answer with ``headers`` set and ``drop`` removed; every kind does
             that too
    truncate the right Content-Length, then the end after ``after`` bytes
    corrupt  one byte changed, at ``offset``
    rewrite  the body that ``rewrite`` returns, with its own Content-Length
    gzip     the body compressed, with Content-Encoding and its own length
    nolen    neither length nor chunks, and the end after ``after`` bytes
    chunked  chunks, and the end inside of one after ``after`` bytes
    stall    ``after`` bytes, silence for ``seconds``, then the rest
    slow     the body in pieces of ``after`` bytes, ``seconds`` apart
    reset    ``after`` bytes, then RST; with ``after=0`` not even a status line
    endless  the body, then zeros until the client hangs up; in chunks, or with
             ``claims`` as Content-Length
    extra    the right Content-Length, and ``body`` after the body
    ignore_range  200 and the whole body, whatever Range asks for
    wrong_range   a Content-Range that is one byte off
    before   the right answer, but ``action`` runs just before it is made;
             combines with a fault of another kind
    ======== ===================================================================

    Attributes:
        kind: One of the table.
        matches: Which requests, by method, path (as on the wire) and query.
        times: How many matching requests, or None for all.
        status: Of kind "status".
        body: Of kind "status"; what kind "extra" sends too much.
        headers: Set in the answer, in place of those of the same name.
        drop: Names of headers that the answer loses.
        after: How many bytes of the body are sent first; None is half of them. Of kind
            "slow" how many are sent at once.
        offset: Where "corrupt" strikes, from the start of this answer's body.
        seconds: How long "stall" lasts, and "slow" after each piece.
        claims: The Content-Length that "endless" sends, or None.
        rewrite: From the whole body to another, for "rewrite".
        action: For "before"; it may send requests to the same server.

    """

    kind: Kind
    matches: Matches = any_request
    times: int | None = None
    status: int = 503
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    drop: tuple[str, ...] = ()
    after: int | None = None
    offset: int = 0
    seconds: float = 0.0
    claims: int | None = None
    rewrite: Callable[[bytes], bytes] | None = None
    action: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        if (self.kind == "rewrite") != (self.rewrite is not None):
            message = "`rewrite` goes with the kind of that name"
            raise ValueError(message)
        if (self.kind == "before") != (self.action is not None):
            message = "`action` goes with the kind `before`"
            raise ValueError(message)


# The faults of the fixture READ, in the words of the hazards they stand for.
READ_FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "short": Fault(kind="truncate"),
        "corrupt": Fault(kind="corrupt"),
        "nolen": Fault(kind="nolen"),
        "chunked": Fault(kind="chunked"),
        "gzip": Fault(kind="gzip"),
    }
)


def s3_error(
    status: int,
    code: str,
    *,
    matches: Matches = any_request,
    times: int | None = None,
) -> Fault:
    """Return the fault that S3 answers with an error document.

    Args:
        status: For example 503.
        code: For example ``SlowDown``.
        matches: Which requests.
        times: How many, or None for all.

    """
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{code} by the testbed</Message>"
        "<RequestId>testbed</RequestId></Error>"
    )
    return Fault(
        kind="status",
        matches=matches,
        times=times,
        status=status,
        headers={"Content-Type": "application/xml"},
        body=document.encode(),
    )


def slow_down(*, matches: Matches = any_request, times: int | None = None) -> Fault:
    """Return S3's throttling: 503 SlowDown."""
    return s3_error(503, "SlowDown", matches=matches, times=times)


def access_denied(*, matches: Matches = any_request, times: int | None = None) -> Fault:
    """Return S3's refusal: 403 AccessDenied."""
    return s3_error(403, "AccessDenied", matches=matches, times=times)


def swapped(
    body: bytes, *, matches: Matches = any_request, times: int | None = None
) -> Fault:
    """Return the fault that the body of another object comes, with these headers."""
    return Fault(kind="rewrite", rewrite=lambda _body: body, matches=matches, times=times)


def duplicated(*, matches: Matches = any_request, times: int | None = None) -> Fault:
    """Return the fault that a body comes twice, and says so."""
    return Fault(
        kind="rewrite", rewrite=lambda body: body * 2, matches=matches, times=times
    )


class FaultList:
    """Faults in order, each with what is left of its ``times``; thread-safe."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        """Start with ``faults``."""
        self._mutex = threading.Lock()
        self._faults = list(faults)
        self._left = [fault.times for fault in self._faults]

    def add(self, faults: Iterable[Fault]) -> None:
        """Append ``faults``."""
        with self._mutex:
            for fault in faults:
                self._faults.append(fault)
                self._left.append(fault.times)

    def clear(self) -> None:
        """Forget all faults."""
        with self._mutex:
            self._faults.clear()
            self._left.clear()

    def claim(
        self, method: str, path: str, query: str
    ) -> tuple[tuple[Callable[[], None], ...], Fault | None]:
        """Return what this request meets, and count it.

        Returns:
            The actions of every matching "before", in order, and the first matching
            fault of another kind. They are counted here, so that an action whose own
            requests match does not run again because of them.

        """
        actions: list[Callable[[], None]] = []
        chosen: Fault | None = None
        with self._mutex:
            for index, fault in enumerate(self._faults):
                if self._left[index] == 0 or not fault.matches(method, path, query):
                    continue
                if method == "HEAD" and fault.kind in _OF_BODIES:
                    continue
                if fault.action is not None:
                    actions.append(fault.action)
                elif chosen is None:
                    chosen = fault
                else:
                    continue
                left = self._left[index]
                self._left[index] = None if left is None else left - 1
        return tuple(actions), chosen
