"""``artlock git``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from artlock.cli.hooking import judge_commit, tell_of_move
from artlock.cli.options import command, option
from artlock.cli.output import count, escape_line
from artlock.errors import EXIT_NO, EXIT_OK
from artlock.model.hooks import Hook

if TYPE_CHECKING:
    from artlock.cli.options import Shell
    from artlock.cli.output import Output
    from artlock.ops.merging import MergeReport

_FILE = click.Path(path_type=Path)


@click.group("git")
def git() -> None:
    """Let git merge lockfiles by artifact and path, and check what is committed."""


@command("install")
@option(
    "--hooks",
    is_flag=True,
    help="Also check what is committed, and tell when a checkout has other data.",
)
def install(shell: Shell, hooks: bool) -> int:  # noqa: FBT001 - a flag
    """Let git ask artlock when it merges artifacts.lock.

    Writes git's own settings of this repository, which are not committed, and adds lines
    to .gitattributes, which is. Everybody who clones runs it once. A hook that is there
    already is never written over.
    """
    from artlock.ops.hooks import install_hooks  # noqa: PLC0415 - not for --help
    from artlock.ops.merging import install_driver  # noqa: PLC0415 - likewise
    from artlock.ops.project import find_root  # noqa: PLC0415 - likewise

    root = find_root(shell.directory)
    # First, because they may be refused.
    written = [str(path) for path in install_hooks(root)] if hooks else []
    settings, has_attributes = install_driver(root)
    output = shell.output
    output.document(
        "git-install",
        {"settings": settings, "attributes": has_attributes, "hooks": written},
    )
    for key in settings:
        output.data(f"set {key}")
    for path in written:
        output.data(f"wrote {output.styled(_from_here(path))}")
    if has_attributes:
        output.data("wrote .gitattributes")
        output.say("hint: commit `.gitattributes`")
    if not settings and not has_attributes and not written:
        output.say("Installed already")
    if shutil.which("artlock") is None:
        output.say(
            "hint: `artlock` is not on the path: where git does not find it, "
            "it merges lines"
        )
    return EXIT_OK


@command("uninstall")
def uninstall(shell: Shell) -> int:
    """Take away what install wrote: git's settings, and hooks that nobody changed.

    .gitattributes stays; its lines do nothing without the settings.
    """
    from artlock.ops.hooks import uninstall_hooks  # noqa: PLC0415 - not for --help
    from artlock.ops.merging import uninstall_driver  # noqa: PLC0415 - likewise

    settings = uninstall_driver(shell.directory)
    found = uninstall_hooks(shell.directory)
    output = shell.output
    content = {
        "settings": settings,
        "hooks": [str(hook) for hook in found.hooks],
        "kept": [str(path) for path in found.kept],
    }
    output.document("git-uninstall", content)
    for what in (*settings, *found.hooks):
        output.data(f"removed {what}")
    for path in found.kept:
        output.warn(f"`{path}` has lines of its own and stays; take out what calls artlock")
    if not settings and not found.hooks:
        output.say("Nothing was installed")
    return EXIT_OK


@command("hook")
@click.argument("name", type=click.Choice([str(hook) for hook in Hook]), metavar="HOOK")
@click.argument("arguments", nargs=-1)
def hook(shell: Shell, name: str, arguments: tuple[str, ...]) -> int:
    """Do what one of git's hooks is for; git calls this, with ARGUMENTS of its own.

    Before a commit, judges each project of which something is staged, as it is staged, with
    the exit codes of `artlock check`. After a checkout, merge or rebase, tells what the
    lockfiles have otherwise by now, and always exits 0.
    """
    if Hook(name).may_refuse:
        return judge_commit(shell, Hook(name))
    return tell_of_move(shell, Hook(name), arguments)


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
    """Merge three lockfiles, or three states of a part, into OURS; git calls this.

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


def _from_here(path: str) -> str:
    """Return a path as one from the current folder, if it is below."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


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


for _command in (install, uninstall, hook, merge_driver):
    git.add_command(_command)
