"""``artlock resolve``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from artlock.cli.changes import change_json, show_changes
from artlock.cli.options import command, option
from artlock.cli.output import count, human_size
from artlock.errors import EXIT_NO, EXIT_OK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artlock.cli.options import Shell
    from artlock.cli.output import Output
    from artlock.ops.resolve import Resolution


@command("resolve")
@click.argument("names", nargs=-1)
@option("--check", is_flag=True, help="Write nothing; exit 1 if something would change.")
@option("--dry-run", is_flag=True, help="Write nothing; show what would change.")
@option("--hash", "digest_all", is_flag=True, help="Read objects that have no digest yet.")
@option("--regenerate", is_flag=True, help="List all again, as if nothing were locked.")
@option("--as-of", metavar="TIME", help="As it was at a moment: 2026-05-01T00:00:00Z.")
@option("--allow-shrink", is_flag=True, help="Accept that an artifact loses most objects.")
def resolve(
    shell: Shell,
    names: tuple[str, ...],
    check: bool,  # noqa: FBT001 - a flag
    dry_run: bool,  # noqa: FBT001 - a flag
    digest_all: bool,  # noqa: FBT001 - a flag
    regenerate: bool,  # noqa: FBT001 - a flag
    as_of: str | None,
    allow_shrink: bool,  # noqa: FBT001 - a flag
) -> int:
    """Lock what artifacts.toml declares; what is locked and declared alike stays.

    New and changed declarations are listed at their sources. Pins never move: for that
    there is `artlock update`. The lockfile is written only if its bytes differ.

    With --as-of buckets that keep versions are listed as they were at that moment, all or
    those of NAMEs; artifacts.toml stays as it is, and `artlock update` moves on.
    """
    from artlock.ops.going_back import past_moment  # noqa: PLC0415 - not for --help
    from artlock.ops.resolve import Pins  # noqa: PLC0415 - not for --help
    from artlock.ops.resolve import resolve as make  # noqa: PLC0415 - not for --help

    moment = past_moment(as_of, now=datetime.now(UTC)) if as_of is not None else None
    keeps = Pins.KEEP if moment is None else Pins.MOVE
    project = shell.project()
    result = make(
        project,
        names or None,
        pins=Pins.FORGET if regenerate else keeps,
        as_of=moment,
        digest_all=digest_all,
        write=not (check or dry_run),
        allow_shrink=allow_shrink,
    )
    show_resolution(
        shell.output,
        result,
        schema="resolve",
        dry=check or dry_run,
        rows=moment is not None,
        about={"as_of": moment},
    )
    return EXIT_NO if check and result.differs else EXIT_OK


def show_resolution(
    output: Output,
    result: Resolution,
    *,
    schema: str,
    dry: bool,
    rows: bool = False,
    about: Mapping[str, object] | None = None,
) -> None:
    """Print what a resolve or update came to: changes as data, the rest as talk.

    Args:
        output: Where to speak.
        result: What it came to.
        schema: The command's name, for ``--json``.
        dry: Whether nothing was to be written.
        rows: Whether each row that changed is shown.
        about: What else the command's document says.
    """
    verb = "Updated" if schema == "update" else "Resolved"
    output.document(
        schema,
        {
            **(about or {}),
            "written": result.written,
            "differs": result.differs,
            "listed": list(result.listed),
            "markers_skipped": result.markers,
            "bytes_read": result.read_size,
            "changes": [change_json(change) for change in result.changes],
        },
    )
    show_changes(output, result.changes, rows=rows)
    if result.markers:
        output.detail(f"skipped {count(result.markers, 'zero-byte folder marker')}")
    read = f", read {human_size(result.read_size)}" if result.read_size else ""
    artifacts = count(len(result.lock.artifacts), "artifact")
    if not result.differs:
        output.say(f"{verb} {artifacts}: nothing changed{read}")
        return
    objects = count(result.lock.count(), "object")
    total = human_size(result.lock.size)
    would = "; nothing written (dry run)" if dry else "; wrote artifacts.lock"
    output.say(f"{verb} {artifacts}: {objects}, {total}{read}{would}")
