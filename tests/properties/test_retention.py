"""What is said of a version's end is what a simulated store does to it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from artlock.model.retention import (
    Fate,
    Phase,
    Retention,
    Rule,
    Since,
    Versioning,
    fates,
)

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
HORIZON = 150
"""Days that are simulated; every term of a rule ends well before."""
CONDITIONS = ("is blue", "is old")
_DAYS = st.integers(0, 30)


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody does to the key on a day; the locked version was written on day 0."""

    day: int
    writes: bool


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    phase = draw(st.sampled_from(Phase))
    rule = Rule(
        name=draw(st.sampled_from("abc")),
        phase=phase,
        days_written=draw(_DAYS),
        provided=tuple(draw(st.lists(st.sampled_from(CONDITIONS), unique=True))),
    )
    if phase is Phase.NONCURRENT:
        return replace(rule, days_replaced=draw(_DAYS), newer=draw(st.integers(0, 3)))
    if phase is Phase.CURRENT and draw(st.booleans()):
        moment = FIRST_DAY + timedelta(draw(st.integers(-10, 40)))
        return replace(rule, days_written=0, date=moment)
    return rule


def deeds() -> st.SearchStrategy[list[Deed]]:
    deed = st.builds(Deed, st.integers(1, 60), st.booleans())
    return st.lists(deed, max_size=6).map(lambda d: sorted(d, key=lambda x: x.day))


def simulated(retention: Retention, history: Iterable[Deed], *, keeps: bool) -> int | None:
    """Return the day on which a store's daily look ends the version of day 0."""
    replaced: int | None = None
    newer = 0
    for day in range(HORIZON):
        for deed in history:
            if deed.day == day:
                newer += deed.writes
                replaced = day if replaced is None else replaced
        while True:
            is_current = replaced is None
            due = [r for r in retention.rules if _is_due(r, day, replaced, newer)]
            if is_current and keeps:
                if not due:
                    break
                replaced = day  # deleting what is current only hides it
                continue
            if due and day >= retention.least_days:
                return day
            break
    return None


def _is_due(rule: Rule, day: int, replaced: int | None, newer: int) -> bool:
    if rule.phase is (Phase.NONCURRENT if replaced is None else Phase.CURRENT):
        return False
    return (
        day >= rule.days_written
        and (replaced is None or day - replaced >= rule.days_replaced)
        and newer >= rule.newer
        and (rule.date is None or FIRST_DAY + timedelta(day) >= rule.date)
    )


def foretold(told: Iterable[Fate], history: list[Deed]) -> int | None:
    """Return the first day on which one of the fates has come."""
    return min((day for fate in told for day in _days(fate, history)), default=None)


def _days(fate: Fate, history: list[Deed]) -> Iterator[int]:
    start = 0
    if fate.since is Since.REPLACED:
        if not history:
            return
        start = history[0].day
    elif fate.since is Since.DATE:
        assert fate.date is not None
        start = max((fate.date - FIRST_DAY).days, 0)
    writes = [deed.day for deed in history if deed.writes]
    if len(writes) < fate.newer:
        return
    enough = writes[fate.newer - 1] if fate.newer else 0
    yield max(start + fate.days, fate.least_days, enough)


@given(
    st.lists(rules(), max_size=4),
    st.integers(0, 40),
    deeds(),
    st.sampled_from([Versioning.ON, Versioning.SUSPENDED]),
    st.sets(st.sampled_from(CONDITIONS)),
)
def test_1_15_a_version_that_is_kept_ends_on_the_day_that_is_told(
    listed: list[Rule],
    least_days: int,
    history: list[Deed],
    versioning: Versioning,
    true: set[str],
) -> None:
    retention = Retention(versioning=versioning, rules=tuple(listed), least_days=least_days)
    told = fates(retention, range(len(listed)), has_version=True)
    in_force = tuple(r for r in listed if {*r.provided} <= true)
    ended = simulated(replace(retention, rules=in_force), history, keeps=True)
    assert ended == foretold((f for f in told if {*f.provided} <= true), history)


@given(
    st.lists(rules(), max_size=4), st.integers(0, 40), st.sets(st.sampled_from(CONDITIONS))
)
def test_1_13_an_object_without_versions_ends_on_the_day_that_is_told(
    listed: list[Rule], least_days: int, true: set[str]
) -> None:
    retention = Retention(
        versioning=Versioning.OFF, rules=tuple(listed), least_days=least_days
    )
    told = fates(retention, range(len(listed)), has_version=False)
    in_force = tuple(r for r in listed if {*r.provided} <= true)
    ended = simulated(replace(retention, rules=in_force), (), keeps=False)
    assert ended == foretold((f for f in told if {*f.provided} <= true), [])


@given(st.lists(rules(), max_size=4), deeds())
def test_1_15_what_is_told_to_be_kept_never_ends(
    listed: list[Rule], history: list[Deed]
) -> None:
    retention = Retention(versioning=Versioning.ON, rules=tuple(listed))
    if not fates(retention, range(len(listed)), has_version=True):
        assert simulated(retention, history, keeps=True) is None
