"""The objects that are measured, put into a server that this run started."""

from __future__ import annotations

import io
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.seaweedfs import SeaweedFS

MANY = "many"
BIG = "big"
_SMALL_SIZE = 10_000
_TINY_SIZE = 1_000
_BIG_SIZE = 256 * 2**20
_FOLDERS = 100
_BIG_COUNT = 4
_LOADERS = 16


def load(server: SeaweedFS, *, objects: int) -> None:
    """Put ``objects`` of 10 kB into one versioned bucket, and 4 of 256 MB into another."""
    client = server.client()
    chance = random.Random(1)  # the same bytes in each run
    bodies = [chance.randbytes(_SMALL_SIZE) for _ in range(objects)]

    def put(number: int) -> None:
        key = f"t/d{number % _FOLDERS:02}/f{number:06}.bin"
        client.put_object(Bucket=MANY, Key=key, Body=bodies[number])

    server.create_bucket(MANY)
    with ThreadPoolExecutor(_LOADERS) as pool:
        list(pool.map(put, range(objects)))
    server.create_bucket(BIG)
    for number in range(_BIG_COUNT):
        body = io.BytesIO(os.urandom(_BIG_SIZE))
        client.upload_fileobj(body, BIG, f"w/f{number}.bin")
    client.close()


def make_files(folder: Path, *, count: int) -> None:
    """Make files of 1 kB in a hundred folders."""
    chance = random.Random(2)
    for number in range(_FOLDERS):
        (folder / f"d{number:02}").mkdir(parents=True)
    for number in range(count):
        path = folder / f"d{number % _FOLDERS:02}" / f"f{number:06}.bin"
        path.write_bytes(chance.randbytes(_TINY_SIZE))
