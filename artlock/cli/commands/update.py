"""``artlock update``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.commands.resolve import show_resolution
from artlock.cli.options import command, option
from artlock.errors import EXIT_OK

if TYPE_CHECKING:
    from artlock.cli.options import Shell


@command("update")
@click.argument("names", nargs=-1)
@option("--dry-run", is_flag=True, help="Write nothing; show what would move.")
@option("--hash", "digest_all", is_flag=True, help="Read objects that have no digest yet.")
@option("--allow-shrink", is_flag=True, help="Accept that an artifact loses most objects.")
def update(
    shell: Shell,
    names: tuple[str, ...],
    dry_run: bool,  # noqa: FBT001 - a flag
    digest_all: bool,  # noqa: FBT001 - a flag
    allow_shrink: bool,  # noqa: FBT001 - a flag
) -> int:
    """Move pins to what the sources hold now, and print what moved.

    With NAMEs only those artifacts. Objects that did not change keep their rows, digests
    included.
    """
    from artlock.ops.resolve import Pins, resolve  # noqa: PLC0415 - not for --help

    result = resolve(
        shell.project(),
        names or None,
        pins=Pins.MOVE,
        digest_all=digest_all,
        write=not dry_run,
        allow_shrink=allow_shrink,
    )
    show_resolution(shell.output, result, schema="update", dry=dry_run)
    return EXIT_OK
