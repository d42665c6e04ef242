"""The floor under a cold sync: obstore, blake3 and one file write for each object.

No listing, no check against anything, no cache, no sync to the disk.
``python -m benchmarks.read_loop ENDPOINT BUCKET LOCKFILE FOLDER``
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore
from blake3 import blake3
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store

from artlock.formats.lockfile import parse_lockfile

_THREADS = 16


def main() -> None:
    """Read every object of the lockfile's only artifact."""
    endpoint, bucket, lockfile, folder = sys.argv[1:]
    store = S3Store(
        bucket,
        endpoint=endpoint,
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
        credential_provider=Boto3CredentialProvider(),
    )
    (artifact,) = parse_lockfile(Path(lockfile).read_bytes()).artifacts

    def read(number: int) -> None:
        key = artifact.uri_of(artifact.objects[number]).key
        data = bytes(obstore.get(store, key).bytes())
        blake3(data).hexdigest()
        (Path(folder) / str(number)).write_bytes(data)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(read, range(len(artifact.objects))))


if __name__ == "__main__":
    main()
