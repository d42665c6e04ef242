"""What MLflow, requests and SQLAlchemy say went wrong, as ours: the adapter's seam."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mlflow.exceptions import MlflowException
from requests import Response
from requests import exceptions as requests
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from artlock.errors import (
    ArtlockError,
    RegistrationRefusedError,
    TrackerDeniedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.model.secrets import redact

CREDENTIALS_HINT = (
    "set `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`, or "
    "`MLFLOW_TRACKING_TOKEN`, or write `~/.mlflow/credentials`"
)
_URL_HINT = (
    "is the URL that of a tracking server, with nothing in front that answers for it?"
)
_CERTIFICATE_HINT = "set `MLFLOW_TRACKING_SERVER_CERT_PATH`, or repair the server"
_UPGRADE_HINT = "a newer or older MLflow made it: use that one, or run `mlflow db upgrade`"
_GIVEN_UP = re.compile(r"too many ([1-5][0-9]{2}) error responses")
_COLLISION = re.compile(r"IntegrityError|UniqueViolation|[Dd]uplicate (?:key|entry)")
_BUSY = re.compile(
    r"database (?:table )?is locked|deadlock|could not serialize", re.IGNORECASE
)
_NOT_JSON = "not in a valid JSON format"
_OTHER_SCHEMA = "out-of-date database schema"
_THROTTLED = frozenset({408, 425, 429})
_REFUSED = frozenset({400, 409, 413, 414, 422})
_MAX_TEXT = 300


@contextmanager
def translated(tracker: str, secrets: Sequence[str], *, sending: bool) -> Iterator[None]:
    """Let nothing out but our errors: stands round each call of the client.

    Args:
        tracker: Its URL.
        secrets: What no message may have.
        sending: Whether a refusal means that this registration cannot be taken.
    """
    try:
        yield
    except ArtlockError:
        raise
    except Exception as error:
        # Whatever a library stumbles over: an answer that is JSON but not MLflow's gives
        # an AttributeError, a KeyError, a ParseError of protobuf.
        raise translate(error, tracker, secrets, sending=sending) from error


def is_missing(error: TrackingError) -> bool:
    """Tell whether what was asked for is not there, on a server that is one of MLflow's."""
    return error.status == 404 and error.hint != _URL_HINT  # noqa: PLR2004 - RFC 9110 §15.5.5


def translate(
    error: Exception, tracker: str, secrets: Sequence[str], *, sending: bool
) -> TrackingError:
    """Return the one error of ours that says what ``error`` says."""
    text = _text_of(error, secrets)
    of_requests = next(
        (e for e in _chain(error) if isinstance(e, requests.RequestException)), None
    )
    if isinstance(of_requests, requests.SSLError):
        message = f"the certificate of `{tracker}` is not trusted"
        return TrackingError(message, tracker=tracker, hint=_CERTIFICATE_HINT)
    status = _status_of(error, of_requests)
    if status is not None:
        return _by_status(error, status, text, tracker, sending=sending)
    if isinstance(of_requests, requests.InvalidURL | requests.MissingSchema):
        return TrackingError(f"`{tracker}` is not an address", tracker=tracker)
    if of_requests is not None:
        message = f"`{tracker}` could not be reached: {type(of_requests).__name__}"
        return TrackerUnavailableError(message, tracker=tracker)
    if _BUSY.search(text):
        message = f"the database of `{tracker}` is busy"
        return TrackerUnavailableError(message, tracker=tracker)
    if _OTHER_SCHEMA in text:
        message = f"the database of `{tracker}` is of another version of MLflow"
        return TrackingError(message, tracker=tracker, hint=_UPGRADE_HINT)
    if _NOT_JSON in text or not isinstance(
        error, MlflowException | SQLAlchemyError | OSError
    ):
        message = f"`{tracker}` does not answer as MLflow does"
        return TrackingError(message, tracker=tracker, hint=_URL_HINT)
    return TrackingError(f"`{tracker}` failed: {text}", tracker=tracker)


def _by_status(
    error: Exception, status: int, text: str, tracker: str, *, sending: bool
) -> TrackingError:
    if status in {401, 403}:
        message = f"`{tracker}` refuses access with {status}"
        hint = CREDENTIALS_HINT
        return TrackerDeniedError(message, tracker=tracker, status=status, hint=hint)
    if status in _THROTTLED or (status >= 500 and status != 501):  # noqa: PLR2004 - RFC 9110 §15.6
        message = f"`{tracker}` answers {status}"
        return TrackerUnavailableError(message, tracker=tracker, status=status)
    if status == 400 and _COLLISION.search(text):  # noqa: PLR2004 - RFC 9110 §15.5.1
        # Two made the same row at once; whoever was second finds it at the next try.
        message = f"somebody else wrote to `{tracker}` at the same time"
        return TrackerUnavailableError(message, tracker=tracker, status=status)
    if sending and status in _REFUSED:
        message = f"`{tracker}` does not take this: {status}: {text}"
        return RegistrationRefusedError(message, tracker=tracker, status=status)
    if status == 404 and _code_of(error) == "ENDPOINT_NOT_FOUND":  # noqa: PLR2004 - RFC 9110 §15.5.5
        message = f"`{tracker}` does not answer as MLflow does: 404"
        return TrackingError(message, tracker=tracker, status=status, hint=_URL_HINT)
    message = f"`{tracker}` answers {status}: {text}"
    return TrackingError(message, tracker=tracker, status=status)


def _status_of(
    error: Exception, of_requests: requests.RequestException | None
) -> int | None:
    """Return the HTTP status that was answered, or that MLflow gives to its own failure."""
    if isinstance(of_requests, requests.HTTPError) and of_requests.response is not None:
        return int(of_requests.response.status_code)
    if isinstance(of_requests, requests.RetryError):
        # urllib3 gives up at a status that MLflow would try again, and keeps the number.
        found = _GIVEN_UP.search(str(of_requests))
        return int(found[1]) if found else None
    answered = _answer_to(error)
    if answered is not None and answered.status_code >= 300:  # noqa: PLR2004 - RFC 9110 §15.4
        return int(answered.status_code)
    if isinstance(error, MlflowException):
        # Of a database: what is not one of its own kinds is INTERNAL_ERROR, and no 500.
        status = int(error.get_http_status_code())
        is_vague = status == 500 or isinstance(error.__cause__, OperationalError)  # noqa: PLR2004 - RFC 9110 §15.6.1
        return None if is_vague else status
    return None


def _answer_to(error: Exception) -> Response | None:
    """Return the answer that a failure is about.

    MLflow keeps the code that it reads in the body, and calls a body without one, as other
    servers send it, a 500. The answer is still where it was read.
    """
    for frame, _line in traceback.walk_tb(error.__traceback__):
        found = frame.f_locals.get("response")
        if isinstance(found, Response):
            return found
    return None


def _code_of(error: Exception) -> str:
    return str(error.error_code) if isinstance(error, MlflowException) else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _text_of(error: Exception, secrets: Sequence[str]) -> str:
    """Return what the error says in one line, short and without credentials."""
    if isinstance(error, SQLAlchemyError):
        text = str(getattr(error, "orig", None) or type(error).__name__)
    else:
        text = str(error) or type(error).__name__
    # Behind that mark SQLAlchemy repeats the statement and every value in it.
    text = redact(text.partition("[SQL:")[0], secrets)
    line = " ".join(text.split())
    return line if len(line) <= _MAX_TEXT else f"{line[:_MAX_TEXT]}…"
