"""``artlock completion``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

from artlock.cli.options import command
from artlock.errors import EXIT_OK, ConfigError

if TYPE_CHECKING:
    from artlock.cli.options import Shell


@command("completion")
@click.argument("shell_name", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: Shell, shell_name: str) -> int:
    """Print a completion script for bash, zsh or fish.

    For bash: artlock completion bash > ~/.local/share/bash-completion/completions/artlock
    """
    from artlock.cli.main import artlock  # noqa: PLC0415 - main imports the commands

    found = get_completion_class(shell_name)
    if found is None:
        message = f"there is no completion for `{shell_name}`"
        raise ConfigError(message)
    script = found(artlock, {}, "artlock", "_ARTLOCK_COMPLETE").source()
    shell.output.document("completion", {"shell": shell_name, "script": script})
    shell.output.data(script)
    return EXIT_OK
