"""``artlock cache``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from artlock.cli.collecting import ALONE, DRY_RUN, GRACE, MAX_SIZE, show_collection
from artlock.cli.options import command, option
from artlock.cli.output import count, human_size
from artlock.cli.quantities import bytes_of, seconds_of, share_of
from artlock.errors import EXIT_OK, EXIT_VIOLATION

if TYPE_CHECKING:
    from artlock.cli.options import Shell


@click.group("cache")
def cache() -> None:
    """Look at the cache, check it, make room."""


@command("dir")
def dir_(shell: Shell) -> int:
    """Print where the cache is."""
    root = str(shell.runtime().cache_root)
    shell.output.document("cache-dir", {"path": root})
    shell.output.data(root)
    return EXIT_OK


@command("size")
def size(shell: Shell) -> int:
    """Print how much the cache holds."""
    from artlock.ops.cache import cache_usage  # noqa: PLC0415 - not for --help

    found = cache_usage(shell.runtime())
    output = shell.output
    output.document(
        "cache-size",
        {
            "blobs": found.blobs,
            "blob_bytes": found.blob_size,
            "incoming_bytes": found.incoming_size,
            "quarantined": found.quarantined,
            "quarantined_bytes": found.quarantine_size,
            "discarded_bytes": found.discarded_size,
            "other_versions": [str(path) for path in found.other_versions],
        },
    )
    output.data(f"{human_size(found.blob_size)} in {count(found.blobs, 'blob')}")
    if found.incoming_size:
        output.data(f"{human_size(found.incoming_size)} on the way in")
    if found.discarded_size:
        output.data(f"{human_size(found.discarded_size)} on the way out")
    if found.quarantined:
        files = count(found.quarantined, "damaged or refused file")
        output.data(f"{human_size(found.quarantine_size)} in {files}, put aside")
        output.say(
            "hint: `artlock gc --keep workspaces --quarantine` removes them a day after"
        )
    for path in found.other_versions:
        output.say(f"`{path}` is of another version of artlock")
    return EXIT_OK


@command("verify")
@option(
    "--sample",
    metavar="SHARE",
    help="Read only so much of the cache, such as 5%; the next run goes on.",
)
@option("--max-age", help="Pass over what was checked so lately: 12h, 30d.")
def verify(shell: Shell, sample: str | None, max_age: str | None) -> int:
    """Read blobs again, from the disk; damaged ones are put aside.

    What was checked longest ago comes first, and a run that was interrupted is continued by
    the next one. Exits 4 if a blob was damaged; the next sync fetches it again.
    """
    from artlock.ops.cache import verify_cache  # noqa: PLC0415 - not for --help

    found = verify_cache(
        shell.runtime(),
        share=1.0 if sample is None else share_of(sample),
        max_age_s=None if max_age is None else seconds_of(max_age),
    )
    output = shell.output
    oldest = None if found.oldest_s is None else _moment(found.oldest_s)
    output.document(
        "cache-verify",
        {
            "intact": found.intact,
            "bytes": found.size,
            "damaged": [str(digest) for digest in found.damaged],
            "left": found.left,
            "left_bytes": found.left_size,
            "oldest_check": oldest,
        },
    )
    for digest in found.damaged:
        output.data(f"damaged: {digest}")
    intact = count(found.intact, "blob")
    left = f"; {found.left:,} not read, {human_size(found.left_size)}" if found.left else ""
    output.say(f"Verified the cache: {intact} intact, {human_size(found.size)}{left}")
    if found.damaged:
        output.say("hint: `artlock sync` or `artlock verify --repair` fetches them again")
    return EXIT_VIOLATION if found.damaged else EXIT_OK


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@command("prune")
@MAX_SIZE
@GRACE
@DRY_RUN
@ALONE
def prune(
    shell: Shell,
    max_size: str | None,
    grace: str | None,
    dry_run: bool,  # noqa: FBT001 - a flag
    alone: bool,  # noqa: FBT001 - a flag
) -> int:
    """Remove blobs that no workspace on this machine needs, oldest first.

    The same as `artlock gc --keep workspaces`.
    """
    from artlock.cache.collect import GRACE_S  # noqa: PLC0415 - not for --help
    from artlock.ops.gc import GcOptions, collect  # noqa: PLC0415 - not for --help

    options = GcOptions(
        max_size=None if max_size is None else bytes_of(max_size),
        grace_s=GRACE_S if grace is None else seconds_of(grace),
        dry_run=dry_run,
        alone=alone,
    )
    show_collection(shell.output, "cache-prune", options, collect(shell.runtime(), options))
    return EXIT_OK


for _command in (dir_, size, verify, prune):
    cache.add_command(_command)
