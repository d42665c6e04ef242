"""What a command asks of a server: one run through a forwarder, which is not timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks.timing import Contender, RunError, run
from testbed.forwarder import Forwarder
from testbed.wire import Recorded

_LISTING_PARAMETERS = frozenset(
    {"delimiter", "list-type", "location", "prefix", "versioning", "versions"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """How many requests of each kind came; those that change something are ``other``."""

    reads: int
    heads: int
    listings: int
    other: int

    def __str__(self) -> str:
        counts = {
            "GET": self.reads,
            "HEAD": self.heads,
            "list": self.listings,
            "other": self.other,
        }
        return ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)


def count_requests(
    contender: Contender, environ: Mapping[str, str], *, endpoint: str, keep_host: bool
) -> Requests | None:
    """Run a contender with a forwarder in the server's place; None if that run failed.

    Args:
        contender: Finds the server by its variables or its arguments.
        environ: The variables of all.
        endpoint: The server's.
        keep_host: Whether the server is told the forwarder's address as its own.
    """
    with Forwarder(endpoint, keep_host=keep_host) as forwarder:

        def through(text: str) -> str:
            return text.replace(endpoint, forwarder.endpoint)

        all_variables = {**environ, **contender.environ}
        counted = replace(
            contender,
            command=[through(word) for word in contender.command],
            environ={name: through(text) for name, text in all_variables.items()},
        )
        try:
            run(counted, environ)
        except RunError:
            return None
        kinds = Counter(map(_kind, forwarder.requests))
    return Requests(
        reads=kinds["read"],
        heads=kinds["head"],
        listings=kinds["listing"],
        other=kinds["other"],
    )


def _kind(request: Recorded) -> str:
    if request.method == "HEAD":
        return "head"
    if request.method != "GET":
        return "other"
    names = {part.partition("=")[0] for part in request.query.split("&")}
    is_listing = not names.isdisjoint(_LISTING_PARAMETERS)
    return "listing" if is_listing or request.path.count("/") <= 1 else "read"
