"""``artlock diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.changes import (
    change_json,
    review_json,
    show_changes,
    show_columns,
    show_doubts,
)
from artlock.cli.options import command, option
from artlock.errors import EXIT_NO, EXIT_OK

if TYPE_CHECKING:
    from artlock.cli.options import Shell


@command("diff")
@click.argument("old", required=False, metavar="[REV")
@click.argument("new", required=False, metavar="[REV]]")
@option("--stat", is_flag=True, help="Only the totals of each artifact.")
@option("--name-status", is_flag=True, help="Only letter, artifact and path.")
@option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown"]),
    default="text",
    help="How to write it; markdown is the body of a comment.",
)
@option(
    "--merge-base",
    is_flag=True,
    help="From the commit in which the other side left REV.",
)
@option("--exit-code", is_flag=True, help="Exit 1 if anything differs.")
def diff(
    shell: Shell,
    old: str | None,
    new: str | None,
    stat: bool,  # noqa: FBT001 - a flag
    name_status: bool,  # noqa: FBT001 - a flag
    form: str,
    merge_base: bool,  # noqa: FBT001 - a flag
    exit_code: bool,  # noqa: FBT001 - a flag
) -> int:
    """Show what changed between two lockfiles, in objects and bytes.

    Without REV, the working lockfile against HEAD; with one, against that git revision;
    with two, from the first to the second. Letters: A added, D deleted, M modified,
    R renamed, V only the version or the tokens, S the declaration.
    """
    from artlock.model.review import by_artifact  # noqa: PLC0415 - not for --help
    from artlock.ops.revisions import compare  # noqa: PLC0415 - not for --help

    if form == "markdown" and name_status:
        message = "--name-status is not written as markdown"
        raise click.UsageError(message)
    if merge_base and old is None:
        message = "--merge-base needs a REV"
        raise click.UsageError(message)
    changes = compare(shell.project(), old, new, from_merge_base=merge_base)
    output = shell.output
    if output.as_json:
        content = {
            "artifacts": [review_json(review) for review in by_artifact(changes)],
            "changes": [change_json(change) for change in changes],
        }
        output.document("diff", content)
    elif form == "markdown":
        from artlock.cli.markdown import as_markdown  # noqa: PLC0415 - rarely asked

        output.data(as_markdown(changes, rows=not stat).rstrip("\n"))
    elif name_status:
        show_columns(output, changes)
    else:
        show_changes(output, changes, rows=not stat)
    if form == "text":
        show_doubts(output, changes)
    return EXIT_NO if exit_code and changes else EXIT_OK
