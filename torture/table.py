"""Say in a table what was tried and what came of it."""

from collections.abc import Iterable, Iterator

from torture.run import Outcome
from torture.scenario import Scenario, Tally

_HEAD = (
    "| scenario | what is broken | trials | faults | runs | bytes moved "
    "| wrong bytes | user bytes lost | not converged | minutes |"
)
_RULE = "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"


def table(outcomes: Iterable[tuple[Scenario, Outcome]]) -> Iterator[str]:
    """Yield the lines of a Markdown table: a row for each scenario, and the sum."""
    yield _HEAD
    yield _RULE
    trials, tally, took_s = 0, Tally(), 0.0
    for scenario, outcome in outcomes:
        if outcome.skipped:
            why = f"not run: {outcome.skipped} |{' |' * 7}"
            yield f"| {scenario.name} | {scenario.what} | {why}"
            continue
        yield _row(scenario.name, scenario.what, outcome)
        trials += outcome.trials
        tally += outcome.tally
        took_s += outcome.took_s
    yield _row("all", "", Outcome(trials=trials, tally=tally, took_s=took_s))


def _row(name: str, what: str, outcome: Outcome) -> str:
    tally = outcome.tally
    numbers = (
        outcome.trials,
        tally.faults,
        tally.runs,
        tally.moved,
        tally.wrong,
        tally.lost,
        tally.diverged,
    )
    cells = " | ".join(f"{number:,}" for number in numbers)
    return f"| {name} | {what} | {cells} | {outcome.took_s / 60:.1f} |"
