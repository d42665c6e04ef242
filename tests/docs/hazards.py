"""Find which tests hold which hazard, for the page that lists them.

A test says it by its name, ``test_3_8_3_12_...`` or ``test_2_1_to_2_9_...``, a transcript
by its first line, ``# 3.8, 3.12: ...``, a scenario of ``make torture`` by its ``rows``.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.docs.reference import REFERENCE
from torture.scenarios import SCENARIOS

HAZARDS = REFERENCE / "hazards.md"
_TESTS = Path(__file__).parents[1]
_NAME = re.compile(r"test_((?:[1-5]_\d+_)+)(?:to_([1-5])_(\d+)_)?")
_FIRST_LINE = re.compile(r"# ((?:[1-5]\.\d+(?:, )?)+):")
_ROW = re.compile(
    r"\| (?P<row>\d\.\d+) \| (?P<what>.*?) \|(?P<held>.*?)\|(?P<not_held>.*)\|"
)


def holders() -> dict[str, list[str]]:
    """Return for each row what holds it, as the page shows it."""
    found: dict[str, list[str]] = {}
    for row, file, number in sorted(_counted()):
        times = f" {number}" if number > 1 else ""
        found.setdefault(row, []).append(f"`{file}`{times}")
    for scenario in SCENARIOS:
        for row in scenario.rows:
            found.setdefault(row, []).append(f"`make torture ONLY='{scenario.name}'`")
    return found


def _counted() -> Iterator[tuple[str, str, int]]:
    for path in _TESTS.rglob("test_*.py"):
        counts = Counter(_rows_of_functions(path.read_text("utf-8")))
        for row, number in counts.items():
            yield row, path.relative_to(_TESTS).as_posix(), number
    for path in (_TESTS / "scripts" / "cases").glob("*.txt"):
        for row in _rows_of_case(path.read_text("utf-8")):
            yield row, path.relative_to(_TESTS).as_posix(), 1


def _rows_of_functions(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and (name := _NAME.match(node.name)):
            numbers = name[1].strip("_").split("_")
            yield from map(".".join, zip(numbers[::2], numbers[1::2], strict=True))
            if name[2]:
                following = range(int(numbers[-1]) + 1, int(name[3]) + 1)
                yield from (f"{name[2]}.{number}" for number in following)


def _rows_of_case(text: str) -> list[str]:
    line = _FIRST_LINE.match(text)
    return line[1].split(", ") if line else []


def page_rows(page: str) -> dict[str, tuple[str, str]]:
    """Return for each row of the page what holds it, and what is not held."""
    return {
        match["row"]: (match["held"].strip(), match["not_held"].strip())
        for match in _ROW.finditer(page)
    }


def with_holders(page: str) -> str:
    """Return the page with the tests of now."""
    held = holders()

    def filled(match: re.Match[str]) -> str:
        by = ", ".join(held.get(match["row"], ()))
        cells = (match["row"], match["what"], by, match["not_held"].strip())
        return f"| {' | '.join(cells)} |"

    return _ROW.sub(filled, page)
