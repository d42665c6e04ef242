"""What every command takes, and the frame that every command runs in.

The global options may stand before or after the command's name, as with ``git -C`` and
``uv --quiet``; each option has an ``ARTLOCK_<FLAG>`` variable.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec

import click

from artlock.cli.output import Output
from artlock.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from artlock.ops.project import Project
    from artlock.ops.runtime import Runtime

Parameters = ParamSpec("Parameters")

_COLORS = {"auto": None, "always": True, "never": False}
_SHARED = {
    "directory",
    "quiet",
    "verbose",
    "as_json",
    "color",
    "no_progress",
    "offline",
    "jobs",
    "cache_dir",
}


def option(*names: str, **settings: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - click's own
    """Declare an option that ``ARTLOCK_<FLAG>`` can set too."""
    long = next(name for name in names if name.startswith("--"))
    flag = long.removeprefix("--").partition("/")[0]
    settings.setdefault("envvar", "ARTLOCK_" + flag.upper().replace("-", "_"))
    return click.option(*names, **settings)


def shared_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the global options as they stand before the command's name."""
    return _with_shared(function, option)


def _with_shared(
    function: Callable[..., Any], option: Callable[..., Callable[[Any], Any]]
) -> Callable[..., Any]:
    path = click.Path(path_type=Path)
    for decorate in reversed(
        (
            option("-C", "--directory", "directory", type=path, help="Run in DIR."),
            option(
                "-q",
                "--quiet",
                is_flag=True,
                default=None,
                help="Print no talk, only data and errors.",
            ),
            option("-v", "--verbose", is_flag=True, default=None, help="Print details."),
            option("--json", "as_json", is_flag=True, default=None, help="Print JSON."),
            option("--color", type=click.Choice(list(_COLORS)), help="When to use colour."),
            option("--no-progress", is_flag=True, default=None, help="Draw no progress."),
            option("--offline", is_flag=True, default=None, help="Use no network."),
            option("-j", "--jobs", type=click.IntRange(1, 256), help="Parallel transfers."),
            option("--cache-dir", type=path, help="Where the cache is."),
        )
    ):
        function = decorate(function)
    return function


class Shell(NamedTuple):
    """What a command needs beside its own arguments.

    No struct as other values are: ``--version`` and ``--help`` need no msgspec, which takes
    6 ms to import.

    Attributes:
        directory: Where to look for the project.
        output: Where to speak.
    """

    directory: Path
    output: Output
    progress: bool
    offline: bool
    jobs: int | None
    cache_dir: Path | None

    @classmethod
    def make(cls, shared: dict[str, Any]) -> Shell:
        """Build it from the values of the global options."""
        output = Output(
            as_json=bool(shared["as_json"]),
            quiet=bool(shared["quiet"]),
            verbose=bool(shared["verbose"]),
            color=_COLORS[shared["color"] or "auto"],
        )
        return cls(
            directory=Path(shared["directory"] or "."),
            output=output,
            progress=not (shared["no_progress"] or shared["quiet"]),
            offline=bool(shared["offline"]),
            jobs=shared["jobs"],
            cache_dir=shared["cache_dir"],
        )

    def runtime(self) -> Runtime:
        """Return the machine's side: settings, cache, progress.

        Raises:
            ConfigError: The user's settings are not valid.
        """
        from artlock.cli.progress import drawn_progress  # noqa: PLC0415 - rich loads slowly
        from artlock.ops.runtime import Runtime  # noqa: PLC0415 - not for --help

        return Runtime.load(
            os.environ,
            cache_dir=self.cache_dir,
            jobs=self.jobs,
            offline=self.offline,
            progress=drawn_progress(self.output, moving=self.progress),
            directory=self.directory,
            may_fork=True,
        )

    def project(self, *, of_anybody: bool = False) -> Project:
        """Return the project that this command is about.

        Args:
            of_anybody: Also if its manifest is another user's, who is not trusted.

        Raises:
            ManifestError: There is none here or above, or it is not valid.
            PolicyError: It is another user's.
        """
        from artlock.ops.project import Project  # noqa: PLC0415 - not for --help

        project = Project.open(self.directory, self.runtime())
        if not of_anybody:
            from artlock.ops.trusting import refuse_foreign  # noqa: PLC0415 - not for `check`

            refuse_foreign(project)
        return project

    def project_if_any(self) -> Project | None:
        """Return the project here or above, or ``None``; a broken one is no absence.

        Raises:
            ManifestError: There is one, and it is not valid; or there is no such folder.
            PolicyError: It is another user's.
        """
        from artlock.ops.project import find_root  # noqa: PLC0415 - not for --help

        try:
            find_root(self.directory)
        except ManifestError:
            if not self.directory.is_dir():
                raise
            return None
        return self.project()


def is_typed(name: str) -> bool:
    """Tell whether a parameter of this command stands on the command line itself."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def command(
    name: str,
    **settings: Any,  # noqa: ANN401 - click's own
) -> Callable[[Callable[Concatenate[Shell, Parameters], int]], click.Command]:
    """Declare a command: a function from a shell and its arguments to an exit code."""

    def decorate(function: Callable[Concatenate[Shell, Parameters], int]) -> click.Command:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> int:  # noqa: ANN401 - what click collected
            shared = {key: kwargs.pop(key) for key in _SHARED}
            above = click.get_current_context().find_root().params
            merged = {k: above.get(k) if v is None else v for k, v in shared.items()}
            return function(Shell.make(merged), *args, **kwargs)

        # Variables are read before the command's name only: they must not win over what
        # was typed there.
        as_command: Callable[[Any], click.Command] = click.command(name, **settings)
        return as_command(_with_shared(run, click.option))

    return decorate
