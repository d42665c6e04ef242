"""What a store said about an object when it was asked: observed, never stored."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NewType

import msgspec

from artlock.model.tokens import Tokens

if TYPE_CHECKING:
    from datetime import datetime

    from artlock.model.uri import Uri

VersionId = NewType("VersionId", str)
"""A store's opaque name for one state of an object: S3 version ID or GCS generation."""
_PLAIN = re.compile(r"[A-Za-z0-9._~+/=][A-Za-z0-9._~+/=-]{0,1023}")
_GENERATION = re.compile(r"[0-9]{1,19}")


def is_plain_version(text: str, scheme: str) -> bool:
    """Tell whether a version has the form of those that stores are known to give.

    A GCS generation is a number. One of S3 has letters, digits and ``._~+/=-``, so that no
    program can take it for an option, a URL or a parameter of one.

    Args:
        text: As a lockfile or another tool has it.
        scheme: Of the object's URI.
    """
    return (_GENERATION if scheme == "gs" else _PLAIN).fullmatch(text) is not None


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps one version from being deleted by anybody, lifecycle rules included.

    Attributes:
        until: The moment (UTC) at which it ends, or ``None`` where no term is set.
        is_held: Whether it is held without a term: a legal hold, GCS's holds.
    """

    until: datetime | None = None
    is_held: bool = False

    def lasts(self, now: datetime) -> bool:
        """Tell whether it is in force."""
        return self.is_held or (self.until is not None and self.until > now)


class ObjectInfo(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One object as a listing or a head described it.

    A struct because a listing makes a million of them.

    Attributes:
        uri: The object's own URI.
        size: In bytes, of the stored form (a gzip-encoded object is not inflated). ``None``
            only where nobody tells it before the bytes are read: an HTTP answer in chunks,
            and a link that a file store does not follow.
        version: Absent where the store keeps none, and for S3's ``null``.
        tokens: Full-object checksums and etag that came for free.
        modified: UTC, for ``as-of`` and for messages; ``None`` where it was not asked for.
        archived: The storage class if it must be restored before a read, else ``None``.
        encoding: ``Content-Encoding`` as stored, where the store says so.
        protection: What keeps it from being deleted; told by heads only, and only where
            the store lets this user see it. Its absence is no promise.
    """

    uri: Uri
    size: int | None
    version: VersionId | None = None
    tokens: Tokens = Tokens()
    modified: datetime | None = None
    archived: str | None = None
    encoding: str | None = None
    protection: Protection | None = None
