"""What answers to HeadObject become, and what errors of boto3 become."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore import exceptions as botocore
from botocore.parsers import ResponseParserError

from artlock.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    KeysExpiredError,
    ObjectArchivedError,
    ObjectChangedError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
)
from artlock.model.uri import Uri
from artlock.stores.s3.failures import Action, ForbiddenError, translated
from artlock.stores.s3.heads import info_of, is_plain_md5, tokens_of

URI = Uri("s3", "bucket", "a")
CRC64 = "M3eFcAZSQlc="
CRC64_AS_TEXT = "crc64nvme:3377857006524257"
FULL = {"ChecksumType": "FULL_OBJECT"}
CRC32C = "mnG7TA=="
SHA256 = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
SHA256_HEX = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
PLAIN, PARTS = '"5d41402abc4b2a76b9719d911017c592"', '"5d41402abc4b2a76b9719d911017c592-2"'


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ({"ChecksumCRC64NVME": CRC64}, CRC64_AS_TEXT),
        ({"ChecksumCRC64NVME": CRC64, "ChecksumType": "FULL_OBJECT"}, CRC64_AS_TEXT),
        ({"ChecksumCRC64NVME": CRC64, "ETag": PARTS}, CRC64_AS_TEXT),
        ({"ChecksumCRC64NVME": CRC64, "ChecksumType": "COMPOSITE"}, ""),
        ({"ChecksumCRC64NVME": CRC64 + "-2"}, ""),
        ({"ChecksumCRC32C": CRC32C}, "crc32c:9a71bb4c"),
        ({"ChecksumCRC32C": CRC32C, "ETag": PARTS, **FULL}, "crc32c:9a71bb4c"),
        ({"ChecksumCRC32C": CRC32C, "ETag": PARTS}, ""),
        ({"ChecksumCRC32C": CRC32C + "-2", "ChecksumType": "COMPOSITE"}, ""),
        ({"ChecksumSHA256": SHA256}, f"sha256:{SHA256_HEX}"),
        ({"ChecksumSHA256": SHA256, "ETag": PARTS}, ""),
        ({"ChecksumSHA256": SHA256, "ETag": PARTS, **FULL}, ""),
        ({"ChecksumSHA256": SHA256 + "-2", "ChecksumType": "COMPOSITE"}, ""),
        ({"ChecksumCRC32": "NhCmhg==", "ChecksumXXHASH64": "x", "ChecksumSHA1": "x"}, ""),
        ({"ChecksumCRC64NVME": CRC64, "ChecksumType": "SOMETHING_NEW"}, ""),
        ({"ChecksumCRC64NVME": "***"}, ""),
        ({"ChecksumCRC64NVME": "AAAA"}, ""),
    ],
)  # fmt: skip
def test_1_4_only_checksums_of_the_whole_object_become_tokens(
    answer: Mapping[str, Any], wanted: str
) -> None:
    tokens = tokens_of({"ETag": PLAIN, **answer})
    assert str(tokens).rpartition("etag:")[0].strip() == wanted
    assert tokens.etag is not None
    assert '"' not in tokens.etag


def test_an_answer_becomes_an_object() -> None:
    modified = datetime(2026, 1, 1, tzinfo=UTC)
    answer = {
        "ContentLength": 5,
        "VersionId": "v",
        "LastModified": modified,
        "ContentEncoding": "gzip",
    }
    info = info_of(URI, answer)
    assert (info.size, info.version, info.modified) == (5, "v", modified)
    assert info.encoding == "gzip"
    assert info.tokens.etag is None
    assert info_of(URI, answer, size=9).size == 9


@pytest.mark.parametrize("version", [None, "", "null"])
def test_1_13_no_version_is_none(version: str | None) -> None:
    assert info_of(URI, {"ContentLength": 5, "VersionId": version}).version is None


@pytest.mark.parametrize(
    ("answer", "archived"),
    [
        ({}, None),
        ({"StorageClass": "STANDARD_IA"}, None),
        ({"StorageClass": "GLACIER_IR"}, None),
        ({"StorageClass": "DEEP_ARCHIVE"}, "DEEP_ARCHIVE"),
        ({"StorageClass": "GLACIER", "Restore": 'ongoing-request="true"'}, "GLACIER"),
        ({"StorageClass": "DEEP_ARCHIVE", "Restore": 'ongoing-request="false", x'}, None),
        ({"ArchiveStatus": "ARCHIVE_ACCESS"}, "ARCHIVE_ACCESS"),
    ],
)  # fmt: skip
def test_1_17_what_must_be_restored_first_is_told(
    answer: Mapping[str, Any], archived: str | None
) -> None:
    assert info_of(URI, {"ContentLength": 1, **answer}).archived == archived


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        ({"ETag": PLAIN}, True),
        ({"ETag": PLAIN, "ServerSideEncryption": "AES256"}, True),
        ({"ETag": PLAIN, "ServerSideEncryption": "aws:kms"}, False),
        ({"ETag": PLAIN, "ServerSideEncryption": "aws:kms:dsse"}, False),
        ({"ETag": PLAIN, "SSECustomerAlgorithm": "AES256"}, False),
        ({"ETag": PARTS}, False),
    ],
)
def test_1_1_an_etag_is_an_md5_only_without_keys_and_parts(
    answer: Mapping[str, Any], *, plain: bool
) -> None:
    assert is_plain_md5(answer) == plain


def client_error(code: str, status: int) -> botocore.ClientError:
    return botocore.ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item] # the rest is not looked at
        "HeadObject",
    )


REFUSED = client_error("AccessDenied", 403)


@pytest.mark.parametrize(
    ("error", "wanted", "hint"),
    [
        (client_error("404", 404), ObjectNotFoundError, None),
        (client_error("NoSuchKey", 404), ObjectNotFoundError, None),
        (client_error("NoSuchVersion", 404), ObjectNotFoundError, "update"),
        (client_error("NoSuchBucket", 404), BucketNotFoundError, "doctor"),
        (client_error("405", 405), ObjectNotFoundError, "update"),
        (client_error("412", 412), ObjectChangedError, "update"),
        (client_error("403", 403), ForbiddenError, "s3:GetObject"),
        (client_error("AccessDenied", 403), ForbiddenError, "s3:GetObject"),
        (client_error("Unknown", 403), ForbiddenError, "s3:GetObject"),
        (client_error("InvalidObjectState", 403), ObjectArchivedError, "restore"),
        (client_error("ExpiredToken", 400), KeysExpiredError, "sso login"),
        (client_error("RequestTimeTooSkewed", 403), AccessDeniedError, "clock"),
        (client_error("PermanentRedirect", 301), StoreError, "region"),
        (client_error("AuthorizationHeaderMalformed", 400), StoreError, "region"),
        (client_error("SlowDown", 503), StoreUnavailableError, "try again"),
        (client_error("RequestTimeout", 400), StoreUnavailableError, "try again"),
        (client_error("500", 500), StoreUnavailableError, "try again"),
        (client_error("501", 501), StoreError, None),
        (client_error("400", 400), StoreError, None),
        (client_error("", 0), StoreError, None),
        (botocore.NoCredentialsError(), AccessDeniedError, "AWS_PROFILE"),
        (
            botocore.PartialCredentialsError(provider="env", cred_var="x"),
            AccessDeniedError,
            "AWS_PROFILE",
        ),
        (botocore.ProfileNotFound(profile="p"), AccessDeniedError, "AWS_PROFILE"),
        (
            botocore.TokenRetrievalError(provider="sso", error_msg="x"),
            AccessDeniedError,
            "sso login",
        ),
        (botocore.UnauthorizedSSOTokenError(), AccessDeniedError, "sso login"),
        (
            botocore.CredentialRetrievalError(provider="p", error_msg="x"),
            AccessDeniedError,
            "sso login",
        ),
        (botocore.SSLError(endpoint_url="u", error=OSError("e")), StoreError, "ca-bundle"),
        (
            botocore.EndpointConnectionError(endpoint_url="u"),
            StoreUnavailableError,
            "try again",
        ),
        (
            botocore.ConnectTimeoutError(endpoint_url="u"),
            StoreUnavailableError,
            "try again",
        ),
        (botocore.ReadTimeoutError(endpoint_url="u"), StoreUnavailableError, "try again"),
        (
            botocore.ConnectionClosedError(endpoint_url="u"),
            StoreUnavailableError,
            "try again",
        ),
        (
            botocore.IncompleteReadError(actual_bytes=1, expected_bytes=2),
            StoreUnavailableError,
            "try again",
        ),
        (ResponseParserError("x"), StoreUnavailableError, "try again"),
        (botocore.ParamValidationError(report="x"), StoreError, None),
        (OSError("x"), StoreError, None),
        (ValueError("x"), StoreError, None),
        (RecursionError("x"), StoreError, "region"),
    ],
)
def test_each_failure_has_its_class_and_its_way_out(
    error: Exception, wanted: type[StoreError], hint: str | None
) -> None:
    with pytest.raises(StoreError) as caught, translated(URI, Action.HEAD):
        raise error
    found = caught.value
    assert type(found) is wanted
    assert found.uri == str(URI)
    assert found.__cause__ is error
    assert not found.message.endswith(".")
    assert (hint or "") in (found.hint or "")
    assert (found.hint is None) == (hint is None)


def test_our_own_errors_pass() -> None:
    mine = ObjectNotFoundError("mine", uri="x")
    with pytest.raises(ObjectNotFoundError) as caught, translated(URI, Action.HEAD):
        raise mine
    assert caught.value is mine


@pytest.mark.parametrize("action", list(Action))
def test_1_14_a_refusal_names_the_permission(action: Action) -> None:
    with pytest.raises(AccessDeniedError) as caught, translated(URI, action):
        raise REFUSED
    assert f"`{action.permission}`" in (caught.value.hint or "")
    assert "requester-pays" in (caught.value.hint or "")
    hides = action in {Action.HEAD, Action.READ}
    assert ("no such object" in caught.value.message) == hides
