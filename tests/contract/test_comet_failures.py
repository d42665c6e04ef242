"""Comet through its real SDK, where something goes wrong on the way."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from artlock.errors import (
    RefNotFoundError,
    RegistrationRefusedError,
    TrackerDeniedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.model.refs import Ref
from artlock.model.registration import Labels, Registration, Run
from artlock.tracking.base import Tracker
from artlock.tracking.comet.plan import Unversioned, plan_of
from artlock.tracking.comet.tracker import CometTracker
from artlock.tracking.comet.versions import lock_tag, metadata_of
from testbed.comet import API_KEY, CometServer
from testbed.faults import Fault
from tests.contract.comet_place import PROJECT, WORKSPACE, CometPlace, refusal, to
from tests.contract.tracker_contract import version_in
from tests.registrations import lockfile, registration, row, simple_lock, text_of, tree

pytestmark = pytest.mark.trackers

BATCH, STATE = "/remote/batch", "/artifacts/state"
UPSERT, LIST, RUN = "/artifacts/upsert", "/artifacts/get", "/logger/add/run"
HTML = b"<html><body>Sign in to the guest network</body></html>"
SENT = registration(simple_lock())


def page(ending: str, status: int) -> Fault:
    return Fault(
        kind="status",
        matches=to(ending),
        status=status,
        body=HTML,
        headers={"Content-Type": "text/html"},
    )


@pytest.fixture
def tracker(comet: CometPlace) -> Iterator[Tracker]:
    with comet.open() as opened:
        yield opened


@pytest.fixture
def hasty(comet: CometPlace) -> Iterator[Tracker]:
    """Yield a tracker that waits for nobody longer than some seconds."""
    with comet.open(deadline_s=8) as opened:
        yield opened


def counts_for_nothing(comet: CometPlace, tracker: Tracker) -> None:
    assert comet.server.closed(WORKSPACE, "data") == []
    with pytest.raises(RefNotFoundError):
        tracker.find(Ref(name="data"))


class TestFailures:
    def test_a_refused_batch_is_a_failed_version(
        self, comet: CometPlace, tracker: Tracker
    ) -> None:
        comet.server.fail(refusal(BATCH, 400, code=90000, text="bad asset"))
        with pytest.raises(TrackingError, match="answered 400") as caught:
            tracker.register(SENT)
        assert type(caught.value) is TrackingError
        assert {call.json["state"] for call in comet.server.calls_to(STATE)} == {"ERROR"}
        counts_for_nothing(comet, tracker)
        comet.server.fail()
        again = version_in(tracker.register(SENT))
        assert again.number == 2  # the number of what failed is gone
        assert again.parent is None

    @pytest.mark.slow
    def test_a_forbidden_batch_needs_somebody(
        self, comet: CometPlace, tracker: Tracker
    ) -> None:
        comet.server.fail(refusal(BATCH, 403, code=90210))
        with pytest.raises(TrackerDeniedError, match="may not write to this workspace"):
            tracker.register(SENT)
        counts_for_nothing(comet, tracker)

    def test_a_batch_that_is_too_large_is_refused(
        self, comet: CometPlace, tracker: Tracker
    ) -> None:
        comet.server.fail(page(BATCH, 413))
        with pytest.raises(RegistrationRefusedError, match="413"):
            tracker.register(SENT)
        counts_for_nothing(comet, tracker)

    def test_a_large_refused_batch_is_not_mourned_row_by_row(
        self, comet: CometPlace, tracker: Tracker
    ) -> None:
        rows = (row(f"{number:05}", version=f"v{number}") for number in range(2000))
        comet.server.fail(
            refusal(BATCH, 413),
            Fault(kind="stall", after=0, seconds=0.05, matches=to(STATE)),
        )
        start = time.monotonic()
        with pytest.raises(RegistrationRefusedError, match="413"):
            tracker.register(registration(lockfile(tree("val", *rows))))
        assert time.monotonic() - start < 15
        assert len(comet.server.calls_to(STATE)) < 200

    @pytest.mark.slow
    def test_a_version_that_is_not_closed_counts_for_nothing(
        self, comet: CometPlace, hasty: Tracker
    ) -> None:
        comet.server.fail(refusal(STATE, 400, code=90401, text="cannot close"))
        with pytest.raises(TrackingError, match=r"cannot close|did not finish"):
            hasty.register(SENT)
        counts_for_nothing(comet, hasty)
        comet.server.fail()
        assert version_in(hasty.register(SENT)).number == 2
        assert comet.server.closed(WORKSPACE, "data") == ["2.0.0"]

    @pytest.mark.slow
    def test_throttling_for_ever_ends_with_the_deadline(
        self, comet: CometPlace, hasty: Tracker
    ) -> None:
        comet.server.fail(refusal(BATCH, 429))
        start = time.monotonic()
        with pytest.raises(TrackerUnavailableError):
            hasty.register(SENT)
        assert time.monotonic() - start < 12
        counts_for_nothing(comet, hasty)

    @pytest.mark.slow
    def test_a_server_that_vanishes_leaves_nothing_behind(
        self, comet: CometPlace, hasty: Tracker
    ) -> None:
        gone = Fault(kind="reset", after=0)
        leave = Fault(
            kind="before", matches=to(BATCH), action=lambda: comet.server.fail(gone)
        )
        lost = Fault(kind="reset", after=0, matches=to(BATCH))
        comet.server.fail(leave, lost)
        with pytest.raises(TrackerUnavailableError):
            hasty.register(SENT)
        comet.server.fail()
        counts_for_nothing(comet, hasty)
        assert not [*comet.scratch.rglob("*.zip")]
        assert version_in(hasty.register(SENT)).number == 2

    @pytest.mark.slow
    def test_silence_ends_with_the_deadline(
        self, comet: CometPlace, hasty: Tracker
    ) -> None:
        comet.server.fail(Fault(kind="stall", after=1, seconds=30, matches=to(LIST)))
        with pytest.raises(TrackerUnavailableError, match="within 8 s"):
            hasty.versions("data")
        # The next question has a client of its own.
        comet.server.fail()
        with pytest.raises(RefNotFoundError):
            hasty.versions("data")

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            (refusal(LIST, 401), TrackerDeniedError),
            (refusal(LIST, 403), TrackerDeniedError),
            (refusal(LIST, 400, code=90219), TrackerDeniedError),
            (refusal(LIST, 409), TrackingError),
            (refusal(LIST, 413), RegistrationRefusedError),
            (refusal(LIST, 429), TrackerUnavailableError),
            (refusal(LIST, 500), TrackerUnavailableError),
            (page(LIST, 200), TrackingError),
            (page(LIST, 502), TrackerUnavailableError),
            (Fault(kind="reset", after=0, matches=to(LIST)), TrackerUnavailableError),
            (Fault(kind="truncate", matches=to(LIST)), TrackerUnavailableError),
            (Fault(kind="rewrite", rewrite=lambda _: b"[]"), TrackingError),
            (refusal(RUN, 400, code=90212), TrackerDeniedError),
            (refusal(RUN, 400, code=90219), TrackerDeniedError),
            (refusal(RUN, 500), TrackerUnavailableError),
            (page(RUN, 200), TrackingError),
            (refusal(UPSERT, 429), TrackerUnavailableError),
            (page(UPSERT, 200), TrackingError),
            (Fault(kind="reset", after=0, matches=to(UPSERT)), TrackerUnavailableError),
        ],
    )
    def test_each_answer_is_an_error_of_its_kind(
        self, comet: CometPlace, tracker: Tracker, fault: Fault, error: type[TrackingError]
    ) -> None:
        comet.server.fail(fault)
        with pytest.raises(TrackingError) as caught:
            tracker.register(SENT)
        assert type(caught.value) is error
        assert caught.value.tracker == f"comet://{WORKSPACE}/{PROJECT}"
        assert API_KEY not in f"{caught.value.message} {caught.value.hint}"
        assert "\n" not in caught.value.message
        assert comet.server.closed(WORKSPACE, "data") == []

    def test_a_text_for_people_is_passed_on(
        self, comet: CometPlace, tracker: Tracker
    ) -> None:
        comet.server.fail(refusal(UPSERT, 400, code=7777777, text="Upgrade now"))
        with pytest.raises(TrackingError, match=r"^Comet says: Upgrade now$"):
            tracker.register(SENT)

    def test_a_missing_key_is_said_before_anything_is_sent(self, comet: CometPlace) -> None:
        with (
            closing(
                comet.tracker(environ={**comet.server.environ, "COMET_API_KEY": ""})
            ) as tracker,
            pytest.raises(TrackerDeniedError, match="no Comet API key") as caught,
        ):
            tracker.register(SENT)
        assert "COMET_API_KEY" in (caught.value.hint or "")
        assert comet.server.calls == ()

    def test_a_wrong_key_is_never_repeated(self, comet: CometPlace) -> None:
        wrong = "wrongKey0123456789abcdefg"
        with (
            closing(
                comet.tracker(environ={**comet.server.environ, "COMET_API_KEY": wrong})
            ) as tracker,
            pytest.raises(TrackerDeniedError) as caught,
        ):
            tracker.register(SENT)
        assert wrong not in f"{caught.value.message} {caught.value.hint}"
        assert comet.server.writes == []

    def test_five_lost_races_are_enough(self, comet: CometPlace, tracker: Tracker) -> None:
        comet.server.fail(refusal(UPSERT, 400, code=90399))
        with pytest.raises(TrackerUnavailableError, match="meanwhile"):
            tracker.register(SENT)
        tried = [call.json["version"] for call in comet.server.calls_to(UPSERT)]
        assert tried == ["1.0.0", "2.0.0", "3.0.0", "4.0.0", "5.0.0"]
        assert len(comet.server.calls_to(RUN)) == 1

    def test_what_is_read_back_must_be_what_was_sent(
        self, comet: CometPlace, tracker: Tracker
    ) -> None:
        def moved(body: bytes) -> bytes:
            assert b"s3://bucket/val/b.txt" in body
            return body.replace(b"s3://bucket/val/b.txt", b"s3://bucket/val/c.txt")

        comet.server.fail(
            Fault(kind="rewrite", matches=to("/version/files"), rewrite=moved)
        )
        with pytest.raises(TrackingError, match="is not what was sent"):
            tracker.register(SENT)

    @pytest.mark.parametrize(
        ("sent", "problem"),
        [
            (registration(simple_lock(), "x" * 101), "at most 100"),
            (
                registration(simple_lock(), labels=Labels(meta=(("artlock_trust", "x"),))),
                "artlock's own",
            ),
        ],
    )
    def test_limits_are_refused_before_the_first_call(
        self, comet: CometPlace, tracker: Tracker, sent: Registration, problem: str
    ) -> None:
        with pytest.raises(RegistrationRefusedError, match=problem):
            tracker.register(sent)
        assert comet.server.calls == ()

    def test_what_is_no_experiment_is_refused_as_a_consumer(self, tracker: Tracker) -> None:
        version = version_in(tracker.register(SENT))
        with pytest.raises(RegistrationRefusedError, match="no experiment of Comet"):
            tracker.record_input(version, Run(id="eval-7"))
        with pytest.raises(RegistrationRefusedError, match="no such experiment"):
            tracker.record_input(version, Run(id="0" * 32, service="comet"))

    def test_an_input_that_fails_has_no_part_in_the_next_push(
        self, comet: CometPlace, tracker: Tracker
    ) -> None:
        version, run = version_in(tracker.register(SENT)), comet.run("eval")
        comet.server.fail(refusal("/artifacts/version", 403))
        with pytest.raises(TrackerDeniedError):
            tracker.record_input(version, run)
        comet.server.fail()
        tracker.register(registration(simple_lock("v-2")))
        assert comet.server.versions(WORKSPACE, "data")[-1].experiment != run.id


class TestOthers:
    """Pushes of others, at the same time or cut off."""

    def unfinished(self, comet: CometPlace, sent: Registration = SENT) -> str:
        """Send all of a version but its end, as another would; return its ID."""
        key = comet.run("other").id
        made = comet.server.backend.upsert(
            {
                "experimentKey": key,
                "artifactName": sent.name,
                "artifactType": "dataset",
                "versionMetadata": json.dumps(metadata_of(sent, None)),
                "version": None,
                "alias": [],
                "versionTags": [lock_tag(sent.digest)],
            }
        )
        version_id = str(made["artifactVersionId"])
        plan = plan_of(sent.lock, each=sent.each, unversioned=Unversioned.LINK)
        comet.server.backend.add_files(
            [
                {
                    "artifactVersionId": version_id,
                    "assetId": f"asset-{number}",
                    "fileName": asset.place,
                    "link": asset.link,
                    "metadata": msgspec.json.encode(asset.metadata).decode(),
                }
                for number, asset in enumerate(plan.assets)
            ]
        )
        return version_id

    def test_one_that_is_about_to_finish_is_waited_for(
        self, comet: CometPlace, tracker: Tracker
    ) -> None:
        other = self.unfinished(comet)
        closing_it = threading.Timer(
            1.0,
            comet.server.backend.set_state,
            [{"artifactVersionId": other, "state": "CLOSED"}],
        )
        closing_it.start()
        outcome = tracker.register(SENT)
        closing_it.join()
        assert not outcome.created
        assert version_in(outcome).number == 1
        assert comet.server.calls_to(UPSERT) == []

    def test_one_that_was_cut_off_is_left_behind(
        self, comet: CometPlace, hasty: Tracker
    ) -> None:
        self.unfinished(comet)
        outcome = hasty.register(SENT)
        assert outcome.created
        assert version_in(outcome).number == 2
        assert [v.number for v in hasty.versions("data")] == [2]

    def test_of_two_finished_ones_of_one_lock_the_first_counts(
        self, comet: CometPlace, hasty: Tracker
    ) -> None:
        slow = self.unfinished(comet)
        assert version_in(hasty.register(SENT)).number == 2
        comet.server.backend.set_state({"artifactVersionId": slow, "state": "CLOSED"})
        assert [v.number for v in hasty.versions("data")] == [1]
        assert hasty.find(Ref(name="data")).number == 1

    def test_versions_that_others_logged_only_take_numbers(
        self, comet: CometPlace, tracker: Tracker
    ) -> None:
        key = comet.run("other").id
        for number, metadata in (("1.0.0", None), ("4.2.0", '{"artlock_schema":1}')):
            made = comet.server.backend.upsert(
                {
                    "experimentKey": key,
                    "artifactName": "data",
                    "artifactType": "dataset",
                    "versionMetadata": metadata,
                    "version": number,
                }
            )
            comet.server.backend.set_state(
                {"artifactVersionId": made["artifactVersionId"], "state": "CLOSED"}
            )
        assert tracker.names() == []
        assert version_in(tracker.register(SENT)).number == 5
        assert [v.number for v in tracker.versions("data")] == [5]
        assert tracker.names() == ["data"]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("ending", "is_after"),
        [(UPSERT, True), (BATCH, False), (STATE, True)],
    )
    def test_a_kill_at_any_call_leaves_one_finished_version(
        self, comet: CometPlace, hasty: Tracker, ending: str, *, is_after: bool
    ) -> None:
        """The client's process is what sends; without it nothing goes on."""
        killed = threading.Event()

        def kill() -> None:
            os.kill(client_of(hasty), signal.SIGKILL)
            killed.set()

        strike = Fault(kind="before", matches=to(ending), action=kill, times=1)
        lost = Fault(kind="reset", after=0, matches=to(ending), times=1)
        comet.server.fail(strike, *(() if is_after else (lost,)))
        with pytest.raises(TrackingError):
            hasty.register(SENT)
        assert killed.is_set()
        comet.server.fail()
        version = version_in(hasty.register(SENT))
        assert len(comet.server.closed(WORKSPACE, "data")) == 1
        assert text_of(hasty.fetch(version)) == SENT.text
        assert not hasty.register(SENT).created


class TestServers:
    """What is not known of the real server, the other way than in all other tests."""

    @pytest.fixture
    def other(self, tmp_path: Path) -> Iterator[CometPlace]:
        with CometServer(tells_state=False, moves_aliases=False) as server:
            yield CometPlace(server, tmp_path)

    def test_versions_and_aliases_are_right(self, other: CometPlace) -> None:
        def labelled(version: str) -> Registration:
            return registration(simple_lock(version), labels=Labels(aliases=("prod",)))

        with closing(other.tracker()) as tracker:
            for version in ("v-1", "v-2", "v-1"):
                tracker.register(labelled(version))
                here = tracker.find(Ref.parse("data@prod"))
                assert here.digest == labelled(version).digest
            assert [v.labels.aliases for v in tracker.versions("data")] == [(), ("prod",)]


def client_of(tracker: Tracker) -> int:
    """Return the ID of the process that a tracker's client runs in."""
    assert isinstance(tracker, CometTracker)
    running = tracker._client._running
    assert running is not None
    return running._process.pid
