"""What botocore and S3 say went wrong, as ``StoreError``: the seam of this adapter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any

from botocore import exceptions as botocore
from botocore.parsers import ResponseParserError

from artlock.errors import (
    AccessDeniedError,
    KeysExpiredError,
    ObjectArchivedError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
)
from artlock.stores.base import missing_bucket
from artlock.stores.transfer import changed

if TYPE_CHECKING:
    from artlock.model.uri import Uri

CREDENTIALS_HINT = (
    "set `AWS_PROFILE`, run `aws configure` or `aws sso login`; for a public bucket write "
    "`anonymous = true`"
)
GONE_HINT = "look for the bytes in a cache or mirror, or run `artlock update`"
_LOGIN_HINT = "sign in again, for example with `aws sso login`, and check `AWS_PROFILE`"
_REGION_HINT = 'write the bucket\'s region: `region = "..."`'


class Action(Enum):
    """What was being done: a verb, and the permission that S3 wants for it."""

    CONNECT = ("reaching", "s3:ListBucket")
    LIST = ("listing", "s3:ListBucket")
    LIST_VERSIONS = ("listing the versions of", "s3:ListBucketVersions")
    HEAD = ("describing", "s3:GetObject")
    HEAD_VERSION = ("describing a version of", "s3:GetObjectVersion")
    READ = ("reading", "s3:GetObject")
    READ_VERSION = ("reading a version of", "s3:GetObjectVersion")
    VERSIONING = ("reading the versioning of", "s3:GetBucketVersioning")
    LIFECYCLE = ("reading the lifecycle rules of", "s3:GetLifecycleConfiguration")
    OBJECT_LOCK = ("reading the object lock of", "s3:GetBucketObjectLockConfiguration")

    @property
    def verb(self) -> str:
        """For messages: ``reading``."""
        return self.value[0]

    @property
    def permission(self) -> str:
        """The IAM action."""
        return self.value[1]


class ForbiddenError(AccessDeniedError):
    """Refused for lack of a permission, not of valid credentials; private to this adapter.

    It leaves as the ``AccessDeniedError`` that it is; its own type says that another way of
    asking may be allowed (hazard 1.14).
    """


_KEYS_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_KEYS_REFUSED = {
    "InvalidToken": "the session token is not valid",
    "InvalidAccessKeyId": "the access key is not known there",
    "InvalidClientTokenId": "the access key is not known there",
    "UnrecognizedClientException": "the access key is not known there",
    "SignatureDoesNotMatch": "the secret key does not fit the access key",
    "RequestExpired": "the signature was too old when it arrived",
}
_CLOCK_IS_WRONG = frozenset({"RequestTimeTooSkewed"})
_FORBIDDEN = frozenset({"AccessDenied", "AllAccessDisabled", "AccountProblem", "403"})
_ELSEWHERE = frozenset(
    {
        "PermanentRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "TemporaryRedirect",
        "301",
        "307",
    }
)
_BUSY = frozenset(
    {
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "RequestLimitExceeded",
        "RequestTimeout",
        "InternalError",
        "ServiceUnavailable",
        "408",
        "429",
    }
)
_LOGIN = (
    botocore.TokenRetrievalError,
    botocore.SSOError,
    botocore.CredentialRetrievalError,
    botocore.RefreshWithMFAUnsupportedError,
)
_SETTINGS = (
    botocore.ProfileNotFound,
    botocore.ConfigNotFound,
    botocore.ConfigParseError,
    botocore.InvalidConfigError,
    botocore.PartialCredentialsError,
    botocore.InfiniteLoopConfigError,
)
_NO_ANSWER = (
    botocore.HTTPClientError,
    botocore.ConnectionError,
    botocore.IncompleteReadError,
    ResponseParserError,
)


def by_code(code: str, status: int | None, uri: Uri, action: Action) -> StoreError | None:
    """Return what an error document of S3 means, or ``None`` if it is not special.

    Args:
        code: ``<Code>`` of the document; for HEAD the status as text.
        status: Of the answer.
        uri: What was asked for.
        action: What was being done.
    """
    subject = f"`{uri}`"
    failed = f"{action.verb} {subject} was refused"
    if code in _KEYS_EXPIRED:
        message = f"{failed}: the credentials have expired"
        return KeysExpiredError(message, uri=str(uri), hint=_LOGIN_HINT)
    if code in _KEYS_REFUSED:
        message = f"{failed}: {_KEYS_REFUSED[code]}"
        return AccessDeniedError(message, uri=str(uri), hint=_LOGIN_HINT)
    if code in _CLOCK_IS_WRONG:
        message = f"{failed}: the clock of this machine is wrong"
        return AccessDeniedError(message, uri=str(uri), hint="set the clock")
    if code == "InvalidObjectState":
        message = f"{subject} is archived and cannot be read before it is restored"
        hint = f"restore it, for example with `aws s3api restore-object`: {uri}"
        return ObjectArchivedError(message, uri=str(uri), hint=hint)
    if code == "NoSuchBucket":
        return missing_bucket(uri)
    if code == "NoSuchVersion":
        message = f"that version of {subject} does not exist any more"
        return ObjectNotFoundError(message, uri=str(uri), hint=GONE_HINT)
    if code == "MethodNotAllowed" or status == 405:  # noqa: PLR2004 - S3: a delete marker's version
        message = f"that version of {subject} is a delete marker"
        return ObjectNotFoundError(message, uri=str(uri), hint=GONE_HINT)
    if code in _FORBIDDEN:
        return _forbidden(uri, action)
    if code in _ELSEWHERE:
        message = f"{action.verb} {subject} failed: its bucket is in another region"
        return StoreError(message, uri=str(uri), hint=_REGION_HINT)
    if code in _BUSY:
        message = f"{action.verb} {subject} failed: the store answers {code}"
        return StoreUnavailableError(message, uri=str(uri))
    return None


def no_credentials(uri: Uri) -> AccessDeniedError:
    """Return the error of a machine that has no keys for S3."""
    message = f"there are no AWS credentials to read `{uri}`"
    return AccessDeniedError(message, uri=str(uri), hint=CREDENTIALS_HINT)


def is_expired(answer: Mapping[str, Any]) -> bool:
    """Tell whether a parsed answer says that the credentials have expired.

    To HEAD, which has no body, a 400 may mean it (hazard 4.10).
    """
    code = str(answer.get("Error", {}).get("Code", ""))
    return code in _KEYS_EXPIRED or code == "400"


def code_of(error: botocore.ClientError) -> str:
    """Return the code of an error document; for HEAD the status as text."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: botocore.ClientError) -> int | None:
    """Return the status of the answer."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")


def translate(error: Exception, uri: Uri, action: Action) -> StoreError:
    """Return the one error of ours that says what ``error`` says."""
    failed = f"{action.verb} `{uri}` failed"
    said = str(error).rstrip(".")
    match error:
        case StoreError():
            return error
        case botocore.ClientError():
            return _by_answer(error, uri, action)
        case botocore.NoCredentialsError():
            return no_credentials(uri)
        case _ if isinstance(error, _LOGIN):
            message = f"the AWS credentials to read `{uri}` cannot be had: {said}"
            return AccessDeniedError(message, uri=str(uri), hint=_LOGIN_HINT)
        case _ if isinstance(error, _SETTINGS):
            message = f"the AWS settings to read `{uri}` are not complete: {said}"
            return AccessDeniedError(message, uri=str(uri), hint=CREDENTIALS_HINT)
        case botocore.SSLError():
            message = f"{failed}: the server's certificate is not trusted ({said})"
            hint = "set `ca-bundle` in your own configuration, or repair the server"
            return StoreError(message, uri=str(uri), hint=hint)
        case botocore.HTTPClientError() if _is_recursion(error):
            return _in_circles(uri, action)
        case _ if isinstance(error, _NO_ANSWER):
            return StoreUnavailableError(f"{failed}: {said}", uri=str(uri))
        case _:
            return StoreError(f"{failed}: {said}", uri=str(uri))


@contextmanager
def translated(uri: Uri, action: Action) -> Iterator[None]:
    """Let nothing out but ``StoreError``: stands round each call of a client."""
    try:
        yield
    except (botocore.ClientError, botocore.BotoCoreError, ResponseParserError) as error:
        raise translate(error, uri, action) from error
    except (OSError, ValueError) as error:
        raise translate(error, uri, action) from error
    except RecursionError as error:
        raise _in_circles(uri, action) from error


def _is_recursion(error: botocore.HTTPClientError) -> bool:
    """Tell whether the end of the stack was met within botocore's own HTTP client."""
    return isinstance(error.kwargs.get("error"), RecursionError)


