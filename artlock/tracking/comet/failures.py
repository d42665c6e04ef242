"""What Comet's client reports, as errors of ours."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from artlock.errors import (
    RegistrationRefusedError,
    TrackerDeniedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.model.secrets import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from artlock.tracking.comet.messages import Failure

SET_THE_KEY = (
    "set `COMET_API_KEY`, or write the key to `~/.comet.config` with `comet login`"
)
_DENIED_STATUS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_DENIED = {
    90212: "Comet does not know the API key",
    90219: "Comet has no such workspace, or the API key does not reach it",
    90210: "the API key may not write to this workspace",
}
"""By Comet's own code."""
_FOR_PEOPLE = 7777777
"""Comet's code for a text that it wants people to read."""
_SHOWN = 300
"""Characters of a text of theirs that a message repeats."""


def error_of(failure: Failure, tracker: str, secrets: Iterable[str]) -> TrackingError:
    """Return the error that says what failed.

    Args:
        failure: What the client reports.
        tracker: What the error calls the tracker.
        secrets: What is taken out of the client's words.
    """
    status, text = failure.status, short(redact(failure.text, secrets))
    if failure.kind == "no-key":
        return TrackerDeniedError(
            "there is no Comet API key", tracker=tracker, hint=SET_THE_KEY
        )
    if failure.kind == "network":
        reason = f"Comet cannot be reached: {text}"
        return TrackerUnavailableError(reason, tracker=tracker)
    if failure.kind == "no-run":
        reason = "Comet has no such experiment, or the API key may not write to it"
        hint = "look at `--run` and at `COMET_EXPERIMENT_KEY`"
        return RegistrationRefusedError(reason, tracker=tracker, status=status, hint=hint)
    if failure.kind == "memory":
        reason = "Comet answered more than there can be; its client ran out of memory"
        return TrackingError(reason, tracker=tracker)
    if failure.kind == "limit":
        return RegistrationRefusedError(text, tracker=tracker)
    if failure.code in _DENIED:
        return TrackerDeniedError(
            _DENIED[failure.code], tracker=tracker, status=status, hint=SET_THE_KEY
        )
    if status in _DENIED_STATUS:
        reason = f"Comet answered {status}: {text}"
        return TrackerDeniedError(reason, tracker=tracker, status=status, hint=SET_THE_KEY)
    if status == HTTPStatus.TOO_MANY_REQUESTS or _is_of_server(status):
        reason = f"Comet answered {status}: {text}"
        return TrackerUnavailableError(reason, tracker=tracker, status=status)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        reason = f"Comet answered {status}: it does not take as much at once"
        return RegistrationRefusedError(reason, tracker=tracker, status=status)
    if failure.kind == "not-json":
        reason = f"Comet answered with something else than JSON: {text}"
        return TrackingError(reason, tracker=tracker, status=status)
    if failure.code == _FOR_PEOPLE:
        return TrackingError(f"Comet says: {text}", tracker=tracker, status=status)
    if failure.kind == "status":
        answer = "refused it" if status is None else f"answered {status}"
        code = "" if failure.code is None else f" (code {failure.code})"
        reason = f"Comet {answer}{code}: {text}"
        return TrackingError(reason, tracker=tracker, status=status)
    return TrackingError(f"Comet's client failed: {text}", tracker=tracker, status=status)


def _is_of_server(status: int | None) -> bool:
    return status is not None and status >= HTTPStatus.INTERNAL_SERVER_ERROR


def short(text: str) -> str:
    """Return as much of a text as a message repeats; secrets are taken out before."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
