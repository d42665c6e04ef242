"""What git's hooks print: little, because nobody asked."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from artlock.cli.changes import change_json, show_changes
from artlock.cli.checking import TextTeller, findings_json
from artlock.cli.output import escape_line
from artlock.errors import EXIT_OK, ArtlockError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artlock.cli.options import Shell
    from artlock.model.hooks import Hook


def judge_commit(shell: Shell, hook: Hook) -> int:
    """Print what is wrong with what is staged, and return the exit code of ``check``."""
    from artlock.cli.commands.status import failures_json  # noqa: PLC0415 - not for --help
    from artlock.ops.hooks import exit_code_of, judge_staged  # noqa: PLC0415 - not for --help

    output = shell.output
    judged = judge_staged(shell.directory, shell.runtime())
    for one in judged:
        if one.folder and one.exit_code:
            output.data(f"in {escape_line(one.folder)}:")
        TextTeller(output).findings(one.findings)
        if one.error is not None and not output.as_json:
            output.error(one.error)
    exit_code = exit_code_of(judged)
    if exit_code:
        output.say(
            "hint: what is staged was judged: `git add` what you mend; "
            "`git commit --no-verify` commits all the same"
        )
    output.document(
        "git-hook",
        {
            "hook": str(hook),
            "projects": [
                {
                    "folder": one.folder,
                    "findings": findings_json(one.findings),
                    "errors": failures_json([one.error] if one.error else []),
                }
                for one in judged
            ],
            "ok": not exit_code,
        },
    )
    return exit_code


def tell_of_move(shell: Shell, hook: Hook, arguments: Sequence[str]) -> int:
    """Print what lockfiles have otherwise since git moved the work tree, and how to get it.

    Never fails: git hands on the exit code of such a hook as that of the checkout.
    """
    from artlock.ops.hooks import moved_projects  # noqa: PLC0415 - not for --help

    output = shell.output
    try:
        moved = moved_projects(shell.directory, shell.runtime(), hook, arguments)
    except ArtlockError as error:
        output.warn(f"artlock cannot tell what data belongs here by now: {error.message}")
        return EXIT_OK
    for one in moved:
        place = f" -C {shlex.quote(one.folder)}" if one.folder else ""
        where = ", at the top of the repository," if one.folder else ""
        show_changes(output, one.changes, rows=False)
        output.say(
            f"hint: `artlock{escape_line(place)} sync`{where} brings what is locked here"
        )
    output.document(
        "git-hook",
        {
            "hook": str(hook),
            "projects": [
                {"folder": one.folder, "changes": [change_json(c) for c in one.changes]}
                for one in moved
            ],
            "ok": True,
        },
    )
    return EXIT_OK
