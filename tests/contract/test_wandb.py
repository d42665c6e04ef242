"""W&B, through its real client: against a stand-in for its server, and offline."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from getpass import getuser
from multiprocessing import get_context
from pathlib import Path

import msgspec
import pytest

from artlock.errors import (
    ConfigError,
    RefNotFoundError,
    RegistrationRefusedError,
    TrackerDeniedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.model.refs import Ref
from artlock.model.registration import Labels, Outcome, Registration, Run
from artlock.model.tokens import Tokens
from artlock.tracking.wandb import online, open_tracker
from artlock.tracking.wandb.artifact import build
from testbed.seaweedfs import SeaweedFS
from testbed.wandb import API_KEY, Failure, WandbServer
from tests.contract.tracker_contract import TrackerContract, version_in
from tests.contract.wandb_place import URL, WandbPlace, push
from tests.registrations import (
    lockfile,
    registration,
    row,
    simple_lock,
    text_of,
    tree,
)

OTHER_KEY = "0123456789" * 4
SENT = base64.b64encode(f"api:{API_KEY}".encode()).decode()
BASIC = f"Basic {SENT}"
PAGE = b"<html>broken</html>"


@pytest.fixture
def place(tmp_path: Path, pool: ProcessPoolExecutor) -> Iterator[WandbPlace]:
    with WandbServer() as server:
        yield WandbPlace(server, tmp_path, pool)


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        yield pool


class TestWandb(TrackerContract):
    together = 2

    def _at_once(self, place: WandbPlace, sent: Sequence[Registration]) -> list[Outcome]:  # type: ignore[override] # this place only
        # W&B's client has one state for a process, so each has its own. Both create before
        # one commits, as it is the worst that may happen.
        list(place.pool.map(time.sleep, [0.2] * self.together))  # they have started
        place.server.gather("CommitArtifact", self.together)
        futures: list[Future[Outcome]] = [
            place.pool.submit(push, place.server.endpoint, place.folder, one)
            for one in sent
        ]
        return [future.result() for future in futures]

    def test_of_two_that_were_pushed_at_once_the_first_is_the_newest(
        self, place: WandbPlace
    ) -> None:
        sent = registration(simple_lock())
        self._at_once(place, [sent] * self.together)
        with place.open() as tracker:
            assert place.server.versions("team", "vision", "data") == 2
            assert tracker.find(Ref(name="data")).number == 1
            assert not tracker.register(sent).created


class TestOverTheWire:
    def test_the_manifest_at_the_server_has_every_row(self, place: WandbPlace) -> None:
        with place.open() as tracker:
            outcome = tracker.register(registration(simple_lock()))
        contents = place.server.manifest("team", "vision", "data", 0)["contents"]
        lock = simple_lock()
        assert len(contents) == lock.count() + 2  # the link artifact, and the lockfile
        assert contents["val/a.txt"]["size"] == 2
        assert (
            contents["val/b.txt"].items()
            >= {
                "digest": "919c8b643b7133116b02fc0d9bb7df3f",
                "extra": {
                    "artlock_tokens": "etag:919c8b643b7133116b02fc0d9bb7df3f",
                    "etag": "919c8b643b7133116b02fc0d9bb7df3f",
                },
                "ref": "s3://bucket/val/b.txt",
                "size": 4,
            }.items()
        )
        assert outcome.links + sum(
            "etag" in e.get("extra", {}) for e in contents.values()
        ) == (lock.count())

    def test_nothing_of_the_machine_is_sent_and_nothing_is_left(
        self, place: WandbPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        work = tmp_path / "work"
        work.mkdir()
        monkeypatch.chdir(work)
        monkeypatch.setenv("WANDB_RUN_ID", "of-a-training")
        before = dict(os.environ), sys.exit, sys.excepthook
        with place.open() as tracker:
            tracker.register(registration(simple_lock()))
            assert services() == []
        assert list(work.iterdir()) == []
        assert (dict(os.environ), sys.exit, sys.excepthook) == before
        runs = place.server.runs("team", "vision")
        assert list(runs.values()) == ["finished"]
        assert "of-a-training" not in runs
        sent = b"\n".join(place.server.bodies).decode(errors="replace")
        host, user = f'"{socket.gethostname()}"', f'"{getuser()}"'
        for private in (host, user, str(work), str(Path.home()), sys.argv[0]):
            assert private not in sent

    def test_settings_of_the_working_folder_do_not_lead_the_key_elsewhere(
        self, place: WandbPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home = Path(os.environ["HOME"])
        folder = tmp_path / "cloned" / "wandb"
        folder.mkdir(parents=True)
        with WandbServer() as hostile:
            text = (
                f"[default]\nbase_url = {hostile.endpoint}\n"
                f"http_proxy = {hostile.endpoint}\nhttps_proxy = {hostile.endpoint}\n"
            )
            (folder / "settings").write_text(text)
            (home / ".config" / "wandb").mkdir(parents=True)
            user = f"[default]\nbase_url = {place.server.endpoint}\n"
            (home / ".config" / "wandb" / "settings").write_text(user)
            monkeypatch.chdir(folder.parent)
            place.tracker(WANDB_BASE_URL="").register(registration(simple_lock()))
            assert hostile.requests == ()
        assert place.server.asked("CommitArtifact") == 1

    def test_a_login_in_netrc_is_found(self, place: WandbPlace) -> None:
        netrc = Path(os.environ["HOME"]) / ".netrc"
        host = place.server.endpoint.removeprefix("http://")
        netrc.write_text(f"machine {host} login user password {API_KEY}\n")
        netrc.chmod(0o600)
        tracker = place.tracker(WANDB_API_KEY="")
        text = f"Authorization was {BASIC}, {SENT} or {API_KEY}"
        place.server.fail(Failure(status=404, body=text.encode()))
        with pytest.raises(TrackingError) as caught:
            tracker.register(registration(simple_lock()))
        shown = f"{caught.value}{caught.value.facts()}"
        assert "Authorization" in shown
        assert not [secret for secret in (API_KEY, SENT) if secret[:12] in shown]
        place.server.heal()
        assert tracker.register(registration(simple_lock())).created

    def test_a_second_push_writes_nothing(self, place: WandbPlace) -> None:
        with place.open() as tracker:
            tracker.register(registration(simple_lock()))
            place.server.operations.clear()
            tracker.register(registration(simple_lock()))
        names = {name for name, _ in place.server.operations}
        assert names.isdisjoint(
            {"UpsertBucket", "CreateArtifact", "UpdateArtifact", "AddAliases"}
        )

    def test_what_else_has_the_name_is_not_taken_for_a_lock(
        self, place: WandbPlace
    ) -> None:
        with place.open() as tracker:
            first = version_in(tracker.register(registration(simple_lock())))
            place.server.add_version("team", "vision", "data", {"by": "hand"})
            found = tracker.find(Ref(name="data"))
            assert found.digest == first.digest
            second = version_in(tracker.register(registration(simple_lock("v-2"))))
            assert second.number == 3
            assert [v.number for v in tracker.versions("data")] == [3, 1]

    def test_a_run_that_a_person_named_is_made(self, place: WandbPlace) -> None:
        with place.open() as tracker:
            version = version_in(tracker.register(registration(simple_lock())))
            tracker.record_input(version, Run(id="eval-7"))
            tracker.record_input(version, Run(id="eval-7"))
            assert tracker.lineage(version).consumed == (Run(id="eval-7", service="wandb"),)
            with pytest.raises(TrackingError, match="has no run `nobody`"):
                tracker.record_input(version, Run(id="nobody", service="wandb"))
            with pytest.raises(RegistrationRefusedError):
                tracker.record_input(version, Run(id="a/b"))

    def test_failures_are_told_and_the_next_push_finishes(self, place: WandbPlace) -> None:
        text = json.dumps({"errors": [{"message": f"was {BASIC} or {SENT} or {API_KEY}"}]})
        told = text.encode()
        for operation, status, body, kind in (
            ("", 401, told, TrackerDeniedError),
            ("", 400, told, TrackingError),
            ("", 400, PAGE, TrackerUnavailableError),
            ("", 429, PAGE, TrackerUnavailableError),
            ("ArtifactMembershipByName", 422, told, TrackingError),
            ("CreateArtifact", 403, told, TrackerDeniedError),
            ("CreateArtifact", 409, told, TrackerUnavailableError),
            ("CreateArtifact", 413, told, RegistrationRefusedError),
            ("CreateArtifact", 413, PAGE, TrackerUnavailableError),
            ("CreateArtifact", 200, PAGE, TrackerUnavailableError),
            ("upload", 403, PAGE, TrackerUnavailableError),
            ("CommitArtifact", 500, told, TrackerUnavailableError),
        ):
            failure = Failure(operation=operation, status=status, body=body)
            place.server.fail(failure)
            with place.open() as tracker, pytest.raises(TrackingError) as caught:
                tracker.register(registration(simple_lock()))
            assert type(caught.value) is kind, (failure, caught.value)
            shown = f"{caught.value}{caught.value.facts()}"
            assert not [secret for secret in (API_KEY, SENT) if secret[:12] in shown]
            assert services() == []
            place.server.heal()
        with place.open() as tracker:
            outcome = tracker.register(registration(simple_lock()))
        assert outcome.created
        assert version_in(outcome).number == 1

    def test_a_link_that_is_too_old_or_too_long_is_told(
        self, place: WandbPlace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with place.open() as tracker:
            version = version_in(tracker.register(registration(simple_lock())))
            place.server.fail(Failure(operation="download", status=403))
            with pytest.raises(TrackerUnavailableError, match="link to the lockfile"):
                tracker.fetch(version)
            place.server.heal()
            monkeypatch.setattr(online, "_MAX_LOCKFILE", 100)  # of a gibibyte
            with pytest.raises(TrackingError, match="without an end"):
                tracker.fetch(version)

    def test_a_server_that_is_no_url_is_an_error_of_the_settings(
        self, place: WandbPlace
    ) -> None:
        for url in ("wandb.internal", "ftp://host", f"http://user:{API_KEY}@"):
            with pytest.raises(ConfigError, match="is not valid") as caught:
                place.tracker(WANDB_BASE_URL=url).find(Ref(name="data"))
            assert API_KEY[:12] not in str(caught.value)
            assert "WANDB_BASE_URL" in str(caught.value.hint)

    def test_a_push_that_was_killed_is_finished_by_the_next(
        self, place: WandbPlace
    ) -> None:
        place.server.shows_pending = True
        place.server.fail(Failure(operation="CommitArtifact", seconds=30, times=1))
        work = (place.server.endpoint, place.folder, registration(simple_lock()))
        process = get_context("spawn").Process(target=push, args=work)
        process.start()
        while not place.server.asked("CommitArtifact"):
            assert process.is_alive()
            time.sleep(0.02)
        process.kill()
        process.join()
        with place.open() as tracker:
            for ref in ("data", "data:v1"):
                with pytest.raises(RefNotFoundError):
                    tracker.find(Ref.parse(ref))
            assert list(tracker.names()) == []
            outcome = tracker.register(registration(simple_lock()))
            assert [v.number for v in tracker.versions("data")] == [2]
        assert outcome.created

    def test_a_wrong_or_missing_key_is_denied_and_not_told(self, place: WandbPlace) -> None:
        for key in (OTHER_KEY, "too-short-a-key", ""):
            with pytest.raises(TrackerDeniedError) as caught:
                place.tracker(WANDB_API_KEY=key).register(registration(simple_lock()))
            assert not key or key not in str(caught.value)
            assert caught.value.hint

    @pytest.mark.parametrize("operation", ["", "UpsertBucket", "upload"])
    def test_a_server_that_hangs_is_left_in_time(
        self, place: WandbPlace, operation: str
    ) -> None:
        place.server.fail(Failure(operation=operation, seconds=30))
        context = msgspec.structs.replace(place.context(), deadline_s=3)
        start = time.monotonic()
        with pytest.raises(TrackerUnavailableError):
            open_tracker(URL, context).register(registration(simple_lock()))
        assert time.monotonic() - start < 6
        assert services() == []

    def test_a_process_with_a_run_of_its_own_keeps_it(
        self, place: WandbPlace, tmp_path: Path
    ) -> None:
        import wandb  # noqa: PLC0415 - as a training would

        run = wandb.init(mode="offline", dir=tmp_path, settings={"silent": True})
        try:
            for _ in range(2):
                with pytest.raises(ConfigError, match="uses W&B's client itself"):
                    place.tracker().find(Ref(name="data"))
            run.log({"loss": 1})
            run.finish()
        finally:
            wandb.teardown()
        with place.open() as tracker:
            assert tracker.register(registration(simple_lock())).created


class TestOffline:
    def test_what_it_writes_is_sent_by_wandb_sync(self, place: WandbPlace) -> None:
        sent = registration(
            simple_lock(), labels=Labels(aliases=("prod",), tags=("night",))
        )
        outcome = place.tracker(WANDB_MODE="offline").register(sent)
        assert place.server.requests == ()
        assert outcome.version is None
        assert outcome.created
        words = outcome.queued.split()
        assert words[:2] == ["wandb", "sync"]
        environ = {
            **os.environ,
            "WANDB_BASE_URL": place.server.endpoint,
            "WANDB_API_KEY": API_KEY,
            "WANDB_ERROR_REPORTING": "false",
        }
        subprocess.run(
            [sys.executable, "-m", "wandb", "sync", words[2]],
            env=environ,
            check=True,
            capture_output=True,
            cwd=place.folder,
            timeout=60,
        )
        with place.open() as tracker:
            version = tracker.find(Ref.parse("data@prod"))
            assert version.digest == sent.digest
            assert version.labels == sent.labels
            assert text_of(tracker.fetch(version)) == sent.text
            assert not tracker.register(sent).created

    def test_a_digest_is_written_once(self, place: WandbPlace) -> None:
        tracker = place.tracker(WANDB_MODE="offline")
        first = tracker.register(registration(simple_lock()))
        again = place.tracker(WANDB_MODE="offline").register(registration(simple_lock()))
        assert (first.created, again.created) == (True, False)
        assert again.queued == first.queued
        labels = Labels(aliases=("prod",))
        later = tracker.register(registration(simple_lock(), labels=labels))
        assert "without `prod`" in later.warnings[-1]
        tracker.register(registration(simple_lock("v-2")))
        tracker.register(registration(simple_lock(), "other"))
        assert len(list((place.folder / "wandb").glob("offline-run-*"))) == 3
        assert (place.folder / "wandb" / ".gitignore").read_text() == "*\n"
        assert services() == []

    def test_a_run_that_was_cut_short_is_written_again(self, place: WandbPlace) -> None:
        tracker = place.tracker(WANDB_MODE="offline")
        tracker.register(registration(simple_lock()))
        (note,) = (place.folder / "wandb").glob("offline-run-*/artlock.json")
        note.unlink()
        time.sleep(1.1)  # W&B names folders by the second
        assert tracker.register(registration(simple_lock())).created
        assert len(list((place.folder / "wandb").glob("offline-run-*"))) == 2

    def test_the_rest_says_that_it_is_offline(self, place: WandbPlace) -> None:
        tracker = place.tracker(WANDB_MODE="offline")
        with place.open() as online:
            version = version_in(online.register(registration(simple_lock())))
        place.server.clear()
        for ask in (
            tracker.names,
            lambda: tracker.versions("data"),
            lambda: tracker.find(Ref(name="data")),
            lambda: tracker.fetch(version),
            lambda: tracker.record_input(version, Run(id="x")),
            lambda: tracker.lineage(version),
        ):
            with pytest.raises(TrackerUnavailableError, match="says offline"):
                ask()
        tracker.close()
        assert place.server.requests == ()

    def test_the_folders_of_the_user_are_used(
        self, place: WandbPlace, tmp_path: Path
    ) -> None:
        runs, data = tmp_path / "runs here", tmp_path / "data"
        (runs / "wandb").mkdir(parents=True)
        tracker = place.tracker(
            WANDB_MODE="offline", WANDB_DIR=str(runs), WANDB_DATA_DIR=str(data)
        )
        outcome = tracker.register(registration(lockfile(tree("val", row("a.txt")))))
        assert f"'{runs}/wandb/offline-run-" in outcome.queued
        assert [p for p in (data / "artifacts" / "staging").rglob("*") if p.is_file()]
        assert not (runs / "wandb" / ".gitignore").exists()  # the folder is the user's


def services() -> list[int]:
    """Return the service processes of W&B that this process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name == "wandb-core" and rest.split()[1] == str(os.getpid()):
            found.append(int(stat.parent.name))
    return found


