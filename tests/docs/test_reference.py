import re
import subprocess
import sys
from pathlib import Path

from artlock.errors import ManyErrors
from tests.docs.reference import (
    COMMANDS,
    ENVIRONMENT,
    REFERENCE,
    commands_page,
    error_classes,
    flags_by_variable,
    with_table,
)

_PACKAGE = Path(__file__).parents[2] / "artlock"
_REWRITE = "run `python -m tests.docs`"


def test_the_page_of_commands_is_what_help_prints() -> None:
    assert COMMANDS.read_text("utf-8") == commands_page(), _REWRITE


def test_help_prints_what_the_page_of_commands_shows() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "artlock", "sync", "--help"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert f"```text\n{printed}```" in COMMANDS.read_text("utf-8")


def test_the_page_of_the_environment_has_the_variables_of_all_flags() -> None:
    page = ENVIRONMENT.read_text("utf-8")
    assert with_table(page) == page, _REWRITE
    assert "ARTLOCK_DRY_RUN" in flags_by_variable()


def test_the_page_of_the_environment_has_every_variable_that_the_code_names() -> None:
    page = ENVIRONMENT.read_text("utf-8")
    told = set(re.findall(r"`(_?ARTLOCK_[A-Z_]+)`", page))
    named = {
        name
        for file in _PACKAGE.rglob("*.py")
        for name in re.findall(r"\b_?ARTLOCK_[A-Z]+[A-Z_]*[A-Z]", file.read_text("utf-8"))
    }
    assert named <= told
    assert told <= named | flags_by_variable().keys()


def _sections() -> dict[str, str]:
    text = (REFERENCE / "errors.md").read_text("utf-8")
    codes = text.partition("## Codes\n")[2]
    parts = re.split(r"^### (.+)$", codes, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_error_code_has_its_section_and_no_other_has() -> None:
    codes = {error.code for error in error_classes()[1:]}
    assert _sections().keys() == codes | {"interrupted", "output-error", "internal-error"}


def test_every_section_tells_the_exit_code_and_whether_a_retry_helps() -> None:
    sections = _sections()
    for error in error_classes()[1:]:
        told = sections[error.code]
        expected = (
            "Exit code: the gravest"
            if error is ManyErrors
            else f"Exit code {error.exit_code}."
        )
        assert told.strip().startswith(expected), error.code
        assert re.search(r"Retry: (no|yes|only)", told), error.code
