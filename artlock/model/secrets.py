"""What must never be told, taken out of text that others wrote (hazard 5.7).

artlock's own messages repeat no credentials. But libraries put URLs into their errors, and
people put a password into an address of their environment.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HIDDEN = "***"
_TELLING = (
    r"(?:signature|credential|token|secret|password|passwd|api[_-]?key|access[_-]?key"
    r"(?:[_-]?id)?|\bsig|\bjwt)"
)
_USER_INFO = re.compile(r"(?<=://)[^\s/?#`'\"<>@]{1,1024}@")
_PARAMETER = re.compile(
    rf"([?&;][^=&;?\s`'\"]{{0,64}}?{_TELLING}=)[^&;\s`'\"<>]+", re.IGNORECASE
)
_HEADER = re.compile(
    r"(?<![.\w-])((?:proxy-)?authorization|(?:set-)?cookie|x-amz-security-token)"
    r"((?:['\"]?\s{0,4}[:=]|['\"],)\s{0,4}(?:b(?=['\"]))?['\"]?)[^\r\n'\"`]+",
    re.IGNORECASE,
)
"""Behind a dot it is the name of a setting, as in ``headers.Cookie: is a credential``."""
_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|CREDENTIAL", re.IGNORECASE
)
_LEAST = 8
"""A shorter value would take words out of text that are no secrets."""


def secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of variables whose names say that they are secret, longest first.

    Paths are none: ``GOOGLE_APPLICATION_CREDENTIALS`` says where a secret lies.
    """
    found = {
        value
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and len(value) >= _LEAST and not value.startswith("/")
    }
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` without credentials.

    User info of URLs, the values of parameters that sign a URL, headers that carry a
    login, and ``secrets`` wherever they stand.
    """
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = _USER_INFO.sub(f"{HIDDEN}@", text)
    text = _PARAMETER.sub(rf"\1{HIDDEN}", text)
    return _HEADER.sub(rf"\1\2{HIDDEN}", text)
