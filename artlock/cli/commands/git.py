"""``artlock git``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, option
from artlock.cli.output import count, escape_line
from artlock.errors import EXIT_NO, EXIT_OK

if TYPE_CHECKING:
    from artlock.cli.options import Shell
    from artlock.cli.output import Output
    from artlock.ops.merging import MergeReport

_FILE = click.Path(path_type=Path)


@click.group("git")
def git() -> None:
    """Let git merge lockfiles by artifact and path."""


@command("install")
def install(shell: Shell) -> int:
    """Let git ask artlock when it merges artifacts.lock.

    Writes git's own settings of this repository, which are not committed, and adds lines
    to .gitattributes, which is. Everybody who clones runs it once.
    """
    from artlock.ops.merging import install_driver  # noqa: PLC0415 - not for --help
    from artlock.ops.project import find_root  # noqa: PLC0415 - likewise

    settings, has_attributes = install_driver(find_root(shell.directory))
    output = shell.output
    output.document("git-install", {"settings": settings, "attributes": has_attributes})
    for key in settings:
        output.data(f"set {key}")
    if has_attributes:
        output.data("wrote .gitattributes")
        output.say("hint: commit `.gitattributes`")
    if not settings and not has_attributes:
        output.say("Installed already")
    if shutil.which("artlock") is None:
        output.say(
            "hint: `artlock` is not on the path: where git does not find it, "
            "it merges lines"
        )
    return EXIT_OK


@command("merge-driver")
@click.argument("base", type=_FILE)
@click.argument("ours", type=_FILE)
@click.argument("theirs", type=_FILE)
@option(
    "--path",
    type=_FILE,
    default=Path("artifacts.lock"),
    envvar=None,
    help="Where the lockfile is in the work tree.",
)
@option(
    "--marker-size",
    type=int,
    default=7,
    envvar=None,
    help="How long conflict markers are.",
)
def merge_driver(
    shell: Shell, base: Path, ours: Path, theirs: Path, path: Path, marker_size: int
) -> int:
    """Merge three lockfiles into OURS; git calls this.

    Exits 1 if both sides changed something in different ways: OURS then has conflict
    markers, and `artlock resolve` reads both sides of it. If a file is no lockfile, OURS
    stays as it was.
    """
    from artlock.ops.merging import Markers, merge_files  # noqa: PLC0415 - not for --help

    # Shorter ones, which git's attributes allow, nobody would know as markers.
    markers = Markers(size=max(marker_size, Markers().size))
    report = merge_files(base, ours, theirs, path=path, markers=markers)
    output = shell.output
    output.document(
        "git-merge-driver",
        {
            "conflicts": [
                {"artifact": name, "rows": rows} for name, rows in report.conflicts.items()
            ],
            "ok": report.is_clean,
        },
    )
    _tell(output, path, report)
    return EXIT_OK if report.is_clean else EXIT_NO


def _tell(output: Output, path: Path, report: MergeReport) -> None:
    """Say what git does not: it prints this above its own word on the conflict."""
    name = escape_line(str(path))
    for artifact, rows in report.conflicts.items():
        what = f"{count(rows, 'object')} of `{artifact}`" if rows else f"`{artifact}`"
        output.say(f"`{name}`: both sides changed {what}")
    if not report.is_clean:
        output.say(
            "hint: `artlock resolve` keeps what both agree on, and asks for the rest"
        )


for _command in (install, merge_driver):
    git.add_command(_command)
