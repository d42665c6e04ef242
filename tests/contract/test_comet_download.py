"""What artlock pushed, fetched by Comet's own client: the pinned bytes, or nothing.

Real SDK, real S3 server; the stores are asked by Comet's client alone.
"""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from artlock.model.lock import Kind, LockedArtifact, LockedObject
from artlock.model.manifest import Declaration
from artlock.model.registration import Registration
from artlock.model.uri import Uri
from testbed.gcs_media import GcsMedia
from testbed.seaweedfs import SeaweedFS
from tests.contract.comet_place import URL, WORKSPACE, CometPlace
from tests.registrations import lockfile, registration, row, tree

_FETCH = """
import json, sys
for name in ("matplotlib", "numpy", "PIL"):
    sys.modules[name] = None  # as if not installed: it would load them for nothing
import comet_ml
from comet_ml.api import API
how, workspace, version, folder, *names = sys.argv[1:]
links = {}
if how != "api":
    experiment = comet_ml.start(workspace=workspace, project_name="training")
for name in names:
    if how == "api":
        logged = API(cache=False).get_artifact(workspace, name, version=version)
    else:
        logged = experiment.get_artifact(
            name, workspace=workspace, version_or_alias=version
        )
    logged.download(folder + "/" + name)
    links.update({asset.logical_path: asset.link for asset in logged.assets})
print("links " + json.dumps(links))
if how != "api":
    print("run " + experiment.id)
    experiment.end()
"""


class Consumer:
    """Somebody who has Comet's client and credentials of the stores, and no artlock."""

    def __init__(self, comet: CometPlace, folder: Path, **environ: str) -> None:
        self._environ = {
            **os.environ,
            **comet.server.environ,
            **environ,
            "COMET_DISABLE_AUTO_LOGGING": "1",
            "COMET_ERROR_TRACKING_ENABLE": "false",
            "COMET_DISABLE_ANNOUNCEMENT": "true",
            "COMET_LOGGING_CONSOLE": "ERROR",
        }
        self._folder = folder
        self.run = ""

    def fetch(self, *names: str, how: str = "api") -> dict[str, bytes]:
        """Download version 1 of artifacts; return the files below the names."""
        target = self._folder / how
        done = subprocess.run(
            [sys.executable, "-c", _FETCH, how, WORKSPACE, "1.0.0", str(target), *names],
            env=self._environ,
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        said = dict(
            line.split(" ", 1)
            for line in done.stdout.splitlines()
            if line.startswith(("links ", "run "))
        )
        self.run = said.get("run", "")
        self.links = json.loads(said["links"])
        return {
            file.relative_to(target).as_posix(): file.read_bytes()
            for file in target.rglob("*")
            if file.is_file()
        }


@pytest.fixture
def consumer(comet: CometPlace, seaweedfs: SeaweedFS, tmp_path: Path) -> Consumer:
    return Consumer(
        comet,
        tmp_path,
        AWS_ENDPOINT_URL_S3=seaweedfs.endpoint,
        AWS_ACCESS_KEY_ID=seaweedfs.admin.access_key,
        AWS_SECRET_ACCESS_KEY=seaweedfs.admin.secret_key,
        AWS_DEFAULT_REGION="us-east-1",
    )


def push(comet: CometPlace, sent: Registration) -> tuple[str, ...]:
    """Register; return the warnings."""
    with comet.open() as tracker:
        outcome = tracker.register(sent)
        assert outcome.created
        warned = sum(
            int(text.split(" of ")[0].rsplit(" ", 1)[-1]) for text in outcome.warnings
        )
        assert warned == outcome.links
        return outcome.warnings


@pytest.mark.slow
class TestS3:
    def test_pinned_versions_come_back_byte_for_byte(
        self, comet: CometPlace, consumer: Consumer, seaweedfs: SeaweedFS, s3_bucket: str
    ) -> None:
        s3 = seaweedfs.client()

        def put(key: str, body: bytes) -> str:
            return s3.put_object(Bucket=s3_bucket, Key=f"data/{key}", Body=body)[
                "VersionId"
            ]

        pinned = {
            "over written/old.bin": b"the pinned bytes",
            "deleted.bin": b"pinned, and deleted since",
            "empty.bin": b"",
            "per%20cent;and+plus&=.txt": b"percent",
            "quote'\".json": b"quotes",
            "caf\u00e9/\U0001f600": b"beyond ASCII",
            "semi;colon/x;y": b"parameters of a URL",
            "deep/" + "x" * 200: b"long",
        }
        rows = [
            row(path, len(body), version=put(path, body)) for path, body in pinned.items()
        ]
        put("over written/old.bin", b"of another time, and longer than before")
        s3.delete_object(Bucket=s3_bucket, Key="data/deleted.bin")
        lost = {"hash#1.txt": b"a", "question?x=1": b"b"}
        rows += [
            row(path, len(body), version=put(path, body)) for path, body in lost.items()
        ]
        put("unversioned.bin", b"whatever is there")
        rows.append(row("unversioned.bin", 17))
        rows.sort(key=lambda one: one.path.encode())
        declared = Declaration(uri=Uri.parse(f"s3://{s3_bucket}/data/"), portable=False)
        board = LockedArtifact(
            name="board",
            declared=Declaration(uri=Uri.parse("labelbox://project/42")),
            kind=Kind.LINK,
        )
        sent = registration(lockfile(board, tree("val", *rows, declared=declared)))
        warnings = push(comet, sent)

        # One artifact by itself stands at its own paths; its head is fetched only by who
        # asks for it in the tracker's URL.
        s3.put_object(Bucket=s3_bucket, Key="each/one.txt", Body=b"as it is now")
        head = Declaration(uri=Uri.parse(f"s3://{s3_bucket}/each/"))
        itself = lockfile(tree("each", row("one.txt", 12), declared=head))
        heads = Uri.parse(f"{URL}?unversioned=head")
        with closing(comet.tracker(url=heads)) as tracker:
            outcome = tracker.register(registration(itself, "each", each=True))
        assert (outcome.links, outcome.warnings) == (0, ())

        files = consumer.fetch("data", "each", how="experiment")

        assert files == {
            **{f"data/val/{path}": body for path, body in pinned.items()},
            "each/one.txt": b"as it is now",
        }
        assert set(consumer.links) == {
            *("board", "one.txt"),
            *(f"val/{one.path}" for one in rows),
        }
        assert consumer.links["board"] == "labelbox://project/42"
        version = comet.server.versions(WORKSPACE, "data")[0]
        assert version.consumers == [consumer.run]
        for path in (*lost, "unversioned.bin"):
            assert any(f"`val/{path}`" in warning for warning in warnings)
        assert all("`artlock sync --from` can" in warning for warning in warnings)


class TestGcs:
    def test_a_generation_comes_back(self, comet: CometPlace, tmp_path: Path) -> None:
        with GcsMedia() as gcs:
            generation = gcs.put("models", "encoder v1.bin", b"old")
            gcs.put("models", "encoder v1.bin", b"newer")
            declared = Declaration(uri=Uri.parse("gs://models/encoder v1.bin"))
            artifact = LockedArtifact(
                name="encoder",
                declared=declared,
                kind=Kind.FILE,
                objects=(LockedObject("encoder v1.bin", 3, "crc32c:9a71bb4c", generation),),
            )
            assert push(comet, registration(lockfile(artifact), "encoder", each=True)) == ()
            assert gcs.requests == ()
            consumer = Consumer(comet, tmp_path, STORAGE_EMULATOR_HOST=gcs.endpoint)
            assert consumer.fetch("encoder") == {"encoder/encoder v1.bin": b"old"}
