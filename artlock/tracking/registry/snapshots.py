"""The locks themselves: each text once, in pieces that versions share.

Nothing is ever deleted here, so what was read before a transaction still holds in it: the
pieces are made first, and the transaction only inserts. Whatever is read is held against
its digests, that of each piece and that of the whole.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3
from sqlalchemy import select

from artlock.engine.threads import each
from artlock.errors import IntegrityError
from artlock.model.registration import lock_digest
from artlock.tracking.registry.pieces import MAX_DEPTH, compress, cut, decompress
from artlock.tracking.registry.tables import PIECES, SNAPSHOT_PIECES, SNAPSHOTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from artlock.tracking.registry.database import Database

_AT_ONCE = 500
"""Values in one query; SQLite once took 999."""
_MOST_TEXT = 1 << 32
"""Bytes of a lock; a registry that came from anybody does not fill the memory."""
_DAMAGED = "restore the registry from a backup, or push the lock again into a new one"


class NewPiece(NamedTuple):
    """A piece that the registry does not hold yet, as it will be stored."""

    digest: bytes
    size: int
    base: int | None
    depth: int
    data: bytes


class NewSnapshot(NamedTuple):
    """A lock that the registry does not hold yet.

    Attributes:
        digest: The lock digest.
        size: Of the text, in bytes.
        pieces: ``(digest, place)`` of all pieces in their order.
        new: Those that are not there; sorted by digest, no two equal.
    """

    digest: str
    size: int
    pieces: tuple[tuple[bytes, bytes], ...]
    new: tuple[NewPiece, ...]


class _Entry(NamedTuple):
    """A piece that the registry holds, without its data."""

    id: int
    digest: bytes
    size: int
    base: int | None
    depth: int


class _Work(NamedTuple):
    """A piece, and what it may be stored by."""

    digest: bytes
    text: bytes
    base: tuple[_Entry, bytes] | None
    root: tuple[_Entry, bytes] | None


def has_snapshot(connection: Connection, digest: str) -> bool:
    """Tell whether the registry holds a lock."""
    query = select(SNAPSHOTS.c.id).where(SNAPSHOTS.c.digest == digest)
    return connection.execute(query).scalar() is not None


def prepare_snapshot(
    connection: Connection, *, url: str, digest: str, text: bytes, like: str | None
) -> NewSnapshot:
    """Cut and compress a lock, before the transaction that stores it.

    Args:
        connection: To look at what is there.
        url: Of the registry.
        digest: The lock digest.
        text: The canonical text.
        like: The digest of a lock that is probably close to it, if there is any.

    Raises:
        ValueError: The text is not of the digest, or longer than 4 GiB.
        IntegrityError: What is there, and would be needed, is damaged.
    """
    if lock_digest(text) != digest or len(text) > _MOST_TEXT:
        message = f"the text of `{digest}` has another digest, or more than 4 GiB"
        raise ValueError(message)
    cuts = [(blake3(piece.text).digest(), piece) for piece in cut(text)]
    store = _Store(connection, url)
    known = store.known([piece_digest for piece_digest, _ in cuts])
    places = {} if like is None else store.places(like)

    def work() -> Iterator[_Work]:
        """Read what is needed, one piece after another: ``each`` asks under a mutex."""
        seen: set[bytes] = set()
        near = next(iter(places.values()), None)
        for piece_digest, piece in cuts:
            near = places.get(piece.place, near)
            if piece_digest in known or piece_digest in seen:
                continue
            seen.add(piece_digest)
            base = root = None
            if near is not None:
                chain = store.chain(near)
                if len(chain) <= MAX_DEPTH:
                    base = (chain[0], store.read(chain))
                else:
                    root = (chain[-1], store.read(chain[-1:]))
            yield _Work(piece_digest, piece.text, base, root)

    new = []
    for outcome in each(_stored, work(), workers=min(os.cpu_count() or 1, 4)):
        if outcome.error is not None:
            raise outcome.error
        assert outcome.result is not None  # noqa: S101 - one of both, says `Outcome`
        new.append(outcome.result)
    return NewSnapshot(
        digest=digest,
        size=len(text),
        pieces=tuple((piece_digest, piece.place) for piece_digest, piece in cuts),
        new=tuple(sorted(new)),
    )


def store_snapshot(
    database: Database, connection: Connection, snapshot: NewSnapshot
) -> None:
    """Store a prepared lock in the caller's transaction; it may be there by now."""
    if has_snapshot(connection, snapshot.digest):
        return
    # Sorted by digest: two that store the same pieces wait for each other, and not both.
    database.insert_new(connection, PIECES, [piece._asdict() for piece in snapshot.new])
    row = {"digest": snapshot.digest, "size": snapshot.size}
    database.insert_new(connection, SNAPSHOTS, [row])
    query = select(SNAPSHOTS.c.id).where(SNAPSHOTS.c.digest == snapshot.digest)
    number = connection.execute(query).scalar_one()
    ids = _Store(connection, database.url).known([digest for digest, _ in snapshot.pieces])
    rows = [
        {"snapshot": number, "position": at, "piece": ids[digest].id, "place": place}
        for at, (digest, place) in enumerate(snapshot.pieces)
    ]
    # Another may have stored the same lock a moment ago: then it has the same pieces.
    database.insert_new(connection, SNAPSHOT_PIECES, rows)


def read_snapshot(connection: Connection, *, url: str, digest: str) -> bytes:
    """Return the text of a lock.

    Args:
        connection: To the registry.
        url: Of the registry.
        digest: The lock digest.

    Raises:
        IntegrityError: It is not there, or not as it was stored; never wrong text.
    """
    return _Store(connection, url).text(digest)


