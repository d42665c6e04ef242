"""What a registration becomes at Comet: an asset for each object, decided without I/O.

An asset is either *synced*, so that Comet's own client fetches the pinned version, or a
plain link, which that client leaves alone. Synced is only what its client gets right
(decision record 0038 has the list).
"""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from artlock.model.tokens import Tokens
from artlock.tracking import wire
from artlock.tracking.comet.messages import Asset, AssetMetadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from artlock.model.lock import LockedObject, Lockfile
    from artlock.model.uri import Uri

_SHOWN = 3
"""Paths that a warning names."""
_PLAIN_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]*")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9._=+@/-]+")
"""What no parser reads in two ways; it spares most rows a parser."""


class Unversioned(StrEnum):
    """What becomes of an object that is pinned without a version."""

    LINK = "link"
    HEAD = "head"


class Reason(StrEnum):
    """Why Comet's client cannot fetch an object as it is pinned."""

    CUT = "its URL parser cuts the key at `#` or `?`, or drops a character"
    BUCKET = "it takes the name of the bucket for another"
    MARKER = "a key that ends in `/` fails the whole download"
    UNVERSIONED = "there is no version, so it would take whatever is there by then"
    GENERATION = "the version is not a generation"
    SCHEME = "it fetches from `s3://` and `gs://` alone"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent for a lock.

    Attributes:
        assets: In the order of the lock; no two at one place.
        links: Rows among them that went as a plain link.
        warnings: One sentence each.
    """

    assets: tuple[Asset, ...]
    links: int
    warnings: tuple[str, ...]


def plan_of(lock: Lockfile, *, each: bool, unversioned: Unversioned) -> Plan:
    """Return what is sent for a lock.

    Args:
        lock: What is registered.
        each: Whether that is one artifact by itself.
        unversioned: What becomes of objects without a version.
    """
    assets = []
    refused: list[tuple[Reason, str]] = []
    for item in wire.items_of(lock, each=each):
        if item.row is None:
            metadata = AssetMetadata()
        else:
            metadata, reason = _metadata(item.row, item.uri, unversioned)
            if reason is not None:
                refused.append((reason, item.place))
        assets.append(Asset(place=item.place, link=str(item.uri), metadata=metadata))
    return Plan(
        assets=tuple(assets),
        links=len(refused),
        warnings=tuple(_warnings(refused, lock.count())),
    )


def row_of(path: str, metadata: AssetMetadata) -> tuple[str, int, str, str]:
    """Return the columns of the row that an asset was made of.

    Raises:
        ValueError: The asset is not one of artlock's.
    """
    if metadata.file_size is None or metadata.artlock_tokens is None:
        message = f"`{path}` has no size or no tokens"
        raise ValueError(message)
    return path, metadata.file_size, metadata.artlock_tokens, metadata.version_id or ""


def _metadata(
    row: LockedObject, uri: Uri, unversioned: Unversioned
) -> tuple[AssetMetadata, Reason | None]:
    metadata = AssetMetadata(
        file_size=row.size,
        version_id=row.version or None,
        artlock_tokens=row.checksum,
        artlock_trust=str(row.trust),
    )
    reason = _reason(row, uri, unversioned)
    if reason is Reason.SCHEME:
        return metadata, reason
    if reason is not None:
        return replace(metadata, artlock_reason=str(reason)), reason
    is_s3 = uri.scheme == "s3"
    synced = AssetMetadata(
        synced=True,
        checksum=Tokens.parse(row.checksum).etag if "etag:" in row.checksum else None,
        file_size=metadata.file_size,
        version_id=metadata.version_id,
        artlock_tokens=metadata.artlock_tokens,
        artlock_trust=metadata.artlock_trust,
        s3_path=str(uri) if is_s3 else None,
        # Comet knows no other word for a platform, whatever the endpoint is.
        s3_platform="aws" if is_s3 else None,
        gs_path=None if is_s3 else str(uri),
    )
    return synced, None


def _reason(row: LockedObject, uri: Uri, unversioned: Unversioned) -> Reason | None:
    """Return why the object of a row must not be synced, or ``None``."""
    if uri.scheme not in {"s3", "gs"}:
        return Reason.SCHEME
    if uri.key.endswith("/"):
        return Reason.MARKER
    if reason := _misread(uri):
        return reason
    if not row.version:
        return None if unversioned is Unversioned.HEAD else Reason.UNVERSIONED
    if uri.scheme == "gs" and not (row.version.isascii() and row.version.isdecimal()):
        return Reason.GENERATION
    return None


def _misread(uri: Uri) -> Reason | None:
    """Return what Comet's client makes wrong of a URI: it parses keys as those of the web.

    Source: `comet_ml.cloud_storage_utils` takes `hostname` and `path` of `urlparse`.
    """
    if _PLAIN_BUCKET.fullmatch(uri.authority or "") and _PLAIN_KEY.fullmatch(uri.key):
        return None
    try:
        parts = urlsplit(str(uri))
        host = parts.hostname
    except ValueError:
        return Reason.BUCKET
    if host != uri.authority or parts.netloc != uri.authority:
        return Reason.BUCKET
    if parts.path != f"/{uri.key}" or any(sign in uri.key for sign in "#?\t\r\n"):
        return Reason.CUT
    return None


def _warnings(refused: Iterable[tuple[Reason, str]], count: int) -> Iterable[str]:
    pairs = tuple(refused)
    for reason, number in Counter(reason for reason, _ in pairs).items():
        places = [place for found, place in pairs if found is reason]
        names = ", ".join(f"`{place}`" for place in places[:_SHOWN])
        more = f" and {number - _SHOWN} more" if number > _SHOWN else ""
        yield (
            f"Comet's own client cannot fetch {number} of {count} objects as they are "
            f"pinned ({reason}): {names}{more}; `artlock sync --from` can"
        )
