"""Comet: artifacts with remote assets, through Comet's own client.

Supported is comet-ml from 3.58 on; tested are 3.58.0 and 3.58.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import ConfigError
from artlock.tracking.comet.address import address_of
from artlock.tracking.comet.process import folder_of_client
from artlock.tracking.comet.tracker import CometTracker

if TYPE_CHECKING:
    from artlock.model.uri import Uri
    from artlock.tracking.base import Tracker, TrackerContext

__all__ = ["open_tracker", "problem_with"]


def problem_with(url: Uri) -> str | None:
    """Return why ``url`` addresses no project of Comet, or ``None``; no network."""
    try:
        address_of(url)
    except ValueError as error:
        return str(error)
    return None


def open_tracker(url: Uri, context: TrackerContext) -> Tracker:
    """Return the tracker at ``url``; its client starts when it is first asked something.

    Raises:
        ConfigError: Comet's client is not installed, or ``url`` does not address Comet.
    """
    if folder_of_client(context.base) is None:
        reason = "Comet's client is not installed"
        raise ConfigError(reason, hint="install `artlock[comet]`")
    try:
        address = address_of(url)
    except ValueError as error:
        reason = f"`{url}`: {error}"
        raise ConfigError(reason) from error
    return CometTracker(str(url), address, context)
