from pathlib import Path

import pytest

from testbed.seaweedfs import SeaweedFS
from tests.docs.guide_settings import PAGES, SETTINGS, prepared
from tests.docs.transcripts import Session, matches, steps_of
from tests.programs import tool


def test_every_guide_is_run() -> None:
    assert PAGES.keys() == SETTINGS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_command_of_a_guide_prints_what_the_page_shows(
    name: str, seaweedfs: SeaweedFS, tmp_path: Path
) -> None:
    setting = SETTINGS[name]
    for program in setting.needs:
        tool(program)  # or skipped
    session = Session(tmp_path / "project", setting.variables(seaweedfs))
    run = prepared(setting, session, seaweedfs)
    steps = steps_of(PAGES[name].read_text("utf-8"))
    assert steps
    for step in steps:
        printed = run(step.command)
        assert matches(step.shown, printed), f"line {step.line}: {step.command}\n{printed}"
