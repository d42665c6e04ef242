import base64

import pytest

from artlock.errors import (
    RegistrationRefusedError,
    TrackerDeniedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.tracking.wandb.client import known_secrets
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
        (ValueError("create: returned error 413: {}"), TrackingError, 413),
        (VendorError("x", Answer(http_status=400)), TrackingError, 400),
        (
            VendorError("HTTP 400: \\u003chtml\\u003elogin</html>"),
            TrackerUnavailableError,
            400,
        ),
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


def test_a_refusal_is_one_only_while_the_artifact_is_sent() -> None:
    plain = ValueError("create: returned error 413: {}")
    assert type(translate(plain, URL, (), sending=True)) is RegistrationRefusedError
    page = ValueError("create: returned error 413: <!DOCTYPE html><p>proxy")
    assert type(translate(page, URL, (), sending=True)) is TrackerUnavailableError


def test_a_secret_is_taken_out_before_the_text_is_cut() -> None:
    key = "local-0123456789abcdef"
    sent = known_secrets({"WANDB_API_KEY": key})
    for secret in (key, base64.b64encode(f"api:{key}".encode()).decode()):
        for length in range(270, 301):
            text = str(translate(ValueError("x" * length + secret), URL, sent))
            assert secret[:4] not in text


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
