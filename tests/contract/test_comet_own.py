"""Comet through its real SDK: what is sent there, and what never is."""

import getpass
import json
import os
import re
import socket
from collections.abc import Iterable
from contextlib import closing
from importlib.metadata import distributions
from pathlib import Path

import pytest

from artlock.model.lock import Kind, LockedArtifact
from artlock.model.manifest import Declaration
from artlock.model.registration import Labels, Lineage, Run
from artlock.model.uri import Uri
from artlock.tracking.comet import versions
from testbed.comet import API_KEY, Call
from testbed.http_server import HttpServer
from tests.contract.comet_place import PROJECT, WORKSPACE, CometPlace
from tests.contract.tracker_contract import version_in
from tests.registrations import (
    DIGEST_OF_A,
    PROVENANCE,
    lockfile,
    registration,
    row,
    simple_lock,
    text_of,
    tree,
)

pytestmark = pytest.mark.trackers

SENT = registration(simple_lock())


def assets_of(comet: CometPlace, name: str = "data") -> dict[str, dict[str, object]]:
    """Return the metadata of each asset of the newest version, by its place."""
    version = comet.server.versions(WORKSPACE, name)[-1]
    return {file.place: json.loads(file.metadata or "") for file in version.files}


class TestWhatIsSent:
    def test_each_scheme_has_its_metadata(self, comet: CometPlace) -> None:
        etag = f"{DIGEST_OF_A} etag:6654c734ccab8f440ff0825eb443dc7f"
        web = LockedArtifact(
            name="web",
            declared=Declaration(uri=Uri.parse("https://host.example/a.json")),
            kind=Kind.FILE,
            objects=(row("a.json", 3, tokens="etag:abc"),),
        )
        gs = LockedArtifact(
            name="gs",
            declared=Declaration(uri=Uri.parse("gs://b/data/g.txt")),
            kind=Kind.FILE,
            objects=(
                row("g.txt", 2, tokens="crc32c:9a71bb4c", version="1795420764192579"),
            ),
        )
        s3 = tree(
            "s3",
            row("a.txt", 2, tokens=etag, version="3HL4kqtJ"),
            row("b#.txt", 5, tokens="etag:498c381b", version="x"),
            row("c.txt", 4, tokens="etag:919c8b64"),
            uri="s3://bkt/data/",
        )
        with comet.open() as tracker:
            outcome = tracker.register(registration(lockfile(gs, s3, web)))
        assert assets_of(comet) == {
            "gs/g.txt": {
                "artlock_tokens": "crc32c:9a71bb4c",
                "artlock_trust": "store",
                "file_size": 2,
                "gs_path": "gs://b/data/g.txt",
                "synced": True,
                "version_id": "1795420764192579",
            },
            "s3/a.txt": {
                "artlock_tokens": etag,
                "artlock_trust": "strong",
                "checksum": "6654c734ccab8f440ff0825eb443dc7f",
                "file_size": 2,
                "s3_path": "s3://bkt/data/a.txt",
                "s3_platform": "aws",
                "synced": True,
                "version_id": "3HL4kqtJ",
            },
            "s3/b#.txt": {
                "artlock_reason": (
                    "its URL parser cuts the key at `#` or `?`, or drops a character"
                ),
                "artlock_tokens": "etag:498c381b",
                "artlock_trust": "etag",
                "file_size": 5,
                "version_id": "x",
            },
            "s3/c.txt": {
                "artlock_reason": (
                    "there is no version, so it would take whatever is there by then"
                ),
                "artlock_tokens": "etag:919c8b64",
                "artlock_trust": "etag",
                "file_size": 4,
            },
            "web/a.json": {
                "artlock_tokens": "etag:abc",
                "artlock_trust": "etag",
                "file_size": 3,
            },
        }
        assert outcome.links == 3

    def test_the_version_has_digest_tag_and_provenance(self, comet: CometPlace) -> None:
        labels = Labels(aliases=("prod",), tags=("nightly",), meta=(("note", "x"),))
        sent = registration(simple_lock(), labels=labels)
        with comet.open() as tracker:
            tracker.register(sent)
        (version,) = comet.server.versions(WORKSPACE, "data")
        metadata = json.loads(version.metadata or "")
        assert version.number == "1.0.0"
        assert version.aliases == ["prod"]
        assert set(version.tags) == {f"lock-{sent.short}", "nightly"}
        assert metadata["artlock_digest"] == sent.digest
        assert metadata["artlock_git_commit"] == sent.provenance.commit
        assert metadata["note"] == "x"
        drawn = (versions.__doc__ or "").partition("::\n")[2]
        assert json.loads(drawn).keys() <= metadata.keys()

    def test_a_second_push_writes_nothing(self, comet: CometPlace) -> None:
        with comet.open() as tracker:
            tracker.register(SENT)
            comet.server.forget_calls()
            assert not tracker.register(SENT).created
        assert comet.server.writes == []
        assert comet.server.calls_to("/logger/add/run") == []

    def test_labels_of_an_unchanged_version_make_no_version(
        self, comet: CometPlace
    ) -> None:
        labels = Labels(aliases=("prod",), tags=("good",), meta=(("note", "later"),))
        with comet.open() as tracker:
            tracker.register(SENT)
            comet.server.forget_calls()
            outcome = tracker.register(registration(simple_lock(), labels=labels))
        assert version_in(outcome).labels == labels
        assert not outcome.created
        assert comet.server.writes == ["/api/rest/v2/write/artifacts/version/labels"]

    @pytest.mark.slow
    def test_many_rows_are_few_batches_and_one_end(self, comet: CometPlace) -> None:
        rows = (row(f"{number:06}", version=f"v{number}") for number in range(10_001))
        sent = registration(lockfile(tree("many", *rows)))
        with comet.open() as tracker:
            version = version_in(tracker.register(sent))
            assert text_of(tracker.fetch(version)) == sent.text
        batches = [
            len(call.json["remoteArtifactAssetRequests"])  # type: ignore[arg-type] # JSON
            for call in comet.server.calls_to("/remote/batch")
        ]
        assert sum(batches) == 10_001
        assert len(batches) == 2
        states = [call.json["state"] for call in comet.server.calls_to("/artifacts/state")]
        assert states == ["CLOSED"]

    @pytest.mark.parametrize("is_named", [True, False])
    def test_a_run_that_is_there_gets_the_artifact_and_nothing_else(
        self, comet: CometPlace, *, is_named: bool
    ) -> None:
        run = comet.run("train")
        said: list[str] = []
        variables = {**comet.server.environ, "COMET_EXPERIMENT_KEY": run.id}
        with (
            comet.open()
            if is_named
            else closing(comet.tracker(environ=variables, notice=said.append))
        ) as tracker:
            sent = registration(simple_lock(), run=run if is_named else None)
            version = version_in(tracker.register(sent))
            assert tracker.lineage(version).produced == (run,)
            tracker.record_input(version, run)
        assert said == []
        assert comet.server.versions(WORKSPACE, "data")[0].consumers == [run.id]
        asked = {call.path for call in comet.server.calls}
        assert not {
            path
            for path in asked
            if path.endswith(("status-report/update", "log-other", "logger/add/run"))
            or "metric" in path
            or "notification" in path
        }

    def test_a_run_of_another_service_is_told_beside_the_experiment(
        self, comet: CometPlace
    ) -> None:
        run = Run(id="a:b", service="mlflow")
        with comet.open() as tracker:
            version = version_in(tracker.register(registration(simple_lock(), run=run)))
            lineage: Lineage = tracker.lineage(version)
        assert lineage.produced[0] == run
        assert [made.service for made in lineage.produced] == ["mlflow", "comet"]
        (name,) = comet.server.calls_to("/log-other")
        assert name.json["value"] == f"artlock push data {SENT.short}"


