"""Reach one bucket: credentials, endpoint and region, found once.

Source: the conventions of botocore (profiles, ``AWS_*``, ``AWS_ENDPOINT_URL_S3``, instance
roles) hold as they are; what ``Access`` says comes first.
"""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

import botocore.loaders
import botocore.session
import msgspec
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import ClientError, HTTPClientError
from botocore.httpsession import URLLib3Session

from artlock.stores.base import EndlessAnswerError, bounded, missing_bucket, refusal
from artlock.stores.s3.failures import (
    Action,
    is_expired,
    no_credentials,
    status_of,
    translate,
    translated,
)
from artlock.stores.s3.pages import CutPageError, PageError, is_listing, parse_page
from artlock.stores.transfer import CONNECT_TIMEOUT, READ_TIMEOUT, Keys, Transfer, s3_client

if TYPE_CHECKING:
    from botocore.credentials import Credentials, ReadOnlyCredentials
    from mypy_boto3_s3 import S3Client

    from artlock.errors import StoreError
    from artlock.model.uri import Uri
    from artlock.stores.base import StoreContext
    from artlock.stores.transfer import Refine, Refusal

DEFAULT_REGION = "us-east-1"
ATTEMPTS = 5
"""How often botocore sends a listing or a head in all."""
PAGE = "ArtlockPage"
"""Where a listing's answer holds its ``pages.Page``."""
_RENEWED = "artlock_renewed"
"""Where botocore's context of a request says that it was sent with other keys."""
_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_PROBE = "probe"
_SIGNING = "before-sign.s3.HeadObject"
_NOT_FOUND = 404


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """All that asks one bucket; safe to share between threads.

    Attributes:
        client: botocore's, whose answers to listings hold ``PAGE``.
        transfer: Reads bytes.
        identity: See ``Store.identity``.
        is_aws: Whether the endpoint is Amazon's own.
        extra: Parameters of every list, head and get.
    """

    client: S3Client
    transfer: Transfer
    identity: str
    is_aws: bool
    extra: Mapping[str, Any]


def connect(
    uri: Uri, context: StoreContext, *, refine: Refine, attempts: int = ATTEMPTS
) -> Connection:
    """Find credentials, endpoint and region for the bucket of ``uri``.

    Sends nothing to S3, except to AWS one HeadBucket that tells the region if no
    ``region`` is set.

    Raises:
        AccessDeniedError: There are no credentials, or settings are not complete.
        BucketNotFoundError: There is no such bucket.
        StoreError: The settings cannot be used.
    """
    access, bucket = context.access, uri.authority or ""
    with translated(uri, Action.CONNECT):
        inner = _session(access.profile)
        keys = None
        if not access.anonymous:
            keys = _KeySource(lambda: _credentials(uri, context), uri)
        if keys is not None:
            inner.register_component("credential_provider", keys)
            inner.register("needs-retry.s3", keys.retry)  # type: ignore[arg-type] # it answers
        make = _maker(inner, context, attempts)
        region = access.region or inner.get_config_variable("region")
        client = make(region or DEFAULT_REGION)
        is_aws = _is_aws(client.meta.endpoint_url)
        if is_aws and access.region is None:
            region = learn_region(client, uri)
            if region not in (None, client.meta.region_name):
                client.close()
                client = make(region)
        endpoint = bucket_endpoint(client, bucket)
        ca_bundle = access.ca_bundle and Path(access.ca_bundle).read_bytes()
        transfer = Transfer(
            lambda: s3_client(
                bucket=bucket,
                endpoint=endpoint,
                region=client.meta.region_name,
                path_style=False,  # the bucket is in the endpoint already
                keys=keys,
                requester_pays=access.requester_pays,
                ca_bundle=ca_bundle or None,
            ),
            refine=lambda refusal: (keys and keys.explain(refusal)) or refine(refusal),
            renew=lambda: keys is not None and keys.renew(),
        )
    return Connection(
        client=client,
        transfer=transfer,
        identity=_identity(client.meta.partition, client.meta.endpoint_url, is_aws=is_aws),
        is_aws=is_aws,
        extra={"RequestPayer": "requester"} if access.requester_pays else {},
    )


def _session(profile: str | None) -> botocore.session.Session:
    found = botocore.session.Session(profile=profile)
    found.register_component("data_loader", _loader(found.get_config_variable("data_path")))
    return found


@lru_cache(maxsize=8)
def _loader(data_path: str | None) -> botocore.loaders.Loader:
    """Return the reader of botocore's models: S3's takes longer than all the rest.

    It gives what botocore's own gives, in a third of the time: connecting to a server takes
    0.15 s of CPU instead of 0.25 s, together with not loading boto3.
    """
    paths = (data_path or "").split(os.pathsep)
    return _Loader(
        [str(Path(os.path.expandvars(path)).expanduser()) for path in paths if path],
        file_loader=_ModelFiles(),
    )


class _Loader(botocore.loaders.Loader):
    """Reads models, without a look into the folders of 400 services that nobody asks."""

    def list_available_services(self, type_name: str) -> list[str]:
        """Return what may be a service; that it has no such model shows when it is read."""
        del type_name
        folders = [path for path in map(Path, self.search_paths) if path.is_dir()]
        return sorted({each.name for folder in folders for each in folder.iterdir()})


