"""Where a registry is: a file, or a database of a PostgreSQL server.

::

    sqlite:///data/registry.db             relative, as SQLAlchemy writes it
    sqlite:////home/ada/registry.db        absolute
    postgresql://db.example/artlock        a server; more hosts and ports as libpq has them
    postgresql:///artlock?host=/run/pg     a socket
    postgresql:///?service=team            what the service file says

Credentials are never in the URL: ``PGPASSWORD``, ``PGUSER``, ``~/.pgpass`` and the other
conventions of libpq hold (PostgreSQL: "Environment Variables", "The Password File").
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

import msgspec

if TYPE_CHECKING:
    from artlock.model.uri import Uri

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
_PARAMETERS = frozenset(
    {
        *("host", "port", "user", "service", "passfile", "options", "application_name"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslnegotiation", "sslcrl"),
        *("channel_binding", "require_auth", "gssencmode", "krbsrvname"),
        *("target_session_attrs", "load_balance_hosts", "connect_timeout"),
    }
)
"""Of libpq; others are refused, ``password`` first of all."""
_VALUES: dict[str, frozenset[str]] = {
    "sslmode": frozenset(
        {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
    ),
    "sslnegotiation": frozenset({"postgres", "direct"}),
    "channel_binding": frozenset({"disable", "prefer", "require"}),
    "gssencmode": frozenset({"disable", "prefer", "require"}),
    "load_balance_hosts": frozenset({"disable", "random"}),
    "target_session_attrs": frozenset(
        {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}
    ),
}
"""What libpq takes; of the others all that it takes is not known here."""
_CONTROL = re.compile(r"[\0-\x1f\x7f]")
_LAST_PORT = 65_535


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a registry is.

    Attributes:
        url: For people; without credentials.
        path: Of the file, absolute; ``None`` for a server.
        parameters: Of the connection as libpq has them; sorted, empty for a file.
    """

    url: str
    path: Path | None = None
    parameters: tuple[tuple[str, str], ...] = ()


def problem_with(url: Uri) -> str | None:
    """Return why ``url`` does not address a registry, or ``None``; nothing is opened."""
    if url.scheme == SQLITE:
        return _problem_with_file(url)
    if url.scheme != POSTGRESQL or url.authority is None:
        return "is no registry: write `sqlite:///FILE` or `postgresql://HOST/DATABASE`"
    name, _, query = url.key.partition("?")
    if "#" in url.key or "/" in name:
        return "has something behind the name of the database"
    try:
        given = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        hosts, _ = _hosts(url.authority)
    except ValueError:
        return "is not written as `postgresql://HOST:PORT/DATABASE?PARAMETER=VALUE`"
    words = [
        unquote(name),
        unquote(url.authority),
        *(word for pair in given for word in pair),
    ]
    if any(_CONTROL.search(word) for word in words):
        return "has a control character"
    if len({parameter for parameter, _ in given}) < len(given):
        return "has a parameter twice"
    for parameter, value in given:
        if problem := _problem_with_parameter(parameter, value, with_host=bool(hosts)):
            return problem
    if not name and "service" not in dict(given):
        return "names no database: write `postgresql://HOST/DATABASE`"
    return None


def place_of(url: Uri, base: Path) -> Place:
    """Return the place of a URL in which ``problem_with`` finds no problem.

    Args:
        url: Of the registry.
        base: What the path of a file is relative to; absolute.
    """
    if url.scheme == SQLITE:
        return place_of_file(base / url.key)
    name, _, query = url.key.partition("?")
    hosts, ports = _hosts(url.authority or "")
    found = {"dbname": unquote(name), "host": hosts, "port": ports}
    found = {key: value for key, value in found.items() if value}
    found |= dict(parse_qsl(query))
    return Place(url=str(url), parameters=tuple(sorted(found.items())))


def place_of_file(path: Path) -> Place:
    """Return the place of a file; ``path`` is absolute."""
    return Place(url=f"sqlite:///{path}", path=path)


def _problem_with_parameter(parameter: str, value: str, *, with_host: bool) -> str | None:
    if parameter not in _PARAMETERS:
        return f"has a parameter that is not taken: `{parameter}`"
    if with_host and parameter in {"host", "port"}:
        return f"names its server twice: before the `/`, and as `{parameter}`"
    if parameter == "port" and not all(map(_is_port, value.split(","))):
        return f"has a port that is none: `{value}`"
    if parameter == "connect_timeout" and not _is_number(value):
        return f"has a `connect_timeout` that is no number of seconds: `{value}`"
    allowed = _VALUES.get(parameter)
    if allowed is not None and value not in allowed:
        return f"has `{parameter}={value}`; it may be {', '.join(sorted(allowed))}"
    return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10  # noqa: PLR2004 - of 32 bits


def _is_port(text: str) -> bool:
    """Tell whether it is a port, or empty, which stands for the usual one."""
    return not text or (_is_number(text) and 0 < int(text) <= _LAST_PORT)


def _problem_with_file(url: Uri) -> str | None:
    if url.authority != "":
        return "has a host: write `sqlite:///FILE` with three slashes"
    if not url.key or url.key.endswith("/"):
        return "names no file: write `sqlite:///FILE`"
    if "\0" in url.key:
        return "has a control character"
    if url.key.startswith((":", "~", "file:")) or "?" in url.key:
        return "is not the path of a file: write it out, without `~` and parameters"
    return None


def _hosts(authority: str) -> tuple[str, str]:
    """Take hosts and ports apart, several of them separated by commas, as libpq does."""
    hosts, ports = [], []
    for part in authority.split(","):
        host, colon, port = part.rpartition(":")
        if not colon or part.endswith("]"):
            host, port = part, ""
        if not _is_port(port):
            raise ValueError(port)
        hosts.append(host.removeprefix("[").removesuffix("]"))
        ports.append(port)
    return ",".join(hosts), ",".join(ports) if any(ports) else ""
