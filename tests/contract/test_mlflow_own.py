"""What MLflow alone can do to a push: its server fails, its runs are changed."""

import base64
import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import msgspec
import pytest
from mlflow.entities import Dataset, DatasetInput, LifecycleStage, ViewType
from mlflow.entities import Run as MlflowRun

from artlock.errors import (
    ConfigError,
    RefNotFoundError,
    RegistrationRefusedError,
    TrackerDeniedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.model.refs import Ref
from artlock.model.registration import Labels, Run
from artlock.model.uri import Uri
from artlock.tracking.base import Tracker, TrackerContext
from artlock.tracking.mlflow import datasets
from artlock.tracking.mlflow.tags import tags_of
from artlock.tracking.registry import open_registry
from testbed.faults import Fault, Matches
from testbed.forwarder import Forwarder
from testbed.mlflow import MlflowServer
from testbed.ports import free_ports
from tests.contract.mlflow_place import MlflowPlace
from tests.contract.tracker_contract import version_in
from tests.programs import REPOSITORY
from tests.registrations import lockfile, registration, row, simple_lock, text_of, tree

pytestmark = pytest.mark.trackers

SECRET = "s3cr3t-of-the-tests"  # noqa: S105 - no server knows it
HTML = b"<!doctype html><title>Sign in</title>"
JSON = {"Content-Type": "application/json"}
_KILLED_AMONG = 3
PAGE = {"Content-Type": "text/html"}


@pytest.fixture
def place(mlflow_database: Path, tmp_path: Path) -> MlflowPlace:
    """Return a database in a file."""
    file = tmp_path / "mlflow.db"
    shutil.copyfile(mlflow_database, file)
    return MlflowPlace(store=f"sqlite:///{file}", base=tmp_path)


@pytest.fixture
def forwarder(mlflow_server: MlflowServer) -> Iterator[Forwarder]:
    with Forwarder(mlflow_server.endpoint) as forwarder:
        yield forwarder


@pytest.fixture
def served(forwarder: Forwarder, tmp_path: Path) -> MlflowPlace:
    """Return a server that can be made to fail."""
    return MlflowPlace(store=forwarder.endpoint, base=tmp_path)


def to(ending: str) -> Matches:
    return lambda _method, path, _query: path.endswith(ending)


def pushes(place: MlflowPlace, view: int = ViewType.ACTIVE_ONLY) -> list[MlflowRun]:
    with place.client() as client:
        found = client.get_experiment_by_name(place.experiment)
        assert found is not None
        return list(client.search_runs([found.experiment_id], "", view))


def inputs_of(run: MlflowRun) -> list[DatasetInput]:
    assert run.inputs is not None
    return list(run.inputs.dataset_inputs)


# Failures of a server


def test_a_status_is_told_as_what_it_means(
    served: MlflowPlace, forwarder: Forwarder
) -> None:
    own = b'{"error_code": "ODD", "message": "no"}'
    for status, kind, body in (
        (401, TrackerDeniedError, HTML),
        (403, TrackerDeniedError, own),
        (408, TrackerUnavailableError, own),
        (429, TrackerUnavailableError, HTML),
        (500, TrackerUnavailableError, HTML),
        (500, TrackerUnavailableError, own),
        (503, TrackerUnavailableError, HTML),
        (404, TrackingError, HTML),
        (404, TrackingError, own),
        (501, TrackingError, own),
    ):
        forwarder.inject(Fault(kind="status", status=status, body=body))
        with served.open() as tracker, pytest.raises(TrackingError) as caught:
            tracker.register(registration(simple_lock()))
        assert type(caught.value) is kind
        assert caught.value.status == status
        assert caught.value.tracker == str(served.url)
        forwarder.heal()


def test_a_lock_that_is_too_large_for_a_proxy_is_refused(
    served: MlflowPlace, forwarder: Forwarder
) -> None:
    is_file: Matches = lambda method, _path, _query: method == "PUT"  # noqa: E731 - a name for it
    forwarder.inject(Fault(kind="status", status=413, body=HTML, matches=is_file))
    with served.open() as tracker:
        with pytest.raises(RegistrationRefusedError) as caught:
            tracker.register(registration(simple_lock()))
        assert caught.value.status == 413
        with pytest.raises(RefNotFoundError):
            tracker.versions("data")


def test_what_answers_like_something_else_is_told_apart(
    served: MlflowPlace, forwarder: Forwarder
) -> None:
    for body in (HTML, b"[]", b"7", b'{"experiment": 7}', b"{"):
        forwarder.inject(Fault(kind="status", status=200, body=body, headers=PAGE))
        with served.open() as tracker, pytest.raises(TrackingError) as caught:
            tracker.versions("data")
        assert type(caught.value) is TrackingError
        assert "does not answer as MLflow does" in caught.value.message
        forwarder.heal()


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    place = MlflowPlace(store=f"http://127.0.0.1:{port}", base=tmp_path)
    with place.open() as tracker, pytest.raises(TrackerUnavailableError):
        tracker.register(registration(simple_lock()))


def test_a_server_that_hangs_up_once_is_asked_again(
    served: MlflowPlace, forwarder: Forwarder
) -> None:
    forwarder.inject(Fault(kind="reset", after=0, times=1, matches=to("/runs/search")))
    with served.open() as tracker:
        assert tracker.register(registration(simple_lock())).created


def test_a_call_ends_in_time(served: MlflowPlace, forwarder: Forwarder) -> None:
    for fault in (
        Fault(kind="stall", after=0, seconds=20.0),
        Fault(kind="slow", after=1, seconds=0.3),
        Fault(kind="status", status=429, headers={"Retry-After": "60"}),
        Fault(kind="status", status=503, headers={"Retry-After": "60"}),
    ):
        forwarder.inject(fault)
        started = time.monotonic()
        with served.open(deadline_s=1.5) as tracker, pytest.raises(TrackerUnavailableError):
            tracker.register(registration(simple_lock()))
        assert time.monotonic() - started < 4.0, fault
        forwarder.heal()
        # Nothing waits for the one that was left.
        with served.open(deadline_s=1.5) as tracker:
            assert tracker.names() == ()


@pytest.mark.parametrize("place_of", ["{}", "file://{}"])
def test_a_server_without_files_is_refused_and_nothing_is_written(
    served: MlflowPlace, place_of: str, tmp_path: Path
) -> None:
    # As a server does that was started without `--serve-artifacts`: it names a folder.
    folder = tmp_path / "of the server"
    with served.client() as client:
        where = client.create_experiment(
            served.experiment, artifact_location=place_of.format(folder)
        )
        run = client.create_run(where)
    elsewhere = MlflowPlace(store=served.store, base=served.base)
    with elsewhere.open() as tracker:
        version = version_in(tracker.register(registration(simple_lock())))
    with served.open() as tracker:
        with pytest.raises(ConfigError) as caught:
            tracker.register(registration(simple_lock()))
        assert "--serve-artifacts" in str(caught.value.hint)
        moved = msgspec.structs.replace(version, native=run.info.run_id)
        with pytest.raises(ConfigError):
            tracker.fetch(moved)
    assert [one.info.run_id for one in pushes(served)] == [run.info.run_id]
    assert not folder.exists()


def test_an_experiment_that_somebody_makes_meanwhile_is_used(
    served: MlflowPlace, forwarder: Forwarder
) -> None:
    def make() -> None:
        with socket.create_connection((*forwarder_upstream,)) as connection:
            body = f'{{"name": "{served.experiment}"}}'
            connection.sendall(
                f"POST /api/2.0/mlflow/experiments/create HTTP/1.0\r\nHost: 127.0.0.1\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                f"{body}".encode()
            )
            while connection.recv(4096):
                pass

    forwarder_upstream = (forwarder._host, forwarder._port)
    forwarder.inject(
        Fault(kind="before", action=make, times=1, matches=to("/experiments/create"))
    )
    with served.open() as tracker:
        assert tracker.register(registration(simple_lock())).created
    created = [r.status for r in forwarder.requests if r.path.endswith("s/create")]
    assert created == [400, 200]


def writes(method: str, path: str, _query: str) -> bool:
    """Match what changes something; a push that stops before a question is no other."""
    return method != "GET" and not path.endswith("/search")


def test_a_push_that_stops_before_any_write_is_finished_by_the_next(
    served: MlflowPlace, forwarder: Forwarder, request: pytest.FixtureRequest
) -> None:
    """Before some of them; ``--mlflow-kills 100`` tries each."""
    # Experiment, run, claim, datasets, file, claim, tags, end, alias.
    every = range(9)
    is_long = int(request.config.getoption("--mlflow-kills")) > 1
    sent = registration(simple_lock(), labels=Labels(aliases=("prod",)))
    for done in every if is_long else (1, 3, 5, 7, 8):
        place = MlflowPlace(store=served.store, base=served.base)
        forwarder.clear()
        forwarder.inject(Fault(kind="status", status=403, matches=after(done)))
        with place.open() as tracker:
            with pytest.raises(TrackerDeniedError):
                tracker.register(sent)
            written = [r for r in forwarder.requests if writes(r.method, r.path, "")]
            assert len(written) == done + 1
            forwarder.heal()
            version = version_in(tracker.register(sent))
            assert (version.number, version.labels.aliases) == (1, ("prod",))
            assert [found.number for found in tracker.versions("data")] == [1]
        assert len(pushes(place)) == 1


def after(done: int) -> Matches:
    """Match every write but the first ones."""
    passed = count()
    return lambda *request: writes(*request) and next(passed) >= done


# Credentials, and what is not to be told


def test_credentials_come_from_where_mlflow_looks(
    served: MlflowPlace, forwarder: Forwarder
) -> None:
    def sent(environ: dict[str, str]) -> str | None:
        forwarder.clear()
        with served.open(environ=environ) as tracker:
            tracker.names()
        return forwarder.requests[0].header("Authorization")

    home = served.base / "home"
    (home / ".mlflow").mkdir(parents=True)
    (home / ".mlflow" / "credentials").write_text(
        f"[mlflow]\nmlflow_tracking_username = ada\nmlflow_tracking_password = {SECRET}\n"
    )
    assert sent({"MLFLOW_TRACKING_TOKEN": SECRET}) == f"Bearer {SECRET}"
    basic = sent({"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": SECRET})
    assert basic is not None
    assert basic.startswith("Basic ")
    assert sent({"HOME": str(home)}) == basic
    assert sent({}) is None


def test_no_message_has_a_credential(served: MlflowPlace, forwarder: Forwarder) -> None:
    body = f'{{"error_code": "BAD_REQUEST", "message": "Bearer {SECRET} {SECRET}"}}'
    basic = base64.b64encode(f"ada:{SECRET}".encode()).decode()
    page = f"<p>{SECRET} {basic}</p>"
    for status, text in (
        *((status, body) for status in (200, 400, 401, 403)),
        *((status, page) for status in (400, 404, 500)),
    ):
        forwarder.inject(Fault(kind="status", status=status, body=text.encode()))
        environ = {
            "MLFLOW_TRACKING_USERNAME": "ada",
            "MLFLOW_TRACKING_PASSWORD": SECRET,
        }
        with (
            served.open(environ=environ) as tracker,
            pytest.raises(TrackingError) as caught,
        ):
            tracker.register(registration(simple_lock()))
        told = f"{caught.value} {caught.value.hint} {caught.value.facts()}"
        assert SECRET not in told
        assert basic not in told
        forwarder.heal()


def test_nothing_is_printed_left_behind_or_changed(
    served: MlflowPlace,
    place: MlflowPlace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    own, folder = place, tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9/")
    monkeypatch.setenv("MLFLOW_RUN_ID", "0123456789abcdef0123456789abcdef")
    before = dict(os.environ)
    level = logging.getLogger("mlflow").level
    for one in (served, own):
        with one.open() as tracker:
            tracker.fetch(version_in(tracker.register(registration(simple_lock()))))
    assert dict(os.environ) == before
    assert logging.getLogger("mlflow").level == level
    assert list(folder.iterdir()) == []
    assert capfd.readouterr() == ("", "")


# What is sent


def test_limits_are_looked_at_before_the_first_request(
    served: MlflowPlace, forwarder: Forwarder
) -> None:
    with served.open() as tracker:
        for meta in (("k" * 240, "x"), ("key", "x" * 8001), ("key", "a\0b")):
            sent = registration(simple_lock(), labels=Labels(meta=(meta,)))
            with pytest.raises(RegistrationRefusedError):
                tracker.register(sent)
        long = lockfile(tree("val", uri="s3://bucket/" + "x" * 65_600 + "/"))
        with pytest.raises(RegistrationRefusedError):
            tracker.register(registration(long))
    assert forwarder.requests == ()


def test_the_calls_are_those_of_the_public_interface(
    served: MlflowPlace, forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "MAX_DATASETS", 5)  # of 1,000: time is dear
    trees = [tree(f"a{number}", row("x")) for number in range(5)]
    with served.open() as tracker:
        tracker.register(registration(lockfile(*trees)))
        called = [(r.method, r.path.partition("2.0/")[2]) for r in forwarder.requests]
        forwarder.clear()
        assert not tracker.register(registration(lockfile(*trees))).created
        again = [(r.method, r.path.partition("2.0/")[2]) for r in forwarder.requests]
    assert called.count(("POST", "mlflow/runs/create")) == 1
    assert called.count(("POST", "mlflow/runs/log-inputs")) == 2 + 2  # and two claims
    assert called.count(("POST", "mlflow/runs/update")) == 1
    files = [path for method, path in called if method == "PUT"]
    assert len(files) == 1
    assert files[0].endswith("/artifacts/artlock/artifacts.lock")
    assert {path for _method, path in called if not path.startswith("mlflow-art")} == {
        f"mlflow/{name}"
        for name in (
            "experiments/create",
            "experiments/get-by-name",
            "runs/create",
            "runs/get",
            "runs/log-batch",
            "runs/log-inputs",
            "runs/search",
            "runs/update",
        )
    }
    assert [method for method, _path in again] == ["POST", "GET"]  # run, and its files
    (run,) = pushes(served)
    assert all(len(i.dataset.digest) <= 36 for i in inputs_of(run))
    assert len(inputs_of(run)) == 5 + 1 + 2


def test_mlflow_shows_what_was_pushed(place: MlflowPlace) -> None:
    with place.open() as tracker:
        version = version_in(tracker.register(registration(simple_lock())))
    (run,) = pushes(place)
    assert run.info.run_name == "data:v1"
    assert run.data.tags["artlock.digest"] == version.digest
    assert run.data.tags["mlflow.source.git.commit"] == version.provenance.commit
    sources = {
        i.dataset.name: (i.dataset.source_type, i.dataset.source) for i in inputs_of(run)
    }
    assert sources["val"] == ("s3", '{"uri":"s3://bucket/val/"}')
    assert sources["encoder"] == ("gs", '{"uri":"gs://models/encoder.bin"}')
    assert sources["board"] == ("code", '{"tags":{"uri":"labelbox://project/42"}}')
    assert {"lock:data", "claim:data", "odd"} <= sources.keys()


def test_a_source_that_was_there_first_is_not_taken_for_ours(place: MlflowPlace) -> None:
    sent = registration(lockfile(tree("val", row("a"))))
    with place.open() as tracker:
        tracker.register(registration(simple_lock()))  # so that the experiment is there
        with place.client() as client:
            found = client.get_experiment_by_name(place.experiment)
            assert found is not None
            other = MlflowPlace(store=place.store, base=place.base)
            with other.open() as elsewhere:
                elsewhere.register(sent)
            (pushed,) = pushes(other)
            ours = next(i for i in inputs_of(pushed) if i.dataset.name == "val")
            theirs = Dataset("val", ours.dataset.digest, "s3", '{"uri": "s3://theirs/"}')
            run = client.create_run(found.experiment_id)
            client.log_inputs(run.info.run_id, [DatasetInput(theirs)])
        with pytest.raises(RegistrationRefusedError, match="another source"):
            tracker.register(sent)
        assert [v.number for v in tracker.versions("data")] == [1]


# Numbers, and runs that somebody deletes or changes


def test_numbers_stay_when_runs_are_deleted_restored_and_purged(place: MlflowPlace) -> None:
    def numbers() -> list[int]:
        return [version.number for version in tracker.versions("data")]

    with place.open() as tracker:
        first, second = (
            version_in(tracker.register(registration(simple_lock(v)))) for v in "ab"
        )
        with place.client() as client:
            client.delete_run(first.native)
            client.delete_run(second.native)
        with pytest.raises(RefNotFoundError):
            tracker.find(Ref.parse("data:v2"))
        with pytest.raises(RefNotFoundError):
            tracker.fetch(second)
        # Pushed anew it is a new version, and nothing has the number of another.
        assert version_in(tracker.register(registration(simple_lock("b")))).number == 3
        with place.client() as client:
            client.restore_run(second.native)
        assert numbers() == [3, 2]
        assert version_in(tracker.register(registration(simple_lock("b")))).number == 2
        _purge(place, first.native)
        assert version_in(tracker.register(registration(simple_lock("a")))).number == 4
        assert numbers() == [4, 3, 2]


def _purge(place: MlflowPlace, run_id: str) -> None:
    # As `mlflow gc` does it.
    with place.client() as client:
        client._tracking_client.store._hard_delete_run(run_id)


def test_who_began_first_and_finishes_last_is_the_later_version(place: MlflowPlace) -> None:
    slow, quick = registration(simple_lock("slow")), registration(simple_lock("quick"))
    with place.open() as tracker:
        tracker.register(registration(simple_lock()))
        with place.client() as client:
            found = client.get_experiment_by_name(place.experiment)
            assert found is not None
            begun = client.create_run(found.experiment_id, start_time=1, tags=tags_of(slow))
        assert version_in(tracker.register(quick)).number == 2
        last = version_in(tracker.register(slow))
        assert (last.number, last.native) == (3, begun.info.run_id)


def test_a_run_too_many_is_deleted(place: MlflowPlace) -> None:
    sent = registration(simple_lock())
    with place.open() as tracker:
        version = version_in(tracker.register(sent))
        with place.client() as client:
            client.delete_run(version.native)
            found = client.get_experiment_by_name(place.experiment)
            assert found is not None
            client.create_run(found.experiment_id, tags=tags_of(sent))
            client.create_run(found.experiment_id, tags=tags_of(sent))
            client.restore_run(version.native)
            # Seen by one that began before: both are there, neither has the digest.
            client.update_run(version.native, status="RUNNING")
        assert version_in(tracker.register(sent)).native == version.native
    everything = pushes(place, ViewType.ALL)
    deleted = [r for r in everything if r.info.lifecycle_stage == LifecycleStage.DELETED]
    assert (len(everything), len(deleted)) == (3, 0)


def test_one_changed_run_does_not_hide_the_others(place: MlflowPlace) -> None:
    with place.open() as tracker:
        versions = [
            version_in(tracker.register(registration(simple_lock(v)))) for v in "ab"
        ]
        with place.client() as client:
            client.set_tag(versions[0].native, "artlock.provenance", "mine now")
        assert [v.number for v in tracker.versions("data")] == [2]
        with pytest.raises(TrackingError, match="not those of a push"):
            tracker.find(Ref.parse("data:v1"))


def test_an_alias_that_stopped_half_way_points_to_one(place: MlflowPlace) -> None:
    labels = Labels(aliases=("prod",))
    with place.open() as tracker:
        old, new = (
            version_in(tracker.register(registration(simple_lock(v), labels=labels)))
            for v in "ab"
        )
        with place.client() as client:
            client.set_tag(old.native, "artlock.alias.prod", "1")
        assert tracker.find(Ref.parse("data@prod")).number == new.number
        listed = {v.number: v.labels.aliases for v in tracker.versions("data")}
        assert listed == {1: (), 2: ("prod",)}
        # The next that moves it tidies up: for MLflow's own search one run has it.
        third = registration(simple_lock("c"), labels=labels)
        newest = version_in(tracker.register(third))
    with place.client() as client:
        found = client.get_experiment_by_name(place.experiment)
        assert found is not None
        holding = client.search_runs(
            [found.experiment_id], "tags.`artlock.alias.prod` != ''"
        )
    assert [run.info.run_id for run in holding] == [newest.native]


def test_a_lost_file_and_a_deleted_experiment_are_told(place: MlflowPlace) -> None:
    with place.open() as tracker:
        version = version_in(tracker.register(registration(simple_lock())))
        shutil.rmtree(place.base / "mlflow-artifacts")
        with pytest.raises(TrackingError, match="has lost its file"):
            tracker.fetch(version)
        # The next push of the same lock mends it; and one that was cut.
        for spoil in (None, b"half of "):
            if spoil is not None:
                (lock,) = place.base.glob("mlflow-artifacts/**/artifacts.lock")
                lock.write_bytes(spoil)
            outcome = tracker.register(registration(simple_lock()))
            assert not outcome.created
            assert "sent again" in outcome.warnings[0]
            sent = registration(simple_lock())
            assert text_of(tracker.fetch(version_in(outcome))) == sent.text
            assert tracker.register(sent).warnings == ()
    with place.client() as client:
        found = client.get_experiment_by_name(place.experiment)
        assert found is not None
        client.delete_experiment(found.experiment_id)
    with place.open() as tracker, pytest.raises(TrackingError, match="is deleted"):
        tracker.register(registration(simple_lock()))


# Runs


def test_runs_of_other_services_are_noted_at_the_version(place: MlflowPlace) -> None:
    comet = Run(id="abc", service="comet")
    strange = Run(id="0123456789abcdef0123456789abcdef", service="mlflow")
    with place.open() as tracker:
        version = version_in(tracker.register(registration(simple_lock(), run=comet)))
        for run in (comet, strange, Run(id="by hand, 3rd try")):
            tracker.record_input(version, run)
            tracker.record_input(version, run)
        lineage = tracker.lineage(version)
    assert lineage.produced == (comet,)
    assert set(lineage.consumed) == {comet, strange, Run(id="by hand, 3rd try")}


def test_a_training_run_shows_what_it_used_and_made(place: MlflowPlace) -> None:
    training = place.run("train")
    with place.open() as tracker:
        used = version_in(tracker.register(registration(simple_lock())))
        tracker.record_input(used, Run(id=training.id))
        tracker.record_input(used, training)
        made = registration(simple_lock("made"), "model", run=training)
        tracker.register(made)
        assert tracker.lineage(used).consumed == (training,)
        with place.client() as client:
            run = client.get_run(training.id)
        assert run.data.tags["artlock.produced.model.v1"] == made.digest
        inputs = {i.dataset.name: i for i in inputs_of(run)}
        assert inputs.keys() == {"lock:data", "board", "encoder", "odd", "val"}
        seen = {tag.key: tag.value for tag in inputs["val"].tags}
        assert seen["mlflow.data.context"] == "training"
        assert seen["artlock.ref"] == "data:v1"


# A database in a file


def test_what_is_no_database_of_mlflow_is_told_at_once(
    mlflow_database: Path, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("not a database, and longer than its header would be")
    (tmp_path / "folder").mkdir()
    shutil.copyfile(mlflow_database, tmp_path / "newer")
    with closing(sqlite3.connect(tmp_path / "newer")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    context = TrackerContext(environ={}, base=tmp_path, scratch=tmp_path)
    with closing(open_registry(tmp_path / "registry.db", context)) as own:
        own.register(registration(simple_lock()))
    place = MlflowPlace(store="sqlite:///newer", base=tmp_path)
    for name in ("text", "folder", "newer", "registry.db"):
        started = time.monotonic()
        url = Uri.parse(f"mlflow+sqlite:///{name}/x")
        with place.open(url) as tracker, pytest.raises(TrackingError) as caught:
            tracker.versions("data")
        assert type(caught.value) is TrackingError
        assert time.monotonic() - started < 5.0


def test_a_question_makes_no_database(tmp_path: Path) -> None:
    place = MlflowPlace(store="sqlite:///deep/mlflow.db", base=tmp_path)
    with place.open() as tracker:
        assert tracker.names() == ()
        with pytest.raises(RefNotFoundError):
            tracker.versions("data")
    assert not (tmp_path / "deep").exists()


def test_two_processes_number_without_a_gap(mlflow_database: Path, tmp_path: Path) -> None:
    folder = tmp_path / "%41 #1"
    folder.mkdir()
    shutil.copyfile(mlflow_database, folder / "mlflow.db")
    place = MlflowPlace(store=f"sqlite:///{folder}/mlflow.db", base=tmp_path)
    versions = ["a", "b", "c", "d"]
    pusher = _pusher(place, versions)
    with place.open() as tracker:
        while not has_begun(tracker):
            assert pusher.poll() is None
            time.sleep(0.01)
        ours = {
            v: version_in(tracker.register(registration(simple_lock(v)))).number
            for v in reversed(versions)
        }
    told = pusher.communicate(timeout=120)[0].split()
    assert pusher.returncode == 0
    theirs = {v: int(n) for v, n in zip(told[::2], told[1::2], strict=True)}
    assert theirs == ours
    assert sorted(ours.values()) == [1, 2, 3, 4]
    assert len(pushes(place)) == 4
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["mlflow-artifacts", "mlflow.db"]
    assert list(tmp_path.iterdir()) == [folder]


def has_begun(tracker: Tracker) -> bool:
    return list(tracker.names()) == ["data"]


def test_a_killed_push_leaves_nothing_half(
    mlflow_database: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Once, at one moment; ``--mlflow-kills 100`` tries a hundred."""
    for seed in range(int(request.config.getoption("--mlflow-kills"))):
        folder = tmp_path / str(seed)
        folder.mkdir()
        shutil.copyfile(mlflow_database, folder / "mlflow.db")
        place = MlflowPlace(store=f"sqlite:///{folder}/mlflow.db", base=folder)
        versions = [str(number) for number in range(_KILLED_AMONG)]
        pusher = _pusher(place, versions)
        assert pusher.stdout is not None
        done = pusher.stdout.readline()  # it is under way
        time.sleep((seed * 0.037) % 0.4)
        pusher.kill()
        rest = pusher.communicate()[0]
        told = dict(line.split() for line in (done + rest).splitlines() if " " in line)
        with place.open() as tracker:
            for version in tracker.versions("data"):
                assert version.digest in {
                    registration(simple_lock(v)).digest for v in versions
                }
                tracker.fetch(version)
            found = [
                version_in(tracker.register(registration(simple_lock(v)))).number
                for v in versions
            ]
            assert sorted(found) == list(range(1, _KILLED_AMONG + 1))
            for name, number in told.items():
                assert found[int(name)] == int(number)
        assert len(pushes(place)) == _KILLED_AMONG


def _pusher(place: MlflowPlace, versions: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.contract.mlflow_pusher"),
            *(str(place.url), str(place.base), *versions),
        ],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
