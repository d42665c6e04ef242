"""obstore's clients for S3 and GCS, with every setting that matters set here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from obstore.store import GCSStore as GcsClient
from obstore.store import S3Store as S3Client

if TYPE_CHECKING:
    from obstore.store import (
        ClientConfig,
        GCSCredential,
        RetryConfig,
        S3Config,
        S3Credential,
    )

CONNECT_TIMEOUT = timedelta(seconds=10)
READ_TIMEOUT = timedelta(seconds=60)
"""How long a connection may be silent (hazard 4.3)."""
REQUEST_TIMEOUT = timedelta(minutes=5)
"""The bound of one request with its body; ``Retrying`` goes on where it ended."""

_KEY_LIFETIME = timedelta(minutes=5)
"""Shorter than the time by which botocore renews keys ahead of their end (10 minutes)."""
_NO_RETRIES: RetryConfig = {"max_retries": 0, "retry_timeout": timedelta(0)}


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """Keys that sign requests to S3 for the next minutes."""

    access: str
    secret: str
    token: str | None


def s3_client(
    *,
    bucket: str,
    endpoint: str,
    region: str,
    path_style: bool,
    keys: Callable[[], Keys] | None,
    requester_pays: bool = False,
    ca_bundle: bytes | None = None,
) -> S3Client:
    """Return a client for one S3 bucket.

    Args:
        bucket: Its name.
        endpoint: With the scheme; with the bucket in its host unless ``path_style``.
        region: For the signature; any text where the server has no regions.
        path_style: Whether the bucket is the first segment of the path.
        keys: Asked for keys every few minutes, from any thread; ``None`` signs nothing.
        requester_pays: Whether each request says that its sender pays.
        ca_bundle: Further certificates to trust, as PEM.
    """
    config: S3Config = {
        "aws_endpoint_url_s3": endpoint,
        "endpoint": endpoint,
        "region": region,
        "virtual_hosted_style_request": not path_style,
        "skip_signature": keys is None,
        "s3_express": False,
        "request_payer": requester_pays,
    }

    def credential() -> S3Credential:
        found = (keys or _no_keys)()
        return {
            "access_key_id": found.access,
            "secret_access_key": found.secret,
            "token": found.token,
            "expires_at": datetime.now(UTC) + _KEY_LIFETIME,
        }

    return S3Client(
        bucket,
        config=config,
        client_options=_client_options(endpoint, ca_bundle=ca_bundle, headers={}),
        retry_config=_NO_RETRIES,
        credential_provider=credential,
    )


def gcs_client(
    *,
    bucket: str,
    endpoint: str | None,
    token: Callable[[], tuple[str, datetime | None]] | None,
    headers: Mapping[str, str] | None = None,
    ca_bundle: bytes | None = None,
) -> GcsClient:
    """Return a client for one GCS bucket.

    Objects that are stored compressed arrive as they are stored: without a wish for gzip
    the server would inflate them, and the bytes would not match their checksum.

    Args:
        bucket: Its name.
        endpoint: Of an emulator or gateway; ``None`` is Google's own.
        token: Gives a bearer token and its end (UTC), from any thread; ``None`` reads
            anonymously.
        headers: Sent with each request, such as ``x-goog-user-project``.
        ca_bundle: Further certificates to trust, as PEM.
    """
    base_url = endpoint or "https://storage.googleapis.com"

    def credential() -> GCSCredential:
        value, expires_at = (token or _no_token)()
        return {"token": value, "expires_at": expires_at}

    return GcsClient(
        bucket,
        config={"base_url": base_url, "skip_signature": token is None},
        client_options=_client_options(
            base_url,
            ca_bundle=ca_bundle,
            headers={**(headers or {}), "accept-encoding": "gzip"},
        ),
        retry_config=_NO_RETRIES,
        credential_provider=credential,
    )


def _client_options(
    endpoint: str, *, ca_bundle: bytes | None, headers: Mapping[str, str]
) -> ClientConfig:
    options: ClientConfig = {
        # Only the scheme that the endpoint itself names: https never falls back.
        "allow_http": endpoint.startswith("http://"),
        "connect_timeout": CONNECT_TIMEOUT,
        "read_timeout": READ_TIMEOUT,
        "timeout": REQUEST_TIMEOUT,
        "default_headers": dict(headers),
    }
    if ca_bundle is not None:
        options["root_certificate"] = ca_bundle
    return options


def _no_keys() -> Keys:
    return Keys(access="", secret="", token=None)


def _no_token() -> tuple[str, datetime | None]:
    return "", None
