"""Entries in the order of a listing, and the page that a request gets of them."""

import base64
import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from testbed.hostile.history import Bucket, Pages, State

Place = tuple[bytes, bytes, int]
"""Where an entry stands: its order, its key, and how late in its history."""
_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut(Generic[_Entry]):
    """One page.

    Attributes:
        last: The place from which the next page goes on, or ``None`` after the last.
    """

    entries: tuple[_Entry, ...]
    last: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What an opaque marker of a page says.

    Attributes:
        place: After which the page begins; ``None`` is the start.
        empty: How many pages without an entry came so far.
    """

    place: Place | None = None
    empty: int = 0

    def text(self) -> str:
        """Return it as no client can read it, and never twice the same."""
        place = None
        if self.place is not None:
            order, key, late = self.place
            place = [order.hex(), key.hex(), late]
        facts = [place, self.empty, secrets.token_hex(4)]
        return base64.urlsafe_b64encode(json.dumps(facts).encode()).decode()

    @classmethod
    def parse(cls, text: str) -> "Token":
        """Read it again; the empty text is the start.

        Raises:
            ValueError: It is none.
        """
        if not text:
            return cls()
        place, empty, _ = json.loads(base64.urlsafe_b64decode(text))
        if place is None:
            return cls(empty=empty)
        order, key, late = place
        return cls(place=(bytes.fromhex(order), bytes.fromhex(key), late), empty=empty)


def place_of(key: str, late: int, pages: Pages) -> Place:
    """Return where the ``late``-th entry of a key stands."""
    raw = key.encode("utf-8", "surrogatepass")
    if pages.shuffled is None:
        return raw, raw, late
    # By its own hash, so that the order stays while others come and go.
    seed = str(pages.shuffled).encode()
    return hashlib.sha256(seed + raw).digest(), raw, late


def placed(
    bucket: Bucket, prefix: str, pages: Pages
) -> list[tuple[Place, State, State | None]]:
    """Return every state below a prefix with its place and the one that followed it."""
    found = []
    for key, states in bucket.histories().items():
        if not key.startswith(prefix) or key in pages.lost:
            continue
        newer: State | None = None
        for state in states:
            # A number that is smaller is older, and older ones stand later.
            found.append((place_of(key, -state.number, pages), state, newer))
            newer = state
    return sorted(found, key=lambda item: item[0])


def folded(
    entries: Sequence[tuple[Place, _Entry]], prefix: str, delimiter: str, pages: Pages
) -> list[tuple[Place, _Entry | str]]:
    """Put the name of a folder in place of all entries in it, in order.

    Args:
        entries: All below ``prefix``.
        prefix: What was asked for.
        delimiter: What ends the name of a folder; nothing leaves all as it is.
        pages: How it goes wrong.
    """
    if not delimiter:
        return list(entries)
    found: dict[Place, _Entry | str] = {}
    for place, entry in entries:
        rest = place[1].decode("utf-8", "surrogatepass").removeprefix(prefix)
        name, ends, _ = rest.partition(delimiter)
        if ends:
            folder = f"{prefix}{name}{ends}"
            found[place_of(folder, 0, pages)] = folder
        else:
            found[place] = entry
    return sorted(found.items(), key=lambda item: item[0])


def cut(
    entries: Sequence[tuple[Place, _Entry]], after: Place | None, limit: int, pages: Pages
) -> Cut[_Entry]:
    """Return the page that begins after a place, or at the start.

    Args:
        entries: All that there are, in order.
        after: What the request names.
        limit: The most entries.
        pages: How it goes wrong.
    """
    limit = min(limit, pages.size)
    first = 0
    if after is not None:
        first = sum(1 for place, _ in entries if place <= after)
    end = min(first + limit, len(entries))
    last = entries[end - 1][0] if first < end < len(entries) else None
    if pages.ends_after is not None and end >= pages.ends_after * limit:
        last = None
    if pages.loops and after is not None:
        last = after
    begin = first - 1 if pages.repeats and first else first
    return Cut(entries=tuple(entry for _, entry in entries[begin:end]), last=last)


def opaque(
    entries: Sequence[tuple[Place, _Entry]],
    token: str,
    limit: int,
    pages: Pages,
    *,
    start: Place | None = None,
) -> tuple[tuple[_Entry, ...], str | None]:
    """Return the page of a service whose markers are opaque, and the next marker.

    Args:
        entries: All that there are, in order.
        token: The marker, or nothing.
        limit: The most entries.
        pages: How it goes wrong.
        start: Where to begin if there is no marker.

    Raises:
        ValueError: ``token`` is none.
    """
    asked = Token.parse(token) if token else Token(place=start)
    if asked.place is None and asked.empty != pages.empty:
        return (), Token(empty=asked.empty + 1).text()
    found = cut(entries, asked.place, limit, pages)
    following = None if found.last is None else Token(place=found.last).text()
    return found.entries, following
