"""Send what waits in the outbox: in order, once, and again later where it must be."""

from __future__ import annotations

import os
import random
import secrets
import socket
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from artlock.errors import (
    ArtlockError,
    ConfigError,
    IntegrityError,
    RefNotFoundError,
    RegistrationRefusedError,
    TrackerDeniedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.formats.lockfile import parse_lockfile
from artlock.model.refs import Ref
from artlock.model.registration import Labels, Registration, lock_digest
from artlock.model.secrets import redact, secrets_of
from artlock.model.uri import Uri
from artlock.tracking.registry import (
    LONGEST_WAIT_S,
    LastError,
    ParcelKind,
    ParcelState,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from artlock.model.registration import TrackerVersion
    from artlock.ops.runtime import Runtime
    from artlock.ops.trackers import Trackers
    from artlock.tracking.base import Tracker
    from artlock.tracking.registry import Outbox, Parcel

_LEASE_S = 3600.0
"""How long a parcel is one process's; that of one that has ended is free at once."""
_PATIENCE_S = 60.0
"""How long one push waits for another that sends to the same tracker at this moment."""
_LOOK_AGAIN_S = 0.2
_FIRST_WAIT_S = 30.0
_DEFECT = LastError(code="internal-error", message="a defect in artlock")
_OF_THE_TRACKER = (TrackerUnavailableError, TrackerDeniedError, ConfigError)
"""What whatever else is sent to the same tracker would fail of, too."""
_ENDED = frozenset({"Z", "X"})
"""States of a process that has ended, and that nobody has asked about yet."""
_INTERRUPTED = LastError(
    code="interrupted", message="the push that sent it was interrupted"
)


class State(StrEnum):
    """What became of something that was to be sent.

    ``WRITTEN`` is what a tracker's own client, set to work offline, has written down for
    its own tool to send. ``WAITING`` is in the outbox; ``REFUSED`` too, but nothing sends
    it again before somebody pushes it anew.
    """

    CREATED = "created"
    UNCHANGED = "unchanged"
    RECORDED = "recorded"
    WRITTEN = "written"
    WAITING = "waiting"
    REFUSED = "refused"

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is left in the outbox."""
        return self not in {State.WAITING, State.REFUSED}


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one thing at one tracker.

    Attributes:
        tracker: Name of the tracker, or its URL.
        version: As it was read back; ``None`` where it is not there.
        next_deed: What a person does next, or empty.
        links: Rows that went as plain links.
        error: Why it waits or was refused.
        labels: That were to be attached.
        parcel: Its number in the outbox; ``None`` if it never was there.
    """

    tracker: str
    name: str
    digest: str
    state: State
    version: TrackerVersion | None = None
    next_deed: str = ""
    links: int = 0
    warnings: tuple[str, ...] = ()
    error: ArtlockError | None = None
    labels: Labels = Labels()
    parcel: int | None = None


class Sender:
    """Sends parcels; what one tracker does not take now keeps no other from its own.

    Args:
        outbox: Where they wait.
        trackers: Who takes them.
        names: What trackers are called, by URL.
        runtime: Whose secrets are kept out of what is remembered.
        patience_s: How long to wait for another push that sends to the same trackers.
    """

    def __init__(
        self,
        outbox: Outbox,
        trackers: Trackers,
        names: Mapping[str, str],
        runtime: Runtime,
        *,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._outbox = outbox
        self._trackers = trackers
        self._names = names
        self._runtime = runtime
        self._owner = _new_owner()
        self._patient_until_s = time.monotonic() + patience_s
        self._failed: set[str] = set()
        """Trackers that did not answer: they are not asked again in this run."""
        self._passed: set[int] = set()
        """Parcels that were tried: nor are these."""
        self._defects: list[Exception] = []

    def send(
        self, targets: frozenset[str] | None = None, *, early: bool
    ) -> Iterator[Delivery]:
        """Send what may be sent, older parcels first, and yield what became of each.

        Args:
            targets: URLs of trackers; ``None`` means all.
            early: Also what is to be tried again later.

        Raises:
            TrackingError: The outbox cannot be read or written.
            Exception: A defect in an adapter, after all else was sent.
        """
        self._free_abandoned()
        wants = True
        while wants:
            parcel = self._outbox.claim(
                now_s=time.time(),
                lease_s=_LEASE_S,
                owner=self._owner,
                only=self._willing(targets),
                without=self._passed,
                early=early,
            )
            if parcel is not None:
                yield self._sent(parcel)
            elif self._free_abandoned():
                pass  # whoever held back the rest was killed meanwhile
            elif targets is not None and self._others_send(targets):
                time.sleep(_LOOK_AGAIN_S)
            else:
                wants = False
        if self._defects:
            raise self._defects.pop()

    def _others_send(self, targets: frozenset[str]) -> bool:
        """Tell whether somebody else on this machine sends to one of these trackers."""
        if time.monotonic() > self._patient_until_s:
            return False
        willing = self._willing(targets)
        return any(
            parcel.state is ParcelState.SENDING
            and parcel.target in willing
            and parcel.owner != self._owner
            and _is_running(parcel.owner)
            for parcel in self._outbox.waiting()
        )

    def _willing(self, targets: frozenset[str] | None) -> frozenset[str]:
        if targets is None:
            targets = frozenset(parcel.target for parcel in self._outbox.waiting())
        return targets - self._failed

    def _free_abandoned(self) -> bool:
        """Give back what a process had that has ended, before its lease does.

        Returns:
            Whether there was any.
        """
        freed = False
        for parcel in self._outbox.waiting():
            if parcel.state is ParcelState.SENDING and _is_gone(parcel.owner):
                is_free = self._outbox.postpone(parcel, error=_INTERRUPTED, next_try_s=0.0)
                freed = freed or is_free
        return freed

    def _sent(self, parcel: Parcel) -> Delivery:
        try:
            delivery = self._deliver(parcel)
        except (RegistrationRefusedError, RefNotFoundError, IntegrityError) as error:
            self._outbox.bury(parcel, error=self._remembered(error))
            return self._left(parcel, State.REFUSED, error)
        except (TrackingError, ConfigError) as error:
            self._passed.add(parcel.id)
            if parcel.kind is ParcelKind.PUSH and isinstance(error, _OF_THE_TRACKER):
                self._failed.add(parcel.target)
            next_try_s = time.time() + _wait_s(parcel.attempts)
            self._outbox.postpone(
                parcel, error=self._remembered(error), next_try_s=next_try_s
            )
            return self._left(parcel, State.WAITING, error)
        except Exception as error:  # noqa: BLE001 - raised when the others are served
            # A defect: what other trackers are to be told is sent all the same.
            self._failed.add(parcel.target)
            self._passed.add(parcel.id)
            self._outbox.postpone(
                parcel,
                error=_DEFECT,
                next_try_s=time.time() + _wait_s(parcel.attempts),
            )
            self._defects.append(error)
            return self._left(parcel, State.WAITING, None)
        except BaseException:
            # Interrupted: it is nobody's now, and the next push sends it.
            self._outbox.postpone(parcel, error=_INTERRUPTED, next_try_s=0.0)
            raise
        self._outbox.done(
            parcel, native=delivery.version.native if delivery.version else ""
        )
        return delivery

    def _deliver(self, parcel: Parcel) -> Delivery:
        target, name = Uri.parse(parcel.target), self._name(parcel)
        if parcel.kind is ParcelKind.INPUT:
            tracker = self._trackers.tracker(target)
            version = _version_of(tracker, parcel)
            if parcel.run is not None:
                tracker.record_input(version, parcel.run)
            return Delivery(
                tracker=name,
                name=parcel.name,
                digest=parcel.digest,
                state=State.RECORDED,
                version=version,
                parcel=parcel.id,
            )
        registration = self._registration(parcel)
        tracker = self._trackers.tracker(target, objects=registration.lock.count())
        outcome = tracker.register(registration)
        state = State.CREATED if outcome.created else State.UNCHANGED
        return Delivery(
            tracker=name,
            name=parcel.name,
            digest=parcel.digest,
            state=State.WRITTEN if outcome.version is None else state,
            version=outcome.version,
            next_deed=outcome.queued,
            links=outcome.links,
            warnings=outcome.warnings,
            labels=parcel.labels,
            parcel=parcel.id,
        )

    def _registration(self, parcel: Parcel) -> Registration:
        text = self._outbox.text(parcel.digest)
        if lock_digest(text) != parcel.digest:
            raise IntegrityError(
                subject=parcel.name,
                expected=parcel.digest,
                actual=lock_digest(text),
                record="the outbox",
                hint="push it again",
            )
        lock = parse_lockfile(text)
        return Registration(
            name=parcel.name,
            digest=parcel.digest,
            lock=lock,
            text=text,
            each=parcel.each,
            trust=lock.trust,
            provenance=parcel.provenance,
            labels=parcel.labels,
            run=parcel.run,
        )

    def _left(self, parcel: Parcel, state: State, error: ArtlockError | None) -> Delivery:
        return Delivery(
            tracker=self._name(parcel),
            name=parcel.name,
            digest=parcel.digest,
            state=state,
            error=error,
            parcel=parcel.id,
        )

    def _name(self, parcel: Parcel) -> str:
        return self._names.get(parcel.target, parcel.target)

    def _remembered(self, error: ArtlockError) -> LastError:
        status = error.status if isinstance(error, TrackingError) else None
        hidden = secrets_of(self._runtime.environ)
        return LastError(
            code=error.code, message=redact(error.message, hidden), status=status
        )


def _version_of(tracker: Tracker, parcel: Parcel) -> TrackerVersion:
    """Return the version that was used: by its digest, whatever its number is by now."""
    version = tracker.find(Ref(name=parcel.name, number=parcel.number))
    if version.digest == parcel.digest:
        return version
    for other in tracker.versions(parcel.name):
        if other.digest == parcel.digest:
            return other
    ref = f"{parcel.name}:v{parcel.number}"
    message = f"`{ref}` is another lock by now than the one that was used"
    raise RefNotFoundError(message, ref=ref)


def _new_owner() -> str:
    """Return a name for one sender: its machine, its process, and itself."""
    pid = os.getpid()
    token = secrets.token_hex(4)
    return f"{_machine()} {pid} {_started(pid)} {token}"


def _machine() -> str:
    """Return what tells whether the numbers of processes mean the same.

    Linux: since the same start, and in the same namespace of processes, for containers
    share names of hosts. Elsewhere the host's name.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - it leads nowhere
    except OSError:
        return socket.gethostname().replace(" ", "_")
    return f"{socket.gethostname()}/{boot}/{namespace}".replace(" ", "_")


def _is_gone(owner: str) -> bool:
    """Tell whether the process that had a parcel has ended; of this machine only."""
    found = _process_of(owner)
    return found is not None and not _runs(*found)


def _is_running(owner: str) -> bool:
    """Tell whether the process that has a parcel runs; of this machine only."""
    found = _process_of(owner)
    return found is not None and _runs(*found)


def _process_of(owner: str) -> tuple[int, str] | None:
    machine, pid, started, *_ = [*owner.split(" "), "", "", ""]
    return (int(pid), started) if machine == _machine() and pid.isdecimal() else None


def _runs(pid: int, started: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is somebody else's process, and it runs
    state, since = _state_of(pid)
    return state not in _ENDED and started in {"", since}


def _started(pid: int) -> str:
    """Return when a process began: another of the same number is not taken for it."""
    return _state_of(pid)[1]


def _state_of(pid: int) -> tuple[str, str]:
    """Return the state of a process and when it began.

    Linux: proc(5), fields 3 and 22 of ``stat``. Elsewhere empty texts: the number alone
    counts.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        fields = stat.rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return "", ""


def _wait_s(attempts: int) -> float:
    """Return how long to wait after so many attempts: longer each time, never alike."""
    wait = min(_FIRST_WAIT_S * 2.0 ** min(attempts, 10), LONGEST_WAIT_S)
    return wait * random.uniform(0.75, 1.0)  # noqa: S311 - spreads load, hides nothing
