"""How to reach a source, as text: the settings that manifest and user settings share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from artlock.model.manifest import FIXED_HEADERS, Access
from artlock.model.reach import VARIABLE
from artlock.model.uri import Uri

if TYPE_CHECKING:
    from artlock.formats.fields import Table

ACCESS_KEYS = (
    "endpoint",
    "profile",
    "role-arn",
    "user-project",
    "headers",
    "ca-bundle",
    "requester-pays",
    "region",
    "anonymous",
)
"""What a source's table may say about reaching it."""
_WEB = ("http", "https")
_MEANT_FOR: dict[str, tuple[str, ...]] = {
    "endpoint": ("s3", "gs"),
    "profile": ("s3",),
    "role-arn": ("s3",),
    "user-project": ("gs",),
    "headers": _WEB,
    "ca-bundle": ("s3", "gs", "https"),
    "requester-pays": ("s3",),
    "region": ("s3",),
    "anonymous": ("s3", "gs", *_WEB),
}
_NEEDS_CREDENTIALS = ("profile", "role-arn", "user-project", "requester-pays")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110 §5.6.2)."""
_SECRET_NAME = re.compile(
    r"auth|cookie|credential|jwt|key|pass|secret|session|signature|token", re.IGNORECASE
)
_SECRET_VALUE = re.compile(r"(?:basic|bearer|digest|token)\s", re.IGNORECASE)
_FROM_ENVIRONMENT = re.compile(
    r"(?:(?:[A-Za-z][A-Za-z0-9_-]{0,23}[ =])?" + VARIABLE.pattern + r"(?:; ?)?)+"
)
"""Variables, each after at most one word: ``Bearer ${TOKEN}``, ``session=${SESSION}``."""


def read_access(table: Table, uri: Uri | None) -> Access:
    """Read the access settings of ``table``; faults go to its ``faults``.

    Args:
        table: A table that knows ``ACCESS_KEYS``.
        uri: What is reached; ``None`` if that is faulty itself.
    """
    if uri is not None:
        _check_scheme(table, uri.scheme)
    if table.flag("anonymous"):
        for key in _NEEDS_CREDENTIALS:
            if key in table and table.raw(key) is not False:
                table.fault(key, "has no meaning with `anonymous = true`")
    return Access(
        endpoint=_endpoint(table),
        profile=table.text("profile"),
        role_arn=_matching(table, "role-arn", r"arn:[!-~]+", "an ARN"),
        user_project=table.text("user-project"),
        headers=_headers(table),
        ca_bundle=table.text("ca-bundle"),
        requester_pays=table.flag("requester-pays") or False,
        # A region becomes part of a host name, so it must not be able to end one.
        region=_matching(table, "region", r"[A-Za-z0-9-]{1,63}", "a region"),
        anonymous=table.flag("anonymous") or False,
    )


def _check_scheme(table: Table, scheme: str) -> None:
    for key in ACCESS_KEYS:
        if key in table and scheme not in _MEANT_FOR[key]:
            schemes = ", ".join(f"`{meant}://`" for meant in _MEANT_FOR[key])
            table.fault(key, f"is only for {schemes}")


def _matching(table: Table, key: str, pattern: str, what: str) -> str | None:
    text = table.text(key)
    if text is not None and not re.fullmatch(pattern, text):
        table.fault(key, f"is not {what}")
        return None
    return text


def _endpoint(table: Table) -> str | None:
    text = table.text("endpoint")
    if text is None:
        return None
    try:
        uri = Uri.parse(text)
    except ValueError as error:
        table.fault("endpoint", str(error))
        return None
    if uri.scheme not in _WEB or "?" in uri.key:
        table.fault("endpoint", "is not a URL such as `https://host:9000`")
        return None
    return text


def _headers(table: Table) -> tuple[tuple[str, str], ...]:
    seen: set[str] = set()
    headers = table.pairs("headers")
    for name, value in headers:
        problem = _problem_with_header(name, value)
        if problem is None and name.lower() in seen:
            problem = "stands twice; upper and lower case are the same"
        if problem is not None:
            table.fault("headers", problem, name)
        seen.add(name.lower())
    return tuple(sorted(headers))


def _problem_with_header(name: str, value: str) -> str | None:
    if not _HEADER_NAME.fullmatch(name):
        return "is not the name of a header"
    if name.lower() in FIXED_HEADERS:
        return "is set by artlock itself"
    if not value.isprintable():
        return "has a control character"
    if "${" in VARIABLE.sub("", value):
        return "has a `${` that names no variable; write `${NAME}`"
    secret = _SECRET_NAME.search(name) or _SECRET_VALUE.match(value)
    if secret and not _FROM_ENVIRONMENT.fullmatch(value):
        return (
            "is a credential; put it into an environment variable and write `${NAME}`, "
            "as in `Bearer ${TOKEN}`"
        )
    return None
