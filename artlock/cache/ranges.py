"""Large objects by ranges from several threads, resumed after an interruption.

::

    partial/<object key>/<temporary>.part       the bytes, each range at its own place
    partial/<object key>/<temporary>.journal    a record for each finished range

    record = start (8 bytes) + length (8) + BLAKE3 of the range (32)

A ``.part`` is only ever open for writing in the process that made it. Who comes later makes
a new one and copies finished ranges out of what it finds, each judged by its own digest; it
never publishes, renames or appends to a file that another process may still write to,
because locks do not keep that process away everywhere (hazards 3.10, 3.12).
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from blake3 import blake3

from artlock.cache.batch import Batch, unwritable
from artlock.cache.layout import CacheLayout
from artlock.errors import CacheError, IntegrityError
from artlock.fs.atomic import write_all
from artlock.fs.durability import start_writeback
from artlock.fs.temporary import Names, is_of_dead_process
from artlock.model.tokens import Tokens
from artlock.model.verification import Buffer, Verification, Verified

RANGE_LENGTH = 16 << 20
_PIECE = 1 << 20
_RECORD = struct.Struct("<QQ32s")
_NEW = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
_NEW |= getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def object_key(identity: str, uri: str, state: str, size: int) -> str:
    """Return what names the partials of one state of one object (hazard 3.13).

    Args:
        identity: ``Store.identity``.
        uri: Of the object.
        state: Its version, or its etag where it has none; never empty, because ranges of
            two states must not meet.
        size: In bytes.
    """
    text = "\0".join((identity, uri, state, str(size)))
    return blake3(text.encode()).hexdigest(length=16)


class PartialFile:
    """One large object on its way in; ``write`` is safe to use from several threads.

    What an earlier process finished is copied in when it is opened. Leaving the ``with``
    block without ``finish`` keeps what is finished for a later process.

    Args:
        layout: Where; ``prepare`` was called.
        key: ``object_key``.
        size: Of the object, in bytes.
        tokens: What was locked.
        subject: What the bytes are, for errors.
        etag_is_md5: See ``Verification``.
        range_length: In bytes.

    Raises:
        CacheError: The cache cannot be written.
    """

    def __init__(
        self,
        layout: CacheLayout,
        key: str,
        size: int,
        *,
        tokens: Tokens,
        subject: str,
        etag_is_md5: bool = False,
        range_length: int = RANGE_LENGTH,
    ) -> None:
        self._folder = layout.partial / key
        self._key = key
        self._size = size
        self._subject = subject
        self._range_length = range_length
        self._check = Verification(
            tokens, size=size, subject=subject, etag_is_md5=etag_is_md5
        )
        self._finished: set[int] = set()
        self._mutex = threading.Lock()
        self._hashing = threading.Lock()
        self._name = Names().next()
        self._part = self._journal = -1
        try:
            self._open()
            self._adopt_finished()
        except OSError as error:
            self.close()
            raise unwritable(error, size) from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close both files; may be called twice. What is finished stays on the disk.

        Raises:
            CacheError: The disk did not take something; both are closed all the same.
        """
        failure: OSError | None = None
        for fd in (self._part, self._journal):
            try:
                if fd >= 0:
                    os.close(fd)
            except OSError as error:
                failure = error
        self._part = self._journal = -1
        if failure is not None:
            raise unwritable(failure, None) from failure

    def missing(self) -> list[tuple[int, int]]:
        """Return ``(start, length)`` of each range that is not finished, in order."""
        with self._mutex:
            finished = set(self._finished)
        return [
            (start, self._length_at(start))
            for start in range(0, self._size, self._range_length)
            if start not in finished
        ]

    def write(self, start: int, chunks: Iterable[Buffer]) -> None:
        """Take the bytes of one missing range.

        Args:
            start: Of the range.
            chunks: Its bytes, in order; never read beyond its length.

        Raises:
            IntegrityError: They are more or fewer than the range has; it is still missing.
            StoreError: ``chunks`` broke off; it is still missing.
            CacheError: The cache cannot be written.
        """
        length = self._length_at(start)
        hasher = blake3()
        seen = 0
        for chunk in chunks:
            view = memoryview(chunk).cast("B")
            if seen + view.nbytes > length:
                raise self._mismatch(length, start, "more bytes")
            hasher.update(view)
            self._put(view, start + seen)
            seen += view.nbytes
        if seen != length:
            raise self._mismatch(length, start, f"{seen} bytes")
        start_writeback(self._part, start, length)
        self._note(start, length, hasher.digest())
        self._advance()

    def finish(self, batch: Batch) -> Verified:
        """Judge the whole, and let it wait in ``batch`` for its name.

        Raises:
            IntegrityError: It is not what was locked; the bytes were removed, so that
                nobody resumes from them.
            CacheError: A range is missing, or the cache cannot be read or written.
        """
        if self.missing():
            message = f"`{self._subject}` is not complete"
            raise CacheError(message)
        self._advance()
        try:
            verified = self._check.finish()
        except IntegrityError:
            self._discard(self._name)
            raise
        batch.adopt(
            verified.digest,
            name=self._below_home(".part"),
            journal=self._below_home(".journal"),
            fd=self._part,
        )
        return verified

    def _below_home(self, suffix: str) -> str:
        return f"partial/{self._key}/{self._name}{suffix}"

    def _length_at(self, start: int) -> int:
        return min(self._range_length, self._size - start)

    def _path(self, name: str, suffix: str) -> Path:
        return self._folder / (name + suffix)

    def _open(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._part = os.open(self._path(self._name, ".part"), _NEW, 0o444)
        except FileNotFoundError:
            # Another process has just published the object, and removed the empty folder.
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._part = os.open(self._path(self._name, ".part"), _NEW, 0o444)
        self._journal = os.open(self._path(self._name, ".journal"), _NEW, 0o600)

    def _put(self, view: memoryview, offset: int) -> None:
        try:
            while view.nbytes:
                written = os.pwrite(self._part, view, offset)
                view = view[written:]
                offset += written
        except OSError as error:
            raise unwritable(error, self._size) from error

    def _note(self, start: int, length: int, digest: bytes) -> None:
        record = _RECORD.pack(start, length, digest)
        try:
            with self._mutex:
                write_all(self._journal, record)
                self._finished.add(start)
        except OSError as error:
            raise unwritable(error, self._size) from error

    def _mismatch(self, length: int, start: int, actual: str) -> IntegrityError:
        return IntegrityError(
            subject=self._subject,
            expected=f"{length} bytes from {start}",
            actual=actual,
        )

    # The whole is hashed in order, from what is on its way to the disk anyhow.

    def _advance(self) -> None:
        """Hash the finished ranges that are next in order, unless another thread does."""
        while self._is_next_finished():
            if not self._hashing.acquire(blocking=False):
                return  # whoever hashes looks again after letting go
            try:
                while self._is_next_finished():
                    self._hash_next()
            finally:
                self._hashing.release()

    def _is_next_finished(self) -> bool:
        seen = self._check.seen
        return seen < self._size and seen - seen % self._range_length in self._finished

    def _hash_next(self) -> None:
        start = self._check.seen
        end = start + self._length_at(start)
        while start < end:
            try:
                piece = os.pread(self._part, min(_PIECE, end - start), start)
            except OSError as error:
                message = f"cannot read back `{self._subject}`"
                raise CacheError(message) from error
            if not piece:
                message = f"`{self._subject}` was cut short in the cache"
                raise CacheError(message)
            self._check.update(piece)
            start += len(piece)

    # What earlier processes left.

    def _adopt_finished(self) -> None:
        for journal in sorted(self._folder.glob("*.journal")):
            name = journal.name.removesuffix(".journal")
            if name == self._name:
                continue
            with suppress(FileNotFoundError):  # its maker has just published it
                self._adopt_from(name, journal)
            if is_of_dead_process(name):
                # All that was right in it is here now; two copies are more than are needed.
                self._discard(name)
        self._advance()

    def _adopt_from(self, name: str, journal: Path) -> None:
        fd = os.open(self._path(name, ".part"), _READ)
        try:
            for start, length, digest in _records(journal.read_bytes()):
                is_ours = (
                    start % self._range_length == 0
                    and start < self._size
                    and length == self._length_at(start)
                    and start not in self._finished
                )
                if is_ours and self._copy_range(fd, start, length) == digest:
                    self._note(start, length, digest)
        finally:
            os.close(fd)

    def _copy_range(self, source_fd: int, start: int, length: int) -> bytes | None:
        """Return the digest of a range that was copied; ``None`` if the source is cut."""
        hasher = blake3()
        end = start + length
        while start < end:
            piece = os.pread(source_fd, min(_PIECE, end - start), start)
            if not piece:
                return None  # fewer bytes may have the digest, if somebody chose it so
            hasher.update(piece)
            self._put(memoryview(piece), start)
            start += len(piece)
        return hasher.digest()

    def _discard(self, name: str) -> None:
        for suffix in (".journal", ".part"):
            with suppress(OSError):  # then the sweep finds it
                self._path(name, suffix).unlink()


def _records(journal: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield the records that are whole; the last may have been cut by a crash.

    None is believed: what it says of a range is compared with the bytes of that range.
    """
    whole = len(journal) - len(journal) % _RECORD.size
    return _RECORD.iter_unpack(journal[:whole])
