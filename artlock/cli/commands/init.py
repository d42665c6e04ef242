"""``artlock init``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.cli.options import command, option
from artlock.errors import EXIT_OK

if TYPE_CHECKING:
    from artlock.cli.options import Shell


@command("init")
@option("--name", help="Artifact name that `push` registers; default: the folder's name.")
def init(shell: Shell, name: str | None) -> int:
    """Start a project here: artifacts.toml, .gitattributes, .gitignore.

    Refused where artifacts.toml exists. The other two are kept if they exist; lines that
    git needs are added to them.
    """
    from artlock.ops.edit import start_project  # noqa: PLC0415 - not for --help

    made = start_project(shell.directory, name=name)
    output = shell.output
    output.document("init", {"written": list(made)})
    for file in made:
        output.data(output.styled(f"wrote {file}"))
    output.say("hint: `artlock add URI` declares data and locks it")
    return EXIT_OK
