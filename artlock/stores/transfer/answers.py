"""What an answer says of itself, compared with what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from artlock.errors import (
    AccessDeniedError,
    ObjectArchivedError,
    ObjectChangedError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    from artlock.model.uri import Uri
    from artlock.stores.base import Pin, Span

NOT_IMPLEMENTED = 501
_THROTTLED = frozenset({408, 425, 429})
_CHANGED_HINT = (
    "see `artlock status --remote`; if the change is wanted, run `artlock update`"
)
PORTAL_HINT = (
    "a portal, a login or a proxy may have answered in its place: open a page in a "
    "browser, and run the command again"
)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request failed, as far as obstore tells.

    Attributes:
        pin: What was asked for.
        status: Of the answer; ``None`` if none came, or it broke off.
        code: ``<Code>`` of the error document, or ``""``.
        detail: The first line of obstore's text.
    """

    pin: Pin
    status: int | None
    code: str
    detail: str

    @property
    def uri(self) -> Uri:
        """The object."""
        return self.pin.uri


Refine = Callable[[Refusal], StoreError | None]
"""An adapter's own reading of a refusal; ``None`` leaves it to this module."""


def check_answer(
    pin: Pin,
    span: Span | None,
    *,
    size: int,
    etag: str | None,
    version: str | None,
    bounds: tuple[int, int],
) -> int:
    """Compare what an answer says of itself with what was asked for.

    Args:
        pin: What was asked for.
        span: The range that was asked for.
        size: Of the whole object.
        etag: With or without quotes.
        version: ``None`` if the answer names none.
        bounds: The range that comes: start, and end (exclusive).

    Returns:
        How many bytes must come.

    Raises:
        ObjectChangedError: It is another state of the object.
        StoreError: It is another range.
    """
    difference = None
    if pin.size is not None and size != pin.size:
        difference = f"it has {size} bytes instead of {pin.size}"
    elif pin.version is not None and version is not None and version != pin.version:
        difference = f"the answer is version `{version}` instead of `{pin.version}`"
    elif pin.etag is not None and etag is not None and not is_same_etag(etag, pin.etag):
        difference = f"its etag is `{unquoted(etag)}` instead of `{pin.etag}`"
    if difference is not None:
        # Every store names an etag, and what stands in its place seldom does (hazard 4.11).
        hint = PORTAL_HINT if etag is None else None
        raise changed(pin.uri, difference, hint=hint)
    start, end = (0, size) if span is None else (span.start, span.start + span.length)
    if bounds != (start, end):
        message = (
            f"bytes {bounds[0]} to {bounds[1]} of `{pin.uri}` came instead of "
            f"{start} to {end}"
        )
        raise StoreError(message, uri=str(pin.uri))
    return end - start


def changed(uri: Uri, difference: str, *, hint: str | None = None) -> ObjectChangedError:
    """Return the error of an object that is there in another state.

    Args:
        uri: The object.
        difference: What tells it.
        hint: In place of the one that speaks of locking the change.
    """
    message = f"`{uri}` is not what was locked: {difference}"
    return ObjectChangedError(message, uri=str(uri), hint=hint or _CHANGED_HINT)


def short_body(uri: Uri, *, received: int, length: int) -> StoreUnavailableError:
    """Return the error of a body that is not as long as it was announced."""
    message = f"`{uri}` broke off after {received} of {length} bytes"
    return StoreUnavailableError(message, uri=str(uri))


def unquoted(etag: str) -> str:
    """Return an etag of a header or listing without its quotes; a weak one keeps ``W/``."""
    weak = "W/" if etag.startswith("W/") else ""
    return weak + etag.removeprefix("W/").removeprefix('"').removesuffix('"')


def is_strong(etag: str) -> bool:
    """Tell whether a request may be conditional on ``etag`` (RFC 9110 §13.1.1)."""
    return not etag.startswith("W/")


def is_same_etag(one: str, other: str) -> bool:
    """Compare two etags; weakly if one of them is weak (RFC 9110 §8.8.3.2)."""
    return unquoted(one).removeprefix("W/") == unquoted(other).removeprefix("W/")


def by_status(refusal: Refusal) -> StoreError:
    """Return what a refusal means where the adapter has no reading of its own."""
    uri, status = str(refusal.uri), refusal.status
    said = f"{status} {refusal.code}".strip()
    if refusal.code == "InvalidObjectState":
        return ObjectArchivedError(f"`{uri}` is archived", uri=uri, hint="restore it first")
    match status:
        case 404 | 410:
            return ObjectNotFoundError(f"there is no `{uri}`", uri=uri)
        case 401 | 403:
            return AccessDeniedError(f"reading `{uri}` was refused ({said})", uri=uri)
        case 412 | 416:
            return changed(refusal.uri, f"the store answers {said}")
        case None:
            message = f"reading `{uri}` failed: {refusal.detail}"
            return StoreUnavailableError(message, uri=uri)
        case _ if status in _THROTTLED or 500 <= status != NOT_IMPLEMENTED:  # noqa: PLR2004 - RFC 9110 §15.6
            message = f"reading `{uri}` failed: the store answers {said}"
            return StoreUnavailableError(message, uri=uri)
        case _:
            message = f"reading `{uri}` failed: the store answers {said}"
            return StoreError(message, uri=uri)
