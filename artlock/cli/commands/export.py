"""``artlock export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, option
from artlock.cli.output import count, human_size
from artlock.errors import EXIT_OK, ConfigError

if TYPE_CHECKING:
    from artlock.cli.options import Shell

_FORMATS = ("sh", "sha256sum", "b3sum", "jsonl", "csv", "bagit", "croissant")
_LINES = 1000
"""As many are printed together."""


@command("export")
@click.argument("form", metavar="FORMAT", type=click.Choice(_FORMATS))
@click.argument("names", nargs=-1)
@option("-o", "--output", "place", type=click.Path(path_type=Path), help="Not to stdout.")
@option("--sha256", is_flag=True, help="Take SHA-256 of what the cache has.")
def export(
    shell: Shell,
    form: str,
    names: tuple[str, ...],
    place: Path | None,
    sha256: bool,  # noqa: FBT001 - a flag
) -> int:
    """Print what is locked in a form that needs no artlock.

    FORMAT is sh (a script that rebuilds the files), sha256sum or b3sum (for --check), jsonl
    or csv (a line for each object), bagit (a folder, with --output), or croissant
    (metadata). No source is asked. With NAMEs only those artifacts.
    """
    from artlock.ops.export import Format, exported, lines_of, write  # noqa: PLC0415 - not for --help

    output = shell.output
    if output.as_json and place is None:
        message = "`--json` and the export cannot both be on stdout"
        raise ConfigError(message, hint="name a file with `--output`")
    wanted = Format(form)
    found = exported(shell.project(), names, wanted, sha256=sha256)
    if place is None:
        lines: list[str] = []
        for line in lines_of(found, wanted):
            lines.append(line)
            if len(lines) == _LINES:
                output.data("".join(lines).removesuffix("\n"))
                lines.clear()
        if lines:
            output.data("".join(lines).removesuffix("\n"))
        return EXIT_OK
    written = write(found, wanted, shell.directory / place)
    output.document(
        "export",
        {
            "format": form,
            "output": str(place),
            "written": list(written.files),
            "objects": found.count,
            "size": found.size,
        },
    )
    size = human_size(found.size)
    output.say(f"Exported {count(found.count, 'object')}, {size}; wrote {place}")
    return EXIT_OK
