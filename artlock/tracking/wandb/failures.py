"""Say in artlock's words what W&B's client raises.

Its errors have no common root: some carry the HTTP status of their answer, some only name
it in their text, and its service answers that nobody is there once it was ended.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from artlock.errors import (
    RegistrationRefusedError,
    TrackerDeniedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.model.secrets import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_IN_TEXT = re.compile(
    r"(?:returned error|HTTP|status(?: code)?:?|response:?|error:?)\s+([45]\d\d)\b",
    re.IGNORECASE,
)
_BAD_STATUS = re.compile(r"\b([45]\d\d) (?:[A-Z][A-Za-z]+)")
_DENIED = frozenset({401, 403})
_LATER = frozenset({408, 409, 425, 429})
_REFUSED = frozenset({400, 413, 414, 422})
_PAGE = re.compile(r"(?:<|\\u003c)(?:!doctype html|html|head|body|title)\b", re.IGNORECASE)
"""What W&B never answers with: it is of a proxy, or of a login page before the server."""
_NO_ANSWER = re.compile(
    r"timed? ?out|timeout|connection|not running|abandoned|unreachable|no such host"
    r"|connect: |reset by peer|deadline|EOF|uploads .*failed",
    re.IGNORECASE,
)
_NOT_JSON = re.compile(r"invalid character|not valid JSON|JSONDecodeError", re.IGNORECASE)
_PERMISSION = re.compile(
    r"permission|unauthori[sz]ed|forbidden|api key|log ?in"
    r"|entity \S+ not found|project \S+ not found",
    re.IGNORECASE,
)
_MOST = 300
"""Characters of a message; a page of HTML does not help."""
_SERVER_ERROR = 500


def translate(
    error: BaseException,
    tracker: str,
    secrets: Iterable[str],
    *,
    sending: bool = False,
) -> TrackingError:
    """Return the error for what W&B's client raised; it has no credential.

    Args:
        error: What was raised.
        tracker: The URL.
        secrets: Values that may not be told.
        sending: Whether a refusal means that this registration cannot be taken.
    """
    whole = _text_of(error)
    # Before it is cut: half a secret is not found, and tells a lot.
    text = redact(whole, secrets)
    text = text if len(text) <= _MOST else f"{text[:_MOST]}\u2026"
    status = _status_of(error)
    if status in _REFUSED and _is_page(error, whole):
        message = f"`{tracker}` answered what is not W&B's ({status}): {text}"
        page_hint = "is there a proxy before it, or is `WANDB_BASE_URL` another server's?"
        return TrackerUnavailableError(
            message, tracker=tracker, status=status, hint=page_hint
        )
    kind, words, hint = _kind(error, status, text, sending=sending)
    answered = f" ({status})" if status is not None else ""
    message = f"`{tracker}` {words}{answered}: {text}"
    return kind(message, tracker=tracker, status=status, hint=hint)


def _kind(
    error: BaseException, status: int | None, text: str, *, sending: bool
) -> tuple[type[TrackingError], str, str | None]:
    named = {type(one).__name__ for one in _chain(error)}
    login = "set `WANDB_API_KEY`, or run `wandb login`"
    if status in _DENIED:
        return TrackerDeniedError, "refused the credentials", login
    if sending and status in _REFUSED:
        return RegistrationRefusedError, "does not take this", None
    if status is not None and (status in _LATER or status >= _SERVER_ERROR):
        return TrackerUnavailableError, "cannot answer now", "push again later"
    if status is not None:
        return TrackingError, "answered with an error", None
    if _NOT_JSON.search(text):
        # A page of a proxy, or of somebody who repairs the server.
        return TrackerUnavailableError, "answered what is not W&B's", "push again later"
    # Before the next: W&B's client raises an `AuthenticationError` for a dead network too.
    if _NO_ANSWER.search(text) or named & {"WaitTimeoutError", "TimeoutError", "OSError"}:
        return TrackerUnavailableError, "gave no answer", "push again later"
    if named & {"AuthenticationError", "UsageError"}:
        return TrackerDeniedError, "has no valid login", login
    if _PERMISSION.search(text):
        return TrackerDeniedError, "refused", login
    return TrackingError, "failed", None


def is_missing(error: Exception) -> bool:
    """Tell whether the public API says that there is no such thing.

    It says so by a ``ValueError``, bare or inside of its own error; a server that could
    not be asked is not meant.
    """
    if _status_of(error) is not None:
        return False
    inner = getattr(error, "exc", None) or error
    return isinstance(inner, ValueError) and not _is_malformed(inner)


def is_unfinished(error: Exception) -> bool:
    """Tell whether the public API stumbled over a version that is not committed.

    It asserts that there is none, and says so in no other way.
    """
    return any(isinstance(one, AssertionError) for one in _chain(error))


def _is_malformed(error: BaseException) -> bool:
    # What pydantic and json raise of an answer in another shape is a ValueError too.
    return type(error).__name__ in {"ValidationError", "JSONDecodeError"}


def _status_of(error: BaseException) -> int | None:
    """Return the HTTP status of the answer behind an error, if there is one."""
    for one in _chain(error):
        response = getattr(one, "response", None)
        for name in ("http_status", "status_code"):
            status = getattr(response, name, None)
            if isinstance(status, int) and status >= 400:  # noqa: PLR2004 - RFC 9110 §15.5
                return status
    for one in _chain(error):
        text = str(one)
        if match := _IN_TEXT.search(text) or _BAD_STATUS.search(text):
            return int(match[1])
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from, each once."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        todo += [getattr(one, "exc", None), one.__cause__, one.__context__]


def _text_of(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _is_page(error: BaseException, text: str) -> bool:
    bodies = (getattr(getattr(one, "response", None), "text", "") for one in _chain(error))
    return any(isinstance(b, str) and _PAGE.search(b) is not None for b in (text, *bodies))
