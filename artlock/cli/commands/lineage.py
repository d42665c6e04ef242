"""``artlock lineage``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, is_typed, option
from artlock.cli.output import escape_line
from artlock.cli.registering import full_ref, run_json, version_json
from artlock.errors import EXIT_OK

if TYPE_CHECKING:
    from artlock.cli.options import Shell


@command("lineage")
@click.argument("ref", required=False)
@option("--to", help="Name or URL of the tracker to ask.")
def lineage(shell: Shell, ref: str | None, to: str | None) -> int:
    """Show where a registered version came from, and who used it.

    Commit, author, the version before it, the runs that made it and the runs that used it,
    as far as the tracker knows. Without REF it is the project's newest version.
    """
    from artlock.ops.versions import lineage as known  # noqa: PLC0415 - not for --help

    if "#" in (ref or "") and not is_typed("to"):
        to = None  # what is typed wins over ARTLOCK_TO
    project = shell.project_if_any()
    runtime = project.runtime if project else shell.runtime()
    target, found = known(runtime, project, ref, to=to)
    output, version = shell.output, found.version
    output.document(
        "lineage",
        {
            "version": version_json(target.name, version),
            "produced": [run_json(run) for run in found.produced],
            "consumed": [run_json(run) for run in found.consumed],
        },
    )
    made = version.provenance
    output.data(output.styled(full_ref(target.name, version), fg="yellow"))
    before = f"{version.name}:v{version.parent}" if version.parent else "nothing"
    commit = made.commit or "no commit"
    rows = [
        ("digest", version.digest),
        ("after", before),
        ("commit", commit + (" and what was not committed" if made.dirty else "")),
        *([("remote", made.remote)] if made.remote else []),
        ("pushed", f"{made.time}" + (f" by {made.author}" if made.author else "")),
        *([("known as", version.native)] if version.native else []),
        *([("page", version.url)] if version.url else []),
        *(("made by", f"run {run}") for run in found.produced),
        *(("used by", f"run {run}") for run in found.consumed),
    ]
    for key, text in rows:
        output.data(f"  {key:<9} {escape_line(text)}")
    return EXIT_OK
