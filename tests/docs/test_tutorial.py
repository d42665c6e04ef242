from pathlib import Path

import pytest

from tests.docs.transcripts import Session, matches, steps_of

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "tutorial.md"


@pytest.mark.slow
def test_every_command_of_the_tutorial_prints_what_the_page_shows(tmp_path: Path) -> None:
    session = Session(tmp_path / "you")
    steps = steps_of(PAGE.read_text("utf-8"))
    assert len(steps) > 30
    for step in steps:
        printed = session.run(step.command)
        assert matches(step.shown, printed), f"line {step.line}: {step.command}\n{printed}"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["a"], ["a"], True),
        (["a"], ["b"], False),
        (["a"], ["a", "b"], False),
        ([], ["a"], False),
        (["a…c"], ["abbc"], True),
        (["a…c"], ["abb"], False),
        (["[…]", "c"], ["a", "b", "c"], True),
        (["[…]", "c"], ["c"], True),
        (["[…]", "c"], ["a", "b"], False),
        (["a.c"], ["abc"], False),
    ],
)
def test_a_page_may_leave_out_only_what_it_marks(
    shown: list[str], printed: list[str], *, same: bool
) -> None:
    assert matches(shown, printed) is same


def test_a_session_keeps_its_folder_its_variables_and_the_last_exit_code(
    tmp_path: Path,
) -> None:
    session = Session(tmp_path / "you")
    session.run("mkdir below")
    session.run("cd below")
    session.run("export SAID='a b'")
    session.run("(exit 4)")
    assert session.run('echo $? "$SAID" "${PWD##*/}"') == ["4 a b below"]
