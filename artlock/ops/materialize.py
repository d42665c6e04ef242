"""Cache to workspace: every file is staged and on the disk before any gets its name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from artlock.engine.threads import each
from artlock.errors import BlobMissingError, ConfigError, WorkspaceError
from artlock.fs.durability import Barrier, Fsync
from artlock.fs.link import Cloner
from artlock.fs.problems import raising
from artlock.model.settings import LinkMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from artlock.cache.blobs import BlobCache
    from artlock.fs.root import Root, Staged
    from artlock.model.digest import Digest
    from artlock.ops.progress import Progress

_SMALL = 2**20
"""Bytes below which making a file costs more than filling it."""
_WORKERS = 2
_BATCH_FILES = 64
_BATCH_SIZE = 4 * 2**20
"""What is staged before it is reported."""


@dataclass(frozen=True, slots=True)
class Write:
    """A blob and where its bytes are to appear."""

    target: str
    digest: Digest
    size: int


class Materializer:
    """Puts blobs into the workspace; a context manager that removes what it did not place.

    What an interruption of just that moment leaves, a later sync removes.

    Args:
        root: The project's folder.
        blobs: Where the bytes are.
        mode: How they get there.
        progress: Told of each file.
    """

    def __init__(
        self, root: Root, blobs: BlobCache, mode: LinkMode, progress: Progress
    ) -> None:
        self._root = root
        self._blobs = blobs
        self._mode = mode
        self._progress = progress
        self._cloner = Cloner()
        self._staged: dict[str, Staged] = {}
        self.stats: dict[str, os.stat_result] = {}
        """How each file looked when it was staged, by target."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for staged in self._staged.values():
            with raising(WorkspaceError, "cannot remove a staged file"):
                self._root.abandon(staged)

    def stage(self, writes: Sequence[Write]) -> list[Write]:
        """Make every file under a temporary name, and press all to the disk at once.

        Bytes are hashed while they are copied, and blobs that are linked are known to be
        intact: what is staged is what was locked.

        Returns:
            Those whose blob is missing or was damaged and put aside; fetch them again.

        Raises:
            WorkspaceError: The workspace cannot be written; it is as it was.
            CacheError: The cache cannot be read.
        """
        if not writes:
            return []
        missing: list[Write] = []
        make = self._maker(writes[0])

        def stage(batch: Sequence[Write]) -> list[Write]:
            return [write for write in batch if not self._stage(make, write, barrier)]

        with (
            raising(WorkspaceError, "cannot write to the workspace"),
            Barrier(self._root.path, Fsync.BATCH) as barrier,
        ):
            workers = _workers(writes)
            for outcome in each(stage, _batches(writes), workers=workers):
                if outcome.error is not None:
                    raise outcome.error
                absent = outcome.result or []
                missing += absent
                size = sum(write.size for write in outcome.item)
                size -= sum(write.size for write in absent)
                number = len(outcome.item) - len(absent)
                self._progress.advance(objects=number, size=size)
            # Before the names: after a power cut no name may have bytes that never came.
            barrier.flush()
        return missing

    def place(self, targets: Iterable[str]) -> None:
        """Give staged files their names, each in one step.

        Raises:
            WorkspaceError: A name cannot be given; those before it were.
        """
        parents = set()
        with (
            raising(WorkspaceError, "cannot write to the workspace"),
            Barrier(self._root.path, Fsync.BATCH) as barrier,
        ):
            for target in targets:
                self._root.place(self._staged[target], target)
                del self._staged[target]
                parents.add(target.rpartition("/")[0])
            barrier.named([self._root.path / parent for parent in parents])

    def _stage(
        self,
        make: Callable[[Write, Barrier], Staged],
        write: Write,
        barrier: Barrier,
    ) -> bool:
        """Stage one file; tell whether its blob was there."""
        try:
            staged = make(write, barrier)
        except BlobMissingError:
            return False
        # At once, so that it is removed whatever happens to the others.
        self._staged[write.target] = staged
        if write.target not in self.stats:
            status = self._root.lstat(f"{staged.folder}/{staged.name}")
            if status is not None:
                self.stats[write.target] = status
        return True

    def _maker(self, first: Write) -> Callable[[Write, Barrier], Staged]:
        mode = self._mode
        if mode in {LinkMode.AUTO, LinkMode.REFLINK}:
            if self._shares_blocks(first):
                return self._reflink
            if mode is LinkMode.REFLINK:
                message = "the file system of the cache and the workspace has no reflinks"
                raise ConfigError(message, hint="use `--link-mode copy`")
            return self._copy
        links = {LinkMode.HARDLINK: self._hardlink, LinkMode.SYMLINK: self._symlink}
        return links.get(mode, self._copy)

    def _shares_blocks(self, first: Write) -> bool:
        """Try it once with the first blob, whose bytes do not matter yet."""
        try:
            with self._blobs.open(first.digest, first.size) as fd:
                probe = self._root.stage_clone(fd, first.target, self._cloner)
        except BlobMissingError:
            return False
        if probe is not None:
            self._root.abandon(probe)
        return probe is not None

    def _copy(self, write: Write, barrier: Barrier) -> Staged:
        staged, fd = self._root.stage(write.target)
        try:
            self._blobs.copy_to(write.digest, write.size, fd)
            barrier.written(fd)
            # Of the open file: a look at it by name would cost as much as making it.
            self.stats[write.target] = os.fstat(fd)
        except BaseException:
            self._root.abandon(staged)
            raise
        finally:
            os.close(fd)
        return staged

    def _reflink(self, write: Write, barrier: Barrier) -> Staged:
        with self._blobs.linkable(write.digest) as path:
            fd = os.open(path, os.O_RDONLY)
            try:
                staged = self._root.stage_clone(fd, write.target, self._cloner)
            finally:
                os.close(fd)
        return staged if staged is not None else self._copy(write, barrier)

    def _hardlink(self, write: Write, _barrier: Barrier) -> Staged:
        with self._blobs.linkable(write.digest) as path:
            return self._root.stage_hardlink(path, write.target)

    def _symlink(self, write: Write, _barrier: Barrier) -> Staged:
        with self._blobs.linkable(write.digest) as path:
            return self._root.stage_symlink(str(path), write.target)


def _workers(writes: Sequence[Write]) -> int:
    """Return how many threads to stage with.

    Small files are nearly all system calls, and threads would hand the interpreter over at
    each: two gain nothing. The copying and hashing of large ones gains from two.
    """
    average = sum(write.size for write in writes) / len(writes)
    return 1 if average < _SMALL else _WORKERS


def _batches(writes: Sequence[Write]) -> Iterator[Sequence[Write]]:
    """Split writes, in their order, into what one thread stages at once."""
    start = size = 0
    for end, write in enumerate(writes):
        if end > start and (end - start == _BATCH_FILES or size + write.size > _BATCH_SIZE):
            yield writes[start:end]
            start, size = end, 0
        size += write.size
    yield writes[start:]
