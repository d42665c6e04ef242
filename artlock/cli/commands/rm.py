"""``artlock rm``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.commands.resolve import show_resolution
from artlock.cli.options import command, option
from artlock.errors import EXIT_OK

if TYPE_CHECKING:
    from artlock.cli.options import Shell


@command("rm")
@click.argument("names", nargs=-1, required=True)
@option("--frozen", is_flag=True, help="Edit artifacts.toml only; resolve later.")
@option("--dry-run", is_flag=True, help="Write nothing; show what would change.")
def rm(shell: Shell, names: tuple[str, ...], frozen: bool, dry_run: bool) -> int:  # noqa: FBT001 - flags
    """Take artifacts out of artifacts.toml and artifacts.lock.

    Files in the workspace stay until the next `artlock sync`.
    """
    from artlock.ops.edit import remove  # noqa: PLC0415 - not for --help

    resolution = remove(shell.project(), names, resolve_it=not frozen, write=not dry_run)
    output = shell.output
    if resolution is None:
        output.document("rm", {"names": list(names), "resolved": False})
        output.say("Removed from artifacts.toml; run `artlock resolve` to lock the rest")
    else:
        about = {"names": list(names), "resolved": True}
        show_resolution(output, resolution, schema="rm", dry=dry_run, about=about)
    return EXIT_OK
