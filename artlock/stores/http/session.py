"""HTTP requests under our own rules for redirects, addresses and proxies.

Clients differ in what they send along when a server redirects them, and have leaked
credentials that way (hazard 1.50). So urllib3 is asked for one answer at a time and follows
nothing; this module follows, judges every host before it is connected to, and alone decides
which headers go where.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urljoin
from urllib.request import getproxies, proxy_bypass

import msgspec
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as SilenceError
from urllib3.util import make_headers, parse_url

from artlock.errors import PolicyError, StoreError, StoreUnavailableError
from artlock.model.manifest import FIXED_HEADERS
from artlock.stores.http.address import Resolver, check_name, checked_addresses, resolve

if TYPE_CHECKING:
    from artlock.model.uri import Uri
    from artlock.stores.base import StoreContext

Response = urllib3.BaseHTTPResponse
"""An answer whose body is still on its way; whoever has it closes it."""

MAX_REDIRECTS = 5
CONNECT_TIMEOUT_S = 5.0
"""For each address of a host: one that leads nowhere must not cost long (hazard 4.14)."""
READ_TIMEOUT_S = 60.0
"""How long a connection may be silent (hazard 4.3)."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REDIRECT_HINT = "if you know where it leads and trust that place, declare it itself"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where one request goes.

    Attributes:
        host: In lower case, without brackets.
        target: Path and query as they are sent; may hold a signature, so it is never shown.
    """

    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read an absolute URL; the one parser of hosts (hazard 1.49).

        Raises:
            PolicyError: It has user info, or another scheme than ``http`` or ``https``.
            LocationValueError: It is malformed.
        """
        parts = parse_url(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.host:
            message = f"`{parts.scheme}://` is not followed"
            raise PolicyError(message)
        if parts.auth is not None:
            message = f"a URL on `{parts.host}` has user info"
            raise PolicyError(message)
        return cls(
            scheme=parts.scheme,
            host=parts.host.strip("[]").lower().rstrip("."),
            port=parts.port or _DEFAULT_PORTS[parts.scheme],
            target=parts.request_uri,
        )

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: to whom a credential belongs."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = self.port == _DEFAULT_PORTS[self.scheme]
        return host if default else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        """The whole URL, for proxies and for relative redirects."""
        return f"{self}{self.target}"


class Session:
    """Connections to the web for one source; safe to use from several threads.

    Args:
        declared: The source: headers of ``context.access`` go to its origin only.
        context: Access, permissions, and how many connections are kept.
        resolver: Gives the addresses of a host.
        connect_timeout_s: For each address of a host.
        read_timeout_s: How long a connection may be silent.
    """

    def __init__(
        self,
        declared: Uri,
        context: StoreContext,
        *,
        resolver: Resolver = resolve,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self._declared = declared
        self._access = context.access
        self._may_connect: Callable[[str], bool] = context.may_connect
        self._resolver = resolver
        self._timeout = urllib3.Timeout(connect=connect_timeout_s, read=read_timeout_s)
        self._connections = context.connections
        self._mutex = threading.Lock()
        self._managers: dict[str | None, urllib3.PoolManager] = {}

    def open(self, method: str, uri: Uri, headers: Mapping[str, str]) -> Response:
        """Ask, follow redirects, and return the last answer with its body unread.

        At most ``MAX_REDIRECTS`` are followed, never from https to http. Once another
        origin was met, the source's own headers are not sent again. The ``url`` of the
        answer is the origin that it came from, if it is another one.

        Args:
            method: ``GET`` or ``HEAD``.
            uri: What is asked for.
            headers: Ours; they say nothing about who asks, and go to every origin.

        Raises:
            PolicyError: A host, or a redirect, is not allowed.
            StoreError: The redirects do not end, or lead nowhere.
            HTTPError, OSError, ValueError: No answer; see ``translated``.
        """
        place = asked = Place.parse(str(uri))
        own = Place.parse(str(self._declared)).origin
        is_own = True
        for _ in range(MAX_REDIRECTS + 1):
            is_own = is_own and place.origin == own
            response = self._ask(method, place, self._headers(headers, is_own=is_own))
            if response.status not in _REDIRECTS:
                response.url = None if place.origin == asked.origin else str(place)
                return response
            location = response.headers.get("Location")
            response.close()
            place = _followed(place, location, uri)
        message = f"`{uri}` is redirected more than {MAX_REDIRECTS} times"
        hint = "open it in a browser: a portal may ask for a login"
        raise StoreError(message, uri=str(uri), hint=hint)

    def reconnect(self) -> None:
        """Open other connections from now on; those in use go on to their end."""
        with self._mutex:
            # Not `clear`, which would close a pool that another thread has just taken.
            self._managers = {}

    def close(self) -> None:
        """Give back the connections."""
        with self._mutex:
            for manager in self._managers.values():
                manager.clear()

    def _headers(
        self, headers: Mapping[str, str], *, is_own: bool
    ) -> urllib3.HTTPHeaderDict:
        sent = urllib3.HTTPHeaderDict({"User-Agent": "artlock"})
        if is_own:
            for name, value in self._access.headers:
                if name.lower() not in FIXED_HEADERS:
                    sent[name] = value
        sent.update(headers)
        sent["Accept-Encoding"] = "identity"
        return sent

    def _open(
        self,
        pool: urllib3.PoolManager | urllib3.HTTPConnectionPool,
        method: str,
        target: str,
        headers: urllib3.HTTPHeaderDict,
        **checks: Any,  # noqa: ANN401 - urllib3's own
    ) -> Response:
        """Ask once: what redirects, failures and encodings mean is decided elsewhere."""
        return pool.urlopen(
            method,
            target,
            headers=headers,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
            timeout=self._timeout,
            **checks,
        )

    def _ask(self, method: str, place: Place, headers: urllib3.HTTPHeaderDict) -> Response:
        proxy = _proxy_of(place)
        if proxy is not None:
            check_name(place.host, may_connect=self._may_connect)
            return self._open(self._manager(proxy), method, place.url, headers)
        headers["Host"] = place.authority
        addresses = checked_addresses(
            place.host, place.port, resolver=self._resolver, may_connect=self._may_connect
        )
        for number, address in enumerate(addresses, start=1):
            pool = self._manager(None).connection_from_host(
                address,
                place.port,
                place.scheme,
                # The certificate is that of the name, although an address is connected to.
                {"server_hostname": place.host} if place.scheme == "https" else None,
            )
            try:
                return self._open(
                    pool, method, place.target, headers, assert_same_host=False
                )
            except (NewConnectionError, ConnectTimeoutError):
                if number == len(addresses):
                    raise
        message = f"`{place.host}` has no address"
        raise StoreError(message, uri=str(self._declared))

    def _manager(self, proxy: str | None) -> urllib3.PoolManager:
        with self._mutex:
            found = self._managers.get(proxy)
            if found is None:
                found = self._managers[proxy] = self._new_manager(proxy)
            return found

    def _new_manager(self, proxy: str | None) -> urllib3.PoolManager:
        context = ssl.create_default_context(cafile=self._access.ca_bundle)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if proxy is None:
            return urllib3.PoolManager(maxsize=self._connections, ssl_context=context)
        parts = parse_url(proxy)
        if parts.scheme not in _DEFAULT_PORTS:
            message = f"a proxy of the kind `{parts.scheme}://` is not supported"
            hint = "name an http proxy in `HTTPS_PROXY`, or the host in `NO_PROXY`"
            raise StoreError(message, uri=str(self._declared), hint=hint)
        return urllib3.ProxyManager(
            parts._replace(auth=None).url,  # sent as a header only
            proxy_headers=make_headers(proxy_basic_auth=unquote(parts.auth))
            if parts.auth
            else None,
            maxsize=self._connections,
            ssl_context=context,
        )


def _followed(place: Place, location: str | None, uri: Uri) -> Place:
    """Return where a redirect leads; its words are not repeated, they may be signed."""
    if location is None:
        message = f"`{uri}` is redirected without saying where to"
        raise StoreError(message, uri=str(uri))
    try:
        found = Place.parse(urljoin(place.url, location))
    except PolicyError as error:
        message = f"`{uri}` is redirected to what may not be followed: {error.message}"
        raise PolicyError(message, hint=_REDIRECT_HINT) from None
    except ValueError:
        message = f"`{uri}` is redirected to what is no URL"
        raise StoreError(message, uri=str(uri)) from None
    if (place.scheme, found.scheme) == ("https", "http"):
        message = f"`{uri}` is redirected from https to `{found}`"
        raise PolicyError(message, hint=_REDIRECT_HINT)
    return found


def _proxy_of(place: Place) -> str | None:
    """Return the proxy that the environment names; repositories cannot (hazard 4.13)."""
    proxies = getproxies()
    if proxy_bypass(f"{place.host}:{place.port}"):
        return None
    proxy = proxies.get(place.scheme) or proxies.get("all")
    if proxy is None:
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


@contextmanager
def translated(uri: Uri) -> Iterator[None]:
    """Let only our errors out."""
    try:
        yield
    except (HTTPError, OSError, ValueError) as error:
        raise _translate(error, uri) from error


def _translate(error: Exception, uri: Uri) -> StoreError:
    subject = str(uri)
    root = _root_of(error)
    if isinstance(root, ssl.SSLCertVerificationError):
        message = f"the certificate for `{uri}` is not trusted: {root.verify_message}"
        hint = "set `ca-bundle` in your own configuration, or repair the server"
        return StoreError(message, uri=subject, hint=hint)
    if isinstance(root, socket.gaierror) and root.errno != socket.EAI_AGAIN:
        message = f"the host of `{uri}` is not known"
        return StoreError(message, uri=subject, hint="see how it is spelled")
    if isinstance(error, LocationValueError):
        return StoreError(f"`{uri}` is no URL", uri=subject)
    if isinstance(error, ValueError):
        message = f"a name or header for `{uri}` has characters that cannot be sent"
        return StoreError(message, uri=subject, hint="look at `headers`")
    if isinstance(error, FileNotFoundError | PermissionError | ssl.SSLError):
        message = f"`ca-bundle` for `{uri}` cannot be read"
        return StoreError(message, uri=subject)
    if isinstance(error, SilenceError | ProtocolError | ProxyError | SSLError | OSError):
        why = root.strerror if isinstance(root, OSError) else None
        message = f"`{uri}` could not be read: {why or _word(error)}"
        return StoreUnavailableError(message, uri=subject)
    message = f"`{uri}` was answered with what is not HTTP"
    return StoreError(message, uri=subject)


def _word(error: Exception) -> str:
    if isinstance(error, ConnectTimeoutError):
        return "no connection in time"
    if isinstance(error, SilenceError):
        return "the server is silent"
    if isinstance(error, ProtocolError):
        return "the connection broke off"
    return "the connection failed"


def _root_of(error: BaseException) -> BaseException:
    """Return the first failure of the chain: urllib3 wraps those of the socket."""
    cause = error.__cause__ or error.__context__
    return error if cause is None else _root_of(cause)
