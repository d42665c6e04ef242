"""Which addresses an HTTP source may lead to (hazard 5.6).

Whoever writes ``artifacts.toml``, or answers with a redirect, chooses a host; it must not
make this machine talk to itself, to its own network or to its cloud's metadata service. A
name is resolved once, every address that it has is judged, and the connection goes to an
address that was judged, so that a second answer of the DNS cannot change anything.

Source: IANA IPv4 and IPv6 Special-Purpose Address Registries. Written out, because what
``ipaddress`` calls private has changed between releases of Python.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from artlock.errors import PolicyError

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], tuple[str, ...]]
"""From host and port to addresses; raises ``socket.gaierror``."""

_LINK_LOCAL = "link-local"
_REFUSED = tuple(
    (ip_network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "private (carrier-grade NAT)"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", f"{_LINK_LOCAL} (a cloud's metadata service)"),
        ("169.254.0.0/16", _LINK_LOCAL),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "reserved"),
        ("198.51.100.0/24", "reserved"),
        ("203.0.113.0/24", "reserved"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("64:ff9b:1::/48", "private (NAT64)"),
        ("100::/64", "reserved"),
        ("2001::/32", "reserved (Teredo)"),
        ("2001:db8::/32", "reserved"),
        ("3fff::/20", "reserved"),
        ("5f00::/16", "reserved"),
        ("fc00::/7", "private"),
        ("fe80::/10", _LINK_LOCAL),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
    )
)
_CARRIERS = (
    (ip_network("::/96"), 0),  # IPv4-compatible
    (ip_network("::ffff:0:0/96"), 0),  # IPv4-mapped
    (ip_network("::ffff:0:0:0/96"), 0),  # IPv4-translated, RFC 2765
    (ip_network("64:ff9b::/96"), 0),  # NAT64, RFC 6052
    (ip_network("2002::/16"), 80),  # 6to4, RFC 3056
)
"""Networks whose addresses carry an IPv4 address, and how many bits are behind it."""
_OF_CLOUDS = ("metadata.google.internal", "metadata.goog", "instance-data")
_LOCAL_NAMES = ("localhost", *_OF_CLOUDS)


def resolve(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses of a host as this machine sees them, without repetition.

    Raises:
        socket.gaierror: It has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_addresses(
    host: str, port: int, *, resolver: Resolver, may_connect: Callable[[str], bool]
) -> tuple[str, ...]:
    """Resolve a host once and return its addresses, all of which may be connected to.

    Raises:
        PolicyError: One of them is not on the public network, and the user has not allowed
            the host. One is enough: such a name is prepared, or of a private network.
        socket.gaierror: The name has no address.
    """
    addresses = resolver(host, port)
    if not may_connect(host):
        for address in addresses:
            problem = problem_with(ip_address(address))
            if problem is not None:
                raise _refused(host, f"its address {address} is {problem}")
    return addresses


def check_name(host: str, *, may_connect: Callable[[str], bool]) -> None:
    """Judge a host by its spelling, where a proxy and not this machine resolves it.

    Raises:
        PolicyError: It is an address that is not on the public network, in any notation
            that resolvers take, or a name that always means one.
    """
    if may_connect(host):
        return
    name = host.rstrip(".")
    if name in _LOCAL_NAMES or name.endswith(".localhost"):
        raise _refused(host, "the name means this machine or its cloud")
    address = _literal(host)
    problem = problem_with(address) if address is not None else None
    if problem is not None:
        raise _refused(host, f"{address} is {problem}")


def problem_with(address: Address) -> str | None:
    """Return why an address is not on the public network, or ``None``."""
    for network, kind in _REFUSED:
        if _is_in(address, network):
            return kind
    if isinstance(address, IPv6Address):
        for carrier, behind in _CARRIERS:
            if _is_in(address, carrier):
                return problem_with(IPv4Address(int(address) >> behind & 0xFFFFFFFF))
    return None


def _is_in(address: Address, network: IPv4Network | IPv6Network) -> bool:
    return address.version == network.version and address in network


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        pass  # not the notation of RFC 4291; perhaps an old one
    try:
        # `0x7f.1`, `2130706433` and `0177.0.0.1` are 127.0.0.1 to every resolver in C.
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _refused(host: str, why: str) -> PolicyError:
    message = f"`{host}` may not be connected to: {why}"
    hint = f"if you know this host, allow it on this machine: ARTLOCK_TRUST={host}"
    if _LINK_LOCAL in why or host.rstrip(".") in _OF_CLOUDS:
        # No ready-made yes to what may have been put there to get it.
        hint = "clouds hand out a machine's credentials there; ask who wrote that URI"
    return PolicyError(message, hint=hint)
