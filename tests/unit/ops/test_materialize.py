"""Files of the workspace are staged, and told of, once each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blake3 import blake3

from artlock.cache.blobs import BlobCache
from artlock.cache.layout import CacheLayout
from artlock.fs.root import Root
from artlock.model.digest import Digest
from artlock.model.settings import LinkMode
from artlock.model.tokens import Tokens
from artlock.ops.materialize import Materializer, Write

if TYPE_CHECKING:
    from pathlib import Path


class Counting:
    """Adds up what it is told."""

    def __init__(self) -> None:
        self.told = [0, 0]

    def begin(self, deed: str, *, objects: int | None, size: int | None) -> None:
        """Nothing to do."""

    def advance(self, *, objects: int = 0, size: int = 0) -> None:
        """Add."""
        self.told[0] += objects
        self.told[1] += size

    def end(self) -> None:
        """Nothing to do."""

    def notice(self, text: str) -> None:
        """Nothing to do."""


def test_a_blob_that_is_missing_is_told_and_not_counted(tmp_path: Path) -> None:
    layout = CacheLayout(tmp_path / "cache")
    layout.prepare()
    blobs = BlobCache(layout)
    there, absent = b"there", b"not there"
    digests = [Digest.blake3(blake3(data).digest()) for data in (there, absent)]
    with blobs.batch() as batch:
        tokens = Tokens(digests=(digests[0],))
        batch.put([there], tokens, size=len(there), subject="there")
    progress = Counting()
    writes = [
        Write("data/there", digests[0], len(there)),
        Write("data/absent", digests[1], len(absent)),
    ]
    (tmp_path / "project").mkdir()
    with (
        Root(tmp_path / "project") as root,
        Materializer(root, blobs, LinkMode.COPY, progress) as files,
    ):
        assert files.stage(writes) == writes[1:]
        assert progress.told == [1, len(there)]
        files.place(["data/there"])
    assert (tmp_path / "project/data/there").read_bytes() == there
