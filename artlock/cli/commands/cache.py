"""``artlock cache``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, option
from artlock.cli.output import count, human_size
from artlock.errors import EXIT_OK, EXIT_VIOLATION, ConfigError

if TYPE_CHECKING:
    from artlock.cli.options import Shell

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)b?", re.IGNORECASE)
_SPAN = re.compile(r"([0-9]+)\s*([smhd]?)", re.IGNORECASE)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


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
            "quarantined_bytes": found.quarantine_size,
            "other_versions": [str(path) for path in found.other_versions],
        },
    )
    output.data(f"{human_size(found.blob_size)} in {count(found.blobs, 'blob')}")
    if found.incoming_size:
        output.data(f"{human_size(found.incoming_size)} on the way in")
    if found.quarantine_size:
        output.data(f"{human_size(found.quarantine_size)} refused or damaged, put aside")
    for path in found.other_versions:
        output.say(f"`{path}` is of another version of artlock")
    return EXIT_OK


@command("verify")
def verify(shell: Shell) -> int:
    """Read every blob again; damaged ones are put aside.

    Exits 4 if one was damaged. The next sync fetches it again.
    """
    from artlock.ops.cache import verify_cache  # noqa: PLC0415 - not for --help

    found = verify_cache(shell.runtime())
    output = shell.output
    output.document(
        "cache-verify",
        {
            "intact": found.intact,
            "bytes": found.size,
            "damaged": [str(digest) for digest in found.damaged],
        },
    )
    for digest in found.damaged:
        output.data(f"damaged: {digest}")
    intact = count(found.intact, "blob")
    output.say(f"Verified the cache: {intact} intact, {human_size(found.size)}")
    return EXIT_VIOLATION if found.damaged else EXIT_OK


@command("prune")
@option("--max-size", help="Stop as soon as the blobs take no more: 10GB, 500M.")
@option("--grace", help="Keep what was used so lately: 12h, 7d. Default: 1d.")
@option("--dry-run", is_flag=True, help="Remove nothing; show what would go.")
def prune(shell: Shell, max_size: str | None, grace: str | None, dry_run: bool) -> int:  # noqa: FBT001 - a flag
    """Remove blobs that no project on this machine has locked, oldest first.

    Projects are known from their syncs. What was used within the grace stays.
    """
    from artlock.cache.sweep import GRACE_S  # noqa: PLC0415 - not for --help
    from artlock.ops.cache import prune_cache  # noqa: PLC0415 - not for --help

    pruned, swept = prune_cache(
        shell.runtime(),
        max_size=None if max_size is None else _bytes(max_size),
        grace_s=GRACE_S if grace is None else _seconds(grace),
        dry_run=dry_run,
    )
    output = shell.output
    output.document(
        "cache-prune",
        {
            "removed": [str(blob.digest) for blob in pruned.removed],
            "removed_bytes": pruned.size,
            "swept_bytes": swept,
            "kept_bytes": pruned.kept_size,
            "dry_run": dry_run,
        },
    )
    verb = "Would remove" if dry_run else "Removed"
    output.say(
        f"{verb} {count(len(pruned.removed), 'blob')}, {human_size(pruned.size + swept)}; "
        f"{human_size(pruned.kept_size)} stay"
    )
    return EXIT_OK


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        message = f"`{text}` is not a size"
        raise ConfigError(message, hint="write bytes, or `500M`, `10GB`")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def _seconds(text: str) -> float:
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        message = f"`{text}` is not a length of time"
        raise ConfigError(message, hint="write seconds, or `30m`, `12h`, `7d`")
    return float(int(match[1]) * _SECONDS[match[2].lower()])


for _command in (dir_, size, verify, prune):
    cache.add_command(_command)
