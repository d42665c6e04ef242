"""What GCS answers to ``objects.list``, and how it describes an object."""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import google_crc32c

from testbed.hostile.history import Bucket, Pages, State
from testbed.hostile.order import folded, opaque, place_of, placed

_MOST = 1000


def page(bucket: Bucket, query: Mapping[str, str]) -> dict[str, Any]:
    """Return a page of objects: the live ones, or every generation that is kept.

    Raises:
        ValueError: The marker of the page is none.
    """
    pages, prefix = bucket.version_pages, query.get("prefix", "")
    if query.get("softDeleted", "").lower() == "true":
        gone = [s for s in bucket.soft_deleted() if s.key.startswith(prefix)]
        entries = [(place_of(s.key, s.number, pages), resource(bucket, s)) for s in gone]
    else:
        is_all = query.get("versions") == "true"
        # GCS: a name's generations come oldest first.
        entries = [
            (place_of(state.key, state.number, pages), resource(bucket, state, newer))
            for _, state, newer in placed(bucket, prefix, pages)
            if not state.is_marker and (is_all or newer is None)
            if _is_asked_for(state.key, query, pages)
        ]
        entries.sort(key=lambda entry: entry[0])
    limit = min(int(query.get("maxResults", _MOST)), _MOST)
    rolled = folded(entries, prefix, query.get("delimiter", ""), pages)
    found, following = opaque(rolled, query.get("pageToken", ""), limit, pages)
    items = [entry for entry in found if not isinstance(entry, str)]
    folders = [entry for entry in found if isinstance(entry, str)]
    document: dict[str, Any] = {"kind": "storage#objects"}
    if items and "items" in query.get("fields", "items"):
        document["items"] = [_chosen(item, query.get("fields")) for item in items]
    if folders:
        document["prefixes"] = folders
    if following is not None:
        document["nextPageToken"] = following
    return document


def _is_asked_for(key: str, query: Mapping[str, str], pages: Pages) -> bool:
    known = {name: value for name, value in query.items() if name != pages.ignores}
    start, end = known.get("startOffset", ""), known.get("endOffset")
    return start <= key and (end is None or key < end)


def resource(bucket: Bucket, state: State, newer: State | None = None) -> dict[str, Any]:
    """Return what GCS tells of a generation; ``newer`` is what took its place."""
    body, upload = state.body, state.upload
    moment = _moment(state)
    found: dict[str, Any] = {
        "kind": "storage#object",
        "name": state.key,
        "bucket": bucket.name,
        "generation": state.version,
        "metageneration": "1",
        "size": str(len(body)),
        "storageClass": upload.storage_class,
        "etag": base64.b64encode(state.version.encode()).decode(),
        "timeCreated": moment,
        "updated": moment,
        "crc32c": crc32c_of(body),
        **state.headers,
    }
    if not upload.is_composed:
        found["md5Hash"] = md5_of(body)
    if upload.encoding:
        found["contentEncoding"] = upload.encoding
    if newer is not None:
        found["timeDeleted"] = _moment(newer)
    return found


def crc32c_of(body: bytes) -> str:
    """Return it as GCS writes it: base64 of the big-endian value."""
    return base64.b64encode(google_crc32c.value(body).to_bytes(4, "big")).decode()


def md5_of(body: bytes) -> str:
    """Return it as GCS writes it."""
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def _moment(state: State) -> str:
    return state.modified.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _chosen(item: dict[str, Any], fields: str | None) -> dict[str, Any]:
    """Return the fields of an item that were asked for."""
    found = re.search(r"items\(([^)]*)\)", fields or "")
    if found is None:
        return item
    wanted = set(found[1].split(","))
    return {name: value for name, value in item.items() if name in wanted}
