r"""What the files of a workspace were when they were last known: the stat index.

::

    artlock-index 1\n               what it is, and the number of its format
    <32 bytes>                      BLAKE3 of the rest, keyed with a secret of this user
    <msgpack>                       columns: one array for each attribute of all entries

A file whose description equals its entry is the file that artlock wrote or hashed, unless
it was changed within one tick of the clock after it was described; so an entry tells up to
which time stamps it may be trusted (hazard 2.28). The index is a memory only: without it
files are read once more.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from stat import S_ISREG
from typing import Self

import msgspec
from blake3 import blake3

from artlock.cache.pins import KEY_LENGTH
from artlock.fs.temporary import BESIDE, Names

_MAGIC = b"artlock-index 1\n"
_HASH_LENGTH = 32
_DIGEST_LENGTH = 32
_NUMBERS = (
    ("_sizes", "q"),
    ("_mtimes", "q"),
    ("_ctimes", "q"),
    ("_inodes", "Q"),
    ("_horizons", "q"),
)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One file as it was last known.

    Attributes:
        path: Below the project, ``/`` between segments.
        size: In bytes.
        mtime_ns: When the bytes last changed, by the clock of the file system.
        ctime_ns: When anything last changed.
        inode: Which file it is there.
        digest: BLAKE3 of the bytes, raw.
        pin: ``pins.pin_key`` of the row that it satisfies.
        artifact: Whose file artlock wrote it as: the name; empty if it was only read.
        trusted_before_ns: With time stamps of this or later, a change may not show.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    digest: bytes
    pin: bytes
    artifact: str
    trusted_before_ns: int

    def matches(self, found: os.stat_result) -> bool:
        """Tell whether a file of this description is certainly the one that was known."""
        return (
            self.mtime_ns == found.st_mtime_ns
            and self.size == found.st_size
            and self.ctime_ns == found.st_ctime_ns
            and self.inode == found.st_ino
            and max(self.mtime_ns, self.ctime_ns) < self.trusted_before_ns
            and S_ISREG(found.st_mode)
        )


class _Columns(msgspec.Struct, array_like=True, gc=False):
    paths: list[str]
    sizes: bytes
    mtimes: bytes
    ctimes: bytes
    inodes: bytes
    digests: bytes
    pins: bytes
    names: list[str]
    artifacts: bytes
    horizons: bytes
    stamps: dict[str, bytes]


class WorkspaceIndex:
    """All entries of one workspace, sorted by path; not changed once it is made.

    Kept as columns, so that a million entries take some 300 MB and load within a second.

    Attributes:
        paths: Of all entries, sorted; no two equal.
        stamps: For each artifact what its entries satisfy as a whole, in the caller's
            terms: where it has not changed, nothing need be compared row by row.
    """

    def __init__(
        self, entries: Iterable[Entry] = (), *, stamps: dict[str, bytes] | None = None
    ) -> None:
        ordered = sorted(entries, key=lambda entry: entry.path)
        self.paths = [entry.path for entry in ordered]
        self.stamps = dict(stamps or {})
        self._sizes = array("q", [entry.size for entry in ordered])
        self._mtimes = array("q", [entry.mtime_ns for entry in ordered])
        self._ctimes = array("q", [entry.ctime_ns for entry in ordered])
        self._inodes = array("Q", [entry.inode for entry in ordered])
        self._horizons = array("q", [entry.trusted_before_ns for entry in ordered])
        self._digests = b"".join(entry.digest for entry in ordered)
        self._pins = b"".join(entry.pin for entry in ordered)
        self._names = sorted({entry.artifact for entry in ordered})
        numbers = {name: number for number, name in enumerate(self._names)}
        self._artifacts = array("L", [numbers[entry.artifact] for entry in ordered])

    @classmethod
    def load(cls, path: Path, *, secret: bytes) -> Self:
        """Read an index; one that is absent, damaged or of another format is empty.

        So is one that was written with another secret: a repository could bring an index
        that calls somebody's files artlock's own (hazard 2.23).

        Args:
            path: The file.
            secret: 32 bytes that only this user has.
        """
        try:
            data = path.read_bytes()
        except OSError:
            return cls()  # a memory only
        head = len(_MAGIC) + _HASH_LENGTH
        payload = memoryview(data)[head:]
        if data[: len(_MAGIC)] != _MAGIC:
            return cls()
        # Not in constant time, which would load OpenSSL: whoever can put a file here is
        # not the one who could time this command, and has one try a run.
        if data[len(_MAGIC) : head] != blake3(payload, key=secret).digest():
            return cls()
        try:
            return cls._of(msgspec.msgpack.decode(payload, type=_Columns))
        except (msgspec.DecodeError, ValueError):
            return cls()

    @classmethod
    def _of(cls, columns: _Columns) -> Self:
        """Make an index of columns.

        Raises:
            ValueError: They are not of one length.
        """
        index = cls()
        index.paths = columns.paths
        index.stamps = columns.stamps
        index._sizes = _numbers("q", columns.sizes)
        index._mtimes = _numbers("q", columns.mtimes)
        index._ctimes = _numbers("q", columns.ctimes)
        index._inodes = _numbers("Q", columns.inodes)
        index._horizons = _numbers("q", columns.horizons)
        index._digests = columns.digests
        index._pins = columns.pins
        index._names = columns.names
        index._artifacts = _numbers("L", columns.artifacts)
        count = len(index.paths)
        numbers = (index._sizes, index._mtimes, index._ctimes, index._inodes)
        lengths = {len(column) for column in (*numbers, index._horizons, index._artifacts)}
        raw = (len(index._digests), len(index._pins))
        if lengths != {count} or raw != (count * _DIGEST_LENGTH, count * KEY_LENGTH):
            reason = "the columns differ in length"
            raise ValueError(reason)
        if max(index._artifacts, default=-1) >= len(index._names):
            reason = "an entry is of an artifact without a name"
            raise ValueError(reason)
        return index

    def save(self, path: Path, *, secret: bytes, dir_fd: int | None = None) -> None:
        """Replace the file at ``path``; without a sync, because it may be lost.

        Args:
            path: The file.
            secret: 32 bytes that only this user has.
            dir_fd: Its folder, where that is open; it may be elsewhere by now (hazard
                2.12).

        Raises:
            OSError: It cannot be written; the old file is as it was.
        """
        columns = _Columns(
            paths=self.paths,
            sizes=self._sizes.tobytes(),
            mtimes=self._mtimes.tobytes(),
            ctimes=self._ctimes.tobytes(),
            inodes=self._inodes.tobytes(),
            digests=self._digests,
            pins=self._pins,
            names=self._names,
            artifacts=self._artifacts.tobytes(),
            horizons=self._horizons.tobytes(),
            stamps=self.stamps,
        )
        payload = msgspec.msgpack.encode(columns)
        temporary = path.with_name(BESIDE + Names().next())
        old, new = str(temporary), str(path)
        if dir_fd is not None:
            old, new = temporary.name, path.name
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        try:
            with open(os.open(old, flags, 0o666, dir_fd=dir_fd), "wb") as file:
                file.write(_MAGIC + blake3(payload, key=secret).digest())
                file.write(payload)
            os.replace(old, new, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
        except BaseException:
            with suppress(OSError):  # the first error counts
                os.unlink(old, dir_fd=dir_fd)
            raise

    def updated(
        self,
        entries: Iterable[Entry],
        *,
        removed: AbstractSet[str] = frozenset(),
        stamps: dict[str, bytes] | None = None,
    ) -> WorkspaceIndex:
        """Return an index with other entries.

        Args:
            entries: Are added, or take the place of those with their path.
            removed: Paths whose entries go.
            stamps: All stamps of the new index; ``None`` keeps none.
        """
        changes = WorkspaceIndex(entries, stamps=stamps)
        if not self.paths:
            return changes  # of a first sync: nothing is to be merged
        gone = removed | set(changes.paths)
        kept = [n for n, path in enumerate(self.paths) if path not in gone]
        # Positions beyond the old entries mean new ones.
        paths = self.paths + changes.paths
        positions = kept + list(range(len(self.paths), len(paths)))
        positions.sort(key=paths.__getitem__)
        result = WorkspaceIndex(stamps=stamps)
        result.paths = [paths[n] for n in positions]
        for name, kind in _NUMBERS:
            both = getattr(self, name) + getattr(changes, name)
            setattr(result, name, array(kind, [both[n] for n in positions]))
        digests = self._digests + changes._digests
        result._digests = _taken(digests, positions, _DIGEST_LENGTH)
        result._pins = _taken(self._pins + changes._pins, positions, KEY_LENGTH)
        result._names = self._names + changes._names
        shift = len(self._names)
        numbers = [*self._artifacts, *(n + shift for n in changes._artifacts)]
        result._artifacts = array("L", [numbers[n] for n in positions])
        return result

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {path: position for position, path in enumerate(self.paths)}

    def get(self, path: str) -> Entry | None:
        """Return the entry of a path, or ``None``."""
        position = self._positions.get(path)
        return None if position is None else self._entry(position)

    def entries(self) -> Iterable[Entry]:
        """Yield every entry, sorted by path."""
        return map(self._entry, range(len(self.paths)))

    def digests(self) -> set[bytes]:
        """Return the digests of all files, raw."""
        starts = range(0, len(self._digests), _DIGEST_LENGTH)
        return {self._digests[start : start + _DIGEST_LENGTH] for start in starts}

    def _entry(self, position: int) -> Entry:
        return Entry(
            path=self.paths[position],
            size=self._sizes[position],
            mtime_ns=self._mtimes[position],
            ctime_ns=self._ctimes[position],
            inode=self._inodes[position],
            digest=_cut(self._digests, position, _DIGEST_LENGTH),
            pin=_cut(self._pins, position, KEY_LENGTH),
            artifact=self._names[self._artifacts[position]],
            trusted_before_ns=self._horizons[position],
        )

    def doubtful(self, found: Sequence[os.stat_result | None], start: int = 0) -> list[int]:
        """Return the positions of entries whose file may not be the one that was known.

        Args:
            found: What lies now at each of ``paths`` from ``start`` on, in their order.
            start: The position of the first.

        Raises:
            ValueError: There are more of ``found`` than paths.
        """
        asked = slice(start, start + len(found))
        columns = zip(
            found,
            self._sizes[asked],
            self._mtimes[asked],
            self._ctimes[asked],
            self._inodes[asked],
            self._horizons[asked],
            strict=True,
        )
        # Spelled out here once more than in `Entry.matches`: this is the loop of a no-op.
        return [
            position
            for position, (now, size, mtime, ctime, inode, horizon) in enumerate(
                columns, start
            )
            if now is None
            or now.st_mtime_ns != mtime
            or now.st_size != size
            or now.st_ctime_ns != ctime
            or now.st_ino != inode
            or mtime >= horizon
            or ctime >= horizon
            or not S_ISREG(now.st_mode)
        ]

    def differing_pins(self, pins: Sequence[bytes]) -> list[int]:
        """Return the positions of entries that satisfy another row than that of ``pins``.

        Args:
            pins: A pin key for each of ``paths``, in their order.
        """
        if b"".join(pins) == self._pins:
            return []
        return [
            position
            for position, pin in enumerate(pins)
            if pin != _cut(self._pins, position, KEY_LENGTH)
        ]


def _taken(column: bytes, positions: Sequence[int], length: int) -> bytes:
    return b"".join([_cut(column, position, length) for position in positions])


def _cut(column: bytes, position: int, length: int) -> bytes:
    return column[position * length : (position + 1) * length]


def _numbers(kind: str, column: bytes) -> array[int]:
    numbers: array[int] = array(kind)
    numbers.frombytes(column)
    return numbers
