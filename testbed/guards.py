"""Keep a run to itself: no settings of this machine, no sockets but loopback."""

import ipaddress
import os
import socket
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

_FOREIGN_PREFIXES = (
    "ARTLOCK_",
    "AWS_",
    "AZURE_",
    "BOTO_",
    "CLOUDSDK_",
    "GCE_METADATA_",
    "GCLOUD_",
    "GIT_",
    "GOOGLE_",
    "MLFLOW_",
    "PG",  # libpq's, all of them
    "XDG_",
)
_FOREIGN_NAMES = frozenset(
    {
        "STORAGE_EMULATOR_HOST",
        "NETRC",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "CURL_CA_BUNDLE",
    }
)
_LOCAL_NAMES = frozenset({"", "localhost", "ip6-localhost", "ip6-loopback"})


class OutsideNetworkError(RuntimeError):
    """Something wanted a host beyond loopback.

    Not an OSError: a client must not take it for a failure that it may retry or hide.
    """


def isolate(environment: MutableMapping[str, str], home: Path) -> None:
    """Change an environment so that nothing of this machine's user is found through it.

    Credentials, endpoints, proxies and git's settings are gone; HOME and the XDG
    folders are below ``home``; the metadata service of a cloud machine is not asked; git
    has an author and no configuration but that of the repository.

    Args:
        environment: ``os.environ``, or a copy for a child process.
        home: An existing folder.

    """
    for name in tuple(environment):
        if is_foreign(name):
            del environment[name]
    settings = home / "gitconfig"
    settings.touch()
    environment.update(
        {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "XDG_DATA_HOME": str(home / ".local" / "share"),
            "XDG_STATE_HOME": str(home / ".local" / "state"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_GCE_CHECK": "true",
            "GIT_CONFIG_GLOBAL": str(settings),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "A Author",
            "GIT_AUTHOR_EMAIL": "author@example.com",
            "GIT_COMMITTER_NAME": "C Committer",
            "GIT_COMMITTER_EMAIL": "committer@example.com",
        }
    )


def is_foreign(name: str) -> bool:
    """Tell whether a variable could lead a run to this machine's settings."""
    return (
        name.startswith(_FOREIGN_PREFIXES)
        or name in _FOREIGN_NAMES
        or name.lower().endswith("_proxy")
    )


def refuse_outside_sockets() -> None:
    """Let Python's sockets of this process reach loopback only, until it ends.

    Names are not looked up either, but for those of this machine. Libraries that have
    their own sockets, such as obstore's, are not held by this.
    """
    socket.socket.connect = _connect  # type: ignore[method-assign, assignment] # the guard
    socket.socket.connect_ex = _connect_ex  # type: ignore[method-assign, assignment] # the guard
    socket.getaddrinfo = _getaddrinfo


_real_connect = socket.socket.connect
_real_connect_ex = socket.socket.connect_ex
_real_getaddrinfo = socket.getaddrinfo


# What callers pass is theirs: an address has another form for each family.
def _connect(self: socket.socket, address: Any) -> None:  # noqa: ANN401 - see above
    _check(self, address)
    _real_connect(self, address)


def _connect_ex(self: socket.socket, address: Any) -> int:  # noqa: ANN401 - see above
    _check(self, address)
    return _real_connect_ex(self, address)


def _getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - see above
    name = os.fsdecode(host) if host is not None else ""
    if not _is_local(name):
        _refuse(name)
    return _real_getaddrinfo(host, *args, **kwargs)


def _check(socket_: socket.socket, address: Any) -> None:  # noqa: ANN401 - see above
    if socket_.family in {socket.AF_INET, socket.AF_INET6} and not _is_local(address[0]):
        _refuse(str(address[0]))


def _is_local(host: str) -> bool:
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse(host: str) -> None:
    message = f"`{host}` is beyond loopback; tests talk to servers on this machine only"
    raise OutsideNetworkError(message)
