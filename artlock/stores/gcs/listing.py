"""Pages of a listing as objects, or an error if they cannot be believed.

Source: JSON API, Objects: list. Names come in the order of their UTF-8 bytes, which is
also the order of Python's strings; ``crc32c`` is base64 of the big-endian value; composite
objects and some multipart uploads have no ``md5Hash`` (hazard 1.36).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, cast

from artlock.errors import StoreError
from artlock.model.digest import Checksum, ChecksumAlgorithm
from artlock.model.lock import MAX_SIZE
from artlock.model.objects import ObjectInfo, VersionId
from artlock.model.tokens import Tokens
from artlock.model.uri import Uri

FIELDS = (
    "kind,items(name,generation,size,crc32c,md5Hash,contentEncoding,"
    "timeCreated,timeDeleted),nextPageToken"
)
"""All that is used, and nothing else (hazard 1.39)."""

_SURROGATE = re.compile("[\ud800-\udfff]")
"""JSON can spell half a character, and no name has one."""

MAX_EMPTY_PAGES = 100
"""How many pages without an entry are taken in a row: more would be pages without end."""

Item = Mapping[str, Any]
"""One resource ``storage#object``."""


def live_items(
    pages: Iterable[Mapping[str, Any]], prefix: Uri, *, as_of: datetime | None
) -> Iterator[Item]:
    """Yield each object's resource once: the live one, or the one that lived at ``as_of``.

    Args:
        pages: Answers to the listing, in order; of all generations if ``as_of`` is given.
        prefix: What was listed.
        as_of: The moment (UTC).

    Raises:
        StoreError: Something in them is not an answer to what was asked.
    """
    tokens: set[str] = set()
    last = ""
    empty = 0
    generations: set[str] = set()  # of the name at hand: the past has several
    for page in pages:
        if page.get("kind") != "storage#objects":
            raise _not_believed(prefix, "an answer is not a page of it")
        items = page.get("items", [])
        if not isinstance(items, list):
            raise _not_believed(prefix, "its entries are no list")
        is_new = not items
        for item in items:
            if not isinstance(item, Mapping):
                raise _not_believed(prefix, "it has an entry that is no object")
            name = item.get("name", "")
            if not isinstance(name, str) or _SURROGATE.search(name):
                raise _not_believed(prefix, "it has a name that is no text")
            if not name.startswith(prefix.key):
                raise _not_believed(prefix, f"it has `{name}`, which is elsewhere")
            if name < last or (name == last and as_of is None):
                raise _not_believed(prefix, f"`{name}` comes after `{last}`")
            if name != last:
                generations.clear()
            last = name
            generation = str(item.get("generation"))
            if generation in generations:
                continue  # pages of some servers overlap
            generations.add(generation)
            is_new = True
            if as_of is None or _lived(item, prefix, as_of):
                yield item
        empty = 0 if items else empty + 1
        if empty > MAX_EMPTY_PAGES:
            raise _not_believed(prefix, f"{empty} pages in a row are empty")
        token = page.get("nextPageToken")
        if not isinstance(token, str | None):
            raise _not_believed(prefix, "what names its next page is no text")
        if token and (token in tokens or not is_new):
            raise _not_believed(prefix, "its pages go in a circle")
        if token:
            tokens.add(token)


def last_name(page: Mapping[str, Any], prefix: Uri) -> str | None:
    """Return the last name of a page that another follows.

    ``None`` if none follows, or if it is no name below ``prefix``: ``live_items`` says so.
    """
    items = page.get("items")
    if not (page.get("nextPageToken") and isinstance(items, list) and items):
        return None
    name = items[-1].get("name") if isinstance(items[-1], Mapping) else None
    if not isinstance(name, str) or _SURROGATE.search(name):
        return None
    return name if name.startswith(prefix.key) else None


def folders_of(page: Mapping[str, Any], prefix: Uri) -> list[str]:
    """Return the folders that a page names, as whole names.

    Raises:
        StoreError: They are no names.
    """
    folders = page.get("prefixes", [])
    if not isinstance(folders, list) or not all(
        isinstance(name, str) and not _SURROGATE.search(name) for name in folders
    ):
        raise _not_believed(prefix, "its folders are no names")
    return folders


def name_of(item: Item) -> str:
    """Return the name of what ``live_items`` yielded."""
    return str(item.get("name", ""))


def within(item: Item, start: str, end: str | None, prefix: Uri) -> Item:
    """Return an item whose name is from ``start`` on, and below ``end``.

    Raises:
        StoreError: It is elsewhere, and another range has it too or no range has it.
    """
    name = name_of(item)
    if name < start or (end is not None and name >= end):
        raise _not_believed(prefix, f"it has `{name}` outside of what was asked for")
    return item


def described(item: Item, bucket: Uri) -> ObjectInfo:
    """Return what a resource says of its object.

    Raises:
        StoreError: It lacks what every object has, or has what none has.
    """
    uri = Uri(bucket.scheme, bucket.authority, name_of(item))
    try:
        checksums = tuple(
            Checksum(algorithm, base64.b64decode(item[field], validate=True).hex())
            for algorithm, field in (
                (ChecksumAlgorithm.CRC32C, "crc32c"),
                (ChecksumAlgorithm.MD5, "md5Hash"),
            )
            if item.get(field)
        )
        return ObjectInfo(
            uri=uri,
            size=_whole(item["size"]),
            version=VersionId(str(_whole(item["generation"]))),
            tokens=Tokens(checksums=checksums),
            encoding=_text(item.get("contentEncoding")),
        )
    except (KeyError, TypeError, ValueError) as error:
        message = f"the store describes `{uri}` in a way that cannot be believed"
        raise StoreError(message, uri=str(uri)) from error


def _whole(value: object) -> int:
    """Return a number of 63 bits, which the API writes as text (format ``uint64``)."""
    if type(value) not in {int, str}:
        raise TypeError(value)
    number = int(cast("int | str", value))
    if not 0 <= number <= MAX_SIZE:
        raise ValueError(value)
    return number


def _text(value: object) -> str | None:
    if not isinstance(value, str | None):
        raise TypeError(value)
    return value or None


def _lived(item: Item, prefix: Uri, moment: datetime) -> bool:
    try:
        created = datetime.fromisoformat(item["timeCreated"])
        deleted = item.get("timeDeleted")
        return created <= moment and (
            deleted is None or datetime.fromisoformat(deleted) > moment
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _not_believed(prefix, "a version has no time") from error


def _not_believed(prefix: Uri, why: str) -> StoreError:
    message = f"the listing of `{prefix}` is not to be believed: {why}"
    return StoreError(message, uri=str(prefix), hint="try again, or report it to the store")
