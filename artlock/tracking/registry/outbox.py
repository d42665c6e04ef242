"""The outbox: what other trackers still have to be told, durable and in order.

It only keeps; ``ops`` sends. A parcel goes through these states::

    pending --claim--> sending --done------> done
       ^                  |----bury-------> dead
       +---postpone-------+                   |
       +---the lease ends-+                   |
       +---asked for again (add)--------------+---- also from done

A lease has an end, so that a sender that was killed blocks nobody for ever. Whoever sends
must find what is there already: after a kill the same parcel is sent again.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import and_, delete, not_, or_, select, type_coerce, update
from sqlalchemy.types import NullType

from artlock.errors import ConfigError, RegistrationRefusedError
from artlock.model.registration import Labels, Provenance, Run
from artlock.model.secrets import redact
from artlock.tracking.registry.database import OUTBOX_MUTEX
from artlock.tracking.registry.failures import damaged
from artlock.tracking.registry.parcels import (
    LastError,
    NewParcel,
    Parcel,
    ParcelKind,
    ParcelState,
)
from artlock.tracking.registry.rows import value_of
from artlock.tracking.registry.snapshots import (
    Snapshots,
    has_snapshot,
    prepare_snapshot,
    store_snapshot,
)
from artlock.tracking.registry.tables import OUTBOX
from artlock.tracking.registry.texts import problem_with_keys, problem_with_text, words_of
from artlock.tracking.registry.versions import newest_digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Select

    from artlock.tracking.registry.database import Database
    from artlock.tracking.registry.snapshots import NewSnapshot

_UNSENT = (ParcelState.PENDING, ParcelState.SENDING)
_WAITING = (*_UNSENT, ParcelState.DEAD)
LONGEST_WAIT_S = 3600.0
"""Nothing is postponed for longer."""
_SKEW_S = 60.0
"""What clocks may differ by, so that a lease which another took just now is believed."""
_NO_NUMBER = 1 << 63


class Outbox:
    """The outbox of a registry; two processes may use it at once.

    Every method raises ``TrackingError`` and its subclasses where the database fails, or
    ``LaterRegistryError``, and then has changed nothing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, parcels: Sequence[NewParcel], texts: Mapping[str, bytes]) -> list[Parcel]:
        """Keep parcels and the locks that they send, in one transaction.

        One that is there already, dead and done ones too, is pending again: labels that
        were not sent yet are kept beside the new ones, of which those win. An alias that
        is given to one lock is taken from the others of that target and name that wait:
        only the last word about it is sent.

        Args:
            parcels: In the order in which they are to be sent.
            texts: Canonical texts by lock digest, at least of each push whose lock the
                registry does not hold yet.

        Returns:
            The parcels as they now wait, in the order of ``parcels``.

        Raises:
            ValueError: The text of a push is neither given nor held, a text is not of its
                digest, or a target has a credential; nothing was kept.
            RegistrationRefusedError: Something has characters that the database cannot
                keep, or is too long; nothing was kept.
        """
        for parcel in parcels:
            problem = problem_with_text(*_words_of(parcel))
            if problem := problem or problem_with_keys(parcel.labels, parcel.run):
                message = f"the outbox cannot keep this: {problem}"
                raise RegistrationRefusedError(message, tracker=self._database.url)
            if redact(parcel.target) != parcel.target:
                message = f"the URL of a tracker has a credential: {redact(parcel.target)}"
                raise ValueError(message)
        if not parcels:
            return []
        snapshots = self._prepared(parcels, texts)
        with self._writing() as connection:
            for snapshot in snapshots:
                store_snapshot(self._database, connection, snapshot)
            return [self._put(connection, parcel) for parcel in parcels]

    def claim(
        self,
        *,
        now_s: float,
        lease_s: float,
        owner: str,
        only: Collection[str] | None = None,
        without: Collection[int] = (),
        early: bool = False,
    ) -> Parcel | None:
        """Take the oldest parcel that may be sent, and lease it.

        Parcels of one target, kind and name are sent one after another in their order:
        one waits for all that are older and not done or dead, so that one that is not due,
        or that somebody else sends, holds back the later ones of its pair and no other.

        Args:
            now_s: The time, in seconds since the epoch.
            lease_s: How long nobody else may send it, in seconds; longer than it can take.
            owner: Who sends; other text for every process, and never empty.
            only: Targets; ``None`` for all.
            without: Parcels that are passed over, and hold back the later ones of their
                pair as if they were not due.
            early: Whether to take also what is not due yet.
        """
        if self._database.is_absent:
            return None
        broken: list[int] = []
        with self._writing() as connection:
            while True:
                query = select(OUTBOX).where(
                    _may_be_sent(now_s, lease_s, broken, early=early)
                )
                if only is not None:
                    query = query.where(OUTBOX.c.target.in_(sorted(only)))
                if left := _numbers([*without, *broken]):
                    query = query.where(OUTBOX.c.id.not_in(left))
                found = _rows(connection, query.order_by(OUTBOX.c.id).limit(1))
                if not found:
                    return None
                id_ = found[0]["id"]
                if self._read(found[0]) is not None:
                    break
                broken.append(id_)
            same = OUTBOX.c.id == id_
            connection.execute(
                update(OUTBOX)
                .where(same)
                .values(
                    state=ParcelState.SENDING.value,
                    owner=owner,
                    lease_until=now_s + lease_s,
                    attempts=OUTBOX.c.attempts + 1,
                )
            )
            (row,) = _rows(connection, select(OUTBOX).where(same))
            return _parcel(row)

    def text(self, digest: str) -> bytes:
        """Return the canonical text of a lock that was kept.

        Raises:
            IntegrityError: It is damaged, or not there.
        """
        if self._database.is_absent:
            raise damaged(self._database.url, digest, digest, "nothing")
        with self._database.reading() as connection:
            return Snapshots(connection, self._database.url).text(digest)

    def done(self, parcel: Parcel, *, native: str) -> bool:
        """Note that a parcel arrived.

        If the same was asked for again meanwhile, it is pending once more.

        Args:
            parcel: As ``claim`` gave it.
            native: What the tracker calls the version.

        Returns:
            Whether the lease was still the caller's; else nothing was changed.
        """
        values = {"native": native, "last_error": None, "next_try": 0.0}
        return self._end(parcel, ParcelState.DONE, values)

    def postpone(self, parcel: Parcel, *, error: LastError, next_try_s: float) -> bool:
        """Note that a parcel could not be sent now.

        Args:
            parcel: As ``claim`` gave it.
            error: Why; credentials are taken out of its message.
            next_try_s: When it is due again, in seconds since the epoch.

        Returns:
            As ``done``.
        """
        values = {"last_error": self._error(error), "next_try": next_try_s}
        return self._end(parcel, ParcelState.PENDING, values)

    def bury(self, parcel: Parcel, *, error: LastError) -> bool:
        """Note that a parcel will never be taken as it is; later ones need not wait.

        Args and Returns:
            As ``postpone``.
        """
        return self._end(parcel, ParcelState.DEAD, {"last_error": self._error(error)})

    def waiting(self) -> list[Parcel]:
        """Return what has not arrived, dead parcels included, the oldest first.

        A row that cannot be read is left out, and the person is told of it.
        """
        if self._database.is_absent:
            return []
        with self._database.reading() as connection:
            # Also what is in no state that there is.
            query = select(OUTBOX).where(OUTBOX.c.state != ParcelState.DONE.value)
            rows = _rows(connection, query.order_by(OUTBOX.c.id))
            return [parcel for row in rows if (parcel := self._read(row)) is not None]

    def drop(self, id: int) -> Parcel:  # noqa: A002 - what the parcel calls it
        """Forget a parcel that has not arrived; it is not sent, or not again.

        Returns:
            What it was; of a row that cannot be read what is left of it.

        Raises:
            ConfigError: Nothing waits under that number.
        """
        message = f"nothing waits in the outbox under `{id}`"
        nothing = ConfigError(message, hint="`artlock push --outbox` shows what waits")
        if self._database.is_absent or not _numbers([id]):
            raise nothing
        with self._writing() as connection:
            same = OUTBOX.c.id == id
            rows = _rows(connection, select(OUTBOX).where(same))
            if not rows or rows[0]["state"] == ParcelState.DONE.value:
                raise nothing
            connection.execute(delete(OUTBOX).where(same))
            try:
                return _parcel(rows[0])
            except ValueError:
                return _remains(rows[0])

    def _read(self, row: Mapping[str, Any]) -> Parcel | None:
        """Return a row as a parcel; of one that is damaged the person is told."""
        try:
            return _parcel(row)
        except ValueError:
            number = row["id"]
            self._database.tell(
                f"row {number} of the outbox in `{self._database.url}` is damaged, and is"
                f" not sent: `artlock push --drop {number}` forgets it"
            )
            return None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Lend the connection for one transaction, in which nobody else changes parcels."""
        with self._database.writing() as connection:
            self._database.hold(connection, OUTBOX_MUTEX)
            yield connection

    def _prepared(
        self, parcels: Sequence[NewParcel], texts: Mapping[str, bytes]
    ) -> list[NewSnapshot]:
        """Make the snapshots that are not there, before the transaction: it takes long."""
        pushes = {p.digest: p.name for p in parcels if p.kind is ParcelKind.PUSH}
        wanted = {**pushes, **{digest: "" for digest in texts if digest not in pushes}}
        prepared = []
        with self._database.reading() as connection:
            for digest in sorted(wanted):
                if has_snapshot(connection, digest):
                    continue
                if digest not in texts:
                    message = f"the text of `{digest}` is not there"
                    raise ValueError(message)
                name = wanted[digest]
                like = newest_digest(connection, name) or _last_digest(connection, name)
                prepared.append(
                    prepare_snapshot(
                        connection,
                        url=self._database.url,
                        digest=digest,
                        text=texts[digest],
                        like=like,
                    )
                )
        return prepared

    def _put(self, connection: Connection, parcel: NewParcel) -> Parcel:
        run = parcel.run or Run(id="")
        key = {
            "target": parcel.target,
            "kind": parcel.kind.value,
            "name": parcel.name,
            "digest": parcel.digest,
            "run_service": run.service,
            "run": run.id,
        }
        fresh = {
            **key,
            "created": parcel.created,
            "each": parcel.each,
            "number": parcel.number,
            "provenance": _text(parcel.provenance),
            "labels": _text(parcel.labels),
            "state": ParcelState.PENDING.value,
            "attempts": 0,
            "next_try": 0.0,
            "last_error": None,
            "native": "",
            "owner": "",
            "lease_until": 0.0,
            "revision": 0,
        }
        self._database.insert_new(connection, OUTBOX, [fresh])
        same = and_(*(OUTBOX.c[column] == value for column, value in key.items()))
        query = select(OUTBOX).where(same)
        row = _rows(connection, query)[0]
        id_ = row["id"]
        try:
            there = _parcel(row)
        except ValueError:  # it is written anew: all that it should be is at hand
            connection.execute(update(OUTBOX).where(OUTBOX.c.id == id_).values(**fresh))
            there = _parcel(_rows(connection, query)[0])
        if there.state in {ParcelState.DONE, ParcelState.DEAD}:
            # The old ones arrived, and may have moved on since; or it was for them that
            # it was refused.
            labels = parcel.labels
        else:
            labels = _merged(there.labels, parcel.labels)
        is_sending = there.state is ParcelState.SENDING
        connection.execute(
            update(OUTBOX)
            .where(OUTBOX.c.id == id_)
            .values(
                state=(ParcelState.SENDING if is_sending else ParcelState.PENDING).value,
                labels=_text(labels),
                next_try=there.next_try if is_sending else 0.0,
                revision=there.revision + 1,
            )
        )
        self._take_aliases(connection, parcel, id_)
        return _parcel(_rows(connection, query)[0])

    def _take_aliases(self, connection: Connection, parcel: NewParcel, id_: int) -> None:
        taken = set(parcel.labels.aliases)
        if not taken:
            return
        others = select(OUTBOX).where(
            OUTBOX.c.target == parcel.target,
            OUTBOX.c.name == parcel.name,
            OUTBOX.c.digest != parcel.digest,
            OUTBOX.c.id != id_,
            OUTBOX.c.state.in_(_values(_WAITING)),
        )
        for row in _rows(connection, others):
            other = self._read(row)
            if other is None:
                continue  # it is not sent
            if taken.isdisjoint(other.labels.aliases):
                continue
            left = tuple(alias for alias in other.labels.aliases if alias not in taken)
            labels = msgspec.structs.replace(other.labels, aliases=left)
            connection.execute(
                update(OUTBOX).where(OUTBOX.c.id == other.id).values(labels=_text(labels))
            )

    def _end(
        self, parcel: Parcel, state: ParcelState, values: Mapping[str, object]
    ) -> bool:
        with self._writing() as connection:
            mine = and_(
                OUTBOX.c.id == parcel.id,
                OUTBOX.c.state == ParcelState.SENDING.value,
                OUTBOX.c.owner == parcel.owner,
                OUTBOX.c.attempts == parcel.attempts,
            )
            found = value_of(connection, select(OUTBOX.c.revision).where(mine), int)
            if found is None:
                return False
            if found != parcel.revision:
                state, values = ParcelState.PENDING, {**values, "next_try": 0.0}
            connection.execute(
                update(OUTBOX)
                .where(OUTBOX.c.id == parcel.id)
                .values(state=state.value, lease_until=0.0, **values)
            )
            return True

    def _error(self, error: LastError) -> str:
        message = redact(error.message, self._database.secrets)
        return _text(msgspec.structs.replace(error, message=message))


def problems_with_parcels(connection: Connection) -> Iterator[str]:
    """Yield one phrase for each row of the outbox that cannot be read."""
    for row in _rows(connection, select(OUTBOX).order_by(OUTBOX.c.id)):
        try:
            _parcel(row)
        except ValueError as error:
            yield f"row {row['id']} of the outbox cannot be read: {error}"


def _may_be_sent(
    now_s: float, lease_s: float, broken: Collection[int], *, early: bool
) -> ColumnElement[bool]:
    older = OUTBOX.alias("older")
    same_pair = and_(
        older.c.target == OUTBOX.c.target,
        older.c.name == OUTBOX.c.name,
        # Who used a version has no order with what is pushed later.
        older.c.kind == OUTBOX.c.kind,
        older.c.id.not_in(_numbers(broken)),
    )
    last_s = now_s + lease_s + _SKEW_S
    held_back = (
        select(older.c.id)
        .where(
            same_pair,
            or_(
                and_(older.c.id < OUTBOX.c.id, older.c.state.in_(_values(_UNSENT))),
                # A later one that is being sent: this one was asked for again meanwhile.
                and_(
                    older.c.id != OUTBOX.c.id,
                    older.c.state == ParcelState.SENDING.value,
                    older.c.lease_until > now_s,
                    older.c.lease_until <= last_s,
                ),
            ),
        )
        .exists()
    )
    is_due = OUTBOX.c.state == ParcelState.PENDING.value
    if not early:
        wait_s = LONGEST_WAIT_S + _SKEW_S
        until = OUTBOX.c.next_try
        is_due = and_(is_due, or_(until <= now_s, until > now_s + wait_s))
    until = OUTBOX.c.lease_until
    is_left = and_(
        OUTBOX.c.state == ParcelState.SENDING.value, or_(until <= now_s, until > last_s)
    )
    return and_(or_(is_due, is_left), not_(held_back))


def _last_digest(connection: Connection, name: str) -> str | None:
    """Return what was last kept for a name, to which the next is likely to be close."""
    query = (
        select(OUTBOX.c.digest)
        .where(OUTBOX.c.name == name, OUTBOX.c.kind == ParcelKind.PUSH.value)
        .order_by(OUTBOX.c.id.desc())
        .limit(1)
    )
    return value_of(connection, query, str)


def _merged(old: Labels, new: Labels) -> Labels:
    return Labels(
        aliases=tuple(sorted({*old.aliases, *new.aliases})),
        tags=tuple(sorted({*old.tags, *new.tags})),
        meta=tuple(sorted({**dict(old.meta), **dict(new.meta)}.items())),
    )


def _rows(connection: Connection, query: Select[Any]) -> list[dict[str, Any]]:
    """Return rows of the outbox by their columns, of any types but for the number."""
    # Without the types of columns: what those do not take would end the whole query.
    plain = query.with_only_columns(
        *(type_coerce(column, NullType()).label(column.name) for column in OUTBOX.c)
    )
    found = connection.execute(plain).mappings()
    return [{str(name): value for name, value in row.items()} for row in found]


def _parcel(row: Mapping[str, Any]) -> Parcel:
    """Return a row as a parcel.

    Raises:
        ValueError: It is none.
    """
    try:
        run = Run(id=row["run"], service=row["run_service"]) if row["run"] else None
        error = row["last_error"]
        whole = {
            **row,
            "each": {0: False, 1: True}[row["each"]],
            "run": None if run is None else msgspec.structs.asdict(run),
            "provenance": msgspec.json.decode(row["provenance"], type=Provenance),
            "labels": msgspec.json.decode(row["labels"], type=Labels),
            "last_error": msgspec.json.decode(error, type=LastError) if error else None,
        }
        return msgspec.convert(whole, Parcel)
    except (KeyError, TypeError) as wrong:  # SQLite keeps any value in any column
        raise ValueError(str(wrong)) from wrong


def _remains(row: Mapping[str, Any]) -> Parcel:
    """Return what can be read of a damaged row."""

    def text(column: str) -> str:
        return row[column] if isinstance(row[column], str) else ""

    kinds = {kind.value for kind in ParcelKind}
    return Parcel(
        id=int(row["id"]),
        created=text("created"),
        target=text("target"),
        name=text("name"),
        digest=text("digest"),
        kind=ParcelKind(row["kind"]) if row["kind"] in kinds else ParcelKind.PUSH,
        each=False,
        provenance=Provenance(time=text("created")),
        labels=Labels(),
        state=ParcelState.DEAD,
        attempts=0,
        next_try=0.0,
    )


def _words_of(parcel: NewParcel) -> Iterator[str | None]:
    """Yield all the text of a parcel that the database keeps."""
    yield from (parcel.created, parcel.target, parcel.name, parcel.digest)
    yield from words_of(parcel.provenance, parcel.labels, parcel.run)


def _numbers(ids: Collection[int]) -> list[int]:
    """Return those that may be numbers of parcels; databases have an end to integers."""
    return sorted({id_ for id_ in ids if 0 < id_ < _NO_NUMBER})


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _values(states: Sequence[ParcelState]) -> list[str]:
    return [state.value for state in states]
