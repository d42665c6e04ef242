"""The store for ``gs://``."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from google.cloud.storage.retry import DEFAULT_RETRY

from artlock.errors import BucketNotFoundError, ObjectNotFoundError, StoreError
from artlock.model.retention import Retention, Unread, Versioning
from artlock.stores.base import missing_bucket
from artlock.stores.gcs.failures import Action, ForbiddenError, translated, unavailable
from artlock.stores.gcs.listing import described
from artlock.stores.gcs.retention import protection_of, retention_of
from artlock.stores.gcs.scan import Scan
from artlock.stores.gcs.session import GOOGLE, Connection, connect, endpoint_of
from artlock.stores.transfer import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    changed,
    is_addressable,
    short_body,
)

if TYPE_CHECKING:
    from datetime import datetime

    from _typeshed import ReadableBuffer
    from google.cloud.storage import Blob, Bucket

    from artlock.model.objects import ObjectInfo, VersionId
    from artlock.model.uri import Uri
    from artlock.model.verification import Buffer
    from artlock.stores.base import Pin, Span, StoreContext
    from artlock.stores.transfer import Transfer

PATIENCE_S = 60.0
"""How long a page or a description is asked for again; ``Retrying`` repeats only reads."""
_TIMEOUT = (CONNECT_TIMEOUT.total_seconds(), READ_TIMEOUT.total_seconds())
_PIECE = 8 << 20


class GcsStore:
    """Reads buckets of one service; safe to use from several threads.

    Credentials are looked for when they are first needed.

    Args:
        context: Access, and where the project is.
        patience_s: How long a page or description is asked for again; 0 asks once.
    """

    def __init__(self, context: StoreContext, *, patience_s: float = PATIENCE_S) -> None:
        self._access = context.access
        self._endpoint = endpoint_of(context.access)
        self._retry = DEFAULT_RETRY.with_timeout(patience_s) if patience_s else None
        self._mutex = threading.Lock()
        self._connection: Connection | None = None
        self._transfers: dict[str, Transfer] = {}

    @property
    def identity(self) -> str:
        """``gs``, or ``gs+<endpoint>`` where that is not Google's."""
        if self._endpoint == GOOGLE:
            return "gs"
        scheme, _, rest = self._endpoint.partition("://")
        host, slash, path = rest.partition("/")
        # Without user info, which is a secret.
        return f"gs+{scheme}://{host.rpartition('@')[2]}{slash}{path}"

    def close(self) -> None:
        """Give back connections."""
        with self._mutex:
            if self._connection is not None:
                self._connection.client.close()
            self._connection = None
            self._transfers.clear()

    def reconnect(self) -> None:
        """Use other connections; see ``Reconnects``."""
        with self._mutex:
            for transfer in self._transfers.values():
                transfer.reconnect()

    def scan(self, prefix: Uri, *, as_of: datetime | None = None) -> Iterator[ObjectInfo]:
        """Yield every live object below ``prefix``, as ``Store.scan`` promises.

        Raises:
            BucketNotFoundError: There is no such bucket.
            AccessDeniedError: Listing is refused; the hint names the permission.
            PolicyError: Credentials would leave unencrypted.
            StoreUnavailableError: The store did not answer; try again.
            StoreError: The listing is not to be believed, or the bucket keeps no versions
                and ``as_of`` was asked for.
        """
        if as_of is not None:
            self._require_versions(prefix)
        scan = Scan(
            prefix=prefix,
            as_of=as_of,
            begin=partial(self._list, prefix),
            is_google=self._endpoint == GOOGLE,
        )
        yield from scan.run()

    def _list(self, uri: Uri, *, is_once: bool = False, **asked: str | int | None) -> Any:  # noqa: ANN401 - the library's iterator has no types
        """Begin a listing of a bucket; each page is one request, or more if it fails."""
        retry = None if is_once else self._retry
        client = self._connect(uri).client
        return client.list_blobs(self._bucket(uri), timeout=_TIMEOUT, retry=retry, **asked)

    def _require_versions(self, prefix: Uri) -> None:
        with translated(prefix, Action.DESCRIBE_BUCKET):
            bucket = self._bucket(prefix)
            bucket.reload(timeout=_TIMEOUT, retry=self._retry)
        if not bucket.versioning_enabled:
            message = (
                f"`{prefix.authority}` keeps no versions, so its past cannot be listed"
            )
            raise StoreError(message, uri=str(prefix), hint="leave out `as-of`")

    def head(self, uri: Uri, version: VersionId | None = None) -> ObjectInfo:
        """Describe one object, or one version of it, as ``Store.head`` promises.

        Raises:
            BucketNotFoundError: There is no such bucket.
            ObjectNotFoundError: There is no such object or version.
            AccessDeniedError: Refused, or not there: the service may not tell.
            PolicyError: Credentials would leave unencrypted.
            StoreUnavailableError: The store did not answer; try again.
        """
        try:
            with translated(uri, Action.GET):
                blob = self._blob(uri, version)
                blob.reload(timeout=_TIMEOUT, retry=self._retry)
                resource = _resource(blob)
                protection = protection_of(blob._properties)  # noqa: SLF001 - has no view of all
        except ObjectNotFoundError as error:
            self._check_bucket(uri)
            if version is None:
                raise
            raise _missing_version(uri, version) from error
        return msgspec.structs.replace(described(resource, uri), protection=protection)

    def _check_bucket(self, uri: Uri) -> None:
        """Raise ``BucketNotFoundError`` if the bucket certainly does not exist."""
        try:
            with translated(uri, Action.LIST):
                next(self._list(uri, is_once=True, max_results=1, fields="kind").pages)
        except ObjectNotFoundError:
            raise missing_bucket(uri) from None
        except StoreError:
            return  # it may be there, and what was found out about the object holds

    def retention(self, uri: Uri) -> Retention:
        """Return the settings of the bucket, as ``TellsRetention.retention`` promises.

        One request. The permission for it is for all of them.
        """
        try:
            with translated(uri, Action.DESCRIBE_BUCKET):
                bucket = self._bucket(uri)
                bucket.reload(timeout=_TIMEOUT, retry=self._retry)
        except ForbiddenError:
            hint = f"ask for the permission `{Action.DESCRIBE_BUCKET}`"
            unread = Unread("the settings of the bucket", hint)
            return Retention(versioning=Versioning.UNKNOWN, unread=(unread,))
        # Its own views leave out what is newer than they are.
        resource = bucket._properties  # noqa: SLF001 - see above
        try:
            return retention_of(resource)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            message = f"the settings of `{uri.authority}` are not to be believed"
            raise StoreError(message, uri=str(uri)) from error

    def read(self, pin: Pin, span: Span | None = None) -> Iterator[Buffer]:
        """Yield the bytes of one version of an object, as ``Store.read`` promises.

        Stored bytes: what is kept compressed is not inflated (hazard 1.33).

        Raises:
            ObjectNotFoundError: The object or version is gone.
            ObjectChangedError: The answer is of another state.
            AccessDeniedError: Refused, or not there: the service may not tell.
            PolicyError: Credentials would leave unencrypted.
            StoreUnavailableError: Cut, reset, throttled or timed out; try again.
            StoreError: Anything else.
        """
        try:
            if is_addressable(pin.uri.key):
                yield from self._transfer(pin.uri).read(pin, span)
            else:
                yield from self._read_by_client(pin, span)
        except BucketNotFoundError:
            raise
        except ObjectNotFoundError as error:
            if pin.version is None:
                raise
            raise self._told_apart(pin.uri, pin.version) from error

    def _read_by_client(self, pin: Pin, span: Span | None) -> Iterator[Buffer]:
        """Read keys that obstore cannot ask for, in pieces that are counted here.

        Each piece is one request for a range of one version, so nothing is ever resumed
        by the client, which would not notice other bytes (hazard 1.34).
        """
        info = self.head(pin.uri, pin.version)
        size = info.size or 0
        if pin.size is not None and size != pin.size:
            raise changed(pin.uri, f"it has {size} bytes instead of {pin.size}")
        start, end = (0, size) if span is None else (span.start, span.start + span.length)
        if end > size:
            message = f"`{pin.uri}` ends at byte {size}, before the range asked for"
            raise StoreError(message, uri=str(pin.uri))
        blob = self._blob(pin.uri, info.version)
        while start < end:
            stop = min(start + _PIECE, end)
            piece = _downloaded(blob, pin.uri, start, stop)
            if len(piece) != stop - start:
                raise short_body(pin.uri, received=len(piece), length=stop - start)
            yield piece
            start = stop

    def _told_apart(self, uri: Uri, version: VersionId) -> ObjectNotFoundError:
        """Say what became of a version that is gone, if two requests tell (hazard 1.38)."""
        current, is_restorable = None, None
        with suppress(StoreError):  # it is only to say it better
            current = self.head(uri).version
        try:
            with translated(uri, Action.GET):
                blob = self._blob(uri, version)
                blob.reload(soft_deleted=True, timeout=_TIMEOUT, retry=self._retry)
            is_restorable = blob.soft_delete_time is not None
        except ObjectNotFoundError:
            is_restorable = False
        except StoreError:
            pass  # not known, then: it takes a permission of its own
        return _missing_version(uri, version, current=current, is_restorable=is_restorable)

    def _connect(self, uri: Uri) -> Connection:
        with self._mutex:
            if self._connection is None:
                self._connection = connect(uri, self._access, self._endpoint)
            return self._connection

    def _bucket(self, uri: Uri) -> Bucket:
        client = self._connect(uri).client
        return client.bucket(uri.authority, user_project=self._access.user_project)

    def _blob(self, uri: Uri, version: VersionId | None) -> Blob:
        if version is not None and not version.isdecimal():
            raise _missing_version(uri, version)
        return self._bucket(uri).blob(uri.key, generation=version and int(version))

    def _transfer(self, uri: Uri) -> Transfer:
        bucket = uri.authority or ""
        with translated(uri, Action.GET):
            connection = self._connect(uri)
        with self._mutex:
            found = self._transfers.get(bucket)
            if found is None:
                found = self._transfers[bucket] = connection.transfer(bucket)
            return found