def _in_circles(uri: Uri, action: Action) -> StoreError:
    """Return the error of redirects that botocore follows for ever (hazard 1.25)."""
    message = f"{action.verb} `{uri}` failed: the store sends it round in circles"
    return StoreError(message, uri=str(uri), hint=_REGION_HINT)


def _by_answer(error: botocore.ClientError, uri: Uri, action: Action) -> StoreError:
    code, status = code_of(error), status_of(error)
    found = by_code(code, status, uri, action)
    if found is not None:
        return found
    said = f"{action.verb} `{uri}` failed: the store answers {code or status}"
    match status:
        case 404 | 410:
            return ObjectNotFoundError(f"there is no `{uri}`", uri=str(uri))
        case 401 | 403:
            return _forbidden(uri, action)
        case 412 | 416:
            return changed(uri, f"the store answers {code}")
        case int() if status >= 500 and status != 501:  # noqa: PLR2004 - RFC 9110 §15.6
            return StoreUnavailableError(said, uri=str(uri))
        case _:
            return StoreError(said, uri=str(uri))


def _forbidden(uri: Uri, action: Action) -> ForbiddenError:
    message = f"{action.verb} `{uri}` was refused"
    hint = (
        f"ask for the permission `{action.permission}`; if its owner lets readers pay, "
        "`requester-pays = true`"
    )
    if action in {Action.HEAD, Action.READ}:
        # S3 hides whether a key exists from whoever may not list (hazard 4.9).
        message += ", or there is no such object"
        hint = (
            "ask for the permission `s3:GetObject`, and for `s3:ListBucket` to be told "
            "whether it exists; if its owner lets readers pay, `requester-pays = true`"
        )
    return ForbiddenError(message, uri=str(uri), hint=hint)