class TestWhatIsNotSent:
    def test_nothing_of_this_machine_leaves(
        self, comet: CometPlace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        project = tmp_path / "secret-project"
        project.mkdir()
        monkeypatch.chdir(project)
        with HttpServer() as proxy:
            variables = {
                **comet.server.environ,
                "AWS_SECRET_ACCESS_KEY": "theSecretOfTheStore",
                "HTTP_PROXY": proxy.endpoint,
                "HTTPS_PROXY": proxy.endpoint,
                "NO_PROXY": "127.0.0.1",
            }
            run = comet.run("train")
            with closing(comet.tracker(environ=variables)) as tracker:
                version = version_in(tracker.register(SENT))
                tracker.record_input(version, run)
                tracker.fetch(version)
            # Whatever wants another host would come by here.
            assert proxy.requests == ()
        told = [everything(call) for call in comet.server.calls]
        own = {socket.gethostname(), getpass.getuser(), str(Path.home())}
        number = str(os.getpid())
        unwanted = {
            *own,
            *({number} if len(number) > 3 else ()),  # a size is such a number, too
            str(project),
            "theSecretOfTheStore",
            "pytest",
            *(f"{found.name}==" for found in distributions()),
        }
        assert not words_in(told, unwanted)
        # It would be seen: this is what an author looks like where git knows none.
        author = everything_with(told, getpass.getuser())
        assert words_in(author, own) == {getpass.getuser()}
        # All that it tells of the machine: its own version, and Python's.
        assert {name for call in comet.server.calls for name in call.headers} <= {
            *("accept", "accept-encoding", "authorization", "connection"),
            *("content-encoding", "content-length", "content-type", "host"),
            *("user-agent", "x-comet-debug-experiment-key"),
            *("x-comet-debug-py-version", "x-comet-debug-sdk-version"),
            "x-comet-sdk-source",
        }

    def test_the_key_stands_only_where_comet_wants_it(self, comet: CometPlace) -> None:
        with comet.open() as tracker:
            tracker.register(SENT)
        for call in comet.server.calls:
            text = everything(call).replace(f"authorization: {API_KEY}", "")
            assert API_KEY not in text.replace(f'"apiKey": "{API_KEY}"', "")

    def test_the_url_names_workspace_and_project(self, comet: CometPlace) -> None:
        with comet.open() as tracker:
            tracker.register(SENT)
        (started,) = comet.server.calls_to("/logger/add/run")
        assert started.json["teamName"] == WORKSPACE
        assert started.json["projectName"] == PROJECT


def everything(call: Call) -> str:
    """Return all that a request told."""
    headers = "\n".join(f"{name}: {text}" for name, text in call.headers.items())
    query = "\n".join(f"{name}={text}" for name, text in call.query.items())
    return f"{call.path}\n{query}\n{headers}\n{call.body.decode()}"


def everything_with(told: list[str], author: str) -> list[str]:
    """Return the same requests, had somebody else pushed."""
    name = PROVENANCE.author or ""
    assert any(name in text for text in told)
    return [text.replace(name, author) for text in told]


def words_in(told: list[str], unwanted: Iterable[str]) -> set[str]:
    """Return the words that were told, each as a whole however short it is."""
    text = "\n".join(told)
    return {
        word for word in unwanted if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)
    }
