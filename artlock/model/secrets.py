"""What must never be told: which names say so, and how it is taken out of text.

artlock's own messages repeat no credentials. But libraries put URLs into their errors, and
people put a password into an address of their environment (hazards 1.48, 5.7).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HIDDEN = "***"
_PARAMETERS = frozenset(
    {"sig", "key", "auth", "jwt", "pwd", "passwd", "googleaccessid", "hdnts", "hdnea"}
)
_ENDINGS = (
    "signature",
    "credential",
    "credentials",
    "token",
    "password",
    "secret",
    "apikey",
    "accesskey",
    "accesskeyid",
    "authorization",
)
_END = r"\s`'\"<>"
"""What a URL in the middle of a text does not have."""
_USER_INFO = re.compile(rf"(?<=://)[^/?#{_END}]{{1,1024}}@")
_ODD_PASSWORD = re.compile(
    rf"\b((?:https?|socks\w{{0,2}})://)[^\[/?#@:{_END}]{{1,256}}:"
    rf"(?!\d{{1,5}}(?:[/?#\s]|$))[^{_END}]{{1,1024}}@",
    re.IGNORECASE,
)
"""User info with a slash in it: no parser takes it for that, and its error shows it."""
_PARAMETER = re.compile(rf"([?&;])([^=&;?{_END}]{{1,64}})(=)([^&;{_END}]+)")
_IN_PARAMETER = re.compile(
    rf"(%3F|%26)([^=&;?%{_END}]{{1,64}})(%3D)((?:(?!%26)[^&;{_END}])+)", re.IGNORECASE
)
"""A parameter of a URL that is itself the parameter of one."""
_FIELD = re.compile(r"(['\"])([\w.-]{1,64})(['\"]\s{0,4}:\s{0,4}['\"])([^'\"]{1,8192})")
"""A value of JSON, or of a ``dict`` that was printed."""
_HEADER = re.compile(
    r"(?<![.\w?&;-])((?:proxy-)?authorization|(?:set-)?cookie"
    r"|(?:x|private|job|deploy)-(?:[\w-]{0,64}-)?(?:token|key|secret|signature|credential))"
    r"((?:['\"]?\s{0,4}[:=]|['\"],)\s{0,4}(?:b(?=['\"]))?['\"]?)[^\r\n'\"`]+",
    re.IGNORECASE,
)
"""Behind a dot it is the name of a setting, as in ``headers.Cookie: is a credential``."""
_BEARER = re.compile(r"\b(Bearer\s{1,4})[\w.~+/=-]{16,}")
_BASIC = re.compile(r"\b(Basic\s{1,4})(?:[A-Za-z0-9+/]{16,}={0,2}|[A-Za-z0-9+/]{2,}={1,2})")
"""User and password in base64; a mere word behind ``Basic`` is shorter, or not padded."""
_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIAL"
    r"|COOKIE|BEARER|JWT|(?:^|_)(?:AUTH|AUTHORIZATION|PASS|PWD|PAT|SIG|SIGNATURE|SAS)$",
    re.IGNORECASE,
)
_LEAST = 8
"""A shorter value would take words out of text that are no secrets."""


def is_secret_parameter(name: str) -> bool:
    """Tell whether a parameter of that name signs a URL, or carries a secret."""
    bare = _bare(name)
    return bare in _PARAMETERS or bare.endswith(_ENDINGS)


def secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of variables whose names say that they are secret, longest first.

    Also as they stand in a URL. Paths are none: ``GOOGLE_APPLICATION_CREDENTIALS`` says
    where a secret lies.
    """
    found = {
        spelled
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and len(value) >= _LEAST and not value.startswith("/")
        for spelled in (value, _quoted(value, ""), _quoted(value, "/"))
    }
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` without credentials.

    User info of URLs, the values of parameters that sign a URL, headers and fields that
    carry a login, and ``secrets`` wherever they stand.
    """
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = _USER_INFO.sub(f"{HIDDEN}@", text)
    text = _ODD_PASSWORD.sub(rf"\1{HIDDEN}@", text)
    text = _HEADER.sub(rf"\1\2{HIDDEN}", text)
    text = _BEARER.sub(rf"\1{HIDDEN}", text)
    text = _BASIC.sub(rf"\1{HIDDEN}", text)
    text = _IN_PARAMETER.sub(_without_value, text)
    text = _PARAMETER.sub(_without_value, text)
    return _FIELD.sub(_without_field, text)


def _without_value(match: re.Match[str]) -> str:
    before, name, equals, _ = match.groups()
    return f"{before}{name}{equals}{HIDDEN}" if is_secret_parameter(name) else match[0]


def _without_field(match: re.Match[str]) -> str:
    before, name, colon, _ = match.groups()
    is_secret = _bare(name).endswith(_ENDINGS)  # a `Key` there is that of an object
    return f"{before}{name}{colon}{HIDDEN}" if is_secret else match[0]


def _bare(name: str) -> str:
    # A slash at its end is no part of it: links are written without one.
    text = unquote(name).strip(" /").lower()
    return text.replace("-", "").replace("_", "")


def _quoted(value: str, safe: str) -> str:
    return quote(value, safe=safe, errors="surrogateescape")
