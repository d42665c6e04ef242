"""Every code that a person can meet is shown by a transcript: its words are read."""

import re

from artlock import errors
from tests.scripts.test_cases import CASES

UNSHOWN = {
    "error": "the root of the tree is never raised as it is",
    "blob-missing": "needs a blob that goes between two steps of one sync: unit/ops",
    "internal-error": "needs a defect: unit/cli/test_main.py",
    "output-error": "needs a full disk behind stdout: unit/cli/test_main.py",
}
"""Codes without a transcript, and why."""

# Two that are made by the boundary, not raised.
CODES = {"interrupted", "output-error", "internal-error"} | {
    found.code
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, errors.ArtlockError)
}


def _shown() -> set[str]:
    text = "\n".join(path.read_text("utf-8") for path in CASES)
    found = set(re.findall(r"^stderr has error\[([a-z-]+)\]", text, re.MULTILINE))
    # Without `--json` an interruption shows no code, only its words.
    return found | ({"interrupted"} if "\nstderr has interrupted" in text else set())


def test_every_code_is_shown_by_a_transcript_or_there_is_a_reason() -> None:
    assert sorted(CODES - _shown()) == sorted(UNSHOWN)
