"""One comparison: what is held against what, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.requests import Requests, count_requests
from benchmarks.timing import Contender, Measured, race
from benchmarks.truth import Delivery, compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Somebody beside artlock.

    Attributes:
        contender: Its command.
        target: What artlock's wall time is to stay below, as a multiple of the peer's.
        stretch: What it should try for.
    """

    contender: Contender
    target: float | None = None
    stretch: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A target that no peer sets.

    Attributes:
        of: Seconds of wall time, or bytes of memory.
        target: What artlock is to stay below.
        stretch: What it should try for.
    """

    of: Literal["wall", "peak"]
    target: float
    stretch: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is measured in turn.

    Attributes:
        what: Is measured.
        ours: artlock's command.
        peers: What it is held against.
        limits: Targets without a peer.
        pinned: What each contender that delivers should deliver; None compares nothing.
        endpoint: The server whose requests are counted; empty counts nothing.
        keep_host: See ``Forwarder``.
        rounds: Instead of the run's, for what takes long and varies little.
    """

    what: str
    ours: Contender
    peers: tuple[Peer, ...] = ()
    limits: tuple[Limit, ...] = ()
    pinned: Mapping[str, str] | None = None
    endpoint: str = ""
    keep_host: bool = True
    rounds: int | None = None

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """Ours, then the peers'."""
        return (self.ours, *(peer.contender for peer in self.peers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one contender.

    Attributes:
        contender: Which.
        measured: Its runs.
        delivery: What it delivered, where that was compared.
        requests: What it asked, where that was counted.
    """

    contender: Contender
    measured: Measured
    delivery: Delivery | None
    requests: Requests | None

    @property
    def has_failed(self) -> bool:
        """Whether it was there and could not do what it should."""
        return not (self.measured.runs or self.contender.absent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One line of the table of targets; figures are ratios, seconds or bytes.

    Attributes:
        what: Is measured.
        against: The peer, or nothing.
        unit: Of the figures.
        figure: This run's; None if one of the two failed or was not there.
        target: To be reached.
        stretch: To be tried for.
    """

    what: str
    against: str
    unit: Literal["ratio", "wall", "peak"]
    figure: float | None
    target: float
    stretch: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a comparison.

    Attributes:
        comparison: Which.
        rows: Ours, then the peers'.
    """

    comparison: Comparison
    rows: tuple[Row, ...]

    @property
    def ours(self) -> Row:
        """The first row."""
        return self.rows[0]

    def ratio(self, row: Row) -> float | None:
        """Return our wall time as a multiple of another's; None if one of them failed."""
        if not (self.ours.measured.runs and row.measured.runs):
            return None
        return self.ours.measured.wall / row.measured.wall

    def verdicts(self) -> list[Verdict]:
        """Hold this run against the targets."""
        what, ours = self.comparison.what, self.ours.measured
        found = [
            Verdict(
                what=what,
                against="",
                unit=limit.of,
                figure=(ours.wall if limit.of == "wall" else ours.peak)
                if ours.runs
                else None,
                target=limit.target,
                stretch=limit.stretch,
            )
            for limit in self.comparison.limits
        ]
        return found + [
            Verdict(
                what=what,
                against=peer.contender.name,
                unit="ratio",
                figure=self.ratio(row),
                target=peer.target,
                stretch=peer.stretch,
            )
            for peer, row in zip(self.comparison.peers, self.rows[1:], strict=True)
            if peer.target is not None
        ]


def measure(comparison: Comparison, environ: Mapping[str, str], *, rounds: int) -> Result:
    """Run the contenders in turn; compare what they deliver, and count what they ask."""
    pinned = comparison.pinned
    deliveries: dict[str, Delivery] = {}

    def look(contender: Contender) -> None:
        if pinned is not None and contender.delivers is not None:
            deliveries[contender.name] = compare(contender.delivers, pinned)

    times = race(
        comparison.contenders,
        environ,
        rounds=comparison.rounds or rounds,
        after_first=look,
    )
    requests: dict[str, Requests | None] = {}
    if comparison.endpoint:
        for contender in comparison.contenders:
            if times[contender.name].runs and contender.is_counted:
                requests[contender.name] = count_requests(
                    contender,
                    environ,
                    endpoint=comparison.endpoint,
                    keep_host=comparison.keep_host,
                )
    rows = tuple(
        Row(
            contender=contender,
            measured=times[contender.name],
            delivery=deliveries.get(contender.name),
            requests=requests.get(contender.name),
        )
        for contender in comparison.contenders
    )
    return Result(comparison=comparison, rows=rows)
