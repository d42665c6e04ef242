"""``artlock diff``."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, option
from artlock.cli.output import count, human_size
from artlock.errors import EXIT_NO, EXIT_OK
from artlock.model.diff import Change, ChangeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artlock.cli.options import Shell
    from artlock.cli.output import Output

_COLORS = {
    ChangeKind.ADDED: "green",
    ChangeKind.DELETED: "red",
    ChangeKind.MODIFIED: "yellow",
    ChangeKind.VERSION: "cyan",
    ChangeKind.DECLARATION: "magenta",
}
_WHOLE = {
    ChangeKind.ADDED: "new",
    ChangeKind.DELETED: "no longer locked",
    ChangeKind.DECLARATION: "declaration changed",
}


@command("diff")
@click.argument("old", required=False, metavar="[REV")
@click.argument("new", required=False, metavar="[REV]]")
@option("--stat", is_flag=True, help="Only the totals of each artifact.")
@option("--name-status", is_flag=True, help="Only letter, artifact and path.")
@option("--exit-code", is_flag=True, help="Exit 1 if anything differs.")
def diff(
    shell: Shell,
    old: str | None,
    new: str | None,
    stat: bool,  # noqa: FBT001 - a flag
    name_status: bool,  # noqa: FBT001 - a flag
    exit_code: bool,  # noqa: FBT001 - a flag
) -> int:
    """Show what changed between two lockfiles, in objects and bytes.

    Without REV, the working lockfile against HEAD; with one, against that git revision;
    with two, from the first to the second. Letters: A added, D deleted, M modified, V only
    the version or the tokens, S the declaration.
    """
    from artlock.ops.revisions import compare  # noqa: PLC0415 - not for --help

    changes = compare(shell.project(), old, new)
    output = shell.output
    output.document("diff", {"changes": [change_json(c) for c in changes]})
    if name_status:
        for change in changes:
            output.data("\t".join((change.kind, _place(output, change))))
    else:
        show_changes(output, changes, rows=not stat)
    return EXIT_NO if exit_code and changes else EXIT_OK


def show_changes(
    output: Output, changes: Sequence[Change], *, rows: bool, indent: str = ""
) -> None:
    """Print the totals of each artifact, and its rows below if asked for."""
    for name, group in groupby(changes, key=lambda change: change.artifact):
        members = list(group)
        output.data(f"{indent}{output.styled(name, bold=True)}: {summary(members)}")
        if not rows:
            continue
        for change in members:
            if not change.path:
                continue
            letter = output.styled(change.kind, fg=_COLORS[change.kind])
            told = f"{output.styled(change.path)}  {_sizes(change)}"
            output.data(f"{indent}  {letter} {told}")


def summary(changes: Sequence[Change]) -> str:
    """Return one artifact's changes in a line: what is new, what went, how many bytes."""
    words = {
        ChangeKind.ADDED: "added",
        ChangeKind.MODIFIED: "modified",
        ChangeKind.DELETED: "deleted",
        ChangeKind.VERSION: "pinned otherwise, same bytes",
    }
    rows = [change for change in changes if change.path]
    parts = [_WHOLE[change.kind] for change in changes if not change.path]
    for kind, word in words.items():
        number = sum(1 for change in rows if change.kind is kind)
        if number:
            parts.append(f"{count(number, 'object')} {word}")
    delta = sum(change.bytes_delta for change in changes)
    sign = "+" if delta > 0 else ""
    return ", ".join(parts) + (f" ({sign}{human_size(delta)})" if delta else "")


def change_json(change: Change) -> dict[str, object]:
    """Return a change as ``--json`` shows it."""
    return {
        "artifact": change.artifact,
        "path": change.path,
        "kind": str(change.kind),
        "old": _row(change.old),
        "new": _row(change.new),
    }


def _row(row: object) -> dict[str, object] | None:
    if row is None:
        return None
    names = ("size", "checksum", "version")
    return {name: getattr(row, name) for name in names}


def _place(output: Output, change: Change) -> str:
    return f"{output.styled(change.artifact)}\t{output.styled(change.path)}"


def _sizes(change: Change) -> str:
    if change.old is None:
        return human_size(change.new.size) if change.new else ""
    if change.new is None or change.new.size == change.old.size:
        return human_size(change.old.size)
    return f"{human_size(change.old.size)} -> {human_size(change.new.size)}"
