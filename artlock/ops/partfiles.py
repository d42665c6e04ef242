"""The parts of a lockfile where they lie, and where they wait to be put in place.

Nothing here follows a link, and nothing is removed but files that are named as parts are.
"""

from __future__ import annotations

import errno
import re
import stat
import time
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from artlock.errors import ArtlockError
from artlock.formats.lockfile_parts import SUFFIX, torn
from artlock.fs.atomic import replace_file
from artlock.fs.durability import sync_folder
from artlock.ops.names import PARTS, STATE
from artlock.ops.plainfiles import (
    hashed_part,
    move,
    names_in,
    opened,
    read_part,
    remove,
    remove_empty,
    set_mode,
)

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
            with opened(self._root, path) as fd:
                if fd is not None:
                    yield read_part(fd, path)

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
            with opened(self._root, path) as fd:
                if fd is not None and hashed_part(fd, path) == part.digest:
                    return
                is_there |= fd is not None
        raise torn(part, name, is_there=is_there)

    def misplaced(self, parts: Sequence[Part]) -> list[Part]:
        """Return the parts that are not in their place, or are others there."""
        found = []
        for part in parts:
            with opened(self._root, _place(part)) as fd:
                if fd is None or hashed_part(fd, _place(part)) != part.digest:
                    found.append(part)
        return found

    def strays(self, parts: Sequence[Part]) -> list[str]:
        """Return parts that nobody lists, from the folder of parts, sorted."""
        listed = {part.path for part in parts}
        return [
            f"{artifact}/{name}"
            for artifact in sorted(filter(_ARTIFACT.fullmatch, names_in(self._root, PARTS)))
            for name in sorted(names_in(self._root, f"{PARTS}/{artifact}"))
            if _PART.fullmatch(name) and f"{artifact}/{name}" not in listed
        ]

    def staged(self) -> bool:
        """Tell whether anything waits to be put in place, or was left so."""
        return bool(names_in(self._root, STAGED))

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
            remove(self._root, path)
        remove_empty(self._root, STAGED)

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
            remove(self._root, f"{PARTS}/{path}")
        if strays:
            for artifact in {path.partition("/")[0] for path in strays}:
                remove_empty(self._root, f"{PARTS}/{artifact}")
            remove_empty(self._root, PARTS)
        self._unstage(parts)
        return bool(placed or strays)

    def _waits(self, part: Part) -> bool:
        path = _staged(part)
        with opened(self._root, path) as fd:
            return fd is not None and hashed_part(fd, path) == part.digest

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
                set_mode(self._root, source, stat.S_IMODE(old.st_mode))
            move(self._root, source, goal)
        except FileNotFoundError:
            # Where mutexes do not work somebody else may have put it in place.
            if self.misplaced([part]):
                raise
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with opened(self._root, source) as fd:
                data = b"" if fd is None else read_part(fd, source)
            replace_file(self._root.path / goal, data)

    def _copied(self, path: str) -> str:
        """Write a staged part once more beside it: a kill leaves nothing elsewhere."""
        copy = _copy_of(path)
        with opened(self._root, path) as fd:
            data = b"" if fd is None else read_part(fd, path)
        replace_file(self._root.path / copy, data)
        return copy

    def _unstage(self, parts: Sequence[Part]) -> None:
        """Remove what was staged and is in place, or was left a day ago."""
        staged = {_staged(part) for part in parts}
        known = staged | set(map(_copy_of, staged))
        for name in names_in(self._root, STAGED):
            path = f"{STAGED}/{name}"
            found = self._root.lstat(path)
            age_s = 0.0 if found is None else time.time() - found.st_mtime
            if path in known or age_s > _ABANDONED_S:
                remove(self._root, path)
        remove_empty(self._root, STAGED)


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
