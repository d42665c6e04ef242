"""Sizes, spans of time and shares as people type them."""

from __future__ import annotations

import re

from artlock.errors import ConfigError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)b?", re.IGNORECASE)
_SPAN = re.compile(r"([0-9]+)\s*([smhd]?)", re.IGNORECASE)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SHARE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%?")
_WHOLE = 100.0


def bytes_of(text: str) -> int:
    """Read a size: ``500M``, ``10GB``.

    Raises:
        ConfigError: It is none.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        message = f"`{text}` is not a size"
        raise ConfigError(message, hint="write bytes, or `500M`, `10GB`")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def seconds_of(text: str) -> float:
    """Read a length of time: ``30m``, ``7d``.

    Raises:
        ConfigError: It is none.
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        message = f"`{text}` is not a length of time"
        raise ConfigError(message, hint="write seconds, or `30m`, `12h`, `7d`")
    return float(int(match[1]) * _SECONDS[match[2].lower()])


def share_of(text: str) -> float:
    """Read a share: ``5%`` is 0.05.

    Raises:
        ConfigError: It is none, or not above 0 and at most 100 %.
    """
    match = _SHARE.fullmatch(text.strip())
    share = 0.0 if match is None else float(match[1]) / _WHOLE
    if not 0 < share <= 1:
        message = f"`{text}` is not a share"
        raise ConfigError(message, hint="write `5%`: more than 0, at most 100")
    return share
