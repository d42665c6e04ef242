"""The blobs: verified bytes, read by digest and never believed by name alone.

Whoever takes bytes out gets the bytes of that name or an error. Copies are hashed while
they are made; a blob that is linked instead is hashed unless it is, by its description, the
one that was hashed before. Permissions are no evidence: root writes through mode 0444
(hazards 2.15, 2.16, 3.14).
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from blake3 import blake3

from artlock.cache.batch import Batch
from artlock.cache.layout import OPTION, CacheLayout, blob_name
from artlock.cache.records import BlobRecords, Stamp
from artlock.errors import BlobMissingError, CacheError, IntegrityError, WorkspaceError
from artlock.fs.atomic import write_all
from artlock.fs.durability import Fsync, start_writeback
from artlock.fs.problems import hint, reason
from artlock.model.digest import Digest

_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_READ |= getattr(os, "O_BINARY", 0)
_UNNOTICED = getattr(os, "O_NOATIME", 0)
"""Leaves the time of the last use as it is."""
_SMALL = 1 << 20
"""Up to this size in bytes a blob is read, hashed and written in one piece each."""
_PIECE = 2 << 20
_WRITEBACK = 8 << 20
"""How much of a copy is left for the flush behind it: the disk works from the beginning."""


class BlobCache:
    """The blobs of one cache; safe to use from several threads, and by several processes.

    Args:
        layout: Where; ``prepare`` was called.
        records: Which blobs were hashed in which state; without them a blob that is to be
            linked is hashed each time.
        fsync: How hard new blobs are pressed to the disk before they get their names.
    """

    def __init__(
        self,
        layout: CacheLayout,
        *,
        records: BlobRecords | None = None,
        fsync: Fsync = Fsync.BATCH,
    ) -> None:
        self.layout = layout
        self._records = records
        self._fsync = fsync
        self._home = f"{layout.home}/"

    def batch(self) -> Batch:
        """Open a batch, the one way into the cache.

        Raises:
            CacheError: The cache cannot be opened.
        """
        return Batch(self.layout, fsync=self._fsync, records=self._records)

    def path(self, digest: Digest) -> Path:
        """Return where the blob is, if it is there; not a promise about what is."""
        return self.layout.blob(digest)

    def has(self, digest: Digest) -> bool:
        """Tell whether there is a blob of this name.

        Raises:
            CacheError: The cache cannot be read.
        """
        return self.size_of(digest) is not None

    def size_of(self, digest: Digest) -> int | None:
        """Return the size of the blob in bytes, or ``None`` if there is none.

        Raises:
            CacheError: The cache cannot be read.
        """
        found = self._lstat(digest)
        return None if found is None else found.st_size

    def sizes(self, digests: Iterable[Digest]) -> dict[Digest, int]:
        """Return the sizes of those blobs that are there.

        Raises:
            CacheError: The cache cannot be read.
        """
        found = ((digest, self.size_of(digest)) for digest in digests)
        return {digest: size for digest, size in found if size is not None}

    @contextmanager
    def open(self, digest: Digest, size: int) -> Iterator[int]:
        """Lend a descriptor that reads a blob of the right size; its bytes are not judged.

        Raises:
            BlobMissingError: There is none, or it was damaged and was put aside.
            IntegrityError: It is intact, and of another size.
            CacheError: It cannot be read.
        """
        fd = self._open(digest)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size != size:
                raise self._unfit(fd, digest, size)
            yield fd
        finally:
            os.close(fd)

    def copy_to(self, digest: Digest, size: int, target_fd: int) -> None:
        """Write the bytes of a blob to an open file, if they are what their name says.

        Args:
            digest: Of the blob.
            size: Of the blob, in bytes.
            target_fd: Empty, and of no name that matters: after an error it may hold some
                wrong bytes.

        Raises:
            BlobMissingError: There is none, or it was damaged and was put aside.
            IntegrityError: It is intact, and of another size.
            CacheError: It cannot be read.
            WorkspaceError: The target cannot be written.
        """
        fd = self._open(digest)
        try:
            if size <= _SMALL:
                data = self._read(fd, digest, size)
                if len(data) != size or blake3(data).hexdigest() != digest.hex:
                    raise self._unfit(fd, digest, size)
                _write(target_fd, data)
            elif not self._holds(fd, digest, size, target_fd):
                raise self._unfit(fd, digest, size)
        finally:
            os.close(fd)

    def verify(self, digest: Digest, *, quarantine: bool = True) -> bool:
        """Read a blob again, whole; one that is not what its name says is put aside.

        From the disk, as far as the system can be asked to: what is in memory may be what
        was once written, and not what is there (hazard 3.22). It does not count as a use.

        Args:
            digest: Of the blob.
            quarantine: Whether it is put aside; else it is only told of.

        Returns:
            Whether it is intact; false if there is none.

        Raises:
            CacheError: It cannot be read.
        """
        try:
            fd = self._open(digest, _READ | _UNNOTICED)
        except BlobMissingError:
            return False
        try:
            _drop_from_memory(fd)
            before = Stamp.of(os.fstat(fd))
            if not self._holds(fd, digest, None, None):
                if quarantine:
                    self.quarantine(digest)
                return False
            if before == Stamp.of(os.fstat(fd)):
                self._record(digest, before)
        except OSError as error:
            raise _unreadable(digest, error) from error
        finally:
            os.close(fd)
        return True

    @contextmanager
    def linkable(self, digest: Digest) -> Iterator[Path]:
        """Lend the path of an intact blob, so that the workspace gets a link to it.

        It is read again unless inode, size and times are those of the last time, and once
        more if it changed within the block. A hard link that is made there changes the time
        of the inode, and is allowed for.

        Raises:
            BlobMissingError: There is none, or it was damaged and was put aside; also when
                the block has ended, whose link is then not to be used.
            CacheError: It cannot be read.
        """
        path = self.path(digest)
        before = self._stamp(digest)
        if not self.is_intact(digest):
            raise BlobMissingError(str(digest))
        yield path
        after = self._stamp(digest)
        if before is not None and after is not None and before.is_but_linked(after):
            self._record(digest, after)
        elif after is not None and not self.verify(digest):
            raise BlobMissingError(str(digest))

    def is_intact(self, digest: Digest, *, quarantine: bool = True) -> bool:
        """Tell whether a blob is what its name says; it is read unless that is recorded.

        One that is not is put aside.

        Args:
            digest: Of the blob.
            quarantine: As for ``verify``.

        Raises:
            CacheError: It cannot be read.
        """
        return self._is_recorded(digest) or self.verify(digest, quarantine=quarantine)

    def is_unwritten(self, digest: Digest, *, quarantine: bool = True) -> bool:
        """Tell whether nobody wrote into a blob; one into which somebody did is put aside.

        As ``is_intact``, but links that were made or removed since do not cost a look at
        the bytes.

        Args:
            digest: Of the blob.
            quarantine: As for ``verify``.

        Raises:
            CacheError: It cannot be read.
        """
        stamp = self._stamp(digest)
        before = None if self._records is None else self._records.get(digest)
        if stamp is not None and before is not None and before.is_but_linked(stamp):
            return True
        return self.verify(digest, quarantine=quarantine)

    def note_use(self, digest: Digest) -> None:
        """Let a blob count as used now, so that its grace begins anew.

        Raises:
            CacheError: It cannot be marked.
        """
        found = self._lstat(digest)
        if found is not None:
            try:
                os.utime(self.path(digest), ns=(time.time_ns(), found.st_mtime_ns))
            except OSError as error:
                raise _unreadable(digest, error) from error

    def quarantine(self, digest: Digest) -> Path | None:
        """Put a blob aside, never to be used again and not deleted.

        Returns:
            Where it is now; ``None`` if there was none.

        Raises:
            CacheError: It cannot be moved.
        """
        goal = self.layout.quarantine / f"{digest.hex}-{os.urandom(4).hex()}"
        try:
            self.path(digest).rename(goal)
        except FileNotFoundError:
            return None
        except OSError as error:
            message = f"cannot put the damaged blob `{digest}` aside: {reason(error)}"
            raise CacheError(message) from error
        return goal

    def _open(self, digest: Digest, flags: int = _READ) -> int:
        try:
            return os.open(self._home + blob_name(digest), flags)
        except FileNotFoundError as error:
            raise BlobMissingError(str(digest)) from error
        except PermissionError as error:
            if flags != _READ:  # only the owner may read unnoticed
                return self._open(digest)
            raise _unreadable(digest, error) from error
        except OSError as error:
            if self.path(digest).is_symlink():
                raise self._damaged(digest) from error
            raise _unreadable(digest, error) from error

    def _read(self, fd: int, digest: Digest, size: int) -> bytes:
        try:
            # One byte more, so that a longer blob differs too.
            data = os.read(fd, size + 1)
            while len(data) < size and (more := os.read(fd, size + 1 - len(data))):
                data += more
        except OSError as error:
            raise self._damaged_or_unreadable(fd, digest, error) from error
        return data

    def _holds(
        self, fd: int, digest: Digest, size: int | None, target_fd: int | None
    ) -> bool:
        hasher = blake3()
        seen = started = 0
        buffer = memoryview(bytearray(_PIECE))
        while True:
            try:
                count = os.readv(fd, [buffer])
            except OSError as error:
                raise self._damaged_or_unreadable(fd, digest, error) from error
            if not count:
                break
            seen += count
            if size is not None and seen > size:
                return False
            hasher.update(buffer[:count])
            if target_fd is not None:
                _write(target_fd, buffer[:count])
                if seen - started >= _WRITEBACK:
                    start_writeback(target_fd, started, seen - started)
                    started = seen
        return size in {None, seen} and hasher.hexdigest() == digest.hex

    def _is_recorded(self, digest: Digest) -> bool:
        if self._records is None:
            return False
        stamp = self._stamp(digest)
        return stamp is not None and self._records.get(digest) == stamp

    def _record(self, digest: Digest, stamp: Stamp) -> None:
        if self._records is not None and stamp.is_settled:
            self._records.put(digest, stamp)

    def _stamp(self, digest: Digest) -> Stamp | None:
        found = self._lstat(digest)
        return None if found is None else Stamp.of(found)

    def _lstat(self, digest: Digest) -> os.stat_result | None:
        try:
            found = os.lstat(self._home + blob_name(digest))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(digest, error) from error
        return found if stat.S_ISREG(found.st_mode) else None

    def _unfit(
        self, fd: int, digest: Digest, size: int
    ) -> BlobMissingError | IntegrityError:
        """Tell whether the blob is wrong, which is put aside, or only the size asked for.

        A lockfile with a wrong size must not cost a project its intact blobs.
        """
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode) and found.st_size != size:
            os.lseek(fd, 0, os.SEEK_SET)
            if self._holds(fd, digest, None, None):
                return IntegrityError(
                    subject=str(digest),
                    expected=f"{size} bytes",
                    actual=f"{found.st_size} bytes",
                    hint="the blob is intact: the size in `artifacts.lock` is wrong; "
                    "restore that file, or run `artlock update`",
                )
        return self._damaged(digest)

    def _damaged(self, digest: Digest) -> BlobMissingError:
        aside = self.quarantine(digest)
        return BlobMissingError(
            str(digest), quarantined=None if aside is None else str(aside)
        )

    def _damaged_or_unreadable(self, fd: int, digest: Digest, error: OSError) -> CacheError:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return _unreadable(digest, error)
        return self._damaged(digest)


def _write(target_fd: int, data: bytes | memoryview) -> None:
    try:
        write_all(target_fd, data)
    except OSError as error:
        message = f"cannot write to the workspace: {reason(error)}"
        raise WorkspaceError(message, hint=hint(error)) from error


def _drop_from_memory(fd: int) -> None:
    """Ask the system to read a file from the disk; nothing is promised.

    What has not been written yet stays in memory, so it is written first.
    """
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):  # what the disk did not take, it does not give back either
            os.fdatasync(fd)
        with suppress(OSError):  # not every file system knows it
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def _unreadable(digest: Digest, error: OSError) -> CacheError:
    message = f"cannot read the blob `{digest}`: {reason(error)}"
    way_out = hint(error, option=OPTION) or f"choose another cache with `{OPTION}`"
    return CacheError(message, hint=way_out)
