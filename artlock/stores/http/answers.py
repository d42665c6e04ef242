"""What an HTTP answer says, and whether it is an answer to what was asked.

Source: RFC 9110 for etags, ranges and statuses, RFC 9112 for the length of a body.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import msgspec

from artlock.errors import (
    AccessDeniedError,
    ObjectChangedError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
)
from artlock.model.objects import ObjectInfo
from artlock.model.tokens import Tokens
from artlock.stores.transfer import PORTAL_HINT, changed, is_same_etag

if TYPE_CHECKING:
    from artlock.model.uri import Uri
    from artlock.stores.base import Pin, Span
    from artlock.stores.http.session import Response

OK = 200
PARTIAL = 206
UNSATISFIABLE = 416

_STRONG = re.compile(r'"([\x21\x23-\x7e]*)"')
"""RFC 9110 §8.8.3, without the bytes beyond ASCII that it still allows."""
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_PAGE_NAMES = (".html", ".htm", ".xhtml")
_ABSENT = frozenset({404, 410})
_DENIED = frozenset({401, 403, 407})
_UNFIT = frozenset({412, UNSATISFIABLE})
_THROTTLED = frozenset({408, 425, 429})


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """``Content-Range``: the first byte, the one after the last, and the whole."""

    start: int
    end: int
    total: int | None


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """What to make of a body.

    Attributes:
        skip: Bytes before what was asked for.
        length: Bytes that were asked for; ``None`` means all that come.
        is_part: Whether what follows is of no interest.
    """

    skip: int
    length: int | None
    is_part: bool


def judged(response: Response, pin: Pin, span: Span | None) -> Cut:
    """Compare what an answer says of itself with what was asked for.

    Raises:
        ObjectChangedError: Its etag or size is another.
        StoreError: It is another range, or may have been cut without a sign.
    """
    if response.status != PARTIAL or span is None:
        expect_ok(response, pin.uri)
    etag = _etag(response)
    if pin.etag is not None and etag is not None and not is_same_etag(etag, pin.etag):
        raise another(response, pin.uri, f"its etag is `{etag}` instead of `{pin.etag}`")
    bounds = bounds_of(response, pin.uri) if response.status == PARTIAL else None
    total = bounds.total if bounds else length_of(response)
    if pin.size is not None and total is not None and total != pin.size:
        raise another(response, pin.uri, f"it has {total} bytes instead of {pin.size}")
    if span is None:
        if pin.size is None and total is None and not is_chunked(response):
            message = f"`{pin.uri}` has no length, so that it may have been cut"
            raise StoreError(message, uri=str(pin.uri))
        return Cut(skip=0, length=pin.size if total is None else total, is_part=False)
    end = span.start + span.length
    if bounds is not None and (bounds.start, bounds.end) != (span.start, end):
        message = (
            f"bytes {bounds.start} to {bounds.end} of `{pin.uri}` came instead of "
            f"{span.start} to {end}"
        )
        raise StoreError(message, uri=str(pin.uri))
    if total is not None and end > total:
        message = f"`{pin.uri}` ends at byte {total}, before the range that was asked for"
        raise StoreError(message, uri=str(pin.uri))
    skip = span.start if bounds is None else 0
    return Cut(skip=skip, length=span.length, is_part=bounds is None)


def another(response: Response, uri: Uri, difference: str) -> ObjectChangedError:
    """Return the error of an answer that is not what was locked.

    Who is asked to sign in must not be told that a login page can be locked (hazard 4.11).
    """
    via = f" after a redirect to `{response.url}`" if response.url else ""
    if is_page(response, uri):
        difference = f"a web page has come{via}, and {difference}"
    elif via:
        difference += via
    else:
        return changed(uri, difference)
    return changed(uri, difference, hint=PORTAL_HINT)


def is_page(response: Response, uri: Uri) -> bool:
    """Tell whether a web page answers for what is none by its name."""
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return media_type in _PAGES and not uri.file_name.lower().endswith(_PAGE_NAMES)


def described(uri: Uri, response: Response, size: int | None) -> ObjectInfo:
    """Return what an answer says of its file."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    return ObjectInfo(
        uri=uri,
        size=size,
        tokens=Tokens(etag=_etag(response)),
        modified=_modified(response),
        encoding=None if encoding in {"", "identity"} else encoding,
    )


def _etag(response: Response) -> str | None:
    """Return the etag without quotes; what cannot be a condition is marked as weak."""
    text = response.headers.get("ETag", "").strip()
    strong = _STRONG.fullmatch(text)
    if strong is not None:
        return strong[1] or None
    opaque = text.removeprefix("W/").strip('"')
    return f"W/{opaque}" if opaque else None


def is_sendable(etag: str) -> bool:
    """Tell whether a request may be conditional on ``etag`` (RFC 9110 §13.1.1)."""
    return not etag.startswith("W/") and _STRONG.fullmatch(f'"{etag}"') is not None


def _modified(response: Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["Last-Modified"]).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return None  # a hint only: no answer fails for it


def length_of(response: Response) -> int | None:
    """Return ``Content-Length``; chunks make it void (RFC 9112 §6.3)."""
    text = response.headers.get("Content-Length", "")
    if is_chunked(response) or not re.fullmatch(r"[0-9]{1,19}", text):
        return None
    return int(text)


def is_chunked(response: Response) -> bool:
    """Tell whether the body says itself where it ends."""
    return "chunked" in response.headers.get("Transfer-Encoding", "").lower()


def bounds_of(response: Response, uri: Uri) -> Bounds:
    """Return ``Content-Range``.

    Raises:
        StoreError: It is missing, malformed, or of several ranges.
    """
    found = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if found is None:
        message = f"the answer for `{uri}` does not say which part it is"
        raise StoreError(message, uri=str(uri))
    total = None if found[3] == "*" else int(found[3])
    return Bounds(start=int(found[1]), end=int(found[2]) + 1, total=total)


def expect_ok(response: Response, uri: Uri) -> None:
    """Raise what a status means, unless it is 200.

    Raises:
        ObjectNotFoundError: 404 or 410.
        AccessDeniedError: 401, 403 or 407.
        ObjectChangedError: 412 or 416: a condition or range does not fit what is there.
        StoreUnavailableError: 408, 425, 429 or a 5xx; try again.
        StoreError: Any other.
    """
    text, status = str(uri), response.status
    if status == OK:
        return
    if status in _ABSENT:
        message = f"there is no `{uri}` ({status})"
        hint = "see how it is spelled; if it has moved, change its `uri`"
        raise ObjectNotFoundError(message, uri=text, hint=hint)
    if status in _DENIED:
        message = f"reading `{uri}` was refused ({status})"
        hint = (
            "set `headers` for this source, with the secret as `${NAME}`; one that is set "
            "already may have expired"
        )
        raise AccessDeniedError(message, uri=text, hint=hint)
    if status in _UNFIT:
        raise changed(uri, f"the server answers {status}")
    message = f"`{uri}` could not be read: the server answers {status}"
    if status in _THROTTLED or (status >= 500 and status != 501):  # noqa: PLR2004 - RFC 9110 §15.6
        wait_s = _asked_wait_s(response)
        asked = f"it asks to wait {wait_s:.0f} seconds" if wait_s else None
        raise StoreUnavailableError(message, uri=text, hint=asked, wait_s=wait_s)
    raise StoreError(message, uri=text)


def _asked_wait_s(response: Response) -> float:
    """Return for how long ``Retry-After`` asks; 0 if it does not (RFC 9110 §10.2.3)."""
    text = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return 0.0  # it says nothing that can be understood
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
