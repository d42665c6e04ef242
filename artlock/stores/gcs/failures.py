"""What Google's libraries and the service say went wrong, as ours: the adapter's seam."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

from google.api_core import exceptions as api
from google.auth import exceptions as auth
from requests import exceptions as requests

from artlock.errors import (
    AccessDeniedError,
    KeysExpiredError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
)
from artlock.stores.base import EndlessAnswerError, missing_bucket
from artlock.stores.transfer import PORTAL_HINT

if TYPE_CHECKING:
    from artlock.model.uri import Uri
    from artlock.stores.transfer import Refusal

CREDENTIALS_HINT = (
    "run `gcloud auth application-default login`, or set `GOOGLE_APPLICATION_CREDENTIALS`; "
    "for a public bucket write `anonymous = true`"
)
_PAYER_HINT = 'name the project that pays: `user-project = "..."`'
_THROTTLED = frozenset({408, 425, 429})
_RATE_LIMITS = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
_FAILURES = (
    api.GoogleAPIError,
    auth.GoogleAuthError,
    requests.RequestException,
    OSError,
    ValueError,
)
_MISREAD = (AttributeError, KeyError, TypeError)
"""What the library stumbles over where an answer is JSON but not the one it expects."""


class Action(StrEnum):
    """What was being done: the permission that the service wants for it."""

    LIST = "storage.objects.list"
    GET = "storage.objects.get"
    DESCRIBE_BUCKET = "storage.buckets.get"


class ForbiddenError(AccessDeniedError):
    """Refused for lack of a permission, not of credentials; private to this adapter."""


@contextmanager
def translated(uri: Uri, action: Action) -> Iterator[None]:
    """Let nothing out but our errors: stands round each call of a client."""
    try:
        yield
    except (*_FAILURES, *_MISREAD) as error:
        raise translate(error, uri, action) from error


def translate(error: BaseException, uri: Uri, action: Action) -> StoreError:
    """Return the one error of ours that says what ``error`` says.

    Texts of Google's errors hold the URL of the request and are not repeated.
    """
    subject, text = f"`{uri}`", str(uri)
    match error:
        case api.RetryError():
            return translate(error.cause, uri, action)
        case api.GoogleAPICallError():
            return _by_status(error, uri, action)
        case auth.InvalidOperation():  # what anonymous credentials answer to a refusal
            return denied(uri, action)
        case auth.DefaultCredentialsError():
            message = f"there are no Google credentials to read {subject}"
            return AccessDeniedError(message, uri=text, hint=CREDENTIALS_HINT)
        case auth.TransportError():
            message = f"Google could not be asked for credentials to read {subject}"
            return StoreUnavailableError(message, uri=text)
        case auth.GoogleAuthError() if error.retryable:
            message = f"Google gave no credentials to read {subject} just now"
            return StoreUnavailableError(message, uri=text)
        case auth.GoogleAuthError():
            return expired(uri)
        case requests.SSLError():
            message = f"the certificate of the server that holds {subject} is not trusted"
            hint = "set `ca-bundle` in your own configuration, or repair the server"
            return StoreError(message, uri=text, hint=hint)
        case requests.JSONDecodeError() | AttributeError() | KeyError() | TypeError():
            message = f"the answer for {subject} is not that of a store"
            return StoreError(message, uri=text, hint=PORTAL_HINT)
        case EndlessAnswerError():
            message = f"the answer for {subject} cannot be believed: {error}"
            return StoreError(message, uri=text, hint=PORTAL_HINT)
        case requests.RequestException() | TimeoutError() | ConnectionError():
            message = f"{subject} could not be reached: {type(error).__name__}"
            return StoreUnavailableError(message, uri=text)
        case _:
            message = f"{subject} cannot be asked for: {error}"
            return StoreError(message, uri=text)


def _by_status(error: api.GoogleAPICallError, uri: Uri, action: Action) -> StoreError:
    status = int(error.code or 0)
    reason = next((str(e.get("reason", "")) for e in error.errors), "")
    if reason in _RATE_LIMITS:
        return unavailable(uri, f"the store answers {status} {reason}")
    if "requester pays" in str(error.message).lower():
        return _payer_missing(uri)
    if status == 401:  # noqa: PLR2004 - RFC 9110 §15.5.2
        return expired(uri)  # with a token that was asked for anew already
    if status == 403:  # noqa: PLR2004 - RFC 9110 §15.5.4
        return denied(uri, action)
    if status in {404, 410}:
        if action in {Action.LIST, Action.DESCRIBE_BUCKET}:
            return missing_bucket(uri)
        return ObjectNotFoundError(f"there is no `{uri}`", uri=str(uri))
    if status in _THROTTLED or (status >= 500 and status != 501):  # noqa: PLR2004 - RFC 9110 §15.6
        return unavailable(uri, f"the store answers {status} {reason}".strip())
    message = f"`{uri}` was answered with {status} {reason}".strip()
    return StoreError(message, uri=str(uri))


def refine(refusal: Refusal) -> StoreError | None:
    """Return what a refused read means, as the XML API says it; see ``transfer.Refine``."""
    if refusal.code == "NoSuchBucket":
        return missing_bucket(refusal.uri)
    if refusal.code == "UserProjectMissing":
        return _payer_missing(refusal.uri)
    if refusal.status in {401, 403}:
        return denied(refusal.uri, Action.GET)
    return None


def unavailable(uri: Uri, why: str) -> StoreUnavailableError:
    """Return the error of a store that does not answer now."""
    message = f"`{uri}` could not be read: {why}"
    return StoreUnavailableError(message, uri=str(uri))


def expired(uri: Uri) -> KeysExpiredError:
    """Return the error of credentials that have ended."""
    message = f"the Google credentials to read `{uri}` are not valid any more"
    return KeysExpiredError(message, uri=str(uri), hint=CREDENTIALS_HINT)


def denied(uri: Uri, action: Action) -> ForbiddenError:
    """Return the error of a refusal, with the permission that would help."""
    verb = "listing" if action is Action.LIST else "reading"
    message = f"{verb} `{uri}` was refused"
    if action is Action.GET:
        # Who may not list is not told whether an object exists (hazard 4.9).
        message += ", or there is no such object"
    hint = f"ask for the permission `{action}`, or {CREDENTIALS_HINT}"
    return ForbiddenError(message, uri=str(uri), hint=hint)


def _payer_missing(uri: Uri) -> AccessDeniedError:
    message = f"`{uri.authority}` lets its readers pay, and no project is named"
    return AccessDeniedError(message, uri=str(uri), hint=_PAYER_HINT)
