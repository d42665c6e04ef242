"""``artlock why``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from artlock.cli.commands.log import commit_json, commit_line
from artlock.cli.options import command
from artlock.cli.output import escape_line, human_size
from artlock.errors import EXIT_NO, EXIT_OK

if TYPE_CHECKING:
    from artlock.cli.options import Shell
    from artlock.cli.output import Output
    from artlock.ops.history import Origin


@command("why")
@click.argument("wanted", metavar="PATH|DIGEST")
def why(shell: Shell, wanted: str) -> int:
    """Say where a file or a digest comes from.

    PATH is a file of the workspace, or ARTIFACT/PATH as `artlock ls NAME` prints it, or an
    object's path or URI. DIGEST is any token of a row, or at least the first eight digits
    of one. Exits 1 if nothing that is locked is meant.
    """
    from artlock.ops.history import origins  # noqa: PLC0415 - not for --help

    found = origins(shell.project(), wanted, here=Path(shell.directory))
    output = shell.output
    output.document("why", {"rows": [_as_json(origin) for origin in found]})
    for origin in found:
        _show(output, origin)
    if not found:
        output.say(f"nothing that is locked is `{escape_line(wanted)}`")
        output.say("hint: `artlock ls NAME` lists the objects of an artifact")
    return EXIT_OK if found else EXIT_NO


def _show(output: Output, origin: Origin) -> None:
    row = origin.row
    output.data(output.styled(f"{origin.artifact}/{row.path}", bold=True))
    lines = {
        "file": origin.target or "none: the artifact is no longer declared",
        "from": str(origin.uri),
        "version": row.version or "none",
        "size": human_size(row.size),
        "checksum": row.checksum or "none",
        "trust": str(row.trust),
    }
    for name, text in lines.items():
        output.data(f"  {name:<9} {output.styled(text)}")
    since = origin.since
    told = "no commit that is known" if since is None else commit_line(output, since)
    output.data(f"  {'since':<9} {told}")


def _as_json(origin: Origin) -> dict[str, object]:
    row = origin.row
    return {
        "artifact": origin.artifact,
        "path": row.path,
        "file": origin.target,
        "uri": str(origin.uri),
        "size": row.size,
        "checksum": row.checksum,
        "version": row.version,
        "trust": str(row.trust),
        "since": None if origin.since is None else commit_json(origin.since),
    }
