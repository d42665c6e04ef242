"""``artlock verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, option
from artlock.cli.output import count, human_size
from artlock.errors import ConfigError, ManyErrors

if TYPE_CHECKING:
    from artlock.cli.options import Shell

_LISTED = 20


@command("verify")
@click.argument("names", nargs=-1)
@option("--cache", "cache", is_flag=True, envvar=None, help="Read the blobs of the cache.")
@option(
    "--remote", is_flag=True, envvar=None, help="Read the locked versions at the sources."
)
def verify(shell: Shell, names: tuple[str, ...], cache: bool, remote: bool) -> int:  # noqa: FBT001 - flags
    """Read the bytes of the workspace again and compare them with the lockfile.

    Exits 4 if bytes are wrong, 3 if some could not be read, 1 if files are missing. Nothing
    is written.
    """
    from artlock.ops.verify import Place  # noqa: PLC0415 - not for --help
    from artlock.ops.verify import verify as judge  # noqa: PLC0415 - not for --help

    if cache and remote:
        message = "`--cache` and `--remote` exclude each other"
        raise ConfigError(message)
    place = Place.CACHE if cache else Place.REMOTE if remote else Place.WORKSPACE
    report = judge(shell.project(), names, place=place)
    output = shell.output
    output.document(
        "verify",
        {
            "place": str(place),
            "checked": report.checked,
            "bytes": report.size,
            "weak": report.weak,
            "missing": list(report.missing),
            "errors": [
                {"code": e.code, "message": e.message, **e.facts()} for e in report.errors
            ],
            "exit_code": report.exit_code,
        },
    )
    shown = report.missing if output.verbose else report.missing[:_LISTED]
    for path in shown:
        output.data(f"missing: {output.styled(path)}")
    if len(shown) < len(report.missing):
        output.data(f"missing: ... and {len(report.missing) - len(shown):,} more")
    if report.errors and not output.as_json:
        failed = count(len(report.errors), "object")
        output.error(ManyErrors(f"{failed} of the {place} did not hold", report.errors))
    held = f"{count(report.checked, 'object')}, {human_size(report.size)}"
    weak = f" ({report.weak:,} by their etag or size only)" if report.weak else ""
    output.say(f"Verified {held} of the {place}{weak}")
    return report.exit_code
