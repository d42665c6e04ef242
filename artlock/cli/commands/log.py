"""``artlock log``."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from artlock.cli.changes import change_json, show_changes
from artlock.cli.options import command, option
from artlock.cli.output import escape_line, safe
from artlock.errors import EXIT_OK

if TYPE_CHECKING:
    from artlock.cli.options import Shell
    from artlock.cli.output import Output
    from artlock.gitio.history import Commit
    from artlock.ops.history import Entry

_SHORT = 10
"""Digits of an object name that are enough for most repositories."""


@command("log")
@click.argument("name", required=False)
@option("-n", "--max-count", type=click.IntRange(1), help="Show at most so many commits.")
@option("--rows", is_flag=True, help="Also every object that changed.")
def log(shell: Shell, name: str | None, max_count: int | None, rows: bool) -> int:  # noqa: FBT001 - a flag
    """Show the commits that changed what is locked, the newest first.

    With NAME only what concerns that artifact. A merge is shown with what none of its
    parents had.
    """
    from artlock.ops.history import history  # noqa: PLC0415 - not for --help

    found = islice(history(shell.project(), name), max_count)
    output = shell.output
    if output.as_json:
        output.document("log", {"commits": [_as_json(entry) for entry in found]})
        return EXIT_OK
    is_empty = True
    for entry in found:
        _show(output, entry, rows=rows)
        is_empty = False
    if is_empty:
        what = "`artifacts.lock`" if name is None else f"`{escape_line(name)}`"
        output.say(f"no commit changed {what}")
    return EXIT_OK


def commit_line(output: Output, commit: Commit) -> str:
    """Return a commit in one line: name, day, author, subject."""
    name = output.styled(commit.name[:_SHORT], fg="yellow")
    day = commit.date.partition("T")[0]
    return f"{name} {day} {escape_line(commit.author)}: {escape_line(commit.subject)}"


def commit_json(commit: Commit) -> dict[str, object]:
    """Return a commit as ``--json`` shows it."""
    return {
        "commit": commit.name,
        "author": commit.author,
        "date": commit.date,
        "subject": commit.subject,
    }


def _show(output: Output, entry: Entry, *, rows: bool) -> None:
    output.data(commit_line(output, entry.commit))
    if entry.problem is not None:
        output.data(f"  not known: {safe(entry.problem)}")
    show_changes(output, entry.changes, rows=rows, indent="  ")


def _as_json(entry: Entry) -> dict[str, object]:
    return {
        **commit_json(entry.commit),
        "changes": [change_json(change) for change in entry.changes],
        "problem": None if entry.problem is None else safe(entry.problem),
    }
