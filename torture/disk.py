"""Small file systems that a scenario may fill, cut from power, and mount again.

They are seen by this process and those that it starts alone, so that none is left on the
machine, however this process ends.
"""

import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN, which XFS understands too."""
_WITHOUT_FLUSH = struct.pack("I", 2)
"""Not even the journal is written: what a power cut leaves."""
_CLONE_NEWNS = 0x00020000
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - files there get names of their own
"""Images lie there: what a disk takes long for is not what is tried."""
SIZES = {"ext4": 64 << 20, "xfs": 300 << 20}
"""Bytes of an image; sparse. XFS wants as much."""
_MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-E", "nodiscard"),
    "xfs": ("mkfs.xfs", "-q", "-f", "-K"),
}


@dataclass(frozen=True, slots=True)
class Image:
    """A file system in a file.

    Attributes:
        kind: Its type.
        file: The image.
        place: Where it is mounted.
    """

    kind: str
    file: Path
    place: Path

    def make(self) -> None:
        """Make it empty."""
        with self.file.open("wb") as file:
            file.truncate(SIZES[self.kind])
        _do(*_MAKE[self.kind], str(self.file))

    def mount(self) -> None:
        """Mount it; the loop device goes when it is unmounted."""
        _do("mount", "-o", "loop", "-t", self.kind, str(self.file), str(self.place))

    def unmount(self) -> None:
        """Unmount it; nobody has a file open there."""
        _do("umount", str(self.place))

    def cut(self) -> None:
        """Let nothing more reach the image: what is not on it now never will be."""
        fd = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, _WITHOUT_FLUSH)
        finally:
            os.close(fd)


@contextmanager
def lend_image(folder: Path, kind: str) -> Iterator[Image]:
    """Make an image and mount it; it is unmounted when the block ends."""
    _be_alone()
    place = folder / kind
    place.mkdir()
    with tempfile.NamedTemporaryFile(
        dir=_IN_MEMORY if _IN_MEMORY.is_dir() else folder,
        prefix="artlock-",
        suffix=f".{kind}",
    ) as file:
        image = Image(kind, Path(file.name), place)
        image.make()
        image.mount()
        try:
            yield image
        finally:
            # Not asked whether it is mounted: after a cut nothing can be asked. And
            # unmounted even if a process of a trial that failed still has a file there.
            subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)


@contextmanager
def lend_memory(place: Path, options: str) -> Iterator[None]:
    """Mount a file system in memory at ``place``, which is made; undone at the end."""
    _be_alone()
    place.mkdir(parents=True, exist_ok=True)
    _do("mount", "-t", "tmpfs", "-o", f"mode=700,{options}", "none", str(place))
    try:
        yield
    finally:
        _do("umount", "-l", str(place))


@cache
def _be_alone() -> None:
    """Let what is mounted from now on end with this process, where the system can do so."""
    if ctypes.CDLL(None).unshare(_CLONE_NEWNS) == 0:
        _do("mount", "--make-rprivate", "/")


def problem_with_mounting() -> str | None:
    """Return why nothing can be mounted here, or ``None``."""
    if os.geteuid() != 0:
        return "needs root"
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            lend_memory(Path(folder, "m"), "size=64k"),
        ):
            return None
    except subprocess.CalledProcessError:
        return "file systems cannot be mounted here"


def problem_with_cutting(kind: str) -> str | None:
    """Return why the power of an image of that kind cannot be cut here, or ``None``."""
    problem = problem_with_mounting()
    if problem is not None:
        return problem
    if shutil.which(_MAKE[kind][0]) is None:
        return f"needs {_MAKE[kind][0]}"
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            lend_image(Path(folder), kind) as image,
        ):
            image.cut()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"the power of {kind} cannot be cut here: {error}"
    return None


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
