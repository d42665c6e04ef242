"""What S3 answers: which permission a request needs, objects, and what buckets say.

Source: S3 API reference, HeadObject, GetObject (405 for a marker's version, 404 with
``x-amz-delete-marker`` for an object whose latest state is a marker, ``InvalidObjectState``
for what is archived); service authorization reference for S3.
"""

from collections.abc import Mapping
from email.utils import format_datetime
from urllib.parse import parse_qsl, unquote

from testbed.conditions import lists, span
from testbed.delivery import Reply
from testbed.hostile.history import NULL, Bucket, State
from testbed.hostile.s3_pages import plain_page, versions_page
from testbed.hostile.uploads import checksum_of
from testbed.wire import Exchange

_XML = ("Content-Type", "application/xml")
_ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})

# By the name of the sub-resource: the permission, and what is said if nothing is set.
_ANSWERS: Mapping[str, tuple[str, int, str]] = {
    "lifecycle": ("s3:GetLifecycleConfiguration", 404, "NoSuchLifecycleConfiguration"),
    "object-lock": (
        "s3:GetBucketObjectLockConfiguration",
        404,
        "ObjectLockConfigurationNotFoundError",
    ),
    "policy": ("s3:GetBucketPolicy", 404, "NoSuchBucketPolicy"),
    "replication": (
        "s3:GetReplicationConfiguration",
        404,
        "ReplicationConfigurationNotFoundError",
    ),
    "tagging": ("s3:GetBucketTagging", 404, "NoSuchTagSet"),
    "encryption": (
        "s3:GetEncryptionConfiguration",
        404,
        "ServerSideEncryptionConfigurationNotFoundError",
    ),
}


