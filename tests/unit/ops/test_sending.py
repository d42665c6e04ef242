import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artlock.errors import (
    ConfigError,
    RegistrationRefusedError,
    TrackerDeniedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.model.lock import Lockfile
from artlock.model.registration import Labels, Provenance, Run
from artlock.model.uri import Uri
from artlock.ops import sending
from artlock.ops.runtime import Runtime
from artlock.ops.sending import Delivery, Sender, State
from artlock.tracking.base import Tracker, TrackerContext
from artlock.tracking.registry import (
    NewParcel,
    Outbox,
    ParcelKind,
    ParcelState,
    Registry,
    open_registry,
)
from tests.memory_tracker import MemoryTracker
from tests.registrations import registration, simple_lock

ONE, OTHER = "comet://one/project", "comet://other/project"
NAMES = {ONE: "one", OTHER: "other"}
DOWN = TrackerUnavailableError("no answer", tracker=ONE)
DENIED = TrackerDeniedError("no key", tracker=ONE, status=401)
REFUSED = RegistrationRefusedError("too long", tracker=ONE)
SECRET = "hunter2-hunter2"  # noqa: S105 - it is to be found nowhere


class _Trackers:
    def __init__(self) -> None:
        self.by_url = {ONE: MemoryTracker(), OTHER: MemoryTracker()}

    def tracker(self, url: Uri, *, objects: int = 0) -> Tracker:
        assert objects >= 0
        return self.by_url[str(url)]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    context = TrackerContext(environ={}, base=tmp_path, scratch=tmp_path)
    registry = open_registry(tmp_path / "registry.db", context)
    yield registry
    registry.close()


@pytest.fixture
def outbox(registry: Registry) -> Outbox:
    return registry.outbox


@pytest.fixture
def trackers() -> _Trackers:
    return _Trackers()


@pytest.fixture
def sender(outbox: Outbox, trackers: _Trackers, monkeypatch: pytest.MonkeyPatch) -> Sender:
    monkeypatch.setenv("COMET_API_KEY", SECRET)
    return new_sender(outbox, trackers)


def new_sender(outbox: Outbox, trackers: _Trackers) -> Sender:
    runtime = Runtime.load(os.environ)
    return Sender(outbox, trackers, NAMES, runtime, patience_s=0.5)  # type: ignore[arg-type] # only `tracker` is used


def queue(
    outbox: Outbox,
    lock: Lockfile,
    target: str = ONE,
    *,
    name: str = "data",
    labels: Labels | None = None,
) -> str:
    one = registration(lock, name)
    parcel = NewParcel(
        created=one.provenance.time,
        target=target,
        kind=ParcelKind.PUSH,
        name=name,
        digest=one.digest,
        each=False,
        provenance=one.provenance,
        labels=labels or Labels(),
        run=None,
    )
    outbox.add([parcel], {one.digest: one.text})
    return one.digest


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def states(deliveries: list[Delivery]) -> list[tuple[str, State]]:
    return [(delivery.tracker, delivery.state) for delivery in deliveries]


def test_what_waits_is_sent_in_order_and_once(
    sender: Sender, outbox: Outbox, trackers: _Trackers
) -> None:
    digests = [queue(outbox, simple_lock(f"v-{n}")) for n in range(3)]
    sent = list(sender.send(early=True))
    assert states(sent) == [("one", State.CREATED)] * 3
    assert trackers.by_url[ONE].asked == [f"register data {d}" for d in digests]
    assert outbox.waiting() == []
    assert list(sender.send(early=True)) == []


def test_what_was_sent_is_all_that_was_pushed(
    sender: Sender, outbox: Outbox, trackers: _Trackers
) -> None:
    labels = Labels(aliases=("prod",), tags=("a",), meta=(("k", "v"),))
    lock = simple_lock()
    queue(outbox, lock, labels=labels)
    (delivery,) = sender.send(early=True)
    version = delivery.version
    expected = registration(lock)
    assert version is not None
    assert version.labels == labels
    assert version.provenance == expected.provenance
    assert (version.objects, version.trust) == (lock.count(), lock.trust)
    assert trackers.by_url[ONE].fetch(version) == expected.text


def test_a_tracker_that_is_down_keeps_its_own_and_no_other(
    sender: Sender, outbox: Outbox, trackers: _Trackers
) -> None:
    for version in ("v-1", "v-2"):
        for target in (ONE, OTHER):
            queue(outbox, simple_lock(version), target)
    queue(outbox, simple_lock("v-1"), name="more")
    trackers.by_url[ONE].failures = [DOWN]
    sent = list(sender.send(early=True))
    assert states(sent) == [
        ("one", State.WAITING),
        ("other", State.CREATED),
        ("other", State.CREATED),
    ]
    # It was asked once: what is behind would fail alike.
    assert len(trackers.by_url[ONE].asked) == 1
    left = outbox.waiting()
    assert [(p.target, p.name, p.attempts) for p in left] == [
        (ONE, "data", 1),
        (ONE, "data", 0),
        (ONE, "more", 0),
    ]
    # A later push sends them, in order.
    later = list(new_sender(outbox, trackers).send(early=True))
    assert states(later) == [("one", State.CREATED)] * 3


def test_what_was_tried_in_vain_waits_before_it_is_due_again(
    sender: Sender, outbox: Outbox, trackers: _Trackers
) -> None:
    queue(outbox, simple_lock())
    trackers.by_url[ONE].failures = [DOWN]
    list(sender.send(early=True))
    again = new_sender(outbox, trackers)
    assert list(again.send(early=False)) == []
    assert states(list(again.send(early=True))) == [("one", State.CREATED)]


@pytest.mark.parametrize(
    "failure", [DENIED, ConfigError("no client"), TrackingError("odd", tracker=ONE)]
)
def test_what_somebody_can_mend_waits(
    sender: Sender, outbox: Outbox, trackers: _Trackers, failure: Exception
) -> None:
    queue(outbox, simple_lock())
    trackers.by_url[ONE].failures = [failure]
    (delivery,) = sender.send(early=True)
    assert delivery.state is State.WAITING
    assert delivery.error is failure
    (parcel,) = outbox.waiting()
    assert parcel.state is ParcelState.PENDING
    assert parcel.last_error is not None
    assert parcel.last_error.status == getattr(failure, "status", None)


def test_what_is_refused_lets_the_next_one_pass(
    sender: Sender, outbox: Outbox, trackers: _Trackers
) -> None:
    queue(outbox, simple_lock("v-1"))
    queue(outbox, simple_lock("v-2"))
    trackers.by_url[ONE].failures = [REFUSED]
    assert states(list(sender.send(early=True))) == [
        ("one", State.REFUSED),
        ("one", State.CREATED),
    ]
    (parcel,) = outbox.waiting()
    assert parcel.state is ParcelState.DEAD
    # Not tried again, unless it is pushed anew.
    assert list(new_sender(outbox, trackers).send(early=True)) == []
    queue(outbox, simple_lock("v-1"))
    assert states(list(new_sender(outbox, trackers).send(early=True))) == [
        ("one", State.CREATED)
    ]


def test_labels_that_were_refused_do_not_spoil_the_next_push(
    sender: Sender, outbox: Outbox, trackers: _Trackers
) -> None:
    queue(outbox, simple_lock(), labels=Labels(tags=("too.odd",)))
    trackers.by_url[ONE].failures = [REFUSED]
    list(sender.send(early=True))
    queue(outbox, simple_lock(), labels=Labels(tags=("good",)))
    (delivery,) = new_sender(outbox, trackers).send(early=True)
    assert delivery.version is not None
    assert delivery.version.labels.tags == ("good",)


def test_no_secret_is_remembered(
    sender: Sender, outbox: Outbox, trackers: _Trackers
) -> None:
    queue(outbox, simple_lock())
    trackers.by_url[ONE].failures = [
        TrackingError(f"key {SECRET} is wrong", tracker=ONE, status=500)
    ]
    list(sender.send(early=True))
    (parcel,) = outbox.waiting()
    assert parcel.last_error is not None
    assert SECRET not in parcel.last_error.message
    assert "is wrong" in parcel.last_error.message


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(1)])
def test_what_was_interrupted_is_free_at_once(
    sender: Sender, outbox: Outbox, trackers: _Trackers, end: BaseException
) -> None:
    queue(outbox, simple_lock())
    trackers.by_url[ONE].failures = [end]
    with pytest.raises(type(end)):
        list(sender.send(early=True))
    assert states(list(new_sender(outbox, trackers).send(early=False))) == [
        ("one", State.CREATED)
    ]


