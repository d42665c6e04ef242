"""Files that a repository can put in the way: opened, moved and removed, no link followed.

What is read is part of a lockfile, and what is wrong with it is said of that.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from artlock.errors import LockfileError, WorkspaceError
from artlock.formats.lockfile_faults import TAKE_BOTH
from artlock.formats.lockfile_read import MAX_BYTES
from artlock.ops.hashing import hasher_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artlock.fs.root import Root


@contextmanager
def opened(root: Root, path: str) -> Iterator[int | None]:
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


def set_mode(root: Root, path: str, mode: int) -> None:
    """Set the permissions of a file, where the system has some.

    Raises:
        LockfileError: As ``opened``.
        OSError: They cannot be set.
    """
    with opened(root, path) as fd:
        if fd is not None and hasattr(os, "fchmod"):
            os.fchmod(fd, mode)


def move(root: Root, source: str, goal: str) -> None:
    """Rename a file to a place in which there may be another, which goes at that moment.

    Raises:
        WorkspaceError: A link or file is where a folder of either is to be.
        OSError: It cannot be renamed, or is not there.
    """
    folder, _, name = source.rpartition("/")
    new_folder, _, new = goal.rpartition("/")
    with root.folder(folder) as old_at, root.folder(new_folder, create=True) as new_at:
        names = old_at.at(name), new_at.at(new)
        os.replace(*names, src_dir_fd=old_at.fd, dst_dir_fd=new_at.fd)


def names_in(root: Root, folder: str) -> list[str]:
    """Return the names in a folder; none if it is not there, or is a link.

    Raises:
        LockfileError: It cannot be read.
    """
    try:
        with root.folder(folder) as lent:
            return lent.names()
    except (FileNotFoundError, WorkspaceError):
        return []
    except OSError as error:
        message = f"`{folder}` cannot be read: {error.strerror}"
        raise LockfileError(message) from error


def remove(root: Root, path: str) -> None:
    """Remove a file, if it is there.

    Raises:
        WorkspaceError: A link or file is where its folder should be.
        OSError: It cannot be removed.
    """
    folder, _, name = path.rpartition("/")
    with suppress(FileNotFoundError), root.folder(folder) as lent:
        os.unlink(lent.at(name), dir_fd=lent.fd)


def remove_empty(root: Root, path: str) -> None:
    """Remove a folder, if nothing is in it: else it has what is not artlock's."""
    folder, _, name = path.rpartition("/")
    with suppress(OSError), root.folder(folder) as lent:
        os.rmdir(lent.at(name), dir_fd=lent.fd)


def read_part(fd: int, path: str) -> bytes:
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


def hashed_part(fd: int, path: str) -> str:
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
