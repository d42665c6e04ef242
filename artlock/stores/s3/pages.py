"""One page of a listing, from S3's XML to values.

botocore's own parser costs about 100 microseconds a key, this one a few. It reads only what
a row needs, and refuses what is not the answer that was asked for.

Source: S3 ListObjectVersions and ListObjectsV2. Servers that ignore ``encoding-type=url``
say so by the absence of ``EncodingType``, which may stand after the keys.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple, NoReturn
from urllib.parse import unquote_plus

import msgspec

from artlock.model.lock import MAX_SIZE
from artlock.stores.s3.records import MARK, Record, Run, cut_out

_ROOTS = frozenset({"ListVersionsResult", "ListVersionsResponse", "ListBucketResult"})
_RECORDS = ("Version", "DeleteMarker", "Contents")
_FLAGS = {"true": True, "false": False}
_VISIBLE = re.compile(r"[!#-\[\]-~]*")
"""What S3's version IDs are made of, and rows can hold."""
_MAX_VERSION = 1024
_UNSENDABLE = re.compile(r'[\x00-\x1f\x7f"]')
"""What no etag has (RFC 9110 §8.8.3), so that a request could not be conditional on it."""


class PageError(ValueError):
    """The text is not a page of a listing; the message is a phrase that says why."""


class CutPageError(PageError):
    """The XML is not well-formed: most likely it was cut on its way."""