def test_a_defect_is_told_when_the_others_are_served(
    sender: Sender, outbox: Outbox, trackers: _Trackers
) -> None:
    for target in (ONE, OTHER):
        queue(outbox, simple_lock(), target)
    trackers.by_url[ONE].failures = [ZeroDivisionError()]
    sent = []
    with pytest.raises(ZeroDivisionError):
        sent += list(sender.send(early=True))
    assert [p.target for p in outbox.waiting()] == [ONE]
    assert trackers.by_url[OTHER].names() == ["data"]


def test_what_cannot_be_sent_holds_back_no_other_name(
    sender: Sender, outbox: Outbox, trackers: _Trackers
) -> None:
    for name in ("bad", "good"):
        queue(outbox, simple_lock("v-1"), name=name)
        queue(outbox, simple_lock("v-2"), name=name)
    trackers.by_url[ONE].failures = [TrackingError("odd", tracker=ONE, status=500)]
    assert states(list(sender.send(early=True))) == [
        ("one", State.WAITING),
        ("one", State.CREATED),
        ("one", State.CREATED),
    ]
    assert [p.name for p in outbox.waiting()] == ["bad", "bad"]


def test_what_a_killed_push_had_is_free_at_once(sender: Sender, outbox: Outbox) -> None:
    queue(outbox, simple_lock())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    owner = f"{sending._machine()} {ended.pid} 1 x"
    assert outbox.claim(now_s=0.0, lease_s=1e12, owner=owner) is not None
    assert states(list(sender.send(early=False))) == [("one", State.CREATED)]


