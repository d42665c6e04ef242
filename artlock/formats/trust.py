"""The trust file and ``ARTLOCK_TRUST``: text to values and back.

::

    {
      "projects": {
        "/home/ada/classifier": [
          "blake3:7b1d..."
        ]
      },
      "version": 1
    }

JSON, because only ``artlock trust`` writes it, and because paths that are not UTF-8 survive
in it. Whoever reads the file first makes sure that nobody else can write to it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from artlock.errors import ConfigError
from artlock.formats.access import ACCESS_KEYS
from artlock.formats.faults import suggestion
from artlock.formats.settings import user_file
from artlock.model.trust import TrustRules, TrustStore, bare_host

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TRUST_VARIABLE = "ARTLOCK_TRUST"
_VERSION = 1
_OWNER = "owner"
"""``owner=1000``: whose manifests are taken as one's own."""
_TRACKER = "trackers."
_FINGERPRINT = re.compile(r"blake3:[0-9a-f]{64}")
_HOST_PORT = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_NAMEABLE = tuple(k for k in ACCESS_KEYS if k not in {"headers", "region", "anonymous"})


def trust_path(environment: Mapping[str, str]) -> Path:
    """Return where the user's trust file is, whether or not it is there.

    ``$XDG_STATE_HOME/artlock/trust.json``, else ``~/.local/state/artlock/trust.json``; on
    Windows below ``%APPDATA%``.

    Raises:
        ConfigError: Nothing says where the user's files are.
    """
    return user_file(environment, "XDG_STATE_HOME", ".local/state", "trust.json")


def parse_trust(text: str, *, name: str = "trust.json") -> TrustStore:
    """Read the trust file.

    Raises:
        ConfigError: The text is not what ``format_trust`` writes, in meaning.
    """
    try:
        content = json.loads(text)
        version = content["version"]
        projects = content["projects"]
        if version != _VERSION or content.keys() != {"version", "projects"}:
            raise _not_trust(name)
        stored = tuple(
            sorted((project, _fingerprints(found)) for project, found in projects.items())
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise _not_trust(name) from None
    return TrustStore(projects=stored)


def _fingerprints(found: object) -> tuple[str, ...]:
    if not isinstance(found, list):
        raise TypeError
    if not all(isinstance(f, str) and _FINGERPRINT.fullmatch(f) for f in found):
        raise ValueError
    return tuple(sorted(set(found)))


def _not_trust(name: str) -> ConfigError:
    hint = "remove the file, and trust again what you trust"
    return ConfigError(f"`{name}` is not valid", hint=hint)


def format_trust(store: TrustStore) -> str:
    """Write the trust file's text."""
    projects = {project: list(prints) for project, prints in store.projects}
    content = {"projects": projects, "version": _VERSION}
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def parse_trust_rules(text: str) -> TrustRules:
    """Read ``ARTLOCK_TRUST``: hosts and ``setting=value``, with commas between.

    Raises:
        ConfigError: An item is neither.
    """
    hosts = set()
    settings = set()
    for item in filter(None, (part.strip() for part in text.split(","))):
        setting, separator, value = item.partition("=")
        if separator:
            _check_setting(setting, value)
            settings.add((setting, value))
        elif _HOST_PORT.fullmatch(item):
            hosts.add(bare_host(item))
        else:
            message = f"`{item}` in `{TRUST_VARIABLE}` is not a host"
            raise ConfigError(message, hint="write `host` or `setting=value`")
    return TrustRules(hosts=frozenset(hosts), settings=frozenset(settings))


def _check_setting(setting: str, value: str) -> None:
    hint = "name the host that may have them"
    if setting == _OWNER and value.isascii() and value.isdecimal():
        return
    if setting.startswith(_TRACKER) and value:
        return  # one of a file, or of a service, has no host that could be named
    if setting.startswith("headers"):
        # Trusted by value, a header would follow its artifact to any host.
        message = f"headers cannot be trusted by value in `{TRUST_VARIABLE}`"
        raise ConfigError(message, hint=hint)
    if setting not in _NAMEABLE or not value:
        close = suggestion(setting, _NAMEABLE)
        message = f"`{setting}=` in `{TRUST_VARIABLE}` is not a setting with a value{close}"
        raise ConfigError(message, hint="write `host` or `setting=value`")
