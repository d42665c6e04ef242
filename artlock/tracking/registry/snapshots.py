"""The locks themselves: each text once, in pieces that versions share.

Nothing is ever deleted here, so what was read before a transaction still holds in it: the
pieces are made first, and the transaction only inserts. Whatever is read is held against
its digests, that of each piece and that of the whole.

A piece that is damaged is written anew, by itself, as soon as somebody pushes a lock that
has it: then its true text is at hand. All versions that share it are whole again.
"""

from __future__ import annotations

import os
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from blake3 import blake3
from sqlalchemy import select, update

from artlock.engine.threads import each
from artlock.errors import IntegrityError
from artlock.model.registration import lock_digest
from artlock.tracking.registry.failures import damaged
from artlock.tracking.registry.pieces import MAX_DEPTH, compress, cut, decompress
from artlock.tracking.registry.rows import rows_of, value_of
from artlock.tracking.registry.tables import PIECES, SNAPSHOT_PIECES, SNAPSHOTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Row

    from artlock.tracking.registry.database import Database

_AT_ONCE = 500
"""Values in one query; SQLite once took 999."""
_SOME_PIECE = "a piece"
_MOST_TEXT = 1 << 32
"""Bytes of a lock; a registry that came from anybody does not fill the memory."""


class TextError(ValueError):
    """A text is not of its digest, or is longer than the registry takes."""


class NewPiece(msgspec.Struct, frozen=True, gc=False):
    """A piece that the registry does not hold, or holds damaged, as it will be stored."""

    digest: bytes
    size: int
    base: int | None
    depth: int
    data: bytes


class NewSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A lock that the registry does not hold yet, or not whole.

    Attributes:
        digest: The lock digest.
        size: Of the text, in bytes.
        pieces: ``(digest, place)`` of all pieces in their order.
        new: Those that are not there; sorted by digest, no two equal.
        healing: Those that are there and damaged, by themselves; as ``new``.
    """

    digest: str
    size: int
    pieces: tuple[tuple[bytes, bytes], ...]
    new: tuple[NewPiece, ...]
    healing: tuple[NewPiece, ...] = ()


class _Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A piece that the registry holds, without its data."""

    id: int
    digest: bytes
    size: int
    base: int | None
    depth: int


class _Work(msgspec.Struct, frozen=True, gc=False):
    """A piece, and what it may be stored by."""

    digest: bytes
    text: bytes
    base: tuple[_Entry, bytes] | None = None
    root: tuple[_Entry, bytes] | None = None


def has_snapshot(connection: Connection, digest: str) -> bool:
    """Tell whether the registry holds a lock; whether it can be read is not looked at."""
    query = select(SNAPSHOTS.c.id).where(SNAPSHOTS.c.digest == digest)
    return value_of(connection, query, int) is not None


def is_whole(connection: Connection, *, url: str, digest: str) -> bool:
    """Tell whether the registry holds a lock and can give it back; reads all of it."""
    if not has_snapshot(connection, digest):
        return False
    try:
        Snapshots(connection, url).text(digest)
    except IntegrityError:
        return False  # who asks has the text, and stores what is damaged again
    return True


