"""What the children of the crash tests do; each runs until it is done or killed."""

import hashlib
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from blake3 import blake3

from artlock.cache.blobs import BlobCache
from artlock.cache.layout import CacheLayout
from artlock.cache.ranges import PartialFile, object_key
from artlock.model.digest import Digest
from artlock.model.tokens import Tokens

BLOBS = 150
LARGE_SIZE = (6 << 20) + 5
RANGE = 256 << 10


def blob_data(number: int) -> bytes:
    # The last ones are longer than what is written in one piece.
    size = 20_000 if number < BLOBS - 3 else 3 << 20
    return random.Random(number).randbytes(size)  # noqa: S311 - made-up data


def large_data() -> bytes:
    return random.Random("large").randbytes(LARGE_SIZE)  # noqa: S311 - made-up data


def tokens_of(data: bytes) -> Tokens:
    return Tokens(digests=(Digest.parse("sha256:" + hashlib.sha256(data).hexdigest()),))


def put_blobs(layout: CacheLayout) -> None:
    with BlobCache(layout).batch() as batch, ThreadPoolExecutor(4) as pool:

        def put(number: int) -> None:
            data = blob_data(number)
            parts = [data[n : n + 7000] for n in range(0, len(data), 7000)]
            batch.put(parts, tokens_of(data), size=len(data), subject=str(number))
            if number % 25 == 0:
                batch.commit()

        list(pool.map(put, range(BLOBS)))


def put_large(layout: CacheLayout) -> int:
    """Put the large object; return how many ranges had to be given."""
    data = large_data()
    digest = Digest.blake3(blake3(data).digest())
    if BlobCache(layout).has(digest):
        return 0
    key = object_key("s3", "s3://b/large", "1", len(data))
    tokens = tokens_of(data)
    with (
        PartialFile(
            layout, key, len(data), tokens=tokens, subject="large", range_length=RANGE
        ) as partial,
        BlobCache(layout).batch() as batch,
        ThreadPoolExecutor(3) as pool,
    ):
        missing = partial.missing()

        def write(span: tuple[int, int]) -> None:
            start, end = span[0], span[0] + span[1]
            steps = range(start, end, 50_000)
            partial.write(start, (data[n : min(n + 50_000, end)] for n in steps))

        list(pool.map(write, missing))
        partial.finish(batch)
    return len(missing)


if __name__ == "__main__":
    layout = CacheLayout(Path(sys.argv[2]))
    layout.prepare()
    print("ready", flush=True)  # noqa: T201 - the parent waits for it
    {"blobs": put_blobs, "large": put_large}[sys.argv[1]](layout)
