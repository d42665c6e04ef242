"""The parts of a lockfile where they lie, and where they wait to be put in place.

Nothing here follows a link, and nothing is removed but files that are named as parts are.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from artlock.errors import ArtlockError, LockfileError, WorkspaceError
from artlock.formats.lockfile_faults import TAKE_BOTH
from artlock.formats.lockfile_parts import SUFFIX, torn
from artlock.formats.lockfile_read import MAX_BYTES
from artlock.fs.atomic import replace_file
from artlock.fs.durability import sync_folder
from artlock.ops.hashing import hasher_of
from artlock.ops.names import PARTS, STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from artlock.formats.lockfile_parts import Part
    from artlock.fs.root import Root

STAGED = f"{STATE}/parts"
"""Where new parts wait until the frame lists them; named by their digests."""
_PART = re.compile(r"(?:first|[0-9a-f]{32})\.rows")
_ARTIFACT = re.compile(r"[a-z0-9][a-z0-9._-]*")
_ABANDONED_S = 24 * 3600.0
"""When what was staged belongs to nobody who still runs."""


class PartFiles:
    """The parts below one folder; whoever writes holds the mutex of the workspace.

    Args:
        root: The folder.
    """

    def __init__(self, root: Root) -> None:
        self._root = root

    def candidates(self, part: Part) -> Iterator[bytes]:
        """Yield what lies where the bytes of a part may be.

        Raises:
            LockfileError: It is a link or no file, is too large, or cannot be read.
        """
        for path in _places(part):
            with _opened(self._root, path) as fd:
                if fd is not None:
                    yield _read_all(fd, path)

    def verify(self, part: Part, name: str) -> None:
        """Prove that a part is there, in its place or staged, without having it in memory.

        Args:
            part: Which.
            name: Of the file that lists it, for messages.

        Raises:
            LockfileError: It is not, or is another; or as ``candidates``.
        """
        is_there = False
        for path in _places(part):
            with _opened(self._root, path) as fd:
                if fd is not None and _hashed(fd, path) == part.digest:
                    return
                is_there |= fd is not None
        raise torn(part, name, is_there=is_there)

    def misplaced(self, parts: Sequence[Part]) -> list[Part]:
        """Return the parts that are not in their place, or are others there."""
        found = []
        for part in parts:
            with _opened(self._root, _place(part)) as fd:
                if fd is None or _hashed(fd, _place(part)) != part.digest:
                    found.append(part)
        return found

    def strays(self, parts: Sequence[Part]) -> list[str]:
        """Return parts that nobody lists, from the folder of parts, sorted."""
        listed = {part.path for part in parts}
        return [
            f"{artifact}/{name}"
            for artifact in sorted(filter(_ARTIFACT.fullmatch, _names(self._root, PARTS)))
            for name in sorted(_names(self._root, f"{PARTS}/{artifact}"))
            if _PART.fullmatch(name) and f"{artifact}/{name}" not in listed
        ]

    def staged(self) -> bool:
        """Tell whether anything waits to be put in place, or was left so."""
        return bool(_names(self._root, STAGED))

    @contextmanager
    def staging(
        self,
        parts: Sequence[tuple[Part, memoryview]],
        listed: Callable[[], Iterable[Part]],
    ) -> Iterator[None]:
        """Write parts where they wait, durably, for a block that replaces the frame.

        Those that are in place are not written. If anything fails, there or in the block,
        what was written here goes, unless the frame lists it by then: a full disk must not
        become fuller with each try.

        Args:
            parts: All of the new frame.
            listed: Returns those of the frame as it is.

        Raises:
            WorkspaceError: A link or file is where a folder is needed, there or in the
                place of a part; nothing was written.
            LockfileError: A link or folder has the place of a part; likewise.
            OSError: They cannot be written.
        """
        written: list[str] = []
        try:
            self._stage(parts, written)
            yield
        except BaseException:
            # What went wrong is told; what cannot be removed now is so a day later.
            with suppress(ArtlockError, OSError):
                self._take_back(written, listed())
            raise

    def _stage(self, parts: Sequence[tuple[Part, memoryview]], written: list[str]) -> None:
        """Write parts, and take note of each that was not there yet."""
        for folder in {f"{PARTS}/{part.artifact}" for part, _ in parts}:
            with self._root.folder(folder, create=True):
                pass  # refused if a link leads elsewhere
        missing = set(self.misplaced([part for part, _ in parts]))
        if not missing:
            return
        with self._root.folder(STAGED, create=True):
            pass  # likewise
        for part, data in parts:
            if part in missing and replace_file(
                self._root.path / _staged(part), bytes(data)
            ):
                written.append(_staged(part))
        # The folder may be new: without its name a power cut would take what is in it.
        sync_folder(self._root.path / STATE)

    def _take_back(self, written: Sequence[str], listed: Iterable[Part]) -> None:
        for path in set(written) - set(map(_staged, listed)):
            _remove(self._root, path)
        _remove_empty(self._root, STAGED)

    def settle(self, parts: Sequence[Part]) -> bool:
        """Put parts in place that were staged; remove strays, and what waits no more.

        Args:
            parts: All that are listed.

        Returns:
            Whether there was anything to put in place, or a stray.

        Raises:
            WorkspaceError: A link or file is in the way.
            OSError: A part cannot be moved or removed.
        """
        placed = [part for part in self.misplaced(parts) if self._waits(part)]
        further = Counter(map(_staged, placed))
        for part in placed:
            further[_staged(part)] -= 1
            self._put_in_place(part, is_last=not further[_staged(part)])
        # Before what was staged goes; the folders may be new.
        for folder in sorted({f"{PARTS}/{part.artifact}" for part in placed}):
            sync_folder(self._root.path / folder)
        if placed:
            sync_folder(self._root.path / PARTS)
            sync_folder(self._root.path)
        strays = self.strays(parts)
        for path in strays:
            _remove(self._root, f"{PARTS}/{path}")
        if strays:
            for artifact in {path.partition("/")[0] for path in strays}:
                _remove_empty(self._root, f"{PARTS}/{artifact}")
            _remove_empty(self._root, PARTS)
        self._unstage(parts)
        return bool(placed or strays)

    def _waits(self, part: Part) -> bool:
        path = _staged(part)
        with _opened(self._root, path) as fd:
            return fd is not None and _hashed(fd, path) == part.digest

    def _put_in_place(self, part: Part, *, is_last: bool) -> None:
        """Give a staged part its place, with the permissions of what has it.

        Args:
            part: Which.
            is_last: Whether no other part has these bytes and waits for them too.
        """
        source, goal = _staged(part), _place(part)
        old = self._root.lstat(goal)
        try:
            if not is_last:
                source = self._copied(source)
            if old is not None:
                _set_mode(self._root, source, stat.S_IMODE(old.st_mode))
            _move(self._root, source, goal)
        except FileNotFoundError:
            # Where mutexes do not work somebody else may have put it in place.
            if self.misplaced([part]):
                raise
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with _opened(self._root, source) as fd:
                data = b"" if fd is None else _read_all(fd, source)
            replace_file(self._root.path / goal, data)

    def _copied(self, path: str) -> str:
        """Write a staged part once more beside it: a kill leaves nothing elsewhere."""
        copy = _copy_of(path)
        with _opened(self._root, path) as fd:
            data = b"" if fd is None else _read_all(fd, path)
        replace_file(self._root.path / copy, data)
        return copy

    def _unstage(self, parts: Sequence[Part]) -> None:
        """Remove what was staged and is in place, or was left a day ago."""
        staged = {_staged(part) for part in parts}
        known = staged | set(map(_copy_of, staged))
        for name in _names(self._root, STAGED):
            path = f"{STAGED}/{name}"
            found = self._root.lstat(path)
            age_s = 0.0 if found is None else time.time() - found.st_mtime
            if path in known or age_s > _ABANDONED_S:
                _remove(self._root, path)
        _remove_empty(self._root, STAGED)


def _place(part: Part) -> str:
    return f"{PARTS}/{part.path}"


def _staged(part: Part) -> str:
    return f"{STAGED}/{part.digest.partition(':')[2]}{SUFFIX}"


def _copy_of(staged: str) -> str:
    return staged.removesuffix(SUFFIX) + f".again{SUFFIX}"


def _places(part: Part) -> tuple[str, ...]:
    """Return where a part may be, in the order in which a reader looks."""
    # Its place twice: a writer may have moved it there between the first two looks.
    return _place(part), _staged(part), _place(part)


@contextmanager
def _opened(root: Root, path: str) -> Iterator[int | None]:
    """Lend a descriptor of a regular file; ``None`` if it is not there.

    Raises:
        LockfileError: It is a link or no file, or cannot be read: a repository can hold
            links, and none is followed (hazard 2.11).
    """
    with ExitStack() as stack:
        try:
            fd = stack.enter_context(root.open_file(path))
        except FileNotFoundError:
            fd = None
        except WorkspaceError as error:
            raise LockfileError(error.message, hint=TAKE_BOTH) from error
        except OSError as error:
            message = f"`{path}` cannot be read: {error.strerror}"
            raise LockfileError(message) from error
        yield fd


def _set_mode(root: Root, path: str, mode: int) -> None:
    with _opened(root, path) as fd:
        if fd is not None and hasattr(os, "fchmod"):
            os.fchmod(fd, mode)


def _move(root: Root, source: str, goal: str) -> None:
    """Rename a synced file to a place in which there may be another, at once."""
    folder, _, name = source.rpartition("/")
    new_folder, _, new = goal.rpartition("/")
    with root.folder(folder) as old_at, root.folder(new_folder, create=True) as new_at:
        names = old_at.at(name), new_at.at(new)
        os.replace(*names, src_dir_fd=old_at.fd, dst_dir_fd=new_at.fd)


def _names(root: Root, folder: str) -> list[str]:
    """Return the names in a folder; none if it is not there, or is a link."""
    try:
        with root.folder(folder) as lent:
            return lent.names()
    except (FileNotFoundError, WorkspaceError):
        return []
    except OSError as error:
        message = f"`{folder}` cannot be read: {error.strerror}"
        raise LockfileError(message) from error


def _remove(root: Root, path: str) -> None:
    folder, _, name = path.rpartition("/")
    with suppress(FileNotFoundError), root.folder(folder) as lent:
        os.unlink(lent.at(name), dir_fd=lent.fd)


def _remove_empty(root: Root, path: str) -> None:
    folder, _, name = path.rpartition("/")
    # Not empty: it has what is not artlock's.
    with suppress(OSError), root.folder(folder) as lent:
        os.rmdir(lent.at(name), dir_fd=lent.fd)


def _read_all(fd: int, path: str) -> bytes:
    """Return the bytes of a part.

    Raises:
        LockfileError: It is larger than a lockfile may be, or cannot be read.
    """
    try:
        size = os.fstat(fd).st_size
        if size > MAX_BYTES:
            message = f"`{path}` is larger than {MAX_BYTES} bytes"
            raise LockfileError(message, hint=TAKE_BOTH)
        pieces = []
        while size > 0 and (piece := os.read(fd, size)):
            pieces.append(piece)
            size -= len(piece)
    except OSError as error:
        message = f"`{path}` cannot be read: {error.strerror}"
        raise LockfileError(message) from error
    return b"".join(pieces)


def _hashed(fd: int, path: str) -> str:
    """Return the digest of a file; none of one that is too large to be a part.

    Raises:
        LockfileError: It cannot be read.
    """
    try:
        if os.fstat(fd).st_size > MAX_BYTES:
            return ""  # a repository can hold one that would be read for hours
        with open(fd, "rb", buffering=0, closefd=False) as file:
            return f"blake3:{hasher_of(file).hexdigest()}"
    except OSError as error:
        message = f"`{path}` cannot be read: {error.strerror}"
        raise LockfileError(message) from error