class _ModelFiles(botocore.loaders.JSONFileLoader):
    """Reads the files of models, and leaves their JSON to msgspec."""

    def load_file(self, file_path: str) -> object:
        """Return what a file says, whose name goes on with one of two suffixes.

        Returns:
            ``None`` if there is no such file.
        """
        for suffix, opened in ((".json", open), (".json.gz", gzip.open)):
            with suppress(FileNotFoundError), opened(file_path + suffix, "rb") as file:
                return msgspec.json.decode(file.read())
        return None


class _KeySource:
    """The one set of credentials that botocore and obstore share; botocore renews them.

    Those that it cannot renew are looked for again when a store calls them expired
    (hazard 4.8): once for all threads, and not again if there are no others.
    """

    def __init__(self, find: Callable[[], Credentials], uri: Uri) -> None:
        self._find = find
        self._credentials = find()
        self._uri = uri
        self._mutex = threading.Lock()
        self._given: Keys | None = None
        self._signed_with = threading.local()
        self._hopeless: Keys | None = None
        self._failure: StoreError | None = None

    @property
    def current(self) -> Credentials:
        """Those that are used now."""
        return self._credentials

    def load_credentials(self) -> Credentials:
        """Answer a botocore session: this is its component ``credential_provider``."""
        return cast("Credentials", _Current(self))

    def frozen(self) -> ReadOnlyCredentials:
        """Answer botocore, which signs a request of this thread."""
        found = self._credentials.get_frozen_credentials()
        self._signed_with.keys = _keys_of(found)
        return found

    def __call__(self) -> Keys:
        """Answer obstore, which only keeps the text of an error."""
        try:
            self._given = _keys_of(self._credentials.get_frozen_credentials())
        except Exception as error:
            # Providers run commands and ask web services: anything may come.
            self._failure = translate(error, self._uri, Action.CONNECT)
            raise
        return self._given

    def renew(self) -> bool:
        """Look for others than obstore had; tell whether there are some by now."""
        return self._renewed(self._given)

    def retry(
        self,
        *,
        response: tuple[object, dict[str, Any]] | None,
        request_dict: dict[str, Any],
        **_: object,
    ) -> int | None:
        """Answer botocore, which asks whether to send a request of botocore again: once."""
        if response is None or not is_expired(response[1]):
            return None
        context = request_dict["context"]
        # None where botocore signed with a session of its own (S3 Express).
        refused = getattr(self._signed_with, "keys", None)
        if context.get(_RENEWED) or not self._renewed(refused):
            return None
        context[_RENEWED] = True
        return 0

    def _renewed(self, refused: Keys | None) -> bool:
        """Look where credentials come from; tell whether there are others than ``refused``.

        A login in another window, a role or a command may have given some. What the store
        says of the old ones says more than why there are no new ones.
        """
        with self._mutex:
            with suppress(Exception):  # providers run commands: anything may come
                if _keys_of(self._credentials.get_frozen_credentials()) != refused:
                    return True  # another thread, or botocore itself, has renewed them
                if refused == self._hopeless:
                    return False
                found = self._find()
                if _keys_of(found.get_frozen_credentials()) != refused:
                    self._credentials = found
                    return True
            self._hopeless = refused
            return False

    def explain(self, refusal: Refusal) -> StoreError | None:
        """Return why keys could not be had, if that is what went wrong."""
        is_mine = refusal.status is None and "credential provider" in refusal.detail
        return self._failure if is_mine else None


