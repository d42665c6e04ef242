import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from artlock.cache.blobs import BlobCache
from artlock.cache.layout import CacheLayout
from artlock.model.tokens import Tokens

WRITTEN, DAMAGED = b"what was written " * 1000, b"what is there now" * 1000


@pytest.fixture
def image(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the file of a small disk, and where it is mounted."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    mkfs = shutil.which("mkfs.ext4")
    if mkfs is None:
        pytest.skip("there is no mkfs.ext4")
    disk, place = tmp_path / "disk", tmp_path / "place"
    place.mkdir()
    with open(disk, "wb") as file:
        file.truncate(8 << 20)
    subprocess.run([mkfs, "-q", "-O", "^metadata_csum", disk], check=True)
    mounted = subprocess.run(["mount", "-o", "loop", disk, place], check=False)
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield disk, place
    subprocess.run(["umount", place], check=True)


def test_3_22_a_check_reads_the_disk_and_not_what_memory_has_of_it(
    image: tuple[Path, Path],
) -> None:
    disk, place = image
    layout = CacheLayout(place / "cache")
    layout.prepare()
    cache = BlobCache(layout)
    with cache.batch() as batch:
        digest = batch.put([WRITTEN], Tokens(), size=len(WRITTEN), subject="x").digest
    assert cache.verify(digest)
    assert cache.path(digest).read_bytes() == WRITTEN
    with open(disk, "r+b") as file:
        start = file.read().index(WRITTEN[:4096])
        file.seek(start)
        file.write(DAMAGED[:4096])
        file.flush()
        os.fsync(file.fileno())
    assert cache.path(digest).read_bytes() == WRITTEN  # in memory it still is
    assert not cache.verify(digest)
    assert not cache.has(digest)