class Entry(NamedTuple):
    """One line of a listing; a tuple because there are millions.

    Attributes:
        version: As S3 has it, ``null`` included; ``""`` in a plain listing.
        etag: Without quotes; ``""`` for a delete marker.
        modified: As S3 wrote it, or ``""``.
    """

    key: str
    version: str
    is_latest: bool
    is_marker: bool
    size: int
    etag: str
    storage_class: str
    modified: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a listing.

    Attributes:
        entries: In the order of the server.
        is_truncated: Whether there is more.
        next: What the next request names, as pairs of parameter and value; empty if the
            server named nothing.
        folders: What stands for all the keys below it, where a delimiter was asked for.
    """

    entries: list[Entry]
    is_truncated: bool
    next: tuple[tuple[str, str], ...]
    folders: tuple[str, ...] = ()


def is_listing(body: bytes) -> bool:
    """Tell whether ``body`` is worth to be read as a page: not an error, not HTML."""
    return b"<ListVersionsRes" in body[:512] or b"<ListBucketResult" in body[:512]


def parse_page(body: bytes) -> Page:
    """Read one answer to ListObjectVersions or ListObjectsV2.

    Raises:
        CutPageError: It is cut.
        PageError: It is another document, has a DTD, lacks an element that S3
            always sends, or one of them is what S3 never sends.
    """
    # No XML in UTF-8 has a zero byte, and all in UTF-16 has: it could spell what follows
    # otherwise, as expat prefers a byte order mark to the encoding that it is given.
    if b"\0" in body:
        reason = "it is not UTF-8"
        raise PageError(reason)
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        reason = "it has a DTD"
        raise PageError(reason)
    run = cut_out(body)
    if run is not None:
        with suppress(PageError):  # then it is judged as a whole
            return _page(run.rest.encode(), run)
    return _page(body, None)


def _page(body: bytes, run: Run | None) -> Page:
    """Read a page whose records stand in it, or were cut out of it."""
    try:
        root = ET.fromstring(body, parser=ET.XMLParser(encoding="utf-8"))  # noqa: S314 - no DTD
    except ET.ParseError as error:
        reason = f"its XML is broken ({error})"
        raise CutPageError(reason) from None
    space = root.tag[: root.tag.rfind("}") + 1]
    if root.tag.removeprefix(space) not in _ROOTS:
        reason = f"it is a `{root.tag}`"
        raise PageError(reason)
    is_encoded = root.findtext(f"{space}EncodingType") == "url"
    try:
        records = _records(root, space) if run is None else _cut_records(root, space, run)
        return Page(
            entries=_entries(records, is_encoded=is_encoded),
            is_truncated=_FLAGS[root.findtext(f"{space}IsTruncated") or "IsTruncated"],
            next=_next(root, space, is_encoded=is_encoded),
            folders=_folders(root, space, is_encoded=is_encoded),
        )
    except KeyError as error:
        reason = f"an element is missing or is not known: {error}"
        raise PageError(reason) from None
    except UnicodeDecodeError:
        reason = "it has a key that is not UTF-8"
        raise PageError(reason) from None
    except ValueError as error:
        raise PageError(str(error)) from None


def _records(root: ET.Element, space: str) -> Iterator[Record]:
    tags = {space + name: name for name in _RECORDS}
    for record in root:
        name = tags.get(record.tag)
        if name is not None:
            # From the end, because of elements that come twice the first counts.
            texts = {
                each.tag.removeprefix(space): each.text or ""
                for each in record[::-1]
                if each.tag.startswith(space)
            }
            yield Record(name, texts)


def _cut_records(root: ET.Element, space: str, run: Run) -> list[Record]:
    """Return the records of a run that stood where records of a page stand, and no others.

    Raises:
        ValueError: It stood elsewhere, or there are others.
    """
    tags = [each.tag for each in root]
    if tags.count(space + MARK) != 1 or any(space + name in tags for name in _RECORDS):
        raise ValueError("its records are not in one place")  # noqa: EM101, TRY003 - never told
    return run.records


def _entries(records: Iterable[Record], *, is_encoded: bool) -> list[Entry]:
    entries: list[Entry] = []
    append, make = entries.append, Entry._make
    for tag, texts in records:
        find = texts.get
        name = find("Key") or ""
        if is_encoded and ("%" in name or "+" in name):
            name = unquote_plus(name, errors="strict")
        is_plain, is_marker = tag == "Contents", tag == "DeleteMarker"
        append(
            make(
                (
                    name,
                    "" if is_plain else find("VersionId") or _missing("VersionId"),
                    is_plain or _FLAGS[find("IsLatest") or "IsLatest"],
                    is_marker,
                    0 if is_marker else int(find("Size") or _missing("Size")),
                    (find("ETag") or "").strip().strip('"'),
                    find("StorageClass") or "",
                    find("LastModified") or "",
                )
            )
        )
    _check_values(entries)
    return entries


def _check_values(entries: list[Entry]) -> None:
    """Refuse values that S3 does not have: a lockfile could not hold them (hazard 4.16).

    Raises:
        ValueError: There is one.
    """
    for entry in entries:
        if not 0 <= entry.size <= MAX_SIZE:
            reason = f"`{entry.key}` has a size of {entry.size} bytes"
            raise ValueError(reason)
    versions = [entry.version for entry in entries]
    if (
        not _VISIBLE.fullmatch("".join(versions))
        or max(map(len, versions), default=0) > _MAX_VERSION
    ):
        raise ValueError("it has a version that is none")  # noqa: EM101, TRY003 - one fact
    if _UNSENDABLE.search("".join([entry.etag for entry in entries])):
        raise ValueError("it has an etag that is none")  # noqa: EM101, TRY003 - one fact


def _missing(name: str) -> NoReturn:
    raise KeyError(name)


def _next(root: ET.Element, space: str, *, is_encoded: bool) -> tuple[tuple[str, str], ...]:
    key_marker = root.findtext(f"{space}NextKeyMarker") or ""
    if is_encoded:
        key_marker = unquote_plus(key_marker, errors="strict")
    found = (
        ("KeyMarker", key_marker),
        ("VersionIdMarker", root.findtext(f"{space}NextVersionIdMarker") or ""),
        ("ContinuationToken", root.findtext(f"{space}NextContinuationToken") or ""),
    )
    return tuple((name, text) for name, text in found if text)


def _folders(root: ET.Element, space: str, *, is_encoded: bool) -> tuple[str, ...]:
    found = root.iterfind(f"{space}CommonPrefixes/{space}Prefix")
    names = [each.text or "" for each in found]
    if is_encoded:
        names = [unquote_plus(name, errors="strict") for name in names]
    return tuple(names)
