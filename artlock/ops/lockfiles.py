"""``artifacts.lock`` and its parts where they lie: read as one text, and replaced.

::

    artifacts.lock                          the frame; all there is if there are no parts
    artifacts.lock.d/<artifact>/<part>.rows the rows of a large artifact
    .artlock/parts/<digest>.rows            parts that are about to be put in place

Whoever writes stages new parts first, then replaces the frame, then puts the parts in
place. The frame is what counts: until it is replaced nothing that it lists was touched, and
from then on what is not in place yet is found where it was staged. So a kill at any step
leaves the lockfile of before or of after, whole (decision record 0026).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from blake3 import blake3

from artlock.errors import LockfileError, WorkspaceError
from artlock.fs.problems import raising
from artlock.ops.hashing import hasher_of
from artlock.ops.names import LOCKFILE, PARTS, STATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from artlock.formats.lockfile_parts import LockText, Part, Split
    from artlock.model.lock import Lockfile
    from artlock.ops.partfiles import PartFiles

_TRIES = 5
"""How often a reader begins anew because somebody replaced the frame meanwhile."""
Found = TypeVar("Found")


class LockFiles:
    """The lockfile of a folder.

    Reading is safe beside a writer; writers hold the mutex of the workspace.

    Args:
        root: The folder; absolute.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def frame(self) -> bytes | None:
        """Return the file ``artifacts.lock``, or ``None`` if there is none.

        Raises:
            LockfileError: It cannot be read.
        """
        return self._looked_at(lambda path: path.read_bytes())

    def is_long(self, limit: int) -> bool:
        """Tell whether the lockfile has parts, or at least so many bytes.

        Raises:
            LockfileError: It cannot be looked at.
        """
        size = self._looked_at(lambda path: path.stat().st_size)
        return size is not None and (size >= limit or (self._root / PARTS).is_dir())

    def text(self) -> LockText | None:
        """Return the lockfile as one text, or ``None`` if there is none.

        Raises:
            LockfileError: It cannot be read, or a part is missing or another.
        """
        return self._settled(self.text_of)

    def text_of(
        self, data: bytes, further: Callable[[Part], Iterable[bytes]] = lambda _: ()
    ) -> LockText:
        """Return the text of a frame that need not be on disk, with the parts that are.

        Args:
            data: The frame.
            further: Yields what else may be the bytes of a part.

        Raises:
            LockfileError: It is no lockfile, or a part is missing or another.
        """
        from artlock.formats.lockfile_parts import LockText, join, parse_frame  # noqa: PLC0415 - not for a sync with nothing to do

        frame = parse_frame(data, name=LOCKFILE)
        if frame is None:
            return LockText(data=data)
        with self._parts() as files:
            return join(
                frame,
                lambda part: chain(files.candidates(part), further(part)),
                name=LOCKFILE,
            )

    def key(self) -> bytes | None:
        """Return what stands for the whole text (``LockText.key``), without reading rows.

        Every part was found to be the one that the frame lists, and nothing but a piece was
        in memory.

        Raises:
            LockfileError: As ``text``.
        """
        if not (self._root / PARTS).is_dir():
            # Should it list parts all the same, then this is the key of no text at all.
            return self._looked_at(_digest_of)
        from artlock.formats.lockfile_parts import parse_frame  # noqa: PLC0415 - see above

        def verified(data: bytes) -> bytes:
            frame = parse_frame(data, name=LOCKFILE)
            if frame is None:
                return blake3(data).digest()
            with self._parts() as files:
                for part in frame.parts:
                    files.verify(part, LOCKFILE)
            return frame.key

        return self._settled(verified)

    def problem(self) -> str | None:
        """Return what an interrupted writer or somebody else left, or ``None``.

        Raises:
            LockfileError: The lockfile cannot be read.
        """
        folders = (self._root / PARTS, self._root / STATE / "parts")
        if not any(folder.is_dir() for folder in folders):
            return None
        parts = self._listed()
        with self._parts() as files:
            # Without anything staged whoever reads the parts tells what is wrong.
            if files.staged() and files.misplaced(parts):
                return f"writing `{PARTS}/` was cut short"
            strays = files.strays(parts)
        if strays:
            more = f" and {len(strays) - 1} more" if len(strays) > 1 else ""
            return f"`{PARTS}/{strays[0]}`{more} is a part that `{LOCKFILE}` does not list"
        return None

    def replace(self, lock: Lockfile, split: Split) -> bool:
        """Replace the lockfile; tell whether anything had to be written.

        All or nothing, and durable; read back before the frame gets its name (hazard 3.4).
        Parts that nobody lists any more are removed at the end.

        Args:
            lock: What it is to say.
            split: The same, as files.

        Raises:
            WorkspaceError: It cannot be written. What is locked is as it was, or as it is
                to be if only parts could not be put in place.
        """
        from artlock.formats.lockfile import read_lockfile  # noqa: PLC0415 - only who writes
        from artlock.fs.atomic import replace_file  # noqa: PLC0415 - likewise

        def check(written: bytes) -> None:
            if read_lockfile(self.text_of(written).data).lock != lock:
                message = f"`{LOCKFILE}` did not survive being written"
                raise WorkspaceError(message)

        needed = len(split.frame) + sum(len(data) for _, data in split.parts)
        with (
            raising(WorkspaceError, f"`{LOCKFILE}` cannot be written", needed=needed),
            self._parts() as files,
        ):
            with files.staging(split.parts, self._listed):
                written = replace_file(self._root / LOCKFILE, split.frame, check=check)
            # By the frame as it is now: where mutexes do not work it may be another's.
            return files.settle(self._listed()) or written

    def settle(self) -> bool:
        """Put parts in place that wait for it, and remove those that nobody lists.

        Returns:
            Whether there was anything to do.

        Raises:
            LockfileError: The lockfile cannot be read.
            WorkspaceError: A part cannot be written or removed.
        """
        subject = f"`{PARTS}` cannot be written"
        with raising(WorkspaceError, subject), self._parts() as files:
            return files.settle(self._listed())

    def is_in_place(self, split: Split) -> bool:
        """Tell whether these are the files, and no others are there.

        Raises:
            LockfileError: The lockfile cannot be read.
        """
        if self.frame() != split.frame:
            return False
        parts = [part for part, _ in split.parts]
        with self._parts() as files:
            return not files.misplaced(parts) and not files.strays(parts)

    @contextmanager
    def _parts(self) -> Iterator[PartFiles]:
        from artlock.fs.root import Root  # noqa: PLC0415 - not for a lockfile without parts
        from artlock.ops.partfiles import PartFiles  # noqa: PLC0415 - likewise

        with ExitStack() as stack:
            try:
                root = stack.enter_context(Root(self._root))
            except OSError as error:
                message = f"`{self._root}` cannot be opened: {error.strerror}"
                raise LockfileError(message) from error
            yield PartFiles(root)

    def _looked_at(self, look: Callable[[Path], Found]) -> Found | None:
        try:
            return look(self._root / LOCKFILE)
        except FileNotFoundError:
            return None
        except OSError as error:
            message = f"`{LOCKFILE}` cannot be read: {error.strerror}"
            raise LockfileError(message) from error

    def _settled(self, read: Callable[[bytes], Found]) -> Found | None:
        """Return what is read from a frame and its parts, of one time."""
        frame = self.frame()
        for _ in range(_TRIES):
            if frame is None:
                return None
            try:
                return read(frame)
            except LockfileError:
                before, frame = frame, self.frame()
                # Another frame now: what was read of the parts was perhaps not of the old.
                if frame == before:
                    raise
        message = f"`{LOCKFILE}` is replaced again and again while it is read"
        raise LockfileError(message, hint="run the command again")

    def _listed(self) -> tuple[Part, ...]:
        from artlock.formats.lockfile_parts import parse_frame  # noqa: PLC0415 - as above

        data = self.frame()
        frame = None if data is None else parse_frame(data, name=LOCKFILE)
        return () if frame is None else frame.parts


def _digest_of(path: Path) -> bytes:
    with path.open("rb", buffering=0) as file:
        return hasher_of(file).digest()
