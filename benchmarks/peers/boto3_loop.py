"""What many write themselves: list a prefix with boto3, download each object in threads.

``python -m benchmarks.peers.boto3_loop BUCKET PREFIX FOLDER``
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config

_THREADS = 16


def main() -> None:
    """Download what lies below the prefix."""
    bucket, prefix, folder = sys.argv[1:]
    client = boto3.client("s3", config=Config(max_pool_connections=_THREADS))
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def download(key: str) -> None:
        path = Path(folder) / key.removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(bucket, key, str(path))

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(download, keys))


if __name__ == "__main__":
    main()
