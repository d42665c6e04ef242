"""What GCS answers: the JSON API for listings and descriptions, the XML API for bytes.

Source: JSON API, Objects: list, get, and Buckets: get; XML API, GET Object; "Transcoding of
gzip-compressed files": what is stored compressed is inflated for whoever does not ask for
gzip, without a length and whatever range is asked for; ``x-goog-hash`` is of the stored
bytes.
"""

import gzip
import json
from collections.abc import Mapping
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from testbed.conditions import lists, span
from testbed.delivery import Reply
from testbed.hostile.gcs_pages import crc32c_of, md5_of, page, resource
from testbed.hostile.history import Bucket, State
from testbed.wire import Exchange

_JSON = "/storage/v1/b/"
_DOWNLOAD = "/download/storage/v1/b/"


class _GcsError(Exception):
    def __init__(self, status: int, reason: str, message: str = "", code: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.message = message or reason
        self.code = code or reason


_REQUESTER_PAYS = "Bucket is a requester pays bucket but no user project provided."


def answer(
    exchange: Exchange, buckets: Mapping[str, Bucket], *, ignore_range: bool
) -> Reply:
    """Return what GCS answers to a request."""
    path = exchange.path_on_wire
    is_json = path.startswith((_JSON, _DOWNLOAD))
    try:
        return _Request(exchange, buckets, ignore_range=ignore_range).answer()
    except _GcsError as error:
        if is_json:
            return _json(
                {
                    "error": {
                        "code": error.status,
                        "message": error.message,
                        "errors": [{"reason": error.reason, "message": error.message}],
                    }
                },
                status=error.status,
            )
        text = f"<?xml version='1.0'?><Error><Code>{error.code}</Code></Error>".encode()
        headers = (("Content-Type", "application/xml"),)
        return Reply(status=error.status, headers=headers, body=(text,), length=len(text))


class _Request:
    def __init__(
        self, exchange: Exchange, buckets: Mapping[str, Bucket], *, ignore_range: bool
    ) -> None:
        self._exchange = exchange
        self._headers = exchange.headers
        self._ignore_range = ignore_range
        self._buckets = buckets
        self._query = dict(parse_qsl(exchange.query, keep_blank_values=True))

    def answer(self) -> Reply:
        if self._exchange.command not in {"GET", "HEAD"}:
            raise _GcsError(405, "methodNotAllowed")
        path = self._exchange.path_on_wire
        for start in (_JSON, _DOWNLOAD):
            if path.startswith(start):
                name, _, rest = path.removeprefix(start).partition("/")
                bucket = self._bucket(unquote(name))
                if not rest:
                    return self._of_bucket(bucket)
                if rest == "o":
                    return self._listing(bucket)
                key = unquote(rest.removeprefix("o/"))
                if start == _DOWNLOAD or self._query.get("alt") == "media":
                    return self._bytes(bucket, key)
                return self._description(bucket, key)
        name, _, key = path.removeprefix("/").partition("/")
        return self._bytes(self._bucket(unquote(name)), unquote(key))

    def _bucket(self, name: str) -> Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            raise _GcsError(404, "notFound", code="NoSuchBucket")
        payer = self._query.get("userProject") or self._headers.get("x-goog-user-project")
        if bucket.policy.requester_pays and not payer:
            raise _GcsError(400, "required", _REQUESTER_PAYS, "UserProjectMissing")
        return bucket

    def _need(self, bucket: Bucket, action: str) -> None:
        if action in bucket.policy.denied:
            raise _GcsError(403, "forbidden", code="AccessDenied")

    def _of_bucket(self, bucket: Bucket) -> Reply:
        self._need(bucket, "storage.buckets.get")
        return _json(
            {
                "kind": "storage#bucket",
                "name": bucket.name,
                "versioning": {"enabled": bucket.versioning == "Enabled"},
                **bucket.metadata,
            }
        )

    def _listing(self, bucket: Bucket) -> Reply:
        self._need(bucket, "storage.objects.list")
        try:
            return _json(page(bucket, self._query))
        except ValueError:
            raise _GcsError(400, "invalid") from None

    def _state(self, bucket: Bucket, key: str) -> State:
        self._need(bucket, "storage.objects.get")
        generation = self._query.get("generation")
        state = bucket.live(key) if generation is None else bucket.state(key, generation)
        if state is None or state.is_marker:
            # GCS: who may not list is not told whether an object exists.
            self._need(bucket, "storage.objects.list")
            raise _GcsError(404, "notFound", code="NoSuchKey")
        return state

    def _description(self, bucket: Bucket, key: str) -> Reply:
        if self._query.get("softDeleted", "").lower() == "true":
            return _json(self._soft_deleted(bucket, key))
        return _json(resource(bucket, self._state(bucket, key)))

    def _soft_deleted(self, bucket: Bucket, key: str) -> dict[str, Any]:
        self._need(bucket, "storage.objects.get")
        wanted = (key, self._query.get("generation"))
        for state in bucket.soft_deleted():
            if (state.key, state.version) == wanted:
                found = resource(bucket, state)
                return {**found, "softDeleteTime": found["updated"]}
        raise _GcsError(404, "notFound", code="NoSuchKey")

    def _bytes(self, bucket: Bucket, key: str) -> Reply:
        state = self._state(bucket, key)
        etag = f'"{state.version}"'
        wanted = self._headers.get("If-Match")
        if (
            wanted is not None
            and bucket.policy.conditions == "kept"
            and not lists(wanted, etag, weak=False)
        ):
            raise _GcsError(412, "conditionNotMet", code="PreconditionFailed")
        upload = state.upload
        hashes = f"crc32c={crc32c_of(state.body)}"
        if not upload.is_composed:
            hashes += f",md5={md5_of(state.body)}"
        headers = [
            ("ETag", etag),
            ("Last-Modified", format_datetime(state.modified, usegmt=True)),
            ("x-goog-generation", state.version),
            ("x-goog-metageneration", "1"),
            ("x-goog-hash", hashes),
            ("x-goog-stored-content-length", str(len(state.body))),
            ("x-goog-stored-content-encoding", upload.encoding or "identity"),
            ("x-goog-storage-class", upload.storage_class),
        ]
        is_read = self._exchange.command == "GET"
        wants_gzip = "gzip" in self._headers.get("Accept-Encoding", "")
        if upload.encoding == "gzip" and not wants_gzip:
            headers.append(("Warning", '214 UploadServer "gunzipped"'))
            body = gzip.decompress(state.body)
            return Reply(
                status=200, headers=tuple(headers), body=(body,) if is_read else ()
            )
        if upload.encoding:
            headers.append(("Content-Encoding", upload.encoding))
        size = len(state.body)
        found = None
        if is_read and not self._ignore_range:
            found = span(self._headers.get("Range", ""), size)
        if found is None:
            whole = (state.body,) if is_read else ()
            return Reply(status=200, headers=tuple(headers), body=whole, length=size)
        first, end = found
        if first >= end:
            raise _GcsError(416, "requestedRangeNotSatisfiable", code="InvalidRange")
        headers.append(("Content-Range", f"bytes {first}-{end - 1}/{size}"))
        part = (state.body[first:end],)
        return Reply(status=206, headers=tuple(headers), body=part, length=end - first)


def _json(document: Mapping[str, Any], *, status: int = 200) -> Reply:
    body = json.dumps(document).encode()
    headers = (("Content-Type", "application/json; charset=UTF-8"),)
    return Reply(status=status, headers=headers, body=(body,), length=len(body))
