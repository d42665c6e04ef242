"""The entry point: finds the command, and is the one boundary where errors become exits."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from artlock import __version__
from artlock.cli import commands
from artlock.cli.options import shared_options
from artlock.cli.output import Output, escape, safe, silence
from artlock.errors import (
    EXIT_INCOMPLETE,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_USAGE,
    ArtlockError,
    ConfigError,
)
from artlock.fs.limits import allow_open_files
from artlock.fs.problems import reason

if TYPE_CHECKING:
    from collections.abc import Sequence


_FEW_COLLECTIONS = 100_000
"""New objects between two collections; Python's own is 700."""


class _Commands(click.Group):
    """A group that imports a command when it is named: ``--help`` loads none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a project's life."""
        del ctx
        return list(commands.SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command."""
        del ctx
        return commands.load(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which name is near."""
        if args and not args[0].startswith("-") and args[0] not in commands.SUMMARIES:
            import difflib

            near = difflib.get_close_matches(args[0], commands.SUMMARIES, 1)
            tip = f"; did you mean `{near[0]}`?" if near else ""
            ctx.fail(f"there is no command `{escape(args[0])}`{tip}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List names and summaries without importing the commands."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(commands.SUMMARIES.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done or yes, 1 no, 2 usage, 3 incomplete, 4 violation, "
    "130 interrupted.",
)
@shared_options
@click.version_option(__version__, prog_name="artlock")
def artlock(**_shared: object) -> None:
    """Lock remote data beside the code, and reproduce the exact bytes.

    artifacts.toml declares data in S3, GCS, HTTP or shared storage. `artlock resolve`
    writes artifacts.lock, to be committed; `artlock sync` makes the files what was locked.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; nothing escapes.

    Args:
        arguments: Without the program's name.
    """
    output = Output(as_json=_asks_for_json(arguments))
    try:
        result = artlock.main(list(arguments), prog_name="artlock", standalone_mode=False)
    except ArtlockError as error:
        output.error(error)
        return error.exit_code
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return EXIT_USAGE
    except click.UsageError as error:
        return _usage(output, error)
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(output)
    except (BrokenPipeError, SystemExit):  # click's answer to a closed pipe: it ends with 1
        return EXIT_OK
    except Exception as error:  # noqa: BLE001 - the boundary: 1 must never mean a defect
        failure = _output_failure(error)
        if failure is not None:
            silence(sys.stdout)
            output.error(failure)
            return failure.exit_code
        return _defect(output, error, arguments)
    return result if isinstance(result, int) else EXIT_OK


def main() -> None:
    """Run the command line of this process."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        # A scheduler that ends a job means what Ctrl-C means: what is open is closed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    allow_open_files()
    # Rows come by the hundred thousand and stay to the end: looking for cycles among them
    # again and again finds none.
    gc.freeze()
    gc.set_threshold(_FEW_COLLECTIONS)
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:
        silence(sys.stdout)
    sys.exit(code)


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Tell whether errors are JSON too, even if the arguments cannot be parsed."""
    return "--json" in arguments or os.environ.get("ARTLOCK_JSON", "") not in {"", "0"}


def _interrupted(output: Output) -> int:
    message = "interrupted; what was verified stays in the cache"
    about = {"code": "interrupted", "message": message, "hint": "run it again"}
    output.document("error", {"error": {**about, "exit_code": EXIT_INTERRUPTED}})
    output.say(message)
    return EXIT_INTERRUPTED


def _output_failure(error: Exception) -> ArtlockError | None:
    """Return what to say if it was stdout that failed, and not a file of ours."""
    import traceback

    steps = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    if not isinstance(error, OSError) or steps[-1] is not click.echo.__code__:
        return None
    failure = ArtlockError(f"the output cannot be written: {reason(error)}")
    failure.code = "output-error"  # type: ignore[misc] # this one instance
    return failure


def _usage(output: Output, error: click.UsageError) -> int:
    path = error.ctx.command_path if error.ctx else "artlock"
    message = error.format_message().rstrip(".")
    output.error(
        ConfigError(message[:1].lower() + message[1:], hint=f"see `{path} --help`")
    )
    return EXIT_USAGE


def _defect(output: Output, error: Exception, arguments: Sequence[str]) -> int:
    """Report a defect in artlock: exit 3, so that it is never read as the answer "no"."""
    import traceback

    failure = ArtlockError(
        f"a defect in artlock: {type(error).__name__}: {error}",
        hint="the report above should have no credentials in it; look once, and send it "
        "with the version that `artlock --version` prints",
    )
    failure.code = "internal-error"  # type: ignore[misc] # this one instance
    click.echo(safe("".join(traceback.format_exception(error))), err=True)
    click.echo(f"artlock {__version__}: {safe(' '.join(arguments))}", err=True)
    output.error(failure)
    return EXIT_INCOMPLETE
