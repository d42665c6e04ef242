"""``Transfer``: reads objects, and finds the cause of a failure in obstore's text."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import obstore
from msgspec.structs import replace
from obstore.exceptions import BaseError, UnauthenticatedError

from artlock.errors import AccessDeniedError, KeysExpiredError, StoreError
from artlock.stores.transfer import clients
from artlock.stores.transfer.answers import (
    NOT_IMPLEMENTED,
    PORTAL_HINT,
    Refine,
    Refusal,
    by_status,
    check_answer,
    is_strong,
    short_body,
)

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult
    from obstore.store import GCSStore as GcsClient
    from obstore.store import S3Store as S3Client

    from artlock.model.uri import Uri
    from artlock.model.verification import Buffer
    from artlock.stores.base import Pin, Span

CHUNK_SIZE = 1 << 20
"""The least that a streamed chunk holds, so that hashing can leave the GIL."""
WHOLE_SIZE = 8 << 20
"""Bodies up to this size arrive in one buffer that is not copied."""

_SLOW_PIECE = 1 << 14
"""The least that a chunk holds where the network is slow: enough to tell its pace."""

_STATUS = re.compile(r"^\s+status: (\d{3}),$", re.MULTILINE)
_CAUSE = re.compile(
    r"^\s+(?:source|inner|error): (InvalidCertificate|NotPartial|UnexpectedRange"
    r"|ParseContentRange|BareRedirect|Missing(?:LastModified|Etag))\b",
    re.MULTILINE,
)
_KIND = re.compile(r"^\s+kind: (\w+),$", re.MULTILINE)
# All look at the starts of lines: a key, which is in the text too, has no line breaks.
_HOST = re.compile(r"performing [A-Z]+ (\w+://[^/\s]+)/")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_UNADDRESSABLE = re.compile(r"[\x00-\x1f\x7f]|(^|/)(\.{0,2})(/|$)")


def is_addressable(key: str) -> bool:
    """Tell whether obstore can ask for exactly ``key``.

    It refuses empty segments, ``.``, ``..`` and control characters, and strips slashes at
    both ends without a word: such keys are read through the vendor's client.
    """
    return _UNADDRESSABLE.search(key) is None


class Transfer:
    """Reads objects of one bucket; safe to use from several threads.

    A client tells of a body only what has come whole. So after a request has taken as long
    as one may, bodies come in small pieces, which are not lost with the rest, and whose
    pace ``Retrying`` sees (hazard 4.3).

    Args:
        connect: Gives an obstore client, from ``s3_client`` or ``gcs_client``; called now,
            and after ``reconnect``.
        refine: Asked first what a refusal means.
        renew: Looks for other credentials than those that have expired, and tells whether
            there are any; asked once for all threads (hazard 4.8).
    """

    def __init__(
        self,
        connect: Callable[[], S3Client | GcsClient],
        *,
        refine: Refine = lambda _refusal: None,
        renew: Callable[[], bool] = lambda: False,
    ) -> None:
        self._connect = connect
        self._client: S3Client | GcsClient | None = connect()
        self._refine = refine
        self._renew = renew
        self._mutex = threading.RLock()
        self._renewals = 0
        self._expired: Refusal | None = None
        self._is_slow = False

    def reconnect(self) -> None:
        """Use other connections, and keys asked for anew, for reads that begin now."""
        with self._mutex:
            self._client = None  # made when it is needed: it takes milliseconds

    def read(self, pin: Pin, span: Span | None = None) -> Iterator[Buffer]:
        """Yield the bytes of ``pin``, as ``Store.read`` promises.

        Asked for by version where the pin has one, else on condition of its etag if that is
        a strong one. Size, etag and version of the answer must be those of the pin as far
        as both sides name them: a store may take the condition and not honour it
        (hazards 1.28, 1.29, 4.6). Small bodies come in one buffer, others in chunks of at
        least ``CHUNK_SIZE``.

        Raises:
            ObjectNotFoundError: The object or version is gone.
            ObjectChangedError: The answer is of another state.
            ObjectArchivedError: It must be restored first.
            KeysExpiredError: The credentials have expired, and there are no others.
            AccessDeniedError: Refused.
            StoreUnavailableError: Cut, reset, throttled or timed out.
            StoreError: The key cannot be asked for, the answer is not the range that was
                asked for, or anything else.
        """
        if not is_addressable(pin.uri.key):
            message = f"the key of `{pin.uri}` cannot be read"
            raise StoreError(message, uri=str(pin.uri))
        began = time.monotonic()
        result = self._answer(pin, span)
        meta = result.meta  # made anew each time that it is asked for
        length = check_answer(
            pin,
            span,
            size=meta["size"],
            etag=meta["e_tag"],
            version=meta["version"],
            bounds=result.range,
        )
        received = 0
        try:
            for chunk in _chunks(result, length, slow=self._is_slow):
                received += chunk.nbytes
                yield chunk
        except (BaseError, OSError) as error:
            took_s = time.monotonic() - began
            self._is_slow |= took_s >= clients.REQUEST_TIMEOUT.total_seconds()
            raise self._translate(error, pin) from error
        if received != length:
            raise short_body(pin.uri, received=received, length=length)

    def _answer(self, pin: Pin, span: Span | None) -> GetResult:
        """Ask, and once more if expired credentials can be renewed.

        If they cannot, nothing more is asked: a thousand refusals say no more than one.
        """
        if self._expired is not None:
            refusal = replace(self._expired, pin=pin)
            raise self._refine(refusal) or by_status(refusal)
        renewals = self._renewals
        try:
            return self._get(pin, span)
        except (BaseError, OSError, ValueError) as error:
            failure = self._translate(error, pin)
            if not isinstance(failure, KeysExpiredError):
                raise failure from error
            if not self._renewed(renewals, _refusal(str(error), pin)):
                raise failure from error
        try:
            return self._get(pin, span)
        except (BaseError, OSError, ValueError) as error:
            raise self._translate(error, pin) from error

    def _renewed(self, renewals: int, refusal: Refusal) -> bool:
        """Renew the credentials, unless that was done or tried since ``renewals``."""
        with self._mutex:
            if self._renewals == renewals and self._expired is None:
                if self._renew():
                    self.reconnect()
                    self._renewals += 1
                else:
                    self._expired = refusal
            return self._expired is None

    def _connected(self) -> S3Client | GcsClient:
        with self._mutex:
            self._client = self._client or self._connect()
            return self._client

    def _get(self, pin: Pin, span: Span | None) -> GetResult:
        client = self._connected()
        options: GetOptions = {}
        if span is not None:
            options["range"] = (span.start, span.start + span.length)
        if pin.version is not None:
            options["version"] = pin.version
        elif pin.etag is not None and is_strong(pin.etag):
            options["if_match"] = f'"{pin.etag}"'
        try:
            return obstore.get(client, pin.uri.key, options=options)
        except BaseError as error:
            # Some servers know no conditions at all (hazard 1.29); the answer's own etag
            # is compared in any case.
            if "if_match" not in options or _status(str(error)) != NOT_IMPLEMENTED:
                raise
            del options["if_match"]
            return obstore.get(client, pin.uri.key, options=options)

    def _translate(self, error: Exception, pin: Pin) -> StoreError:
        text = str(error)
        refusal = _refusal(text, pin)
        refined = self._refine(refusal)
        return refined or _by_cause(error, text, pin.uri) or by_status(refusal)


def _refusal(text: str, pin: Pin) -> Refusal:
    code = _CODE.search(text)
    return Refusal(
        pin=pin, status=_status(text), code=code[1] if code else "", detail=_detail(text)
    )


def _by_cause(error: Exception, text: str, uri: Uri) -> StoreError | None:
    """Return what failed without an answer, if a retry cannot help."""
    if _status(text) is not None:
        return None
    if isinstance(error, UnauthenticatedError):
        first = text.partition("\n")[0]
        message = f"there are no credentials to read `{uri}`: {first}"
        return AccessDeniedError(message, uri=str(uri))
    found = _CAUSE.search(text)
    match found[1] if found else None:
        case None:
            return None
        case "InvalidCertificate":
            message = f"the certificate of the server that holds `{uri}` is not trusted"
            hint = "set `ca-bundle` in your own configuration, or repair the server"
            return StoreError(message, uri=str(uri), hint=hint)
        case "BareRedirect":
            message = f"the store sends reads of `{uri}` elsewhere without saying where"
            return StoreError(message, uri=str(uri), hint='set `region = "..."`')
        case "MissingLastModified" | "MissingEtag":
            message = f"the answer for `{uri}` is not that of a store"
            return StoreError(message, uri=str(uri), hint=PORTAL_HINT)
        case _:
            message = (
                f"the store did not answer with the range of `{uri}` that was asked for"
            )
            return StoreError(message, uri=str(uri))


def _detail(text: str) -> str:
    """Return what happened to a request that was not answered, in a few words."""
    kind = _KIND.search(text)
    match kind[1] if kind else None:
        case "Connect":
            host = _HOST.search(text)
            return f"no connection to {host[1]}" if host else "no connection"
        case "Timeout":
            return "the store was silent for too long"
        case "Interrupted" | "Request" | "Unknown" | "Decode":
            return "the connection broke off"
        case _:
            return text.partition("\n")[0]


def _status(text: str) -> int | None:
    found = _STATUS.search(text)
    return int(found[1]) if found else None


def _chunks(result: GetResult, length: int, *, slow: bool) -> Iterator[memoryview]:
    if length <= WHOLE_SIZE and not slow:
        whole = memoryview(result.bytes())
        if whole.nbytes:
            yield whole
        return
    for chunk in result.stream(min_chunk_size=_SLOW_PIECE if slow else CHUNK_SIZE):
        yield memoryview(chunk)
