"""The floor under a cold sync: obstore, blake3 and one file write for each object.

No listing, no check against anything, no cache, no sync to the disk.
``python -m benchmarks.peers.read_loop LOCKFILE FOLDER``
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore
from blake3 import blake3
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import GCSStore, S3Store

from artlock.formats.lockfile import parse_lockfile

_THREADS = 16


def main() -> None:
    """Read every object of the lockfile's only artifact."""
    lockfile, folder = map(Path, sys.argv[1:])
    (artifact,) = parse_lockfile(lockfile.read_bytes()).artifacts
    made = {path.parent for path in (folder / row.path for row in artifact.objects)}
    for parent in made:
        parent.mkdir(parents=True, exist_ok=True)
    uri = artifact.declared.uri
    store = _STORES[uri.scheme](uri.authority or "")

    def read(number: int) -> None:
        row = artifact.objects[number]
        key = artifact.uri_of(row).key
        answer = obstore.get(store, key, options={"version": row.version})
        data = bytes(answer.bytes())
        blake3(data).hexdigest()
        (folder / row.path).write_bytes(data)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(read, range(len(artifact.objects))))


def _s3(bucket: str) -> S3Store:
    return S3Store(
        bucket,
        endpoint=os.environ["AWS_ENDPOINT_URL_S3"],
        region=os.environ["AWS_REGION"],
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
        credential_provider=Boto3CredentialProvider(),
    )


def _gcs(bucket: str) -> GCSStore:
    return GCSStore(
        bucket,
        base_url=os.environ["STORAGE_EMULATOR_HOST"],
        skip_signature=True,
        client_options={"allow_http": True},
    )


_STORES: dict[str, Callable[[str], S3Store | GCSStore]] = {"s3": _s3, "gs": _gcs}


if __name__ == "__main__":
    main()