class S3Error(Exception):
    """An error document of S3, as an answer."""

    def __init__(self, status: int, code: str, **headers: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = {f"x-amz-{n.replace('_', '-')}": t for n, t in headers.items()}


def answer(
    exchange: Exchange, buckets: Mapping[str, Bucket], *, ignore_range: bool
) -> Reply:
    """Return what S3 answers to a request with the bucket in its path."""
    try:
        return _Request(exchange, buckets, ignore_range=ignore_range).answer()
    except S3Error as error:
        return error_reply(error)


def error_reply(error: S3Error) -> Reply:
    """Return the answer that an error is."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{error.code}</Code><Message>{error.code}</Message></Error>"
    ).encode()
    return Reply(
        status=error.status,
        headers=(_XML, *error.headers.items()),
        body=(text,),
        length=len(text),
    )


class _Request:
    def __init__(
        self, exchange: Exchange, buckets: Mapping[str, Bucket], *, ignore_range: bool
    ) -> None:
        self._exchange = exchange
        self._headers = exchange.headers
        self._ignore_range = ignore_range
        name, _, key = exchange.path_on_wire.removeprefix("/").partition("/")
        self._key = unquote(key)
        self._query = dict(parse_qsl(exchange.query, keep_blank_values=True))
        bucket = buckets.get(unquote(name))
        if bucket is None:
            raise S3Error(404, "NoSuchBucket")
        self._bucket = bucket

    def answer(self) -> Reply:
        self._check_caller()
        if self._exchange.command not in {"GET", "HEAD"}:
            raise S3Error(501, "NotImplemented")
        return self._object() if self._key else self._of_bucket()

    # -- who may -----------------------------------------------------------------------

    def _check_caller(self) -> None:
        policy = self._bucket.policy
        is_signed = "Authorization" in self._headers
        if (policy.refuses_signed and is_signed) or (
            policy.refuses_unsigned and not is_signed
        ):
            raise S3Error(403, "AccessDenied")
        expected = self._headers.get("x-amz-expected-bucket-owner")
        if expected not in {None, policy.owner}:
            raise S3Error(403, "AccessDenied")

    def _may(self, action: str) -> bool:
        return action not in self._bucket.policy.denied

    def _need(self, action: str) -> None:
        if not self._may(action):
            raise S3Error(403, "AccessDenied", bucket_region=self._bucket.region)

    def _need_payer(self) -> None:
        payer = self._headers.get("x-amz-request-payer")
        if self._bucket.policy.requester_pays and payer != "requester":
            raise S3Error(403, "AccessDenied")

    # -- buckets -----------------------------------------------------------------------

    def _of_bucket(self) -> Reply:
        query, bucket = self._query, self._bucket
        if self._exchange.command == "HEAD":
            self._need("s3:ListBucket")
            region = (("x-amz-bucket-region", bucket.region),)
            return Reply(status=200, headers=region, length=0)
        if "versioning" in query:
            self._need("s3:GetBucketVersioning")
            status = f"<Status>{bucket.versioning}</Status>" if bucket.versioning else ""
            return _document(f"<VersioningConfiguration>{status}</VersioningConfiguration>")
        if "location" in query:
            self._need("s3:GetBucketLocation")
            # S3: the first region has no name here.
            where = "" if bucket.region == "us-east-1" else bucket.region
            return _document(f"<LocationConstraint>{where}</LocationConstraint>")
        if "session" in query:
            return _document(_SESSION)
        for name, (action, status_code, code) in _ANSWERS.items():
            if name in query:
                self._need(action)
                if name not in bucket.answers:
                    raise S3Error(status_code, code)
                return _document(bucket.answers[name].decode())
        if "versions" in query:
            if bucket.name.endswith("--x-s3"):
                raise S3Error(501, "NotImplemented")
            self._need("s3:ListBucketVersions")
            self._need_payer()
            return _document_of(versions_page(bucket, query))
        self._need("s3:ListBucket")
        self._need_payer()
        try:
            return _document_of(plain_page(bucket, query))
        except ValueError:
            raise S3Error(400, "InvalidArgument") from None

    # -- objects -----------------------------------------------------------------------

    def _object(self) -> Reply:
        version = self._query.get("versionId")
        action = "s3:GetObject" if version is None else "s3:GetObjectVersion"
        self._need(action)
        self._need_payer()
        state = self._state(version)
        if "retention" in self._query or "legal-hold" in self._query:
            return self._hold()
        self._check_customer_key(state)
        is_read = self._exchange.command == "GET"
        if is_read and self._is_archived(state) and not state.restored:
            raise S3Error(403, "InvalidObjectState")
        return self._conditional(state, is_read=is_read)

    def _state(self, version: str | None) -> State:
        if version is not None:
            state = self._bucket.state(self._key, version)
            if state is None:
                self._hide()
                raise S3Error(404, "NoSuchVersion")
            if state.is_marker:
                raise S3Error(
                    405, "MethodNotAllowed", delete_marker="true", version_id=version
                )
            return state
        newest = next(iter(self._bucket.history(self._key)), None)
        if newest is None:
            self._hide()
            raise S3Error(404, "NoSuchKey")
        if newest.is_marker:
            self._hide()
            raise S3Error(404, "NoSuchKey", delete_marker="true", version_id=newest.version)
        return newest

    def _hide(self) -> None:
        # S3: who may not list is not told whether an object exists.
        self._need("s3:ListBucket")

    def _hold(self) -> Reply:
        name = "retention" if "retention" in self._query else "legal-hold"
        action = "s3:GetObjectRetention" if name == "retention" else "s3:GetObjectLegalHold"
        self._need(action)
        if name not in self._bucket.answers:
            raise S3Error(404, "NoSuchObjectLockConfiguration")
        return _document(self._bucket.answers[name].decode())

    def _check_customer_key(self, state: State) -> None:
        given = "x-amz-server-side-encryption-customer-algorithm" in self._headers
        if (state.upload.encryption == "customer") != given:
            raise S3Error(400, "InvalidRequest")

    def _is_archived(self, state: State) -> bool:
        return state.upload.storage_class in _ARCHIVES or bool(state.archive)

    def _conditional(self, state: State, *, is_read: bool) -> Reply:
        etag = f'"{state.etag}"'
        conditions = self._bucket.policy.conditions
        wanted = self._headers.get("If-Match")
        if wanted is not None and conditions == "refused":
            raise S3Error(501, "NotImplemented")
        if (
            wanted is not None
            and conditions == "kept"
            and not lists(wanted, etag, weak=False)
        ):
            raise S3Error(412, "PreconditionFailed")
        size = len(state.body)
        headers = self._described(state)
        found = None
        if is_read and not self._ignore_range:
            found = span(self._headers.get("Range", ""), size)
        if found is None:
            headers = (*headers, *self._checksums(state))
            body = (state.body,) if is_read else ()
            return Reply(status=200, headers=headers, body=body, length=size)
        first, end = found
        if first >= end:
            raise S3Error(416, "InvalidRange")
        headers = (*headers, ("Content-Range", f"bytes {first}-{end - 1}/{size}"))
        body = (state.body[first:end],)
        return Reply(status=206, headers=headers, body=body, length=end - first)

    def _described(self, state: State) -> tuple[tuple[str, str], ...]:
        upload = state.upload
        found = {
            "ETag": f'"{state.etag}"',
            "Last-Modified": format_datetime(state.modified, usegmt=True),
            "Accept-Ranges": "bytes",
            "Content-Type": "binary/octet-stream",
            "Content-Encoding": upload.encoding,
            "x-amz-storage-class": (
                "" if upload.storage_class == "STANDARD" else upload.storage_class
            ),
            "x-amz-archive-status": state.archive,
            "x-amz-restore": (
                'ongoing-request="false", expiry-date="Fri, 01 Jan 2100 00:00:00 GMT"'
                if state.restored
                else ""
            ),
        }
        if self._bucket.versioning is not None or state.version != NULL:
            found["x-amz-version-id"] = state.version
        if upload.encryption == "customer":
            found["x-amz-server-side-encryption-customer-algorithm"] = "AES256"
        else:
            found["x-amz-server-side-encryption"] = upload.encryption
        for name, text in state.headers.items():
            # S3: the lock of an object shows only to who may ask for it.
            if "legal-hold" in name and not self._may("s3:GetObjectLegalHold"):
                continue
            if "object-lock" in name and not self._may("s3:GetObjectRetention"):
                continue
            found[name] = text
        return tuple((name, text) for name, text in found.items() if text)

    def _checksums(self, state: State) -> tuple[tuple[str, str], ...]:
        # S3: of whole answers only, and only if they are asked for.
        if self._headers.get("x-amz-checksum-mode", "").upper() != "ENABLED":
            return ()
        checksum = checksum_of(state.body, state.upload)
        if checksum is None:
            return ()
        value, kind = checksum
        found = [(f"x-amz-checksum-{state.upload.checksum.lower()}", value)]
        if state.upload.checksum_says:
            found.append(("x-amz-checksum-type", kind))
        return tuple(found)


_SESSION = (
    "<CreateSessionResult><Credentials><SessionToken>session</SessionToken>"
    "<SecretAccessKey>secret</SecretAccessKey><AccessKeyId>SESSION</AccessKeyId>"
    "<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></CreateSessionResult>"
)


def _document(text: str) -> Reply:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return _document_of((head + text).encode())


def _document_of(body: bytes) -> Reply:
    return Reply(status=200, headers=(_XML,), body=(body,), length=len(body))
