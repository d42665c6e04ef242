"""``Transfer``: reads objects, and finds the cause of a failure in obstore's text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, UnauthenticatedError

from artlock.errors import AccessDeniedError, StoreError
from artlock.stores.transfer.answers import (
    NOT_IMPLEMENTED,
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

_STATUS = re.compile(r"^\s+status: (\d{3}),$", re.MULTILINE)
_CAUSE = re.compile(
    r"^\s+(?:source|inner|error): "
    r"(InvalidCertificate|NotPartial|UnexpectedRange|ParseContentRange|BareRedirect)\b",
    re.MULTILINE,
)
# Both look at the starts of lines: a key, which is in the text too, has no line breaks.
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

    Args:
        client: An obstore client, from ``s3_client`` or ``gcs_client``.
        refine: Asked first what a refusal means.
    """

    def __init__(
        self, client: S3Client | GcsClient, *, refine: Refine = lambda _refusal: None
    ) -> None:
        self._client = client
        self._refine = refine

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
            AccessDeniedError: Refused.
            StoreUnavailableError: Cut, reset, throttled or timed out.
            StoreError: The key cannot be asked for, the answer is not the range that was
                asked for, or anything else.
        """
        if not is_addressable(pin.uri.key):
            message = f"the key of `{pin.uri}` cannot be read"
            raise StoreError(message, uri=str(pin.uri))
        try:
            result = self._get(pin, span)
        except (BaseError, OSError, ValueError) as error:
            raise self._translate(error, pin) from error
        length = check_answer(
            pin,
            span,
            size=result.meta["size"],
            etag=result.meta["e_tag"],
            version=result.meta["version"],
            bounds=result.range,
        )
        received = 0
        try:
            for chunk in _chunks(result, length):
                received += chunk.nbytes
                yield chunk
        except (BaseError, OSError) as error:
            raise self._translate(error, pin) from error
        if received != length:
            raise short_body(pin.uri, received=received, length=length)

    def _get(self, pin: Pin, span: Span | None) -> GetResult:
        options: GetOptions = {}
        if span is not None:
            options["range"] = (span.start, span.start + span.length)
        if pin.version is not None:
            options["version"] = pin.version
        elif pin.etag is not None and is_strong(pin.etag):
            options["if_match"] = f'"{pin.etag}"'
        try:
            return obstore.get(self._client, pin.uri.key, options=options)
        except BaseError as error:
            # Some servers know no conditions at all (hazard 1.29); the answer's own etag
            # is compared in any case.
            if "if_match" not in options or _status(str(error)) != NOT_IMPLEMENTED:
                raise
            del options["if_match"]
            return obstore.get(self._client, pin.uri.key, options=options)

    def _translate(self, error: Exception, pin: Pin) -> StoreError:
        text = str(error)
        code = _CODE.search(text)
        refusal = Refusal(
            pin=pin,
            status=_status(text),
            code=code[1] if code else "",
            detail=text.partition("\n")[0],
        )
        refined = self._refine(refusal)
        return refined or _by_cause(error, text, pin.uri) or by_status(refusal)


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
        case _:
            message = (
                f"the store did not answer with the range of `{uri}` that was asked for"
            )
            return StoreError(message, uri=str(uri))


def _status(text: str) -> int | None:
    found = _STATUS.search(text)
    return int(found[1]) if found else None


def _chunks(result: GetResult, length: int) -> Iterator[memoryview]:
    if length <= WHOLE_SIZE:
        whole = memoryview(result.bytes())
        if whole.nbytes:
            yield whole
        return
    for chunk in result.stream(min_chunk_size=CHUNK_SIZE):
        yield memoryview(chunk)
