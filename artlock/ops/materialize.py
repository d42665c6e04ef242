"""Cache to workspace: every file is staged and on the disk before any gets its name."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Self

import msgspec

from artlock.cache.records import Stamp
from artlock.engine.forks import share_out
from artlock.engine.threads import each
from artlock.errors import BlobMissingError, ConfigError, ConflictError, WorkspaceError
from artlock.fs.clock import FINE_WINDOW_NS
from artlock.fs.durability import Barrier, Fsync
from artlock.fs.link import Cloner
from artlock.fs.problems import raising
from artlock.fs.staging import Staged
from artlock.model.settings import LinkMode
from artlock.ops.placements import one_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from artlock.cache.blobs import BlobCache
    from artlock.fs.root import Root
    from artlock.model.digest import Digest
    from artlock.ops.progress import Progress

_SMALL = 2**20
"""Bytes below which making a file costs more than filling it."""
_SETTLED_S = (FINE_WINDOW_NS + 12_000_000) / 1e9
"""With one more tick of the slowest clock, by which a look at it may be late."""
_WORKERS = 2
_BATCH_FILES = 64
_BATCH_SIZE = 4 * 2**20
"""What is staged before it is reported."""
_WORTH_A_FORK = 1000
"""Small files that take longer to make than a process."""


class Write(msgspec.Struct, frozen=True):
    """A blob and where its bytes are to appear."""

    target: str
    digest: Digest
    size: int


class _Made(msgspec.Struct, frozen=True):
    """A staged file, and how it looked then."""

    staged: Staged
    stamp: Stamp


_MADE = msgspec.msgpack.Decoder(list[_Made | None])


class Materializer:
    """Puts blobs into the workspace; a context manager that removes what it did not place.

    What an interruption of just that moment leaves, a later sync removes.

    Args:
        root: The project's folder.
        blobs: Where the bytes are.
        mode: How they get there.
        progress: Told of each file.
        may_fork: Whether a second process may help with many small files.
    """

    def __init__(
        self,
        root: Root,
        blobs: BlobCache,
        mode: LinkMode,
        progress: Progress,
        *,
        may_fork: bool = False,
    ) -> None:
        self._root = root
        self._blobs = blobs
        self._mode = mode
        self._progress = progress
        self._may_fork = may_fork
        self._cloner = Cloner()
        self._staged: dict[str, Staged] = {}
        self._written_s = 0.0
        self.stamps: dict[str, Stamp] = {}
        """How each file looked when it was staged, then when it had its name, by target."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with raising(WorkspaceError, "cannot remove a staged file"):
            for staged in self._staged.values():
                self._root.staging.abandon(staged)
            self._root.new_folders.abandon()

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

        def stage(batch: Sequence[Write]) -> list[_Made | None]:
            return self._stage(make, batch, barrier)

        def take(batch: Sequence[Write], made: list[_Made | None]) -> None:
            missing.extend(self._take(batch, made))
            # The disk works meanwhile: at 200 MB in small files 0.02 s are left, not 0.8.
            barrier.ahead(sum(write.size for write in batch))

        with (
            raising(WorkspaceError, "cannot write to the workspace"),
            self._barrier(write.target for write in writes) as barrier,
        ):
            self._root.new_folders.begin(w.target.rpartition("/")[0] for w in writes)
            make = self._maker(writes[0])
            # Copies only: what linking learns goes to a database, which no fork may use.
            if self._may_fork and make == self._copy and _worth_a_fork(writes):
                share_out(
                    lambda batch: msgspec.msgpack.encode(stage(batch)),
                    list(_batches(writes)),
                    lambda batch, data: take(batch, _MADE.decode(data)),
                )
            else:
                for outcome in each(stage, _batches(writes), workers=_workers(writes)):
                    if outcome.error is not None:
                        raise outcome.error
                    take(outcome.item, outcome.result or [])
            for fd in self._root.new_folders.descriptors():
                barrier.written(fd)
            # Before the names: after a power cut no name may have bytes that never came.
            barrier.flush()
        return missing

    def _barrier(self, targets: Iterable[str]) -> Barrier:
        """Return what presses files and names to the disk, on mounts in the workspace too.

        Raises:
            OSError: A folder cannot be opened.
        """
        folders = {target.rpartition("/")[0] for target in targets}
        others = self._root.other_file_systems(folders)
        return Barrier(self._root.path, Fsync.BATCH, others=others)

    def settle(self) -> None:
        """Wait until no write from now on can bear the time of those that are done.

        Some 32 ms at most, and mostly nothing: pressing bytes to the disk takes longer.
        Without, the files would be read once more next time (hazard 2.28).
        """
        wait_s = self._written_s + _SETTLED_S - time.monotonic()
        if self._staged and wait_s > 0:
            time.sleep(wait_s)

    def place(self, targets: Iterable[str], before: Mapping[str, os.stat_result]) -> None:
        """Give staged files their names, each in one step.

        Args:
            targets: Of staged files.
            before: How the regular files that are replaced looked; no others are.

        Raises:
            ConflictError: Somebody changed a file, or made it; it is kept. Names before it
                were given.
            UnsafePathError: The file system takes the names of two targets for one.
            WorkspaceError: A name cannot be given; those before it were.
        """
        parents: set[str] = set()
        wanted = list(targets)
        with (
            raising(WorkspaceError, "cannot write to the workspace"),
            self._barrier(wanted) as barrier,
        ):
            try:
                self._place_folders(wanted, parents)
                for target in wanted:
                    if target in self._staged:
                        self._place(target, before.get(target))
                        parents.add(target.rpartition("/")[0])
            finally:
                barrier.named([self._root.path / parent for parent in parents])

    def _place_folders(self, targets: Collection[str], parents: set[str]) -> None:
        """Give new folders their names, each with all its files in one step.

        Args:
            targets: All files that are to be named.
            parents: Gets the folders in which names were given.
        """
        # For 20,000 files of 10 kB without a rename and a look each: 2.7 s of CPU, not 3.6.
        folders, wanted = self._root.new_folders, set(targets)
        for top, inside in folders.tops(self._staged.items()).items():
            if inside and wanted.issuperset(inside) and folders.place(top):
                parents.add(top.rpartition("/")[0])
                for target in inside:
                    del self._staged[target]

    def _place(self, target: str, before: os.stat_result | None) -> None:
        try:
            now = self._root.place(self._staged[target], target, before)
        except ConflictError:
            there = self._root.lstat(target)
            for other, stamp in self.stamps.items():
                is_named = other not in self._staged
                if there and is_named and stamp.is_but_linked(Stamp.of(there)):
                    raise one_name(other, target) from None
            raise
        del self._staged[target]
        # With the time of its inode as the rename left it: a later edit shows by that.
        if now is not None and self.stamps[target].is_but_linked(Stamp.of(now)):
            self.stamps[target] = Stamp.of(now)

    def _stage(
        self,
        make: Callable[[Write, Barrier], _Made],
        batch: Sequence[Write],
        barrier: Barrier,
    ) -> list[_Made | None]:
        """Stage some files, all or none; ``None`` stands for one whose blob is missing."""
        made: list[_Made | None] = []
        try:
            for write in batch:
                try:
                    one = make(write, barrier)
                except BlobMissingError:
                    made.append(None)
                    continue
                made.append(one)
                # At once, so that it is removed whatever happens to the others.
                self._staged[write.target] = one.staged
        except BaseException:
            # Not left to the end: in a fork nobody else knows of them.
            for there in filter(None, made):
                self._root.staging.abandon(there.staged)
            raise
        return made

    def _take(self, batch: Sequence[Write], made: Sequence[_Made | None]) -> list[Write]:
        """Take note of staged files; return those whose blob is missing."""
        missing = []
        number = size = 0
        for write, one in zip(batch, made, strict=True):
            if one is None:
                missing.append(write)
                continue
            self._staged[write.target] = one.staged
            self.stamps[write.target] = one.stamp
            number += 1
            size += write.size
        self._written_s = time.monotonic()
        self._progress.advance(objects=number, size=size)
        return missing

    def _maker(self, first: Write) -> Callable[[Write, Barrier], _Made]:
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
                probe = self._root.staging.clone(fd, first.target, self._cloner)
        except BlobMissingError:
            return False
        if probe is not None:
            self._root.staging.abandon(probe)
        return probe is not None

    def _copy(self, write: Write, barrier: Barrier) -> _Made:
        staged, fd = self._root.staging.file(write.target)
        try:
            self._blobs.copy_to(write.digest, write.size, fd)
            barrier.written(fd)
            # Of the open file: a look at it by name would cost as much as making it.
            return _Made(staged, Stamp.of(os.fstat(fd)))
        except BaseException:
            self._root.staging.abandon(staged)
            raise
        finally:
            os.close(fd)

    def _reflink(self, write: Write, barrier: Barrier) -> _Made:
        def clone(path: Path) -> Staged | None:
            fd = os.open(path, os.O_RDONLY)
            try:
                return self._root.staging.clone(fd, write.target, self._cloner)
            finally:
                os.close(fd)

        return self._linked(write, barrier, clone)

    def _hardlink(self, write: Write, barrier: Barrier) -> _Made:
        root, target = self._root, write.target
        return self._linked(
            write, barrier, lambda path: root.staging.hardlink(path, target)
        )

    def _symlink(self, write: Write, barrier: Barrier) -> _Made:
        root, target = self._root, write.target
        return self._linked(
            write, barrier, lambda path: root.staging.symlink(str(path), target)
        )

    def _linked(
        self, write: Write, barrier: Barrier, stage: Callable[[Path], Staged | None]
    ) -> _Made:
        """Stage what shares its bytes with a blob, or a copy where ``stage`` cannot."""
        staged: Staged | None = None
        try:
            # The stamp is taken within: it is that of bytes which are known to be right.
            with self._blobs.linkable(write.digest) as path:
                staged = stage(path)
                made = None if staged is None else self._made(staged)
        except BaseException:
            if staged is not None:
                self._root.staging.abandon(staged)
            raise
        return self._copy(write, barrier) if made is None else made

    def _made(self, staged: Staged) -> _Made:
        return _Made(staged, Stamp.of(self._root.staging.stat(staged)))


def _worth_a_fork(writes: Sequence[Write]) -> bool:
    return len(writes) >= _WORTH_A_FORK and _workers(writes) == 1


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
