"""A file system that takes names for one that differ only in case or Unicode form.

Like those of macOS and Windows: it keeps the spelling a name was made with, and finds it
under any other. ``python -m testbed.folding FOLDER MOUNT`` shows the files of a folder
that way, by FUSE, until it is unmounted or ended.
"""

import errno
import os
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from pathlib import Path
from typing import Any

_WAIT_S = 10.0
Attributes = dict[str, Any]


def problem() -> str | None:
    """Return why such a file system cannot be mounted here, or ``None``."""
    if sys.platform != "linux" or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "needs the right to mount by FUSE"
    if os.geteuid() != 0:
        return "needs root to mount"
    if not (find_library("fuse3") or find_library("fuse")):
        return "needs libfuse"
    return None


@contextmanager
def folding(folder: Path) -> Iterator[Path]:
    """Lend a folder whose names are folded; what is in it lies in ``folder``."""
    below, mount = folder / "below", folder / "mount"
    below.mkdir()
    mount.mkdir()
    command = [sys.executable, "-m", "testbed.folding", str(below), str(mount)]
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + _WAIT_S
        while not os.path.ismount(mount):
            if process.poll() is not None or time.monotonic() > deadline:
                message = "the folding file system did not start"
                raise RuntimeError(message)
            time.sleep(0.02)
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], check=False, capture_output=True)
        try:
            process.wait(_WAIT_S)  # it ends when it is unmounted
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def folded(name: str) -> str:
    """Return one form for all spellings of a name."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


class Spellings:
    """Finds files below a folder by any spelling of their paths."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find(self, path: str) -> str:
        """Return the path as it was made; a part that was not is as it is given."""
        found = self._folder
        for name in path.strip("/").split("/"):
            if not name:
                continue
            known = os.listdir(found) if os.path.isdir(found) else []
            same = [other for other in known if folded(other) == folded(name)]
            found = f"{found}/{same[0] if same else name}"
        return found

    def rename(self, old: str, new: str, flags: int) -> int:
        """Rename to the spelling that is asked for, even from another one of it."""
        source, target = self.find(old), self.find(new)
        exists = os.path.lexists(target)
        if flags == 1 and exists and target != source:
            return -errno.EEXIST
        if flags not in {0, 1}:
            return -errno.EINVAL
        wanted = f"{target.rpartition('/')[0]}/{new.rpartition('/')[2]}"
        os.rename(source, target)
        if target != wanted:
            os.rename(target, wanted)
        return 0


def _operations(folder: str) -> object:
    import mfusepy  # noqa: PLC0415 - loading it needs libfuse

    spellings = Spellings(folder)
    find = spellings.find
    keys = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino", "st_dev")
    times = ("st_atime", "st_mtime", "st_ctime")

    class Folding(mfusepy.Operations):  # type: ignore[misc] # it has no types
        use_ns = True

        def getattr(self, path: str, fh: int | None = None) -> Attributes:
            found = os.lstat(find(path))
            values = {key: getattr(found, key) for key in keys}
            return values | {key: getattr(found, f"{key}_ns") for key in times}

        def readdir(self, path: str, fh: int) -> list[tuple[str, Attributes, int]]:
            with os.scandir(find(path)) as entries:
                # An entry of inode 0 would be left out by the reader.
                return [(e.name, {"st_ino": e.inode() or 1}, 0) for e in entries]

        def create(self, path: str, mode: int, fi: object = None) -> int:
            return os.open(find(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

        def open(self, path: str, flags: int) -> int:
            return os.open(find(path), flags & ~os.O_CREAT)

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return os.pread(fh, size, offset)

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            return os.pwrite(fh, data, offset)

        def truncate(self, path: str, length: int, fh: int | None = None) -> None:
            os.truncate(find(path) if fh is None else fh, length)

        def release(self, path: str, fh: int) -> None:
            os.close(fh)

        def mkdir(self, path: str, mode: int) -> None:
            os.mkdir(find(path), mode)

        def rmdir(self, path: str) -> None:
            os.rmdir(find(path))

        def unlink(self, path: str) -> None:
            os.unlink(find(path))

        def readlink(self, path: str) -> str:
            return os.readlink(find(path))

        def symlink(self, target: str, source: str) -> None:
            os.symlink(source, find(target))

        def chmod(self, path: str, mode: int) -> None:
            os.chmod(find(path), mode)

        def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
            os.utime(find(path), ns=times) if times else os.utime(find(path))

        def rename(self, old: str, new: str, flags: int = 0) -> int:
            return spellings.rename(old, new, flags)

        def statfs(self, path: str) -> Attributes:
            found = os.statvfs(find(path))
            return {
                key: getattr(found, key)
                for key in ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_frsize")
            } | {"f_namemax": 255, "f_files": 10**6, "f_ffree": 10**6, "f_favail": 10**6}

    return Folding()


def main() -> None:
    """Mount, and serve until unmounted."""
    import mfusepy  # noqa: PLC0415 - see above

    below, mount = sys.argv[1:]
    # The kernel is to ask each time: another spelling is another name to it.
    options: dict[str, Any] = {"use_ino": True, "attr_timeout": 0, "entry_timeout": 0}
    mfusepy.FUSE(_operations(below), mount, foreground=True, nothreads=True, **options)


if __name__ == "__main__":
    main()
