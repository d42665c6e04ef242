"""``artlock update``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.commands.resolve import show_resolution
from artlock.cli.options import command, option
from artlock.errors import EXIT_OK, ConfigError

if TYPE_CHECKING:
    from artlock.cli.options import Shell


@command("update")
@click.argument("names", nargs=-1)
@option("--dry-run", is_flag=True, help="Write nothing; show what would move.")
@option(
    "--precise",
    "texts",
    multiple=True,
    metavar="NAME@VERSION",
    help="Move one object to this version; repeatable.",
)
@option("--hash", "digest_all", is_flag=True, help="Read objects that have no digest yet.")
@option("--allow-shrink", is_flag=True, help="Accept that an artifact loses most objects.")
def update(
    shell: Shell,
    names: tuple[str, ...],
    dry_run: bool,  # noqa: FBT001 - a flag
    texts: tuple[str, ...],
    digest_all: bool,  # noqa: FBT001 - a flag
    allow_shrink: bool,  # noqa: FBT001 - a flag
) -> int:
    """Move pins to what the sources hold now, and print what moved.

    With NAMEs only those artifacts. Objects that did not change keep their rows, digests
    included.

    With --precise only what it names moves, to an S3 version ID or GCS generation:
    NAME@VERSION for a single object, NAME/PATH@VERSION for an object of a tree.
    """
    from artlock.ops.precise import Precise  # noqa: PLC0415 - not for --help
    from artlock.ops.resolve import Pins, resolve  # noqa: PLC0415 - not for --help

    if names and texts:
        message = "`--precise` says itself what moves, so it takes no other names"
        raise ConfigError(message, hint="run `artlock update` twice")
    precise = [Precise.parse(text) for text in texts]
    result = resolve(
        shell.project(),
        names or [one.artifact for one in precise] or None,
        precise=precise,
        pins=Pins.MOVE,
        digest_all=digest_all,
        write=not dry_run,
        allow_shrink=allow_shrink,
    )
    show_resolution(shell.output, result, schema="update", dry=dry_run, rows=True)
    return EXIT_OK
