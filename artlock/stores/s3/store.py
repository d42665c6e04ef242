"""``S3Store``: the ``Store`` of one bucket."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from msgspec.structs import replace

from artlock.errors import (
    AccessDeniedError,
    ObjectChangedError,
    ObjectNotFoundError,
    StoreError,
)
from artlock.stores.base import Pin, Span, StoreContext, missing_bucket
from artlock.stores.s3.failures import (
    GONE_HINT,
    Action,
    ForbiddenError,
    by_code,
    status_of,
    translate,
    translated,
)
from artlock.stores.s3.heads import info_of, is_plain_md5, length_of
from artlock.stores.s3.listing import NULL_VERSION
from artlock.stores.s3.retention import read_retention
from artlock.stores.s3.scan import Scan, is_directory_bucket
from artlock.stores.s3.session import ATTEMPTS, Connection, connect
from artlock.stores.transfer import (
    CHUNK_SIZE,
    Refusal,
    check_answer,
    is_addressable,
    is_strong,
    short_body,
)

if TYPE_CHECKING:
    from artlock.model.objects import ObjectInfo, VersionId
    from artlock.model.retention import Retention
    from artlock.model.uri import Uri
    from artlock.model.verification import Buffer

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_NOT_FOUND = 404
_NEEDS_BODY = frozenset({400, 403})
"""HEAD has no body, so these do not say what is wrong (hazard 4.10)."""


class S3Store:
    """One bucket of S3, or of a server that speaks as S3 does.

    Connects when it is first asked. Safe to use from several threads.

    Args:
        uri: Any URI in the bucket.
        context: What it needs from where it is opened.
        page_size: For tests: entries a page of a listing.
        attempts: For tests: how often botocore sends a listing or a head in all.
    """

    def __init__(
        self,
        uri: Uri,
        context: StoreContext,
        *,
        page_size: int | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._uri = uri
        self._context = context
        self._page_size = page_size
        self._attempts = attempts
        self._mutex = threading.Lock()
        self._connection: Connection | None = None
        self._versions_are_denied = False

    @property
    def identity(self) -> str:
        """``s3`` for AWS, else with the endpoint."""
        return self._connect().identity

    def scan(self, prefix: Uri, *, as_of: datetime | None = None) -> Iterator[ObjectInfo]:
        """Yield every live object below ``prefix``; see ``Store.scan``.

        One request for 1,000 versions, one more to learn whether there are any, and on
        servers that are not AWS one for 1,000 objects as a check (hazard 1.11). Where
        versions may not be listed, or are mostly old, one for each object (1.9, 1.14).
        """
        scan = Scan(
            connection=self._connect(),
            prefix=prefix,
            as_of=as_of,
            notice=self._context.notice,
            cross_check=self._context.cross_check,
            head=self.head,
            page_size=self._page_size,
        )
        yield from scan.run()

    def head(self, uri: Uri, version: VersionId | None = None) -> ObjectInfo:
        """Describe an object or one version of it; see ``Store.head``.

        One request; more only to find out why it failed.
        """
        try:
            answer = self._head(uri, version)
        except ClientError as error:
            return self._explained(error, uri, version)
        with translated(uri, Action.HEAD):
            return info_of(uri, answer)

    def read(self, pin: Pin, span: Span | None = None) -> Iterator[Buffer]:
        """Yield the bytes of one state of an object; see ``Store.read``.

        Where versions may not be read, the current state is, on condition that its etag is
        that of the pin (hazard 1.14).
        """
        read = self._reader(pin.uri)
        if self._versions_are_denied and pin.version is not None and pin.etag is not None:
            pin = replace(pin, version=None)
        chunks = read(pin, span)
        try:
            first = next(chunks, None)
        except ForbiddenError as denied:
            if pin.version is None or pin.etag is None:
                raise
            chunks, first = self._without_version(pin, span, denied)
        except ObjectNotFoundError as error:
            raise self._told_apart(error, pin) from error
        if first is not None:
            yield first
            yield from chunks

    def etag_is_md5(self, pin: Pin) -> bool | None:
        """Tell whether the etag of ``pin`` is the MD5 of its bytes (hazards 1.1, 1.2).

        One request, on AWS only. ``None`` where it cannot be known.

        Raises:
            StoreError: The object cannot be described.
        """
        if not self._connect().is_aws or pin.etag is None:
            return None
        if "-" in pin.etag or is_directory_bucket(pin.uri):
            return False
        action = Action.HEAD if pin.version is None else Action.HEAD_VERSION
        with translated(pin.uri, action):
            return is_plain_md5(self._head(pin.uri, pin.version))

    def retention(self, uri: Uri) -> Retention:
        """Return the settings of the bucket; see ``TellsRetention.retention``."""
        return read_retention(self._connect(), uri)

    def reconnect(self) -> None:
        """Use other connections; see ``Reconnects``."""
        with self._mutex:
            if self._connection is not None:
                self._connection.transfer.reconnect()

    def close(self) -> None:
        """Give back connections; see ``Store.close``."""
        with self._mutex:
            if self._connection is not None:
                self._connection.client.close()

    def _connect(self) -> Connection:
        with self._mutex:
            if self._connection is None:
                self._connection = connect(
                    self._uri, self._context, refine=_refined, attempts=self._attempts
                )
            return self._connection

    # -- head --------------------------------------------------------------------------

    def _parameters(self, uri: Uri, version: VersionId | None) -> dict[str, Any]:
        found = {"Bucket": uri.authority, "Key": uri.key, **self._connect().extra}
        if version is not None:
            found["VersionId"] = version
        return found

    def _head(self, uri: Uri, version: VersionId | None) -> dict[str, Any]:
        """Return botocore's answer.

        Raises:
            ClientError: The store refused; ``_explained`` finds out why.
        """
        connection = self._connect()
        action = Action.HEAD if version is None else Action.HEAD_VERSION
        parameters = self._parameters(uri, version)
        try:
            return {**connection.client.head_object(**parameters, ChecksumMode="ENABLED")}
        except ClientError:
            raise
        except (BotoCoreError, ResponseParserError, OSError, ValueError) as error:
            raise translate(error, uri, action) from error

    def _explained(
        self, error: ClientError, uri: Uri, version: VersionId | None
    ) -> ObjectInfo:
        """Raise what a failed HEAD means, or describe the object by other means."""
        action = Action.HEAD if version is None else Action.HEAD_VERSION
        client, status = self._connect().client, status_of(error)
        with translated(uri, action):
            if status == _NOT_FOUND:
                raise self._not_found(error, uri, version)
            if status not in _NEEDS_BODY:
                raise error
            answer = client.get_object(
                **self._parameters(uri, version), Range="bytes=0-0", ChecksumMode="ENABLED"
            )
            answer["Body"].close()
            size = _bounds(answer)[2]
        return info_of(uri, answer, size=size)

    def _not_found(
        self, error: ClientError, uri: Uri, version: VersionId | None
    ) -> ObjectNotFoundError:
        client = self._connect().client
        try:
            client.head_bucket(Bucket=uri.authority or "")
        except ClientError as missing:
            if status_of(missing) == _NOT_FOUND:
                return missing_bucket(uri)
        except (BotoCoreError, OSError, RecursionError):
            pass  # it was only to say it better
        what = f"`{uri}`" if version is None else f"version `{version}` of `{uri}`"
        message = f"there is no {what}"
        if _is_delete_marker(error):
            message += ": it was deleted at its source"
        hint = None if version is None else GONE_HINT
        return ObjectNotFoundError(message, uri=str(uri), hint=hint)

    # -- read --------------------------------------------------------------------------

    def _reader(self, uri: Uri) -> Callable[[Pin, Span | None], Iterator[Buffer]]:
        # Directory buckets want a session for their requests, which obstore does not open.
        by_botocore = is_directory_bucket(uri) or not is_addressable(uri.key)
        return self._read_with_botocore if by_botocore else self._read

    def _read(self, pin: Pin, span: Span | None) -> Iterator[Buffer]:
        return self._connect().transfer.read(pin, span)

    def _without_version(
        self, pin: Pin, span: Span | None, denied: ForbiddenError
    ) -> tuple[Iterator[Buffer], Buffer | None]:
        read = self._reader(pin.uri)
        chunks = read(replace(pin, version=None), span)
        try:
            first = next(chunks, None)
        except (ObjectChangedError, ObjectNotFoundError, AccessDeniedError):
            # What was locked is no longer the current state, or that is denied too.
            raise denied from None
        self._versions_are_denied = True
        return chunks, first

    def _told_apart(self, error: ObjectNotFoundError, pin: Pin) -> ObjectNotFoundError:
        """Say what became of an object that is not found, if one request tells."""
        if type(error) is not ObjectNotFoundError:
            return error  # it is the bucket
        try:
            current = self._head(pin.uri, None).get("VersionId") or NULL_VERSION
        except ClientError as other:
            if status_of(other) != _NOT_FOUND:
                return error
            return self._not_found(other, pin.uri, pin.version)
        except StoreError:
            return error
        else:
            if pin.version in {None, current}:
                return error
            message = (
                f"version `{pin.version}` of `{pin.uri}` is gone; the current one is "
                f"`{current}`"
            )
        return ObjectNotFoundError(message, uri=str(pin.uri), hint=GONE_HINT)

    def _read_with_botocore(self, pin: Pin, span: Span | None) -> Iterator[Buffer]:
        """Read a key that obstore cannot name; slower, and with the same checks."""
        action = Action.READ if pin.version is None else Action.READ_VERSION
        parameters = self._parameters(pin.uri, pin.version)
        if span is not None:
            parameters["Range"] = f"bytes={span.start}-{span.start + span.length - 1}"
        if pin.version is None and pin.etag is not None and is_strong(pin.etag):
            parameters["IfMatch"] = f'"{pin.etag}"'
        with translated(pin.uri, action):
            answer = self._connect().client.get_object(**parameters)
        body = answer["Body"]
        try:
            with translated(pin.uri, action):
                start, end, size = _bounds(answer)
            length = check_answer(
                pin,
                span,
                size=size,
                etag=answer.get("ETag"),
                version=answer.get("VersionId"),
                bounds=(start, end),
            )
            received = 0
            while True:
                with translated(pin.uri, action):
                    chunk = body.read(CHUNK_SIZE)
                if not chunk:
                    break
                received += len(chunk)
                yield chunk
            if received != length:
                raise short_body(pin.uri, received=received, length=length)
        finally:
            body.close()


def _refined(refusal: Refusal) -> StoreError | None:
    action = Action.READ if refusal.pin.version is None else Action.READ_VERSION
    return by_code(refusal.code, refusal.status, refusal.uri, action)


def _bounds(answer: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return start, end (exclusive) and size of the whole."""
    found = _CONTENT_RANGE.fullmatch(answer.get("ContentRange") or "")
    if found is None:
        size = length_of(answer)
        return 0, size, size
    return int(found[1]), int(found[2]) + 1, int(found[3])


def _is_delete_marker(error: ClientError) -> bool:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers.get("x-amz-delete-marker") == "true"
