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
@option("--lock", is_flag=True, help="Only the lock digest: of the text that is pushed.")
def digest(shell: Shell, content: bool, pin: bool, lock: bool) -> int:  # noqa: FBT001 - flags
    """Print the digests of content, pins and lockfile.

    The content digest is the same wherever the data lies, and exists only if every object
    has a digest; asked for alone it exits 1 where it does not. By the lock digest a
    registered version is known.
    """
    from artlock.ops.digest import digests  # noqa: PLC0415 - not for --help

    found = digests(shell.project())
    output = shell.output
    values = {"content": found.content, "pin": found.pin, "lock": found.lock}
    output.document("digest", {**values, "weak": found.weak})
    chosen = {"content": content, "pin": pin, "lock": lock}
    shown = [name for name, asked in chosen.items() if asked] or list(chosen)
    is_labelled = len(shown) > 1
    for name in shown:
        value = values[name]
        if value is not None:
            output.data(f"{name:<8}{value}" if is_labelled else value)
            continue
        if is_labelled:
            output.data(f"{name:<8}none")
        output.say(
            f"{found.weak:,} objects have no digest, so the content has none either\n"
            "hint: `artlock resolve --hash` reads them once"
        )
    return EXIT_NO if shown == ["content"] and found.content is None else EXIT_OK
