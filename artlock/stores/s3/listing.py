"""From pages of a listing to live objects, or an error if it cannot be believed.

Pure but for the iterator of pages that it draws from. A listing is a chain of answers, and
some servers break it without a word (hazards 1.10, 1.11, 4.16): what is missing here would
be missing in a lockfile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec

from artlock.stores.s3.pages import Entry, Page, PageError

MAX_EMPTY_PAGES = 100
"""How many pages without an entry are taken in a row: S3 skips deleted keys so."""
NULL_VERSION = "null"
"""S3's name for the state that is overwritten in place (hazard 1.13)."""
HISTORY_PAGES = 8
"""After so many pages of versions it is judged whether they are mostly history."""
HISTORY_SHARE = 100
"""Mostly history: fewer than one live key in so many entries (hazard 1.9)."""

Marker = tuple[tuple[str, str], ...]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing must keep to.

    Attributes:
        prefix: What every key starts with.
        is_sorted: Whether keys come in the order of their UTF-8 bytes. AWS promises it
            except for directory buckets; servers over a file system put ``a/x`` before
            ``a-b``.
        as_of: A moment to go back to, or ``None`` for the current state.
    """

    prefix: str
    is_sorted: bool
    as_of: datetime | None = None


def follow(ask: Callable[[Marker], Page], start: Marker = ()) -> Iterator[Page]:
    """Yield page after page until one says that it is the last.

    Args:
        ask: Gets the page behind a marker.
        start: Where the first page begins; nothing is the beginning.

    Raises:
        PageError: A page names no successor, or one that was asked for before.
    """
    marker = start
    seen = {marker}
    empty = 0
    while True:
        page = ask(marker)
        yield page
        if not page.is_truncated:
            return
        marker = page.next
        if not marker:
            reason = "a page says that more follows, and not where"
            raise PageError(reason)
        if marker in seen:
            reason = "it goes round in circles"
            raise PageError(reason)
        seen.add(marker)
        empty = 0 if page.entries else empty + 1
        if empty > MAX_EMPTY_PAGES:
            reason = f"{empty} pages in a row are empty"
            raise PageError(reason)


def live_entries(
    pages: Iterable[Page],
    rules: Rules,
    *,
    seen: set[str] | None = None,
    unknown: list[str] | None = None,
) -> Iterator[Entry]:
    """Yield the entry of each object that is live, now or at ``rules.as_of``.

    Versions of one key come together, also over the bounds of pages. Exactly one entry of
    a key is the latest; if it is a delete marker, the object is gone.

    Args:
        pages: Of ListObjectVersions, or of ListObjectsV2 where each key has one entry.
        rules: What they must keep to.
        seen: Filled with the keys that are live now.
        unknown: Filled with keys whose state at ``rules.as_of`` no version names.

    Raises:
        PageError: The listing contradicts itself.
    """
    done: set[str] = set()
    group: list[Entry] = []
    versions: set[str] = set()
    key: str | None = None
    for page in pages:
        for entry in page.entries:
            if entry.key == key:
                # At once: a listing that repeats its last entry may never end.
                if len(group) == 1:
                    versions = {group[0].version}
                if entry.version in versions:
                    reason = f"a version of `{key}` comes twice"
                    raise PageError(reason)
                versions.add(entry.version)
                group.append(entry)
                continue
            if group:
                yield from _judged(group, rules, seen, unknown)
            _check_key(entry.key, key, rules, done)
            key, group = entry.key, [entry]
    if group:
        yield from _judged(group, rules, seen, unknown)


def is_mostly_history(pages: Iterable[Page]) -> bool:
    """Tell whether hardly any entry of some pages is a live object."""
    entries = live = 0
    for page in pages:
        entries += len(page.entries)
        live += sum(entry.is_latest and not entry.is_marker for entry in page.entries)
    return live * HISTORY_SHARE < entries


def problem_with_keys(versions: set[str], plain: set[str]) -> str | None:
    """Return how the live keys of two listings differ, or ``None``."""
    lost, extra = plain - versions, versions - plain
    if lost:
        return f"{len(lost)} keys have no version, such as `{min(lost)}`"
    if extra:
        return f"{len(extra)} keys are only among the versions, such as `{min(extra)}`"
    return None


def _check_key(key: str, previous: str | None, rules: Rules, done: set[str]) -> None:
    if not key.startswith(rules.prefix) or not key:
        reason = f"`{key}` is not below `{rules.prefix}`"
        raise PageError(reason)
    if rules.is_sorted:
        # Code points sort as their UTF-8 bytes do.
        if previous is not None and key < previous:
            reason = f"`{key}` comes after `{previous}`"
            raise PageError(reason)
        return
    if key in done:
        reason = f"`{key}` comes twice"
        raise PageError(reason)
    done.add(key)


def _judged(
    group: list[Entry], rules: Rules, seen: set[str] | None, unknown: list[str] | None
) -> Iterator[Entry]:
    if len(group) == 1 and rules.as_of is None:
        (latest,) = group
        problem = None if latest.is_latest else "no version of `{}` is the latest"
    else:
        latest, problem = _latest(group)
    if problem is not None:
        raise PageError(problem.format(latest.key))
    if seen is not None and not latest.is_marker:
        seen.add(latest.key)
    moment = rules.as_of
    chosen = latest if moment is None else _at(group, moment)
    if moment is not None and unknown is not None and _is_unknown(group, chosen, moment):
        unknown.append(latest.key)
    if chosen is not None and not chosen.is_marker:
        yield chosen


def _latest(group: list[Entry]) -> tuple[Entry, str | None]:
    latest = [entry for entry in group if entry.is_latest]
    if not latest:
        return group[0], "no version of `{}` is the latest"
    if len(latest) > 1:
        return group[0], "two versions of `{}` are the latest"
    return latest[0], None


def _at(group: list[Entry], moment: datetime) -> Entry | None:
    """Return the entry that was the latest at ``moment``.

    Of entries of the same second the first counts, as the newest comes first.
    """
    best: tuple[datetime, Entry] | None = None
    for entry in group:
        modified = _time_of(entry)
        if modified <= moment and (best is None or modified > best[0]):
            best = (modified, entry)
    return None if best is None else best[1]


def _is_unknown(group: list[Entry], chosen: Entry | None, moment: datetime) -> bool:
    """Tell whether a key may have had a state at ``moment`` that no version names.

    What has no version takes the place of what had none before it, and once there are
    newer versions no row can name it (hazard 1.13).
    """
    return any(
        entry.version == NULL_VERSION
        and (_time_of(entry) > moment or (entry is chosen and not entry.is_latest))
        for entry in group
    )


def _time_of(entry: Entry) -> datetime:
    reason = f"a version of `{entry.key}` has no time"
    try:
        modified = datetime.fromisoformat(entry.modified)
    except ValueError:
        raise PageError(reason) from None
    if modified.tzinfo is None:
        raise PageError(reason)
    return modified