class TestWandbsOwnLoader:
    def test_it_gives_the_pinned_bytes_after_the_head_changed(
        self,
        seaweedfs: SeaweedFS,
        s3_bucket: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        admin = seaweedfs.client()
        rows = []
        for path, body in (("a b.txt", b"old bytes"), ("empty", b"")):
            answer = admin.put_object(Bucket=s3_bucket, Key=f"val/{path}", Body=body)
            admin.put_object(Bucket=s3_bucket, Key=f"val/{path}", Body=b"new bytes")
            tokens = str(Tokens(etag=answer["ETag"].strip('"')))
            rows.append(row(path, len(body), tokens=tokens, version=answer["VersionId"]))
        lock = lockfile(tree("val", *rows, uri=f"s3://{s3_bucket}/val/"))
        monkeypatch.setenv("AWS_S3_ENDPOINT_URL", seaweedfs.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.admin.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.admin.secret_key)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR"):
            monkeypatch.setenv(name, str(tmp_path / name))
        import wandb  # noqa: PLC0415 - takes seconds

        try:
            artifact = build(wandb, registration(lock), tmp_path).artifact
            entries = artifact.manifest.entries
            load = artifact.manifest.storage_policy.load_reference
            old = load(entries["val/a b.txt"], local=True)
            assert Path(old).read_bytes() == b"old bytes"
            assert Path(load(entries["val/empty"], local=True)).read_bytes() == b""
            wrong = entries["val/a b.txt"].model_copy(update={"digest": "0" * 32})
            with pytest.raises(ValueError, match="Digest mismatch"):
                load(wrong, local=True)
        finally:
            wandb.teardown()
