"""``artlock versions``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, is_typed, option
from artlock.cli.registering import version_json, version_line
from artlock.errors import EXIT_OK

if TYPE_CHECKING:
    from artlock.cli.options import Shell

_FEW = 20


@command("versions")
@click.argument("name", required=False)
@option("--to", help="Name or URL of the tracker to ask.")
@option("--every", is_flag=True, help="The newest version of every name.")
@option(
    "-n",
    "--max-count",
    type=click.IntRange(0),
    default=_FEW,
    show_default=True,
    help="Show at most so many; 0 shows all.",
)
def versions(
    shell: Shell,
    name: str | None,
    to: str | None,
    every: bool,  # noqa: FBT001 - a flag
    max_count: int,
) -> int:
    """Show what a tracker has registered, the newest first.

    Each line has the version, when it came, what is in it, the digest of the lock, the
    commit (with + if it was not committed), who pushed it, its aliases and #tags. Without
    NAME it is the project's own; outside of a project, and with --every, the newest of
    each name.
    """
    from artlock.ops.versions import versions as listed  # noqa: PLC0415 - not for --help

    if "#" in (name or "") and not is_typed("to"):
        to = None  # what is typed wins over ARTLOCK_TO
    project = shell.project_if_any()
    runtime = project.runtime if project else shell.runtime()
    found = listed(runtime, project, name, to=to, every=every, limit=max_count or None)
    output, tracker = shell.output, found.target.name
    output.document(
        "versions",
        {
            "tracker": tracker,
            "name": found.name or None,
            "versions": [version_json(tracker, version) for version in found.versions],
        },
    )
    for version in found.versions:
        output.data(version_line(output, version, name=True))
    if not found.versions:
        output.say(f"nothing is registered in `{tracker}` yet\nhint: run `artlock push`")
    elif max_count and len(found.versions) == max_count and not every:
        output.say(f"the newest {max_count:,}; `-n 0` shows all")
    return EXIT_OK
