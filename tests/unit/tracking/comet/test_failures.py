"""comet.failures: what Comet's client reports, as errors of ours."""

import pytest

from artlock.errors import (
    RegistrationRefusedError,
    TrackerDeniedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.tracking.comet.failures import error_of
from artlock.tracking.comet.messages import Failure


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (Failure(kind="no-key", text=""), TrackerDeniedError),
        (Failure(kind="network", text="ConnectionError"), TrackerUnavailableError),
        (Failure(kind="limit", text="too long"), RegistrationRefusedError),
        (Failure(kind="no-run", text="ExperimentNotFound"), RegistrationRefusedError),
        (Failure(kind="memory", text="MemoryError"), TrackingError),
        (Failure(kind="status", text="", status=401), TrackerDeniedError),
        (Failure(kind="status", text="", status=400, code=90212), TrackerDeniedError),
        (Failure(kind="status", text="", status=400, code=90210), TrackerDeniedError),
        (Failure(kind="status", text="", status=429), TrackerUnavailableError),
        (Failure(kind="status", text="", status=503), TrackerUnavailableError),
        (Failure(kind="not-json", text="", status=502), TrackerUnavailableError),
        (Failure(kind="status", text="", status=413), RegistrationRefusedError),
        (Failure(kind="status", text="", status=409), TrackingError),
        (Failure(kind="status", text="", code=90000), TrackingError),
        (Failure(kind="not-json", text=""), TrackingError),
        (Failure(kind="client", text="KeyError: 'runId'"), TrackingError),
    ],
)
def test_each_failure_is_one_error(failure: Failure, error: type[TrackingError]) -> None:
    found = error_of(failure, "comet://w/p", ())
    assert type(found) is error
    assert (found.tracker, found.status) == ("comet://w/p", failure.status)
    assert found.message[0] not in ".: "


def test_words_of_theirs_are_short_and_have_no_secrets() -> None:
    text = f"KeyError:\n theKeyItself at https://u:p@host/ {'x' * 1000}"
    found = error_of(Failure(kind="client", text=text), "comet://w/p", ("theKeyItself",))
    assert "theKeyItself" not in found.message
    assert "u:p@" not in found.message
    assert "\n" not in found.message
    assert len(found.message) < 400


def test_a_secret_is_taken_out_before_a_text_is_cut() -> None:
    secret = "theKeyItselfIsLong"  # noqa: S105 - it is none
    text = f"{'x' * 290}{secret}"
    found = error_of(Failure(kind="client", text=text), "comet://w/p", (secret,))
    assert "theKey" not in found.message
