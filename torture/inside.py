"""Run artlock in this process: thousands of times a minute, with all it says kept."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from artlock.cli.main import run
from testbed.guards import isolate

DEFECT = "a defect in artlock"
"""What the command line says of an exception that nobody expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command that has ended.

    Attributes:
        code: Its exit code.
        out: What it printed on stdout.
        err: The same of stderr.
    """

    code: int
    out: str
    err: str


def artlock(*arguments: str | Path) -> Ended:
    """Run one command, and keep what it prints.

    Raises:
        AssertionError: It met a defect of its own.
    """
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run([os.fspath(argument) for argument in arguments])
    ended = Ended(code=code, out=out.getvalue(), err=err.getvalue())
    assert DEFECT not in ended.err, ended.err
    return ended


@contextmanager
def alone(home: Path) -> Iterator[Path]:
    """Give this process another home until the block is left.

    Args:
        home: Is made; its settings, state and cache are the only ones.

    Yields:
        The user's settings, a file that is not there yet.
    """
    before = dict(os.environ)
    home.mkdir()
    try:
        isolate(os.environ, home)
        settings = home / ".config" / "artlock" / "config.toml"
        settings.parent.mkdir(parents=True)
        yield settings
    finally:
        os.environ.clear()
        os.environ.update(before)