class _Piece(io.BytesIO):
    """Takes what is downloaded, and no more than was asked for."""

    def __init__(self, uri: Uri, size: int) -> None:
        super().__init__()
        self._uri = uri
        self._size = size

    def write(self, data: ReadableBuffer, /) -> int:
        """Take the next bytes.

        Raises:
            StoreError: They are too many: the library itself would take them for ever.
        """
        written = super().write(data)
        if self.tell() > self._size:
            message = f"more bytes of `{self._uri}` came than were asked for"
            raise StoreError(message, uri=str(self._uri))
        return written


def _downloaded(blob: Blob, uri: Uri, start: int, stop: int) -> bytes:
    piece = _Piece(uri, stop - start)
    try:
        with translated(uri, Action.GET):
            blob.download_to_file(
                piece,
                start=start,
                end=stop - 1,
                raw_download=True,
                checksum=None,
                timeout=_TIMEOUT,
                retry=None,
            )
    except StoreError:
        raise
    except Exception as error:
        # Of a body that breaks off the library lets urllib3's own errors through.
        raise unavailable(uri, type(error).__name__) from error
    return piece.getvalue()


def _resource(blob: Blob) -> dict[str, Any]:
    """Return what ``described`` reads, from a blob that was just loaded."""
    return {
        "name": blob.name,
        "generation": blob.generation,
        "size": blob.size,
        "crc32c": blob.crc32c,
        "md5Hash": blob.md5_hash,
        "contentEncoding": blob.content_encoding,
    }


def _missing_version(
    uri: Uri,
    version: VersionId,
    *,
    current: VersionId | None = None,
    is_restorable: bool | None = None,
) -> ObjectNotFoundError:
    """Return the error of a version that is not there.

    Args:
        uri: The object.
        version: The one that was asked for.
        current: The one that is there now, if that is known.
        is_restorable: Whether soft delete still has it; ``None`` if that is not known.
    """
    message = f"version `{version}` of `{uri}` is gone, or never was"
    if current is not None:
        message += f"; the current one is `{current}`"
    restore = f"`gcloud storage restore {uri}#{version}`"
    if is_restorable:
        hint = (
            f"soft delete still has it: {restore} brings the bytes back as a new version, "
            "which `artlock update` locks"
        )
    else:
        hint = "look for the bytes in a cache or mirror, or run `artlock update`"
    if is_restorable is None:
        hint += f"; where the bucket has soft delete, see {restore}"
    return ObjectNotFoundError(message, uri=str(uri), hint=hint)
