"""The machine's side of an operation: settings, cache, parallelism, progress."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from artlock.cache.layout import default_root
from artlock.errors import ConfigError
from artlock.formats.settings import parse_settings, settings_path
from artlock.ops.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artlock.model.settings import Settings

_DEFAULT_JOBS = 16
"""Transfers at once; small objects mostly wait for their store."""


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for every project on this machine.

    Attributes:
        environ: The environment variables that count.
        cache_root: Where the cache is; made when it is first written.
        jobs: Transfers at once.
        offline: Whether only local sources may be read.
        directory: Where the command runs; what a person types is relative to it.
        may_fork: Whether this process may fork; one that is somebody else's must not.
    """

    environ: Mapping[str, str]
    settings: Settings
    cache_root: Path
    jobs: int = _DEFAULT_JOBS
    offline: bool = False
    progress: Progress = msgspec.field(default_factory=Silent)
    directory: Path = Path()
    may_fork: bool = False

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str],
        *,
        cache_dir: Path | None = None,
        jobs: int | None = None,
        offline: bool = False,
        progress: Progress | None = None,
        directory: Path | None = None,
        may_fork: bool = False,
    ) -> Runtime:
        """Read the user's settings; arguments win over them.

        Raises:
            ConfigError: The settings are not valid or cannot be read.
        """
        settings = _read_settings(environ)
        own = Path(settings.cache_dir).expanduser() if settings.cache_dir else None
        # The variable is the command line's: it wins over the settings file.
        if own is None or environ.get("ARTLOCK_CACHE_DIR"):
            own = default_root(environ)
        return cls(
            environ=environ,
            settings=settings,
            cache_root=Path(os.path.abspath(cache_dir or own)),  # noqa: PTH100 - a link may be meant
            jobs=jobs or settings.jobs or _DEFAULT_JOBS,
            offline=offline,
            progress=progress or Silent(),
            directory=directory or Path(),
            may_fork=may_fork,
        )


def _read_settings(environ: Mapping[str, str]) -> Settings:
    path = settings_path(environ)
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        message = f"`{path}` cannot be read: {error}"
        raise ConfigError(message) from error
    return parse_settings(text, name=str(path))
