"""Targets: what stores answer when they are asked for a listing."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, cast

from artlock.errors import ArtlockError
from artlock.formats.lockfile import format_lockfile, parse_lockfile
from artlock.model.lock import (
    Kind,
    LockedArtifact,
    Lockfile,
)
from artlock.model.manifest import Declaration
from artlock.model.objects import ObjectInfo
from artlock.model.safety import check_artifact
from artlock.model.uri import Uri
from artlock.ops.observe import Observed
from artlock.ops.rows import row_of
from artlock.stores.gcs.listing import described, live_items
from artlock.stores.s3.listing import Marker, Rules, follow, live_entries
from artlock.stores.s3.pages import Page, PageError, parse_page
from artlock.stores.s3.scan import Scan

PAGE_END = b"\n\x00\n"
"""Between the pages of one input; no page has a zero byte."""


def s3_listing(data: bytes) -> bool:
    """A listing is believed or refused; rows of a listing that is believed can be read.

    The first byte says what is asked: bit 0, whether keys must be sorted; bit 1, ``as-of``.
    """
    how = data[0] if data else 0
    bodies = data[1:].split(PAGE_END)
    prefix = Uri("s3", "bucket", "p/")
    moment = datetime(2026, 6, 1, tzinfo=UTC) if how & 2 else None
    rules = Rules(prefix=prefix.key, is_sorted=bool(how & 1), as_of=moment)
    scan = Scan(
        connection=cast("Any", None),  # nothing is asked of it
        prefix=prefix,
        as_of=moment,
        notice=lambda _: None,
        cross_check=False,
        head=lambda _: ObjectInfo(uri=prefix, size=0),
        page_size=None,
    )
    rest = iter(bodies)

    def ask(_: Marker) -> Page:
        body = next(rest, None)
        if body is None:
            message = "there are no more pages"
            raise PageError(message)
        return parse_page(body)

    try:
        infos = [scan._info(entry) for entry in live_entries(follow(ask), rules)]  # noqa: SLF001 - what a scan makes of an entry
    except PageError:
        return False
    keys = [info.uri.key for info in infos]
    assert len(set(keys)) == len(keys)
    _check_rows(infos, prefix)
    return True


def gcs_listing(data: bytes) -> bool:
    """The same of Google's JSON; the first byte says whether ``as-of`` is asked (bit 1)."""
    how = data[0] if data else 0
    prefix = Uri("gs", "bucket", "p/")
    moment = datetime(2026, 6, 1, tzinfo=UTC) if how & 2 else None
    try:
        pages = [json.loads(body) for body in data[1:].split(PAGE_END)]
    except (ValueError, RecursionError):
        return False  # the vendor's client has refused it
    if not all(isinstance(page, dict) for page in pages):
        return False
    try:
        found = live_items(pages, prefix, as_of=moment)
        infos = [described(item, prefix) for item in found]
    except ArtlockError:
        return False
    _check_rows(infos, prefix)
    return True


def _check_rows(infos: Iterable[ObjectInfo], prefix: Uri) -> None:
    """Lock what was observed, as ``resolve`` does: it is refused, or it can be read."""
    named = ((prefix.relative(info.uri), info) for info in infos)
    rows = {key: row_of(Observed(key, info)) for key, info in named if key is not None}
    locked = LockedArtifact(
        name="a",
        declared=Declaration(uri=prefix),
        kind=Kind.TREE,
        objects=tuple(rows[key] for key in sorted(rows) if key and key[-1] != "/"),
    )
    try:
        check_artifact(locked)
    except ArtlockError:
        return
    lock = Lockfile(artifacts=(locked,))
    assert parse_lockfile(format_lockfile(lock)) == lock
