import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    BAD_REQUEST,
    RESOURCE_DOES_NOT_EXIST,
    TEMPORARILY_UNAVAILABLE,
)
from sqlalchemy.exc import DatabaseError, OperationalError

from artlock.errors import (
    RefNotFoundError,
    RegistrationRefusedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.tracking.mlflow.failures import is_missing, translate, translated

URL = "mlflow+sqlite:///mlflow.db/x"


def told(error: Exception, *, sending: bool = False) -> TrackingError:
    return translate(error, URL, ("hunter2hunter2",), sending=sending)


def of_database(text: str) -> MlflowException:
    cause = OperationalError("SELECT 'a secret row'", {}, Exception(text))
    error = MlflowException(str(cause), error_code=TEMPORARILY_UNAVAILABLE)
    error.__cause__ = cause
    return error


def test_a_database_that_is_busy_is_another_failure_than_a_broken_one() -> None:
    assert type(told(of_database("database is locked"))) is TrackerUnavailableError
    broken = told(of_database("disk I/O error"))
    assert type(broken) is TrackingError
    assert "disk I/O error" in broken.message
    assert "secret row" not in broken.message
    raw = told(DatabaseError("SELECT 1", {}, Exception("malformed")))
    assert raw.message == f"`{URL}` failed: malformed"


def test_who_wrote_second_tries_again() -> None:
    text = "(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.digest"
    error = MlflowException(text, error_code=BAD_REQUEST)
    assert type(told(error, sending=True)) is TrackerUnavailableError


def test_what_is_sent_and_refused_is_told_apart_from_a_question() -> None:
    error = MlflowException("too long", error_code=BAD_REQUEST)
    assert type(told(error, sending=True)) is RegistrationRefusedError
    assert type(told(error)) is TrackingError


def test_what_is_not_there_is_missing() -> None:
    error = MlflowException("no run", error_code=RESOURCE_DOES_NOT_EXIST)
    assert is_missing(told(error))
    assert not is_missing(told(MlflowException("odd")))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (requests.ConnectionError("x"), TrackerUnavailableError),
        (requests.ReadTimeout("x"), TrackerUnavailableError),
        (requests.exceptions.InvalidURL("x"), TrackingError),
        (AttributeError("x"), TrackingError),
        (OSError("x"), TrackingError),
    ],
)
def test_whatever_is_raised_becomes_ours(
    error: Exception, kind: type[TrackingError]
) -> None:
    assert type(told(error)) is kind


def test_no_secret_and_no_novel_is_told() -> None:
    error = OSError(f"hunter2hunter2 https://a:b@host/ {'x' * 5000}\nline")
    message = told(error).message
    assert "hunter2" not in message
    assert "a:b@" not in message
    assert "\n" not in message
    assert len(message) < 400


def test_our_own_errors_pass() -> None:
    error = RefNotFoundError("no", ref="data")
    with pytest.raises(RefNotFoundError) as caught, translated(URL, (), sending=False):
        raise error
    assert caught.value is error
