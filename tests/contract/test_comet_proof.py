"""Comet through its real SDK: which versions count, and which are passed over."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from artlock.errors import (
    RegistrationRefusedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.model.refs import MAX_NUMBER, Ref
from artlock.model.registration import Labels, Run
from artlock.tracking.base import Tracker
from artlock.tracking.comet.versions import metadata_of
from testbed.comet import Version
from testbed.faults import Fault
from tests.contract.comet_place import WORKSPACE, CometPlace, refusal, to
from tests.contract.tracker_contract import version_in
from tests.registrations import lockfile, registration, row, simple_lock, text_of, tree

pytestmark = pytest.mark.trackers

BATCH, STATE = "/remote/batch", "/artifacts/state"
UPSERT, RUN = "/artifacts/upsert", "/logger/add/run"
PROD = Labels(aliases=("prod",))
SENT = registration(simple_lock(), labels=PROD)


@pytest.fixture
def tracker(comet: CometPlace) -> Iterator[Tracker]:
    with comet.open() as opened:
        yield opened


def move(version: Version) -> None:
    version.files[1].link = "s3://bucket/elsewhere"


def double(version: Version) -> None:
    version.files.append(version.files[1])


def log(comet: CometPlace, number: str) -> None:
    """Log a version as somebody does who has no artlock."""
    made = comet.server.backend.upsert(
        {
            "experimentKey": comet.run("other").id,
            "artifactName": "data",
            "artifactType": "dataset",
            "version": number,
        }
    )
    comet.server.backend.set_state(
        {"artifactVersionId": made["artifactVersionId"], "state": "CLOSED"}
    )


@pytest.mark.parametrize("spoil", [move, double])
def test_what_was_not_proved_counts_for_nothing(
    comet: CometPlace, tracker: Tracker, spoil: Callable[[Version], None]
) -> None:
    def spoil_it() -> None:
        spoil(comet.server.versions(WORKSPACE, "data")[-1])

    tracker.register(registration(simple_lock("v-0"), labels=PROD))
    comet.server.fail(Fault(kind="before", matches=to(STATE), action=spoil_it))
    with pytest.raises(TrackingError, match=r"`data:2\.0\.0` is not what was sent"):
        tracker.register(SENT)
    comet.server.fail()
    # The alias is where it was, and the next push does not take it for done.
    assert [call.json["alias"] for call in comet.server.calls_to(UPSERT)] == [[], []]
    with comet.open() as other:
        assert other.find(Ref.parse("data@prod")).number == 1
        again = other.register(SENT)
        assert version_in(again).number == 3
        assert again.created
        assert any("`data:2.0.0`" in warning for warning in again.warnings)
        # Whoever names it hears what it is.
        with pytest.raises(TrackingError, match="is not what artlock registered"):
            other.fetch(other.find(Ref.parse("data:v2")))
    with comet.open() as third:
        assert [version.number for version in third.versions("data")] == [3, 1]
        assert third.find(Ref.parse("data@prod")).number == 3
        assert text_of(third.fetch(third.find(Ref(name="data")))) == SENT.text


def test_a_lock_and_its_one_artifact_by_itself_are_told_apart(
    comet: CometPlace, tracker: Tracker
) -> None:
    lock = lockfile(tree("val", row("a.txt", version="1")))
    whole, each = registration(lock), registration(lock, each=True)
    assert whole.digest == each.digest
    versions = [version_in(tracker.register(sent)) for sent in (whole, each, whole, each)]
    assert [version.number for version in versions] == [1, 2, 1, 2]
    assert [version.each for version in versions] == [False, True, False, True]
    assert [version.number for version in tracker.versions("data")] == [2, 1]
    places = [
        [file.place for file in version.files]
        for version in comet.server.versions(WORKSPACE, "data")
    ]
    assert places == [["val/a.txt"], ["a.txt"]]


def test_one_that_was_cut_off_is_waited_for_once(comet: CometPlace) -> None:
    comet.server.backend.upsert(
        {
            "experimentKey": comet.run("other").id,
            "artifactName": "data",
            "artifactType": "dataset",
            "versionMetadata": json.dumps(metadata_of(SENT, None)),
            "version": "1.0.0",
        }
    )
    comet.server.fail(refusal(UPSERT, 400, code=90399))
    start = time.monotonic()
    with (
        comet.open(deadline_s=8) as hasty,
        pytest.raises(TrackerUnavailableError, match="meanwhile"),
    ):
        hasty.register(SENT)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("code", [7000019, 42001])
def test_a_number_that_comet_does_not_take_means_the_next(
    comet: CometPlace, tracker: Tracker, code: int
) -> None:
    comet.server.fail(refusal(UPSERT, 400, code=code, times=1))
    assert version_in(tracker.register(SENT)).number == 2


def test_a_number_beyond_all_is_not_counted_on(comet: CometPlace, tracker: Tracker) -> None:
    log(comet, "9999999999.0.0")
    assert version_in(tracker.register(SENT)).number == 1
    log(comet, f"{MAX_NUMBER - 1}.0.0")
    log(comet, f"{MAX_NUMBER}.0.0")
    comet.server.forget_calls()
    with pytest.raises(RegistrationRefusedError, match="no number left"):
        tracker.register(registration(simple_lock("v-2")))
    assert not comet.server.calls_to(RUN)
    assert not comet.server.writes


def test_a_run_that_is_not_there_is_refused(comet: CometPlace, tracker: Tracker) -> None:
    with pytest.raises(RegistrationRefusedError, match="no such experiment"):
        tracker.register(registration(simple_lock(), run=Run(id="0" * 32)))
    assert comet.server.versions(WORKSPACE, "data") == []


def test_a_version_that_comet_will_not_close_is_said_in_words(
    comet: CometPlace, tracker: Tracker
) -> None:
    comet.server.fail(refusal(STATE, 400, code=90401, text="not now"))
    with pytest.raises(TrackingError, match="it would not close the version: not now"):
        tracker.register(SENT)
