import pytest

from artlock.errors import (
    RegistrationRefusedError,
    TrackerDeniedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.tracking.wandb.failures import is_missing, translate

URL = "wandb://team/vision"


class Answer:
    def __init__(self, **status: int) -> None:
        self.__dict__.update(status)


class VendorError(Exception):
    """As W&B's are: a message, an answer behind it, another error inside of it."""

    def __init__(
        self, message: str, response: object = None, exc: Exception | None = None
    ) -> None:
        super().__init__(message)
        self.response = response
        self.exc = exc


WRAPPED = VendorError("x", exc=VendorError("y", Answer(http_status=503)))


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (VendorError("x", Answer(http_status=401)), TrackerDeniedError, 401),
        (VendorError("x", Answer(status_code=403)), TrackerDeniedError, 403),
        (WRAPPED, TrackerUnavailableError, 503),
        (ValueError("create: returned error 413: {}"), RegistrationRefusedError, 413),
        (ValueError("while retrying: HTTP 429: slow"), TrackerUnavailableError, 429),
        (ValueError("returned error 404: none"), TrackingError, 404),
        (ValueError("dial tcp 127.0.0.1:9: connect: x"), TrackerUnavailableError, None),
        (ValueError("invalid character '<' looking for"), TrackerUnavailableError, None),
        (TimeoutError(), TrackerUnavailableError, None),
        (ValueError("permission denied"), TrackerDeniedError, None),
        (ValueError("entity nobody not found"), TrackerDeniedError, None),
        (ValueError("something of 500 rows"), TrackingError, None),
    ],
)
def test_each_failure_has_its_class(
    error: Exception, kind: type[TrackingError], status: int | None
) -> None:
    found = translate(error, URL, ())
    assert type(found) is kind
    assert (found.tracker, found.status) == (URL, status)


def test_secrets_and_pages_are_not_repeated() -> None:
    error = ValueError(
        f"https://ada:hunter22@host/ with key abcdefgh12345678 {'<p>' * 999}"
    )
    text = str(translate(error, URL, ["abcdefgh12345678"]))
    assert "hunter22" not in text
    assert "abcdefgh12345678" not in text
    assert len(text) < 500


def test_only_a_clear_word_means_that_something_is_missing() -> None:
    assert is_missing(VendorError("x", exc=ValueError("artifact membership not found")))
    assert not is_missing(VendorError("x", exc=VendorError("y", Answer(http_status=404))))
    assert not is_missing(VendorError("connection refused"))
    assert not is_missing(type("ValidationError", (ValueError,), {})("another shape"))
