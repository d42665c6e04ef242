"""Moments that people write, in the one spelling that lockfiles keep."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:[Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)


def canonical_moment(value: str | datetime) -> str:
    """Return a moment as RFC 3339 text in UTC: ``2026-05-01T00:00:00Z``.

    A fraction of a second is kept without zeros at its end, and left out if it is zero.

    Args:
        value: RFC 3339 text, or what ``tomllib`` made of an offset date-time.

    Raises:
        ValueError: Another form, no offset, or no such moment; a phrase.
    """
    if isinstance(value, str):
        if not _RFC_3339.fullmatch(value):
            raise ValueError('is not a moment such as "2026-05-01T00:00:00Z"')  # noqa: EM101, TRY003 - one fact
        try:
            value = datetime.fromisoformat(value.upper())
        except ValueError:
            raise ValueError("is not a moment that exists") from None  # noqa: EM101, TRY003 - one fact
    if value.tzinfo is None:
        raise ValueError("has no offset from UTC; add `Z` or `+02:00`")  # noqa: EM101, TRY003 - one fact
    try:
        moment = value.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise ValueError("is not a moment that exists") from None  # noqa: EM101, TRY003 - one fact
    text = moment.isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"
