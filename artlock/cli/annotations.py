"""Findings as GitHub's workflow commands: it shows them at the line that they are about.

A command is one line, ``::error file=F,line=N,title=T::MESSAGE``. What stands in it is
escaped as GitHub demands, so that no name can end it or begin another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from artlock.cli.output import safe

if TYPE_CHECKING:
    from artlock.errors import ArtlockError
    from artlock.ops.spots import Spot

_PLACE = re.compile(r"`(?P<file>artifacts\.(?:toml|lock))(?::(?P<line>\d+))?(?::\d+)?[`:]")
"""How messages name a place in a file: `artifacts.toml:12`."""


def annotation(level: str, title: str, message: str, spot: Spot | None = None) -> str:
    """Return the command that shows a message.

    Args:
        level: ``error``, ``warning`` or ``notice``.
        title: What stands above it.
        message: With line breaks where it should have them.
        spot: Where it is shown; in the log only, if there is no such place.
    """
    properties = {"file": spot.file, "line": str(spot.line)} if spot else {}
    properties["title"] = title
    told = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{level} {told}::{_data(message)}"


def error_annotation(error: ArtlockError, folder: str) -> str:
    """Return the command that shows an error that ended a command.

    Args:
        error: What went wrong; where its message names a place, it is shown there.
        folder: Of the project, as a prefix of paths from the top of its repository.
    """
    from artlock.ops.spots import Spot  # noqa: PLC0415 - only when something failed

    place = _PLACE.search(error.message)
    spot = Spot(folder + place["file"], int(place["line"] or 1)) if place else None
    hint = f"\nhint: {error.hint}" if error.hint else ""
    return annotation("error", f"artlock: {error.code}", error.message + hint, spot)


def _data(text: str) -> str:
    return safe(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
