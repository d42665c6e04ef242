"""``artlock verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, option
from artlock.cli.output import count, human_size
from artlock.cli.quantities import share_of
from artlock.errors import EXIT_VIOLATION, ConfigError, ManyErrors

if TYPE_CHECKING:
    from artlock.cli.options import Shell
    from artlock.cli.output import Output
    from artlock.errors import ArtlockError
    from artlock.ops.mending import Mended
    from artlock.ops.verify import VerifyReport

_LISTED = 20
_HINTS = {
    "workspace": "`artlock verify --repair` writes anew what is damaged or missing; files "
    "that you changed stay",
    "cache": "`artlock verify --repair --cache` fetches what is damaged or missing",
    "remote": "see `artlock status --remote`; what is verified in the cache stays",
}
"""What helps, for each place, where no failure says it itself."""


@command("verify")
@click.argument("names", nargs=-1)
@option("--cache", "cache", is_flag=True, envvar=None, help="Read the blobs of the cache.")
@option(
    "--remote", is_flag=True, envvar=None, help="Read the locked versions at the sources."
)
@option(
    "--repair",
    is_flag=True,
    envvar=None,
    help="Put right what the disk damaged or what is missing.",
)
@option(
    "--force",
    is_flag=True,
    envvar=None,
    help="With --repair: move changed files into the trash, and write anew.",
)
@option(
    "--sample",
    metavar="SHARE",
    help="Read only so much of the objects, at random: 5%.",
)
def verify(
    shell: Shell,
    names: tuple[str, ...],
    cache: bool,  # noqa: FBT001 - a flag
    remote: bool,  # noqa: FBT001 - a flag
    repair: bool,  # noqa: FBT001 - a flag
    force: bool,  # noqa: FBT001 - a flag
    sample: str | None,
) -> int:
    """Read the bytes of the workspace again and compare them with the lockfile.

    Exits 4 if bytes are wrong, 3 if some could not be read, 1 if files are missing. Nothing
    is written without --repair; with it, exits 0 if all is right afterwards. A file that
    you changed stays, and a damaged blob is put aside.
    """
    from artlock.ops.verify import Place  # noqa: PLC0415 - not for --help
    from artlock.ops.verify import verify as judge  # noqa: PLC0415 - not for --help

    if cache and remote:
        message = "`--cache` and `--remote` exclude each other"
        raise ConfigError(message)
    if repair and remote:
        message = "`--repair` mends the workspace or the cache; a source is only read"
        raise ConfigError(message, hint="`artlock update` locks what the source has now")
    if force and not repair:
        message = "`--force` says what `--repair` may do"
        raise ConfigError(message, hint="give both")
    place = Place.CACHE if cache else Place.REMOTE if remote else Place.WORKSPACE
    share = 1.0 if sample is None else share_of(sample)
    if repair:
        from artlock.ops import verify_repair  # noqa: PLC0415 - only for this

        done = verify_repair.repair(
            shell.project(), names, place=place, share=share, force=force
        )
        _show(shell.output, done.report, done.exit_code, done.mended)
        return done.exit_code
    report = judge(shell.project(), names, place=place, share=share)
    _show(shell.output, report, report.exit_code, None)
    return report.exit_code


def _show(
    output: Output, report: VerifyReport, exit_code: int, mended: Mended | None
) -> None:
    failures = () if mended is None else mended.failures
    errors = (*report.errors, *failures)
    output.document(
        "verify",
        {
            "place": str(report.place),
            "checked": report.checked,
            "bytes": report.size,
            "weak": report.weak,
            "missing": list(report.missing),
            "errors": [{"code": e.code, "message": e.message, **e.facts()} for e in errors],
            "exit_code": exit_code,
            "repaired": None if mended is None else _described(mended),
        },
    )
    if mended is not None:
        _tell(output, mended)
    shown = report.missing if output.verbose else report.missing[:_LISTED]
    for path in shown:
        output.data(f"missing: {output.styled(path)}")
    if len(shown) < len(report.missing):
        output.data(f"missing: ... and {len(report.missing) - len(shown):,} more")
    if errors and not output.as_json:
        output.error(ManyErrors(_headline(report, failures), errors))
    held = f"{count(report.checked, 'object')}, {human_size(report.size)}"
    weak = f" ({report.weak:,} by their etag or size only)" if report.weak else ""
    output.say(f"Verified {held} of the {report.place}{weak}")
    wrong = any(error.hint is None for error in report.errors)
    if mended is None and (report.missing or wrong):
        output.say(f"hint: {_HINTS[report.place]}")
    if mended is not None and mended.kept:
        output.say(
            "hint: you may have changed these files, so they stay; `--force` moves them "
            "into the trash"
        )


def _headline(report: VerifyReport, failures: tuple[ArtlockError, ...]) -> str:
    if not report.errors:
        return f"{count(len(failures), 'object')} could not be fetched again"
    wrong = sum(error.exit_code == EXIT_VIOLATION for error in report.errors)
    unread = len(report.errors) - wrong
    what = "at its source" if report.place == "remote" else f"of the {report.place}"
    if not wrong:
        return f"{count(unread, 'object')} {what} could not be read"
    also = f", and {unread:,} could not be read" if unread else ""
    return f"{count(wrong, 'object')} {what} did not hold{also}"


def _described(mended: Mended) -> dict[str, object]:
    return {
        "written": list(mended.written),
        "kept": list(mended.kept),
        "trashed": list(mended.trashed),
        "quarantined": [str(digest) for digest in mended.quarantined],
        "refilled": mended.refilled,
        "fetched": mended.fetched,
        "fetched_bytes": mended.fetched_size,
    }


def _tell(output: Output, mended: Mended) -> None:
    for path in mended.written:
        output.data(f"repaired: {output.styled(path)}")
    for path in mended.kept:
        output.data(f"changed: {output.styled(path)}")
    for path in mended.trashed:
        output.say(f"moved to {path}")
    for digest in mended.quarantined:
        output.say(f"put aside: {digest}")
    if mended.refilled:
        output.say(f"{count(mended.refilled, 'blob')} taken from files of the workspace")
    if mended.fetched:
        fetched = count(mended.fetched, "object")
        output.say(f"fetched {fetched} again, {human_size(mended.fetched_size)}")
