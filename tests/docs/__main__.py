"""Write anew what pages show of commands: `python -m tests.docs`."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from testbed.guards import isolate
from testbed.seaweedfs import SeaweedFS
from tests.conftest import ANONYMOUS
from tests.docs.guide_settings import PAGES, SETTINGS, prepared
from tests.docs.hazards import HAZARDS, with_holders
from tests.docs.reference import COMMANDS, ENVIRONMENT, commands_page, with_table
from tests.docs.transcripts import Session, rewritten

TUTORIAL = COMMANDS.parents[1] / "tutorial.md"


def main(folder: Path) -> None:
    """Write all pages; what still holds stays as it is."""
    isolate(os.environ, folder)
    COMMANDS.write_text(commands_page(), "utf-8")
    ENVIRONMENT.write_text(with_table(ENVIRONMENT.read_text("utf-8")), "utf-8")
    HAZARDS.write_text(with_holders(HAZARDS.read_text("utf-8")), "utf-8")
    session = Session(folder / "tutorial" / "you")
    _rewrite(TUTORIAL, session.run, hidden=[str(folder / "tutorial" / "you")])
    with SeaweedFS([ANONYMOUS]) as s3:
        s3.create_bucket("public")
        for name, setting in SETTINGS.items():
            place = folder / name
            session = Session(place / "project", setting.variables(s3))
            run = prepared(setting, session, s3)
            _rewrite(PAGES[name], run, hidden=[s3.endpoint, str(place)])


def _rewrite(page: Path, run: Callable[[str], list[str]], *, hidden: list[str]) -> None:
    page.write_text(rewritten(page.read_text("utf-8"), run, hidden=hidden), "utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="artlock-docs-") as name:
        main(Path(name).resolve())
