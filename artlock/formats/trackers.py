"""``[trackers]``, as manifest and user settings have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.model.manifest import problem_with_name
from artlock.model.uri import Uri

if TYPE_CHECKING:
    from artlock.formats.fields import Table

_LOCAL = "local"
"""The registry in the user's data folder; it needs no declaration."""


def read_trackers(table: Table, key: str = "trackers") -> tuple[tuple[str, str], ...]:
    """Read ``(name, URL)`` in the order of the file; no URL has a credential."""
    trackers = table.pairs(key)
    for name, url in trackers:
        problem = _problem_with_tracker(name, url)
        if problem is not None:
            table.fault(key, problem, name)
    return trackers


def _problem_with_tracker(name: str, url: str) -> str | None:
    if problem := problem_with_name(name):
        return problem
    if name == _LOCAL:
        return "is the name of your own registry; choose another"
    if "://" not in url:
        return "is not a URL such as `mlflow+https://host/experiment`"
    try:
        Uri.parse(url)
    except ValueError as error:
        return str(error)
    return None
