"""Names of temporary files, which tell whether their maker may still need them.

::

    3f2a9c01-1b7-5d0e4c-2a.7c01-400-18b3f2d60e1c2a00
    |        |   |      |  +-- the mark: inode, size and time of what is about to go
    |        |   |      +----- a count, hexadecimal
    |        |   +------------ the run: random, one for each ``Names``
    |        +---------------- the process, hexadecimal
    +------------------------- the machine since its last start, and the process namespace

So nothing need be cleaned up for correctness after ``kill -9``: a sweep finds what is left
(hazard 3.8). Where such a file lies among others its name begins with ``.artlock-``. What
is about to be removed has a mark, which tells it from what a person saved instead; a folder
that may be removed whole has one too.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path

from blake3 import blake3

GRACE_S = 3600.0
"""How long a temporary file of a process that has ended is kept."""
_GRACE_ELSEWHERE_S = 24 * 3600.0
"""The same where nobody here can see the process: another machine, container or start."""
BESIDE = ".artlock-"
"""How the names of temporary files begin that do not lie in a folder of their own."""
_NAME = re.compile(r"([0-9a-f]{8})-([0-9a-f]+)-[0-9a-f]+-[0-9a-f]+")
NEW_FOLDER = ".folder"
"""The mark of a folder that is artlock's own, with all that is in it."""
_MARK = re.compile(r"\.(none|folder|[0-9a-f]+-[0-9a-f]+--?[0-9a-f]+)\Z")


class Names:
    """A source of names that nobody else makes; safe to use from several threads."""

    def __init__(self) -> None:
        self._maker = os.getpid()
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        # A fork works for the process that began: its files are needed while that one runs.
        self._prefix = f"{_here()}-{self._maker:x}-{os.urandom(3).hex()}-"
        self._count = itertools.count()

    def next(self) -> str:
        """Return a new name, 40 bytes at most; in a fork too."""
        if os.getpid() != self._process:
            self._begin()
        return f"{self._prefix}{next(self._count):x}"


def mark_of(found: os.stat_result | None) -> str:
    """Return the end of a name that says how a regular file looks; one for all else."""
    if found is None or not stat.S_ISREG(found.st_mode):
        return ".none"
    return f".{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}"


def unmarked(name: str) -> tuple[str, str]:
    """Return a name without its mark, and the mark, which is empty if there is none."""
    found = _MARK.search(name)
    return (name[: found.start()], found[0]) if found else (name, "")


def sweep_beside(folder: Path, now_s: float) -> None:
    """Remove temporary files in a folder of other files whose process has ended long ago.

    Raises:
        OSError: The folder cannot be read, or one cannot be removed.
    """
    for path in folder.glob(f"{BESIDE}*"):
        with suppress(FileNotFoundError):  # another sweep was quicker
            if is_abandoned_beside(path.name, now_s - path.lstat().st_mtime):
                path.unlink()


def is_abandoned_beside(name: str, age_s: float) -> bool:
    """Tell whether a file among others is a temporary one that may be removed.

    What a person gave a similar name is none.
    """
    bare = name.removeprefix(BESIDE)
    is_ours = bare != name and _NAME.fullmatch(bare) is not None
    return is_ours and is_abandoned(bare, age_s)


def is_abandoned(name: str, age_s: float, *, grace_s: float = GRACE_S) -> bool:
    """Tell whether the file may be removed.

    Args:
        name: Its name without any suffix.
        age_s: Seconds since it was last written.
        grace_s: Kept at least so long.

    Returns:
        True if its maker has ended and it is older than ``grace_s``; if its maker cannot be
        seen from here, or the name is none of ours, if it is older than a day as well.
    """
    if age_s < grace_s:
        return False
    return not _is_alive(name) and (_is_from_here(name) or age_s >= _GRACE_ELSEWHERE_S)


def is_of_dead_process(name: str) -> bool:
    """Tell whether the file's maker ran here and has certainly ended."""
    return _is_from_here(name) and not _is_alive(name)


def _is_from_here(name: str) -> bool:
    found = _NAME.fullmatch(name)
    return found is not None and found[1] == _here()


def _is_alive(name: str) -> bool:
    found = _NAME.fullmatch(name)
    if found is None or found[1] != _here():
        return False
    try:
        os.kill(int(found[2], 16), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it runs as somebody else, or we cannot know
        return True
    return True


@cache
def _here() -> str:
    """Return what tells this machine, start and process namespace from others."""
    parts = []
    for path in ("/proc/sys/kernel/random/boot_id", "/etc/machine-id"):
        try:
            parts.append(Path(path).read_text())
        except OSError:
            parts.append("")  # macOS and Windows have neither: one name for all starts
    try:
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    except OSError:
        parts.append("")
    return blake3("\n".join(parts).encode()).hexdigest(length=4)
