"""``artlock digest``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.cli.options import command, option
from artlock.errors import EXIT_NO, EXIT_OK

if TYPE_CHECKING:
    from artlock.cli.options import Shell


@command("digest")
@option("--content", is_flag=True, help="Only the content digest: what the data is.")
@option("--pin", is_flag=True, help="Only the pin digest: what it is and where it lies.")
def digest(shell: Shell, content: bool, pin: bool) -> int:  # noqa: FBT001 - flags
    """Print the lockfile's content digest and pin digest.

    The content digest is the same wherever the data lies, and exists only if every object
    has a digest; asked for alone it exits 1 where it does not.
    """
    from artlock.ops.digest import digests  # noqa: PLC0415 - not for --help

    both = digests(shell.project())
    both_asked = content == pin
    output = shell.output
    output.document("digest", {"content": both.content, "pin": both.pin, "weak": both.weak})
    label = "content " if both_asked else ""
    if both_asked or content:
        if both.content is not None:
            output.data(f"{label}{both.content}")
        else:
            if both_asked:
                output.data(f"{label}none")
            output.say(
                f"{both.weak:,} objects have no digest, so the content has none either\n"
                "hint: `artlock resolve --hash` reads them once"
            )
    if both_asked or pin:
        output.data(f"pin     {both.pin}" if both_asked else both.pin)
    return EXIT_NO if content and not pin and both.content is None else EXIT_OK
