"""File systems of other kinds, mounted for a test; where that cannot be, they say why."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SIZES_MB = {"ext2": 16, "ext4": 32, "xfs": 320, "btrfs": 128}
"""Of images; XFS and btrfs take no smaller ones."""
_OPTIONS = {"ext2": ["-q", "-F"], "ext4": ["-q", "-F"], "xfs": ["-q"], "btrfs": ["-q"]}


def problem(kind: str) -> str | None:
    """Return why a file system cannot be mounted here, or ``None``.

    Args:
        kind: ``tmpfs``, ``overlay``, ``bind``, or one that is made in an image.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux to mount"
    if kind in _SIZES_MB and _maker(kind) is None:
        return f"needs mkfs.{kind}"
    if kind != "bind" and kind not in Path("/proc/filesystems").read_text().split():
        return f"the kernel has no {kind}"
    return None


def _maker(kind: str) -> str | None:
    return shutil.which(f"mkfs.{kind}", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


@contextmanager
def mounted(kind: str, folder: Path, *options: str) -> Iterator[Path]:
    """Lend a new, empty file system.

    Args:
        kind: As for ``problem``, but for ``bind``.
        folder: Where to keep what it needs.
        options: Of the mount.
    """
    mount = folder / "mount"
    mount.mkdir()
    source = kind
    if kind in _SIZES_MB:
        image = folder / "image"
        with image.open("wb") as file:
            file.truncate(_SIZES_MB[kind] << 20)
        maker = _maker(kind)
        subprocess.run([str(maker), *_OPTIONS[kind], str(image)], check=True)
        source, options = str(image), ("loop", *options)
    if kind == "overlay":
        parts = {name: folder / name for name in ("lowerdir", "upperdir", "workdir")}
        for part in parts.values():
            part.mkdir()
        options = (*(f"{name}={part}" for name, part in parts.items()), *options)
    chosen = ["-o", ",".join(options)] if options else []
    with _mount(["-t", kind, *chosen, source, str(mount)], mount):
        yield mount


@contextmanager
def bound(folder: Path, mount: Path, *, read_only: bool = False) -> Iterator[None]:
    """Show a folder at another place, which exists."""
    with _mount(["--bind", str(folder), str(mount)], mount):
        if read_only:
            options = ["-o", "remount,bind,ro"]
            subprocess.run(["mount", *options, str(mount)], check=True)
        yield


@contextmanager
def _mount(arguments: list[str], mount: Path) -> Iterator[None]:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(mount)], check=True)
