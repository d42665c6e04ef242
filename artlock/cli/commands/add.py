"""``artlock add``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.commands.resolve import show_resolution
from artlock.cli.options import command, option
from artlock.errors import EXIT_OK

if TYPE_CHECKING:
    from artlock.cli.options import Shell


@command("add")
@click.argument("uri")
@option("--name", help="Name of the artifact; default: from the URI.")
@option("--path", help="Where files land; default: data/NAME.")
@option(
    "--include", multiple=True, metavar="GLOB", help="Only keys that match; repeatable."
)
@option("--exclude", multiple=True, metavar="GLOB", help="No keys that match; repeatable.")
@option("--group", "groups", multiple=True, help="Put it into a group; repeatable.")
@option("--version", "version", help="Pin a single object to this version or generation.")
@option("--as-of", help="Pin a versioned source to a moment: 2026-05-01T00:00:00Z.")
@option("--link", is_flag=True, help="Record it as a link; never look inside.")
@option("--hash", "digest", is_flag=True, help='Read every object: checksum = "blake3".')
@option("--frozen", is_flag=True, help="Edit artifacts.toml only; resolve later.")
@option("--dry-run", is_flag=True, help="Write nothing; show what would be locked.")
def add(
    shell: Shell,
    uri: str,
    name: str | None,
    path: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    groups: tuple[str, ...],
    version: str | None,
    as_of: str | None,
    link: bool,  # noqa: FBT001 - a flag
    digest: bool,  # noqa: FBT001 - a flag
    frozen: bool,  # noqa: FBT001 - a flag
    dry_run: bool,  # noqa: FBT001 - a flag
) -> int:
    """Declare URI in artifacts.toml and lock it.

    URI is s3://, gs://, https://, file:///, a path below the project, or anything else as a
    link. If it cannot be resolved, artifacts.toml stays as it was.
    """
    # ruff: noqa: PLC0415 - not for --help
    from artlock.ops.edit import Addition
    from artlock.ops.edit import add as declare

    added, resolution = declare(
        shell.directory,
        shell.runtime(),
        Addition(
            uri=uri,
            name=name,
            path=path,
            include=include,
            exclude=exclude,
            groups=groups,
            version=version,
            as_of=as_of,
            link=link,
            digest=digest,
        ),
        resolve_it=not frozen,
        write=not dry_run,
    )
    output = shell.output
    if resolution is None:
        output.document("add", {"name": added, "resolved": False})
        would = "would declare" if dry_run else "Declared"
        output.say(f"{would} `{added}`; run `artlock resolve` to lock it")
    else:
        output.say(f"{'Would declare' if dry_run else 'Declared'} `{added}`")
        about = {"name": added, "resolved": True}
        show_resolution(output, resolution, schema="add", dry=dry_run, about=about)
    return EXIT_OK