def prepare_snapshot(
    connection: Connection, *, url: str, digest: str, text: bytes, like: str | None
) -> NewSnapshot:
    """Cut and compress a lock, before the transaction that stores it.

    A piece that is there counts only if it can be read back and is the same.

    Args:
        connection: To look at what is there.
        url: Of the registry.
        digest: The lock digest.
        text: The canonical text.
        like: The digest of a lock that is probably close to it, if there is any.

    Raises:
        TextError: The text is not of the digest, or longer than 4 GiB.
    """
    if lock_digest(text) != digest or len(text) > _MOST_TEXT:
        message = f"the text of `{digest}` has another digest, or more than 4 GiB"
        raise TextError(message)
    cuts = [(blake3(piece.text).digest(), piece) for piece in cut(text)]
    store = Snapshots(connection, url)
    known = store.known([piece_digest for piece_digest, _ in cuts])
    places = _places_like(store, like)
    broken: set[bytes] = set()

    def work() -> Iterator[_Work]:
        """Read what is needed, one piece after another: ``each`` asks under a mutex."""
        seen: set[bytes] = set()
        near = next(iter(places.values()), None)
        for piece_digest, piece in cuts:
            near = places.get(piece.place, near)
            if piece_digest in seen:
                continue
            seen.add(piece_digest)
            if piece_digest in known:
                if not _is_same(store, known[piece_digest], piece.text):
                    broken.add(piece_digest)
                    # By itself: what it was built on may be what is damaged.
                    yield _Work(piece_digest, piece.text)
                continue
            base, root = _likenesses(store, near)
            yield _Work(piece_digest, piece.text, base, root)

    new = []
    for outcome in each(_stored, work(), workers=min(os.cpu_count() or 1, 4)):
        if outcome.error is not None:
            raise outcome.error
        assert outcome.result is not None  # noqa: S101 - one of both, says `Outcome`
        new.append(outcome.result)
    new.sort(key=attrgetter("digest"))
    return NewSnapshot(
        digest=digest,
        size=len(text),
        pieces=tuple((piece_digest, piece.place) for piece_digest, piece in cuts),
        new=tuple(piece for piece in new if piece.digest not in broken),
        healing=tuple(piece for piece in new if piece.digest in broken),
    )


def store_snapshot(
    database: Database, connection: Connection, snapshot: NewSnapshot
) -> None:
    """Store a prepared lock in the caller's transaction; it may be there by now.

    Raises:
        IntegrityError: It was there and damaged, and more than its pieces is.
    """
    # Sorted by digest: two that store the same pieces wait for each other, and not both.
    database.insert_new(
        connection, PIECES, [msgspec.structs.asdict(piece) for piece in snapshot.new]
    )
    for piece in snapshot.healing:
        values = msgspec.structs.asdict(piece)
        same = PIECES.c.digest == piece.digest
        connection.execute(update(PIECES).where(same).values(**values))
    store = Snapshots(connection, database.url)
    if has_snapshot(connection, snapshot.digest):
        store.text(snapshot.digest)  # it was not whole, or another stored it just now
        return
    row = {"digest": snapshot.digest, "size": snapshot.size}
    database.insert_new(connection, SNAPSHOTS, [row])
    query = select(SNAPSHOTS.c.id).where(SNAPSHOTS.c.digest == snapshot.digest)
    number = value_of(connection, query, int)
    ids = store.known([digest for digest, _ in snapshot.pieces])
    rows = []
    for at, (digest, place) in enumerate(snapshot.pieces):
        entry = ids.get(digest)
        if entry is None:
            raise damaged(database.url, _SOME_PIECE, digest.hex(), "nothing")
        rows.append({"snapshot": number, "position": at, "piece": entry.id, "place": place})
    # Another may have stored the same lock a moment ago: then it has the same pieces.
    database.insert_new(connection, SNAPSHOT_PIECES, rows)