class _Store:
    """What is stored, read through one connection."""

    def __init__(self, connection: Connection, url: str) -> None:
        self._connection = connection
        self._url = url
        self._entries: dict[int, _Entry] = {}

    def known(self, digests: Sequence[bytes]) -> Mapping[bytes, _Entry]:
        """Return those of some pieces that are there."""
        found = {}
        for some in _batches(digests):
            query = select(*_ENTRY).where(PIECES.c.digest.in_(some))
            for row in self._connection.execute(query):
                entry = _Entry(*row)
                found[entry.digest] = entry
        return found

    def places(self, digest: str) -> Mapping[bytes, int]:
        """Return the pieces of a lock by their places, in their order."""
        query = (
            select(SNAPSHOT_PIECES.c.place, SNAPSHOT_PIECES.c.piece)
            .join(SNAPSHOTS, SNAPSHOTS.c.id == SNAPSHOT_PIECES.c.snapshot)
            .where(SNAPSHOTS.c.digest == digest)
            .order_by(SNAPSHOT_PIECES.c.position)
        )
        found = {place: int(piece) for place, piece in self._connection.execute(query)}
        self._load(list(found.values()))
        return found

    def chain(self, piece: int) -> tuple[_Entry, ...]:
        """Return a piece and those that it needs, the root last."""
        chain: list[_Entry] = []
        at: int | None = piece
        while at is not None:
            if at not in self._entries:
                self._load([at])
            entry = self._entries.get(at)
            if entry is None or len(chain) > MAX_DEPTH:
                raise self._damaged(_name(piece), "a chain that ends", "none")
            chain.append(entry)
            at = entry.base
        return tuple(chain)

    def read(self, chain: Sequence[_Entry]) -> bytes:
        """Return the bytes of the first of a chain; they have its digest."""
        query = select(PIECES.c.id, PIECES.c.data)
        query = query.where(PIECES.c.id.in_([entry.id for entry in chain]))
        data = {int(id_): bytes(found) for id_, found in self._connection.execute(query)}
        text: bytes | None = None
        for entry in reversed(chain):
            try:
                text = decompress(data[entry.id], text, entry.size)
            except (KeyError, ValueError) as error:
                expected, actual = f"{entry.size} bytes", "what cannot be unpacked"
                raise self._damaged(_name(entry.id), expected, actual) from error
        assert text is not None  # noqa: S101 - a chain has one piece at least
        self._hold(_name(chain[0].id), chain[0].digest.hex(), text)
        return text

    def text(self, digest: str) -> bytes:
        """See ``read_snapshot``."""
        query = select(SNAPSHOTS.c.id, SNAPSHOTS.c.size).where(SNAPSHOTS.c.digest == digest)
        found = self._connection.execute(query).one_or_none()
        if found is None:
            raise self._damaged(digest, digest, "nothing")
        number, size = found
        if size > _MOST_TEXT:
            raise self._damaged(digest, digest, f"{size} bytes")
        rows = self._connection.execute(
            select(SNAPSHOT_PIECES.c.position, SNAPSHOT_PIECES.c.piece)
            .where(SNAPSHOT_PIECES.c.snapshot == number)
            .order_by(SNAPSHOT_PIECES.c.position)
        ).all()
        if [position for position, _ in rows] != list(range(len(rows))):
            raise self._damaged(digest, digest, "a gap")
        pieces = [int(piece) for _, piece in rows]
        self._load(pieces)
        if sum(self.chain(piece)[0].size for piece in pieces) != size:
            raise self._damaged(digest, f"{size} bytes", "pieces of another size")
        text = b"".join(self.read(self.chain(piece)) for piece in pieces)
        actual = lock_digest(text)
        if actual != digest:
            raise self._damaged(digest, digest, actual)
        return text

    def _load(self, pieces: Sequence[int]) -> None:
        """Learn of pieces and all that they need, in few queries."""
        wanted = [piece for piece in dict.fromkeys(pieces) if piece not in self._entries]
        while wanted:
            bases = []
            for some in _batches(wanted):
                query = select(*_ENTRY).where(PIECES.c.id.in_(some))
                for row in self._connection.execute(query):
                    entry = _Entry(*row)
                    self._entries[entry.id] = entry
                    bases.append(entry.base)
            wanted = [
                base
                for base in dict.fromkeys(bases)
                if base is not None and base not in self._entries
            ]

    def _hold(self, subject: str, expected: str, text: bytes) -> None:
        actual = blake3(text).hexdigest()
        if actual != expected:
            raise self._damaged(subject, f"blake3:{expected}", f"blake3:{actual}")

    def _damaged(self, subject: str, expected: str, actual: str) -> IntegrityError:
        return IntegrityError(
            subject=subject,
            expected=expected,
            actual=actual,
            record=self._url,
            hint=_DAMAGED,
        )


_ENTRY = (PIECES.c.id, PIECES.c.digest, PIECES.c.size, PIECES.c.base, PIECES.c.depth)


def _stored(work: _Work) -> NewPiece:
    """Compress a piece, and see that it can be read back: it is stored for good."""
    stored = compress(
        work.text,
        None if work.base is None else work.base[1],
        None if work.root is None else work.root[1],
    )
    like = (None, work.base, work.root)[stored.base]
    text = decompress(stored.data, None if like is None else like[1], len(work.text))
    if text != work.text:
        message = "a piece of a lock cannot be read back from what is to be stored"
        raise AssertionError(message)
    return NewPiece(
        digest=work.digest,
        size=len(work.text),
        base=None if like is None else like[0].id,
        depth=0 if like is None else like[0].depth + 1,
        data=stored.data,
    )


def _name(piece: int) -> str:
    return f"piece {piece}"


_Value = bytes | int


def _batches(values: Sequence[bytes] | Sequence[int]) -> Iterator[Sequence[_Value]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
