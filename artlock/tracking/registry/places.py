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
        _hosts(url.authority)
    except ValueError:
        return "is not written as `postgresql://HOST:PORT/DATABASE?PARAMETER=VALUE`"
    for parameter, _ in given:
        if parameter not in _PARAMETERS:
            return f"has a parameter that is not taken: `{parameter}`"
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


def _problem_with_file(url: Uri) -> str | None:
    if url.authority != "":
        return "has a host: write `sqlite:///FILE` with three slashes"
    if not url.key or url.key.endswith("/"):
        return "names no file: write `sqlite:///FILE`"
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
        if port and not port.isdecimal():
            raise ValueError(port)
        hosts.append(host.removeprefix("[").removesuffix("]"))
        ports.append(port)
    return ",".join(hosts), ",".join(ports) if any(ports) else ""