@pytest.mark.parametrize(
    "owner",
    [
        lambda: f"{sending._machine()} 1",
        lambda: f"{sending._machine()} {os.getpid()} {sending._started(os.getpid())} other",
        lambda: "another-machine 999999",
    ],
    ids=["another process", "this process", "another machine"],
)
def test_what_somebody_sends_at_this_moment_is_left_to_them(
    sender: Sender, outbox: Outbox, owner: Callable[[], str]
) -> None:
    queue(outbox, simple_lock("v-1"))
    queue(outbox, simple_lock("v-2"))
    assert outbox.claim(now_s=time.time(), lease_s=600.0, owner=owner()) is not None
    assert list(sender.send(early=True)) == []


def test_what_a_killed_push_had_is_free_also_if_nobody_asked_how_it_ended(
    sender: Sender, outbox: Outbox
) -> None:
    queue(outbox, simple_lock())
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    owner = f"{sending._machine()} {other.pid} {sending._started(other.pid)} x"
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert outbox.claim(now_s=time.time(), lease_s=600.0, owner=owner) is not None
        assert states(list(sender.send(early=False))) == [("one", State.CREATED)]
    finally:
        other.wait()


def test_what_a_push_had_that_is_killed_meanwhile_holds_back_nobody(
    sender: Sender, outbox: Outbox
) -> None:
    for version in ("v-1", "v-2"):
        queue(outbox, simple_lock(version))
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        owner = f"{sending._machine()} {other.pid} {sending._started(other.pid)} x"
        parcel = outbox.claim(now_s=time.time(), lease_s=3600.0, owner=owner)
        assert parcel is not None
        killer = threading.Timer(0.3, end, [other])
        killer.start()
        sent = list(sender.send(frozenset({ONE}), early=True))
        killer.join()
    finally:
        other.kill()
        other.wait()
    assert states(sent) == [("one", State.CREATED)] * 2


def test_an_input_is_recorded(sender: Sender, outbox: Outbox, trackers: _Trackers) -> None:
    digest = queue(outbox, simple_lock())
    list(sender.send(early=True))
    outbox.add([used_by(digest)], {})
    assert states(list(sender.send(early=True))) == [("one", State.RECORDED)]
    tracker = trackers.by_url[ONE]
    assert tracker.lineage(tracker.versions("data")[0]).consumed == (Run(id="eval-7"),)


def test_an_input_is_recorded_at_the_version_of_its_digest(
    sender: Sender, outbox: Outbox, trackers: _Trackers
) -> None:
    queue(outbox, simple_lock("v-1"))
    used = queue(outbox, simple_lock("v-2"))
    list(sender.send(early=True))
    outbox.add([used_by(used, number=1)], {})  # another number than it has by now
    (delivery,) = sender.send(early=True)
    assert delivery.version is not None
    assert delivery.version.number == 2
    tracker = trackers.by_url[ONE]
    newest, first = tracker.versions("data")
    assert tracker.lineage(newest).consumed == (Run(id="eval-7"),)
    assert tracker.lineage(first).consumed == ()


def test_an_input_that_waits_holds_back_no_push(
    sender: Sender, outbox: Outbox, trackers: _Trackers
) -> None:
    digest = queue(outbox, simple_lock("v-1"))
    list(sender.send(early=True))
    outbox.add([used_by(digest)], {})
    queue(outbox, simple_lock("v-2"))
    trackers.by_url[ONE].failures = [DOWN]
    assert states(list(sender.send(early=True))) == [
        ("one", State.WAITING),
        ("one", State.CREATED),
    ]


def used_by(digest: str, *, number: int = 1) -> NewParcel:
    return NewParcel(
        created="2026-11-26T21:00:00Z",
        target=ONE,
        kind=ParcelKind.INPUT,
        name="data",
        digest=digest,
        each=False,
        provenance=Provenance(time="2026-11-26T21:00:00Z"),
        labels=Labels(),
        run=Run(id="eval-7"),
        number=number,
    )


def test_an_input_of_a_version_that_is_gone_is_no_use(
    sender: Sender, outbox: Outbox
) -> None:
    outbox.add([used_by(registration(simple_lock()).digest)], {})
    assert states(list(sender.send(early=True))) == [("one", State.REFUSED)]
