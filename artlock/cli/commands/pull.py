"""``artlock pull``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, is_typed, option
from artlock.cli.output import count, human_size
from artlock.cli.registering import full_ref, version_json
from artlock.errors import EXIT_OK

if TYPE_CHECKING:
    from artlock.cli.options import Shell


@command("pull")
@click.argument("ref")
@option("--to", help="Name or URL of the tracker to ask.")
@option(
    "--force",
    is_flag=True,
    help="Also over a lockfile that neither git nor the tracker has.",
)
def pull(shell: Shell, ref: str, to: str | None, force: bool) -> int:  # noqa: FBT001 - a flag
    """Write the lock that a tracker holds into artifacts.lock.

    REF is name, name:v3, name@alias, or TRACKER#name:v3. What comes back is verified by the
    digest that it was registered under. The workspace stays as it is until `artlock sync`.
    """
    from artlock.ops.pull import pull as bring  # noqa: PLC0415 - not for --help

    if "#" in ref and not is_typed("to"):
        to = None  # what is typed wins over ARTLOCK_TO
    report = bring(shell.project(), ref, to=to, force=force)
    output, held = shell.output, report.held
    name = full_ref(held.target.name, held.version)
    output.document(
        "pull",
        {
            "version": version_json(held.target.name, held.version),
            "written": report.written,
            "stale": [{"artifact": a, "reason": why} for a, why in report.stale],
        },
    )
    output.data(output.styled(name))
    size = f"{count(held.version.objects, 'object')}, {human_size(held.version.size)}"
    if report.written:
        output.say(f"artifacts.lock is now {held.version.ref}: {size}")
    else:
        output.say(f"artifacts.lock is {held.version.ref} already")
    for artifact, why in report.stale:
        output.warn(f"it does not answer artifacts.toml: `{artifact}` is {why}")
    if report.stale:
        output.say("hint: take over what changed, or `artlock sync --frozen`")
    elif report.written:
        output.say("hint: run `artlock sync`")
    return EXIT_OK
