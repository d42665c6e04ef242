"""artlock's own tracker: versions, locks, runs and the outbox in SQLite or PostgreSQL.

A library with a small surface: ``open_registry`` gives a ``Registry``, which is a
``Tracker`` and has the ``outbox``. There is no HTTP in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from artlock.errors import ConfigError
from artlock.tracking.registry.database import Database
from artlock.tracking.registry.outbox import LONGEST_WAIT_S, Outbox
from artlock.tracking.registry.parcels import (
    LastError,
    NewParcel,
    Parcel,
    ParcelKind,
    ParcelState,
)
from artlock.tracking.registry.places import place_of, place_of_file, problem_with
from artlock.tracking.registry.registry import Registry

if TYPE_CHECKING:
    from artlock.model.uri import Uri
    from artlock.tracking.base import TrackerContext

__all__ = [
    "LONGEST_WAIT_S",
    "LastError",
    "NewParcel",
    "Outbox",
    "Parcel",
    "ParcelKind",
    "ParcelState",
    "Registry",
    "open_registry",
    "open_tracker",
    "problem_with",
]


def open_registry(place: Path | Uri, context: TrackerContext) -> Registry:
    """Return the registry at a place; connects when it is first asked something.

    Args:
        place: A file, absolute or relative to ``context.base``, or a URL of ``sqlite`` or
            ``postgresql``.
        context: Of the run.

    Raises:
        ConfigError: The URL is not that of a registry.
    """
    if isinstance(place, Path):
        return Registry(Database(place_of_file(context.base / place), context))
    if problem := problem_with(place):
        message = f"`{place}` {problem}"
        raise ConfigError(message)
    return Registry(Database(place_of(place, context.base), context))


def open_tracker(url: Uri, context: TrackerContext) -> Registry:
    """Return the registry at ``url``; see ``TrackerScheme.open_tracker``."""
    return open_registry(url, context)