class Snapshots:
    """The locks that a registry holds, read in one transaction.

    Args:
        connection: In a transaction of the caller, to the end of which this is of use.
        url: Of the registry.
    """

    def __init__(self, connection: Connection, url: str) -> None:
        self._connection = connection
        self._url = url
        self._entries: dict[int, _Entry] = {}

    def known(self, digests: Sequence[bytes]) -> Mapping[bytes, _Entry | None]:
        """Return those of some pieces that are there; ``None`` for what is damaged."""
        found: dict[bytes, _Entry | None] = {}
        for some in _batches(digests):
            query = select(*_ENTRY).where(PIECES.c.digest.in_(some))
            for row in self._connection.execute(query):
                try:
                    found[row[1]] = self._entry(row)
                except IntegrityError:
                    found[row[1]] = None  # who asks has its text
        return found

    def places(self, digest: str) -> Mapping[bytes, int]:
        """Return the pieces of a lock by their places, in their order."""
        query = (
            select(SNAPSHOT_PIECES.c.place, SNAPSHOT_PIECES.c.piece)
            .join(SNAPSHOTS, SNAPSHOTS.c.id == SNAPSHOT_PIECES.c.snapshot)
            .where(SNAPSHOTS.c.digest == digest)
            .order_by(SNAPSHOT_PIECES.c.position)
        )
        found = dict(rows_of(self._connection, query, tuple[bytes, int]))
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
        data = dict(rows_of(self._connection, query, tuple[int, bytes]))
        text: bytes | None = None
        for entry in reversed(chain):
            try:
                text = decompress(data[entry.id], text, entry.size)
            except (KeyError, TypeError, ValueError) as error:
                expected, actual = f"{entry.size} bytes", "what cannot be unpacked"
                raise self._damaged(_name(entry.id), expected, actual) from error
        assert text is not None  # noqa: S101 - a chain has one piece at least
        self._hold(_name(chain[0].id), chain[0].digest.hex(), text)
        return text

    def text(self, digest: str) -> bytes:
        """Return the text of a lock.

        Raises:
            IntegrityError: It is not there, or not as it was stored; never wrong text.
        """
        query = select(SNAPSHOTS.c.id, SNAPSHOTS.c.size).where(SNAPSHOTS.c.digest == digest)
        found = rows_of(self._connection, query, tuple[int, int])
        if len(found) != 1:
            raise self._damaged(digest, digest, f"{len(found)} locks")
        number, size = found[0]
        if not 0 <= size <= _MOST_TEXT:
            raise self._damaged(digest, digest, f"{size} bytes")
        query = (
            select(SNAPSHOT_PIECES.c.position, SNAPSHOT_PIECES.c.piece)
            .where(SNAPSHOT_PIECES.c.snapshot == number)
            .order_by(SNAPSHOT_PIECES.c.position)
        )
        rows = rows_of(self._connection, query, tuple[int, int])
        if [position for position, _ in rows] != list(range(len(rows))):
            raise self._damaged(digest, digest, "a gap")
        pieces = [piece for _, piece in rows]
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
        for _ in range(MAX_DEPTH + 1):  # a longer chain is none of ours, `chain` says so
            if not wanted:
                return
            bases = []
            for some in _batches(wanted):
                query = select(*_ENTRY).where(PIECES.c.id.in_(some))
                for entry in rows_of(self._connection, query, _Entry):
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
        return damaged(self._url, subject, expected, actual)

    def _entry(self, row: Row[*tuple[Any, ...]]) -> _Entry:
        """Take a row for what it is; SQLite keeps any value in any column."""
        try:
            return msgspec.convert(tuple(row), _Entry)
        except msgspec.ValidationError as error:
            actual = str(error)
            raise self._damaged(_SOME_PIECE, "its columns", actual) from error


_ENTRY = (PIECES.c.id, PIECES.c.digest, PIECES.c.size, PIECES.c.base, PIECES.c.depth)


def _places_like(store: Snapshots, like: str | None) -> Mapping[bytes, int]:
    """Return the pieces of a lock that may help to store another; none if it is damaged."""
    try:
        return {} if like is None else store.places(like)
    except IntegrityError:
        return {}  # it only makes things shorter, and `verify` tells of the damage


_Likeness = tuple[_Entry, bytes]


def _likenesses(
    store: Snapshots, near: int | None
) -> tuple[_Likeness | None, _Likeness | None]:
    """Return what a piece may be stored by: its base, or the root of a chain at its end."""
    if near is None:
        return None, None
    try:
        chain = store.chain(near)
        if len(chain) <= MAX_DEPTH:
            return (chain[0], store.read(chain)), None
        return None, (chain[-1], store.read(chain[-1:]))
    except IntegrityError:
        return None, None  # nothing new is built on damage; the piece stands by itself


def _is_same(store: Snapshots, entry: _Entry | None, text: bytes) -> bool:
    """Tell whether a piece that is there can be read and is what it should be."""
    if entry is None:
        return False
    try:
        return store.read(store.chain(entry.id)) == text
    except IntegrityError:
        return False  # it is stored again


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
