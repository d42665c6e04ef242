"""``config.toml``, the user's own settings; ``docs/reference/settings.md`` rules."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from artlock.errors import ConfigError
from artlock.formats.access import ACCESS_KEYS, read_access
from artlock.formats.faults import Faults, load_toml
from artlock.formats.fields import Table
from artlock.formats.trackers import read_trackers
from artlock.model.settings import LinkMode, Settings, Source
from artlock.model.trust import bare_host
from artlock.model.uri import Uri

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS_KEYS = (
    "cache-dir",
    "jobs",
    "link-mode",
    "allow-private-hosts",
    "trackers",
    "sources",
)
SOURCE_KEYS = (*ACCESS_KEYS, "cross-check")
MAX_JOBS = 1024
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


def settings_path(environment: Mapping[str, str]) -> Path:
    """Return where the user's settings are, whether or not the file is there.

    ``$XDG_CONFIG_HOME/artlock/config.toml``, else ``~/.config/artlock/config.toml``; on
    Windows below ``%APPDATA%``.

    Raises:
        ConfigError: Nothing says where the user's files are.
    """
    return user_file(environment, "XDG_CONFIG_HOME", ".config", "config.toml")


def user_file(
    environment: Mapping[str, str], variable: str, default: str, name: str
) -> Path:
    """Return a file of the user's: in the folder of ``variable``, else below the home.

    A relative value of ``variable`` is ignored (XDG Base Directory Specification).

    Raises:
        ConfigError: Nothing says where the user's files are.
    """
    places = (
        (environment.get(variable, ""), ""),
        (environment.get("APPDATA", ""), ""),
        (environment.get("HOME", ""), default),
        (os.path.expanduser("~"), default),  # noqa: PTH111 - `Path.home` raises instead
    )
    for folder, below in places:
        if Path(folder).is_absolute():
            return Path(folder, below, "artlock", name)
    message = "nothing says where your home is"
    raise ConfigError(message, hint=f"set `HOME` or `{variable}`")


def parse_settings(text: str, *, name: str = "config.toml") -> Settings:
    """Read the user's settings.

    Args:
        text: The file's text.
        name: What the file is called in messages.

    Raises:
        ConfigError: Not TOML, or with faults; all are told.
    """
    content = load_toml(text, name=name)
    faults = Faults()
    document = Table(content, place=(), faults=faults, known=SETTINGS_KEYS)
    settings = Settings(
        cache_dir=_absolute(document, "cache-dir"),
        jobs=document.number("jobs", least=1, most=MAX_JOBS),
        link_mode=document.choice("link-mode", LinkMode) or LinkMode.AUTO,
        sources=_sources(document),
        allow_private_hosts=_hosts(document),
        trackers=_trackers(document),
    )
    faults.refuse(ConfigError, name=name, text=text)
    return settings


def _absolute(table: Table, key: str) -> str | None:
    """Read a path: these settings hold wherever artlock is started."""
    text = table.text(key)
    if text is None:
        return None
    path = os.path.expanduser(text)  # noqa: PTH111 - `~` of nobody known stays as it is
    if not Path(path).is_absolute():
        table.fault(key, "is relative; write an absolute path or `~/...`")
    return path


def _trackers(document: Table) -> tuple[tuple[str, str], ...]:
    """Read trackers: these settings hold wherever artlock is started."""
    trackers = read_trackers(document)
    for name, url in trackers:
        scheme, _, rest = url.partition(":///")
        if scheme.endswith("sqlite") and not rest.startswith("/"):
            document.fault("trackers", "is relative; write four slashes", name)
    return trackers


def _sources(document: Table) -> tuple[Source, ...]:
    sources: dict[str, Source] = {}
    for prefix, table in document.tables("sources", SOURCE_KEYS):
        uri: Uri | None = None
        try:
            uri = Uri.parse(prefix)
        except ValueError as error:
            table.faults.add(table.place, str(error))
        if uri is not None and (uri.is_link or uri.is_relative):
            table.faults.add(table.place, "is not a prefix such as `s3://bucket/`")
            uri = None
        ca_bundle = _absolute(table, "ca-bundle")
        access = replace(read_access(table, uri), ca_bundle=ca_bundle)
        cross_check = table.flag("cross-check")
        if uri is None:
            continue
        if str(uri) in sources:
            table.faults.add(table.place, f"is `{uri}`, which stands there already")
        sources[str(uri)] = Source(
            prefix=str(uri),
            access=access,
            given=tuple(key for key in table.given() if key in ACCESS_KEYS),
            cross_check=cross_check is not False,
        )
    return tuple(sources[prefix] for prefix in sorted(sources))


def _hosts(table: Table) -> tuple[str, ...]:
    hosts = table.texts("allow-private-hosts", _problem_with_host)
    return tuple(sorted({h.lower() if ":" in h else bare_host(h) for h in hosts}))


def _problem_with_host(host: str) -> str | None:
    if _HOST.fullmatch(host):
        return None
    return "is not a host; write it without scheme, port and brackets"
