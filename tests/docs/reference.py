"""Write what the reference says of the command line from the commands themselves.

``python -m tests.docs`` writes the pages; the tests fail when they are old.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from artlock.cli.commands import SUMMARIES
from artlock.cli.main import artlock
from artlock.errors import ArtlockError

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
COMMANDS = REFERENCE / "commands.md"
ENVIRONMENT = REFERENCE / "environment.md"
_WIDTH = 78
"""What click uses on a terminal of 80 columns, and where there is none."""
_BEGIN = "<!-- generated: the variables of the flags -->\n"
_END = "<!-- end -->\n"
_INTRODUCTION = """\
# Commands

What `--help` prints, written by `python -m tests.docs`. The global options may stand before
or after the name of the command. Exit codes mean the same everywhere; they are explained
in [Errors and exit codes](errors.md), the documents of `--json` in [JSON](json.md), and the
variable of each flag in [Environment](environment.md).
"""


def all_contexts() -> Iterator[click.Context]:
    """Yield a context for each command, in the order of a project's life."""
    settings = {**artlock.context_settings, "terminal_width": _WIDTH}
    top = click.Context(artlock, info_name="artlock", **settings)
    yield top
    for name in SUMMARIES:
        command = artlock.get_command(top, name)
        if command is None:
            continue
        context = click.Context(command, parent=top, info_name=name)
        yield context
        if isinstance(command, click.Group):
            for below, inner in command.commands.items():
                yield click.Context(inner, parent=context, info_name=below)


def commands_page() -> str:
    """Return the page of all commands."""
    parts = [_INTRODUCTION]
    for context in all_contexts():
        text = context.get_help()
        parts.append(f"\n## {context.command_path}\n\n```text\n{text}\n```\n")
    return "".join(parts)


def flags_by_variable() -> dict[str, list[str]]:
    """Return for each variable the flags that it sets, as ``sync --group``."""
    found: dict[str, list[str]] = {}
    shared = {parameter.name for parameter in artlock.params}
    for context in all_contexts():
        for option in context.command.params:
            above = context.command is not artlock and option.name in shared
            if above or not isinstance(option, click.Option):
                continue
            flag = next(name for name in option.opts if name.startswith("--"))
            told = f"{context.command_path} {flag}".removeprefix("artlock ")
            for variable in _variables(option):
                found.setdefault(variable, []).append(told)
    return dict(sorted(found.items()))


def _variables(option: click.Option) -> list[str]:
    value = option.envvar
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def variables_table() -> str:
    """Return the rows of flags and their variables."""
    rows = ["| Variable | Flag |\n|---|---|\n"]
    for variable, flags in flags_by_variable().items():
        told = ", ".join(f"`{flag}`" for flag in flags)
        rows.append(f"| `{variable}` | {told} |\n")
    return "".join(rows)


def with_table(page: str) -> str:
    """Return the page of the environment with the table of now."""
    before, _, rest = page.partition(_BEGIN)
    after = rest.partition(_END)[2]
    return f"{before}{_BEGIN}{variables_table()}{_END}{after}"


def error_classes() -> list[type[ArtlockError]]:
    """Return every class of the error tree that can be met, and the root first."""
    found: list[type[ArtlockError]] = []
    waiting: list[type[ArtlockError]] = [ArtlockError]
    while waiting:
        error = waiting.pop(0)
        if error is ArtlockError or error.code != ArtlockError.code:
            found.append(error)
        waiting += error.__subclasses__()
    return found
