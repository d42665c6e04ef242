"""``artlock gc``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from artlock.cli.collecting import ALONE, DRY_RUN, GRACE, MAX_SIZE, show_collection
from artlock.cli.options import command, option
from artlock.cli.quantities import bytes_of, seconds_of
from artlock.errors import EXIT_OK, ConfigError

if TYPE_CHECKING:
    from artlock.cli.options import Shell

_SCOPES = ("workspaces", "branches", "commits")


@command("gc")
@option(
    "--keep",
    type=click.Choice(_SCOPES),
    help="What stays: what workspaces need now; also what is locked at their branches and "
    "tags; also at all commits.",
)
@MAX_SIZE
@GRACE
@option(
    "--forget-project",
    "forget",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Count the project in this folder no more; repeatable.",
)
@option("--quarantine", is_flag=True, help="Also remove damaged blobs put aside.")
@DRY_RUN
@ALONE
def gc(
    shell: Shell,
    keep: str | None,
    max_size: str | None,
    grace: str | None,
    forget: tuple[Path, ...],
    quarantine: bool,  # noqa: FBT001 - a flag
    dry_run: bool,  # noqa: FBT001 - a flag
    alone: bool,  # noqa: FBT001 - a flag
) -> int:
    """Remove what no project on this machine needs from the cache.

    Projects are known from their syncs. --keep says whose needs count, and must be given.
    What was used within the grace stays in any case.
    """
    from artlock.cache.collect import GRACE_S  # noqa: PLC0415 - not for --help
    from artlock.ops.gc import GcOptions, collect  # noqa: PLC0415 - not for --help
    from artlock.ops.roots import Keep  # noqa: PLC0415 - not for --help

    if keep is None:
        message = "`artlock gc` must be told what to keep"
        raise ConfigError(
            message,
            hint="`--keep workspaces` keeps what the workspaces of this machine need now, "
            "`--keep branches` also what their branches and tags lock, `--keep commits` "
            "also what any commit locks; `--dry-run` shows what would go",
        )
    options = GcOptions(
        keep=Keep(keep),
        max_size=None if max_size is None else bytes_of(max_size),
        grace_s=GRACE_S if grace is None else seconds_of(grace),
        forget=[shell.directory / path for path in forget],
        quarantine=quarantine,
        dry_run=dry_run,
        alone=alone,
    )
    show_collection(shell.output, "gc", options, collect(shell.runtime(), options))
    return EXIT_OK
