"""What ``gc`` and ``cache prune`` have in common: options, and what they print."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from artlock.cli.options import option
from artlock.cli.output import count, human_size

if TYPE_CHECKING:
    from artlock.cli.output import Output
    from artlock.ops.gc import GcOptions, GcReport

MAX_SIZE = option("--max-size", help="Stop as soon as the blobs take no more: 10GB, 500M.")
GRACE = option("--grace", help="Keep what was used so lately: 12h, 7d. Default: 1d.")
DRY_RUN = option("--dry-run", is_flag=True, help="Remove nothing; show what would go.")
ALONE = option(
    "--alone",
    is_flag=True,
    help="Nobody else uses the cache now; for file systems without mutexes.",
)


def show_collection(
    output: Output, schema: str, options: GcOptions, report: GcReport
) -> None:
    """Print what went, or would go."""
    choice, roots = report.choice, report.roots
    output.document(
        schema,
        {
            "keep": str(options.keep),
            "removed": [str(blob.digest) for blob in choice.removed],
            "removed_bytes": choice.size,
            "aside": [str(blob.digest) for blob in choice.aside],
            "swept_bytes": report.swept,
            "quarantined": report.quarantined,
            "quarantined_bytes": report.quarantine_size,
            "kept": choice.kept,
            "kept_bytes": choice.kept_size,
            "projects": [str(path) for path in roots.projects],
            "missing": [
                {"path": str(item.path), "until": _moment(item.until_s)}
                for item in roots.missing
            ],
            "forgotten": [str(path) for path in report.forgotten],
            "unreadable": list(roots.unreadable),
            "dry_run": options.dry_run,
        },
    )
    if options.dry_run or output.verbose:
        for blob in choice.removed:
            output.data(f"remove: {blob.digest} {human_size(blob.size)}")
        for path in roots.projects:
            output.say(f"needs of `{path}` are kept")
    aside = "would be put aside" if options.dry_run else "was put aside"
    for blob in choice.aside:
        output.warn(f"the blob {blob.digest} has other bytes by now: it {aside}")
    for item in roots.missing:
        output.warn(
            f"the project `{item.path}` is not there; what it needed stays until "
            f"{_moment(item.until_s)}"
        )
    forgot = "would forget" if options.dry_run else "forgot"
    for path in report.forgotten:
        output.say(f"{forgot} the project `{path}`")
    for text in roots.unreadable:
        output.warn(f"{text}; what only it needs does not stay")
    verb = "Would remove" if options.dry_run else "Removed"
    damaged = f", {report.quarantined:,} damaged" if report.quarantined else ""
    output.say(
        f"{verb} {count(len(choice.removed), 'blob')}{damaged}, {human_size(report.size)}; "
        f"{human_size(choice.kept_size)} stay"
    )


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