class _Current:
    """The credentials that a source has at the moment, as botocore's signer takes them."""

    def __init__(self, source: _KeySource) -> None:
        self._source = source

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the keys for one signature."""
        return self._source.frozen()

    def __getattr__(self, name: str) -> object:
        """Return what else botocore wants to know of credentials."""
        return getattr(self._source.current, name)


def _keys_of(frozen: ReadOnlyCredentials) -> Keys:
    return Keys(
        access=frozen.access_key or "", secret=frozen.secret_key or "", token=frozen.token
    )


def _credentials(uri: Uri, context: StoreContext) -> Credentials:
    """Find credentials as botocore does, and assume the role if one is set.

    Raises:
        AccessDeniedError: There are none. Nothing was sent, and nothing is read
            anonymously instead: a private bucket would look empty or forbidden.
    """
    access = context.access
    source = _session(access.profile)
    if source.get_config_variable("region") is None:
        source.set_config_variable("region", access.region or DEFAULT_REGION)
    found = source.get_credentials()
    if found is None:
        raise no_credentials(uri)
    if access.role_arn is None:
        return found
    fetcher = AssumeRoleCredentialFetcher(
        source.create_client,
        found,
        access.role_arn,
        extra_args={"RoleSessionName": "artlock"},
    )
    return DeferredRefreshableCredentials(
        method="assume-role", refresh_using=fetcher.fetch_credentials
    )


def _maker(
    session: botocore.session.Session, context: StoreContext, attempts: int
) -> Callable[[str | None], S3Client]:
    access = context.access

    def make(region: str | None, style: Literal["path"] | None = None) -> S3Client:
        config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=CONNECT_TIMEOUT.total_seconds(),
            read_timeout=READ_TIMEOUT.total_seconds(),
            max_pool_connections=max(10, context.connections),
            signature_version=UNSIGNED if access.anonymous else None,
            s3=None if style is None else {"addressing_style": style},
            # The gate of the cache judges bytes; botocore would hash some of them again.
            response_checksum_validation="when_required",
            user_agent_extra="artlock",
        )
        made = session.create_client(
            "s3",
            region_name=region,
            endpoint_url=access.endpoint,
            verify=access.ca_bundle,
            config=config,
        )
        client = cast("S3Client", made)
        settings: dict[str, str] | None = getattr(client.meta.config, "s3", None)
        chosen = (settings or {}).get("addressing_style")
        if style is None and chosen is None and not _is_aws(client.meta.endpoint_url):
            # Other servers seldom have a host name for each bucket.
            client.close()
            return make(region, "path")
        endpoint = client._endpoint  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other way in
        endpoint.http_session = _Bounded(endpoint.http_session)
        for operation in ("ListObjectVersions", "ListObjectsV2"):
            # By this pattern it comes before botocore's own handler of `before-parse.s3.*`,
            # which would parse the whole body to see whether it is an error.
            client.meta.events.register_first(
                f"before-parse.*.{operation}", _take_page, f"artlock-{operation}"
            )
        return client

    return make


class _Bounded:
    """Sends botocore's requests, and reads no answer that has no end.

    Bodies of objects are streamed past it.
    """

    def __init__(self, inner: URLLib3Session) -> None:
        self._inner = inner

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send a request as botocore's own session does."""
        is_body = request.stream_output
        request.stream_output = True
        try:
            response: AWSResponse = self._inner.send(request)
        finally:
            request.stream_output = is_body
        is_error = response.status_code >= 300  # noqa: PLR2004 - RFC 9110 §15.4
        if is_body and not is_error:
            return response
        try:
            body = (refusal if is_error else bounded)(response.raw.read1)
        except EndlessAnswerError:
            response.raw.close()
            raise
        except Exception as error:
            # It broke off: botocore takes this for a connection that failed.
            response.raw.close()
            raise HTTPClientError(error=error) from error
        if is_error:
            response.raw.close()  # or what was not read would be the next answer
        response._content = body  # type: ignore[attr-defined]  # noqa: SLF001 - as its `content` does
        return response

    def close(self) -> None:
        """Give back connections."""
        self._inner.close()


def _take_page(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Read a listing in place of botocore's parser.

    Whatever is no page stays for botocore: it retries errors that come with status 200
    and bodies that were cut, and then raises them.
    """
    body = response_dict["body"]
    if response_dict["status_code"] != 200 or not is_listing(body):  # noqa: PLR2004 - OK
        return
    try:
        customized_response_dict[PAGE] = parse_page(body)
    except CutPageError:
        return
    except PageError as error:
        customized_response_dict[PAGE] = error
    response_dict["body"] = b""


def learn_region(client: S3Client, uri: Uri) -> str | None:
    """Ask where a bucket is; S3 tells even those who may do nothing else.

    Raises:
        BucketNotFoundError: There is no such bucket.
    """
    try:
        answer: Mapping[str, Any] = client.head_bucket(Bucket=uri.authority or "")
    except ClientError as error:
        if status_of(error) == _NOT_FOUND:
            raise missing_bucket(uri) from error
        answer = error.response
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region: str | None = headers.get("x-amz-bucket-region")
    return region


def bucket_endpoint(client: S3Client, bucket: str) -> str:
    """Return the URL below which botocore would ask for the keys of ``bucket``.

    Botocore decides (path or host, dual stack, FIPS, access points): a request is made up
    and stopped before it is signed: keys, or the session of a directory bucket, may have
    to come from afar. Not to be called while others use ``client``.
    """
    events = client.meta.events
    events.register_first(_SIGNING, _stop, unique_id=_stop.__name__)
    try:
        client.head_object(Bucket=bucket, Key=_PROBE)
    except _StoppedError as stopped:
        url = urlsplit(stopped.url)
        return f"{url.scheme}://{url.netloc}{url.path.removesuffix(f'/{_PROBE}')}"
    finally:
        events.unregister(_SIGNING, _stop, unique_id=_stop.__name__)
    raise AssertionError  # the hook lets nothing pass


class _StoppedError(Exception):
    """A request that was not meant to be sent."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


def _stop(*, request: AWSRequest, **_: object) -> None:
    raise _StoppedError(request.url or "")


def _is_aws(endpoint: str) -> bool:
    return (urlsplit(endpoint).hostname or "").endswith(_AWS_HOSTS)


def _identity(partition: str, endpoint: str, *, is_aws: bool) -> str:
    if not is_aws:
        url = urlsplit(endpoint)
        # Without user info, which is a secret.
        return f"s3+{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path.rstrip('/')}"
    return "s3" if partition == "aws" else f"s3+{partition}"
