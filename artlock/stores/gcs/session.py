"""Reach the service: endpoint and credentials, found once.

Source: the conventions of Google's own libraries (application default credentials,
``STORAGE_EMULATOR_HOST``) hold as they are; what ``Access`` says comes first. An OAuth
token gives its holder the account, so it never leaves unencrypted (hazards 0.6, 1.42).
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import google.auth
import msgspec
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud import storage
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError  # noqa: A004 - its name

from artlock.errors import PolicyError, StoreError
from artlock.stores.base import bounded, refusal
from artlock.stores.gcs.failures import Action, expired, refine, translate
from artlock.stores.transfer import Transfer, gcs_client

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from requests import PreparedRequest, Response

    from artlock.model.manifest import Access
    from artlock.model.uri import Uri
    from artlock.stores.transfer import Refusal

GOOGLE = "https://storage.googleapis.com"
_READ_ONLY = "https://www.googleapis.com/auth/devstorage.read_only"
_NO_QUOTA_PROJECT = "Your application has authenticated using end user credentials"


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """All that asks the service; safe to share between threads.

    Attributes:
        client: Google's, for listings and heads.
        transfer: Gives a reader for a bucket's name.
    """

    client: storage.Client
    transfer: Callable[[str], Transfer]


def connect(uri: Uri, access: Access, endpoint: str) -> Connection:
    """Find credentials for ``endpoint``; sends nothing to the store.

    Raises:
        PolicyError: Credentials would leave unencrypted.
        GoogleAuthError, OSError: See ``failures.translate``.
    """
    credentials = _credentials(access, endpoint)
    session = AuthorizedSession(credentials)
    # Without an answer of its own, requests would send what `~/.netrc` has for the host:
    # instead of credentials, and where the source is to be read anonymously.
    session.auth = _as_it_is
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Bounded())
    ca_bundle = None
    if access.ca_bundle is not None:
        session.verify = access.ca_bundle
        ca_bundle = Path(access.ca_bundle).read_bytes()
    client = storage.Client(
        project=None,
        credentials=credentials,
        # Always said, because other variables of the environment would reroute it too.
        client_options={"api_endpoint": endpoint},
        _http=session,  # so that `ca-bundle` holds
    )
    # It would ask for each bucket's metadata in a thread of its own, for traces.
    client._bucket_metadata_cache = None  # noqa: SLF001 - only the environment has a switch
    tokens = None if _is_anonymous(credentials) else _TokenSource(credentials, uri)
    payer = access.user_project or getattr(credentials, "quota_project_id", None)

    def transfer(bucket: str) -> Transfer:
        return Transfer(
            lambda: gcs_client(
                bucket=bucket,
                endpoint=endpoint,
                token=tokens,
                headers={"x-goog-user-project": payer} if payer else None,
                ca_bundle=ca_bundle,
            ),
            refine=lambda refusal: (tokens and tokens.explain(refusal)) or refine(refusal),
            renew=lambda: tokens is not None and tokens.renew(),
        )

    return Connection(client=client, transfer=transfer)


class _Bounded(HTTPAdapter):
    """Sends requests, and reads no answer that has no end; bodies are streamed past it."""

    def send(self, request: PreparedRequest, *args: Any, **more: Any) -> Response:  # noqa: ANN401 - passed on
        """Send a request; see ``HTTPAdapter.send``."""
        response = super().send(request, *args, **{**more, "stream": True})
        is_error = response.status_code >= 300  # noqa: PLR2004 - RFC 9110 §15.4
        if is_error or not more.get("stream"):
            with response:
                take = refusal if is_error else bounded
                response._content = take(partial(_piece, response))  # noqa: SLF001 - as its `content` does
        return response


def _piece(response: Response, size: int) -> bytes:
    """Return the next bytes of a body, as they come."""
    try:
        found: bytes = response.raw.read1(size, decode_content=True)
    except Exception as error:
        # It broke off: requests has this for what comes from below it.
        raise ConnectionError(error) from error
    return found


def endpoint_of(access: Access) -> str:
    """Return where the service is: the setting, the environment's emulator, or Google."""
    found = access.endpoint or os.environ.get("STORAGE_EMULATOR_HOST") or GOOGLE
    return (found if "://" in found else f"http://{found}").rstrip("/")


def _as_it_is(request: PreparedRequest) -> PreparedRequest:
    """Add nothing; the credentials are in the headers already, where there are some."""
    return request


def _credentials(access: Access, endpoint: str) -> Credentials:
    url = urlsplit(endpoint)
    if access.anonymous:
        return AnonymousCredentials()
    if url.scheme != "https":
        if _is_loopback(url.hostname or ""):
            return AnonymousCredentials()  # an emulator, which wants none
        message = f"credentials are not sent to `{endpoint}`, which is not encrypted"
        hint = "use https, or write `anonymous = true`"
        raise PolicyError(message, hint=hint)
    with warnings.catch_warnings():
        # Only who pays for the quota of a listing is in question; the user chose the login.
        warnings.filterwarnings("ignore", _NO_QUOTA_PROJECT, UserWarning)
        found: Credentials
        found, _project = google.auth.default(scopes=[_READ_ONLY])
    return found


def _is_anonymous(credentials: Credentials) -> bool:
    return isinstance(credentials, AnonymousCredentials)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class _TokenSource:
    """Gives obstore the token that google-auth has, and renews."""

    def __init__(self, credentials: Credentials, uri: Uri) -> None:
        self._credentials = credentials
        self._uri = uri
        self._request = Request()
        self._mutex = threading.Lock()
        self._given = ""
        self._failure: StoreError | None = None

    def __call__(self) -> tuple[str, datetime | None]:
        with self._mutex:
            try:
                if not self._credentials.valid:
                    self._credentials.refresh(self._request)
            except GoogleAuthError as error:
                self._failure = translate(error, self._uri, Action.GET)
                raise
            self._failure = None
            self._given = str(self._credentials.token)
            expiry: datetime | None = self._credentials.expiry
            # google-auth keeps it in UTC without saying so.
            return self._given, expiry and expiry.replace(tzinfo=UTC)

    def renew(self) -> bool:
        """Ask for another token than the refused one; tell whether there is one."""
        with self._mutex:
            try:
                if str(self._credentials.token) == self._given:
                    self._credentials.refresh(self._request)
            except GoogleAuthError:
                return False  # what the store says of the old one says more
            return str(self._credentials.token) != self._given

    def explain(self, refusal: Refusal) -> StoreError | None:
        """Return why there was no token, or that the one that was sent has ended."""
        if self._failure is None and refusal.status == 401:  # noqa: PLR2004 - RFC 9110 §15.5.2
            return expired(refusal.uri)
        return self._failure
