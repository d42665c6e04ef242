"""The one way into the cache: bytes are verified, then synced, and only then named.

::

    put(chunks) --> tmp/<temporary> --> verified --+
    put(chunks) --> tmp/<temporary> --> verified --+--> commit: one sync --> blobs/...
    a finished PartialFile ------------------------+

A name that appears before its bytes are on the disk is wrong bytes after a power cut
(hazard 3.1). There is no mutex: temporary names are unique, and who is second puts equal
bytes in place of equal bytes (hazard 3.9).
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import msgspec
from blake3 import blake3

from artlock.cache.evidence import Evidence
from artlock.cache.layout import OPTION, CacheLayout, blob_name
from artlock.cache.records import BlobRecords, Stamp
from artlock.errors import CacheError, IntegrityError
from artlock.fs.atomic import write_all
from artlock.fs.durability import HAS_SYNCFS, Barrier, Fsync, start_writeback, sync_file
from artlock.fs.problems import hint, raising, reason
from artlock.fs.temporary import Names
from artlock.model.digest import Digest
from artlock.model.tokens import Tokens
from artlock.model.verification import Buffer, Verification, Verified

_PIECE = 1 << 20
"""Bytes are hashed in pieces of at least this size: the hashers let other threads run."""
_WRITEBACK = 32 << 20
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_CREATE |= getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_MODE = 0o444


class _Waiting(msgspec.Struct, frozen=True):
    """A verified file that waits for its name.

    Attributes:
        name: Below ``CacheLayout.home``.
        journal: What a later process would resume from, likewise; ``None`` if nothing can
            be.
    """

    name: str
    journal: str | None = None


class Batch:
    """Blobs that get their names together; safe to use from many threads.

    Leaving the ``with`` block commits; leaving it by an error abandons what waits.

    Args:
        layout: Where; ``prepare`` was called.
        fsync: How hard.
        records: Where to remember that the blobs were hashed, for those that are linked.
        has_syncfs: Whether the system can sync all at once; only tests say.

    Raises:
        CacheError: The cache cannot be opened.
    """

    def __init__(
        self,
        layout: CacheLayout,
        *,
        fsync: Fsync = Fsync.BATCH,
        records: BlobRecords | None = None,
        has_syncfs: bool = HAS_SYNCFS,
    ) -> None:
        self._layout = layout
        self._fsync = fsync
        self._records = records
        self._evidence = Evidence(layout)
        self._names = Names()
        self._home = f"{layout.home}/"
        self._mutex = threading.Lock()
        self._committing = threading.Lock()
        self._waiting: dict[Digest, _Waiting] = {}
        self._is_open = True
        with raising(CacheError, f"cannot open the cache `{layout.root}`"):
            self._barrier = Barrier(layout.home, fsync, has_syncfs=has_syncfs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            try:
                self.commit()
            finally:
                self.abandon()
        else:
            self.abandon()

    def put(
        self,
        chunks: Iterable[Buffer],
        tokens: Tokens,
        *,
        size: int | None,
        subject: str,
        etag_is_md5: bool = False,
        keep_refused: bool = False,
    ) -> Verified:
        """Take bytes in if they are what was locked; ``commit`` names them.

        Args:
            chunks: The bytes, in order; never read beyond ``size``.
            tokens: What was locked; every token that artlock knows must hold.
            size: The size that was locked, in bytes; ``None`` if it is not known yet.
            subject: What the bytes are, for the error; a URI as a rule.
            etag_is_md5: See ``Verification``.
            keep_refused: Whether bytes that are refused are kept as evidence (hazard 4.5);
                the error tells where.

        Raises:
            IntegrityError: Another size, or a token that does not hold; no blob was stored.
            StoreError: ``chunks`` broke off; nothing was stored.
            CacheError: The cache cannot be written; nothing was stored.
        """
        check = Verification(tokens, size=size, subject=subject, etag_is_md5=etag_is_md5)
        pieces = _pieces(chunks)
        first = next(pieces, b"")
        check.update(first)
        if memoryview(first).nbytes >= _PIECE:
            return self._put_pieces(first, pieces, check, size, keep_refused=keep_refused)
        # The whole is in memory: judged before anything is written.
        try:
            verified = check.finish()
        except IntegrityError as error:
            if keep_refused:
                error.kept = _text(self._evidence.keep_bytes(first, check.digest))
            raise
        if verified.digest not in self._waiting:
            name, fd = self._create(size)
            with self._removed_on_error(name, fd, size):
                write_all(fd, first)
                self._barrier.written(fd)
            self._add(verified.digest, _Waiting(name))
        return verified

    def _put_pieces(
        self,
        first: Buffer,
        pieces: Iterator[Buffer],
        check: Verification,
        size: int | None,
        *,
        keep_refused: bool,
    ) -> Verified:
        name, fd = self._create(size)
        with self._removed_on_error(name, fd, size):
            write_all(fd, first)
            started = 0
            try:
                for piece in pieces:
                    check.update(piece)
                    write_all(fd, piece)
                    if check.seen - started >= _WRITEBACK:
                        start_writeback(fd, started, check.seen - started)
                        started = check.seen
                verified = check.finish()
            except IntegrityError as error:
                if keep_refused:
                    path = Path(self._home + name)
                    error.kept = _text(self._evidence.keep_file(path, check.digest))
                raise
            self._barrier.written(fd)
        self._add(verified.digest, _Waiting(name))
        return verified

    def adopt(self, digest: Digest, *, name: str, journal: str, fd: int) -> None:
        """Let a finished and verified ``PartialFile`` wait for its name too.

        If the batch is abandoned, or the process ends, it can still be resumed from.

        Args:
            digest: What its bytes hash to.
            name: Of the file, below ``CacheLayout.home``.
            journal: Of its journal, likewise.
            fd: The file, open since it was made, so that it reports every failed write.

        Raises:
            CacheError: The disk did not take the file; it is not to be named.
        """
        if self._fsync is not Fsync.OFF:
            with raising(CacheError, "cannot write to the cache", option=OPTION):
                sync_file(fd)
        self._add(digest, _Waiting(name, journal))

    def commit(self) -> None:
        """Name everything that was put before this call; may be called often.

        Other threads may go on to put meanwhile. What they put waits for the next commit.

        Raises:
            CacheError: The disk did not take it, or a name cannot be given. Names that were
                given are right; the rest was removed, and the batch takes nothing more.
        """
        with self._committing:
            with self._mutex:
                waiting, self._waiting = self._waiting, {}
            if not waiting:
                return
            try:
                with raising(CacheError, "cannot write to the cache", option=OPTION):
                    self._barrier.flush()
                    self._barrier.named(self._publish(waiting))
            except BaseException:
                # A later sync may succeed although bytes of this time were lost (3.5).
                self._is_open = False
                self._remove(waiting)
                raise

    def _publish(self, waiting: dict[Digest, _Waiting]) -> set[str]:
        """Rename all; return the folders that have new names."""
        folders = set()
        for digest, item in waiting.items():
            goal = self._home + blob_name(digest)
            self._put_aside_if_changed(digest, goal)
            try:
                os.replace(self._home + item.name, goal)  # noqa: PTH105 - a `Path` for each blob costs more than the call
            except FileNotFoundError:
                folder = Path(goal).parent
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                folders.add(str(folder.parent))
                Path(self._home + item.name).replace(goal)
            folders.add(goal.rpartition("/")[0])
            if item.journal is not None:
                self._remove_journal(item.journal)
            if self._records is not None:
                # Nobody can have changed it through another name: it had none.
                self._records.put(digest, Stamp.of(os.lstat(goal)))
        return folders

    def _put_aside_if_changed(self, digest: Digest, goal: str) -> None:
        """Keep a blob that has the name already if its bytes are others.

        Somebody wrote through a link into the cache, and these bytes may be nowhere else
        (hazard 2.15).
        """
        try:
            found = os.lstat(goal)
        except FileNotFoundError:
            return
        if not stat.S_ISREG(found.st_mode):
            return
        if self._records is not None and self._records.get(digest) == Stamp.of(found):
            return
        with suppress(FileNotFoundError):  # somebody else put it aside
            if _digest_of(goal) != digest:
                aside = f"{digest.hex}-{os.urandom(4).hex()}"
                Path(goal).rename(self._layout.quarantine / aside)

    def _remove_journal(self, journal: str) -> None:
        path = self._layout.home / journal
        path.unlink(missing_ok=True)
        with suppress(OSError):  # somebody else works at the same object
            path.parent.rmdir()

    def abandon(self) -> None:
        """Remove everything that waits, and take nothing more; may be called twice.

        Large objects on their way in stay, to be resumed from.
        """
        with self._mutex:
            self._is_open = False
            waiting, self._waiting = self._waiting, {}
        self._remove(waiting)
        with self._committing:
            self._barrier.close()

    def _remove(self, waiting: dict[Digest, _Waiting]) -> None:
        for item in waiting.values():
            if item.journal is None:
                with suppress(OSError):  # named already, or left for the sweep
                    Path(self._home + item.name).unlink()

    def _add(self, digest: Digest, item: _Waiting) -> None:
        with self._mutex:
            is_wanted = self._is_open and digest not in self._waiting
            if is_wanted:
                self._waiting[digest] = item
            is_open = self._is_open
        if is_wanted:
            return
        if is_open and item.journal is not None:
            # Equal bytes wait already; nobody needs to resume from these.
            self._remove_journal(item.journal)
            item = _Waiting(item.name)
        self._remove({digest: item})
        if not is_open:
            message = "the batch takes nothing more: it was closed, or it failed"
            raise CacheError(message)

    def _create(self, needed: int | None) -> tuple[str, int]:
        name = f"tmp/{self._names.next()}"
        try:
            return name, os.open(self._home + name, _CREATE, _MODE)
        except OSError as error:
            raise unwritable(error, needed) from error

    @contextmanager
    def _removed_on_error(self, name: str, fd: int, needed: int | None) -> Iterator[None]:
        """Close the file, and remove it if the block fails."""
        try:
            try:
                yield
            finally:
                os.close(fd)
        except BaseException as error:
            with suppress(OSError):  # then the sweep finds it
                Path(self._home + name).unlink()
            if isinstance(error, OSError):
                raise unwritable(error, needed) from error
            raise


def unwritable(error: OSError, needed: int | None) -> CacheError:
    """Return the error for a write that failed, for an object of ``needed`` bytes."""
    message = f"cannot write to the cache: {reason(error)}"
    return CacheError(message, hint=hint(error, needed=needed, option=OPTION))


def _digest_of(path: str) -> Digest:
    hasher = blake3()
    fd = os.open(path, _READ)
    try:
        while data := os.read(fd, _PIECE):
            hasher.update(data)
    finally:
        os.close(fd)
    return Digest.blake3(hasher.digest())


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _pieces(chunks: Iterable[Buffer]) -> Iterator[Buffer]:
    """Join chunks to pieces of at least ``_PIECE`` bytes; only the last may be smaller."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        length = memoryview(chunk).nbytes
        if not held and length >= _PIECE:
            yield chunk
            continue
        held.append(bytes(chunk))  # a store may use its buffer again
        size += length
        if size >= _PIECE:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield held[0] if len(held) == 1 else b"".join(held)
