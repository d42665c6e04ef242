"""Files of shared storage, read where they are.

::

    file:///mnt/share/my%20data/     that folder of this machine
    raw/images/                      a folder below the project

A file has no version, no etag and no checksum that comes for free: trust comes from its
bytes, which ``resolve`` reads once.

Symlinks (hazard 1.51): the declared path may be one, because a person chose it. Below it a
link to a file that is below it too is read as that file. Every other link is listed with no
size and refused when it is described or read, so that nothing is missed in silence and
``exclude`` is the way out.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from artlock.errors import (
    AccessDeniedError,
    ArtlockError,
    ObjectChangedError,
    ObjectNotFoundError,
    PolicyError,
    StoreError,
    StoreUnavailableError,
)
from artlock.model.objects import ObjectInfo

if TYPE_CHECKING:
    from artlock.model.objects import VersionId
    from artlock.model.uri import Uri
    from artlock.model.verification import Buffer
    from artlock.stores.base import Pin, Span, StoreContext

_CHUNK_SIZE = 1 << 20
# Absent on Windows, where `_open` relies on the check that `_locate` made just before.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_DIRECTORY", 0)
# Without O_NONBLOCK an open of a fifo that took the file's place would wait for ever.
_FILE = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MADE_UP = (Path("/proc"), Path("/sys"))
"""Where the kernel makes up what is read, secrets of processes too (hazard 5.6)."""
_PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.EIO,
        errno.EMFILE,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENFILE,
        errno.ENOTCONN,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
"""What a network file system may answer now and not in a minute."""


class FileStore:
    """Reads what is at and below one declared path; safe to use from several threads.

    Args:
        declared: A ``file`` or relative URI; nothing outside of it is read.
        context: Gives the project that relative URIs are below, and where notices go.
    """

    def __init__(self, declared: Uri, context: StoreContext) -> None:
        project = Path(os.path.realpath(context.project))
        self._project = project if declared.is_relative else None
        self._notice = context.notice
        self._root = self._path(declared)

    @property
    def identity(self) -> str:
        """``file``, or ``file:<project>`` where keys are relative to a project."""
        return f"file:{self._project}" if self._project else "file"

    def close(self) -> None:
        """Do nothing: no file stays open between two calls."""

    def scan(self, prefix: Uri, *, as_of: datetime | None = None) -> Iterator[ObjectInfo]:
        """Yield every file below ``prefix``, as ``Store.scan`` promises.

        Links that may not be followed have no size; see the module. Sockets, devices and
        fifos are left out with a notice.

        Raises:
            ObjectNotFoundError: There is no such folder; it may not be mounted.
            AccessDeniedError: A folder below it may not be read.
            StoreUnavailableError: Something changed while it was listed; try again.
            StoreError: A name is not UTF-8, or ``as_of`` was asked for.
        """
        if as_of is not None:
            raise _without_versions(prefix)
        with _translated(prefix):
            folder = self._locate(prefix)
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        folders = [(str(folder), prefix)]
        while folders:
            name, uri = folders.pop()
            with _translated(uri), os.scandir(name) as entries:
                for entry in entries:
                    child = uri.child(_text(entry.name, uri))
                    if entry.is_symlink():
                        yield self._described_link(child)
                    elif entry.is_dir(follow_symlinks=False):
                        folders.append((entry.path, child.as_tree()))
                    elif entry.is_file(follow_symlinks=False):
                        yield _described(child, _stat(entry, child))
                    else:
                        self._notice(f"`{child}` is no regular file and is left out")

    def head(self, uri: Uri, version: VersionId | None = None) -> ObjectInfo:
        """Describe one file, as ``Store.head`` promises.

        Raises:
            ObjectNotFoundError: There is no such file; a folder is none.
            PolicyError: It is a link that may not be followed.
            AccessDeniedError: It may not be read.
        """
        if version is not None:
            raise _without_versions(uri)
        with _translated(uri):
            file = self._open(uri)
            try:
                return _described(uri, os.fstat(file))
            finally:
                os.close(file)

    def read(self, pin: Pin, span: Span | None = None) -> Iterator[Buffer]:
        """Yield the bytes of a file, as ``Store.read`` promises.

        Raises:
            ObjectNotFoundError: It is gone.
            ObjectChangedError: It has another size.
            PolicyError: It is a link that may not be followed.
            AccessDeniedError: It may not be read.
            StoreUnavailableError: It changed while it was read; try again.
        """
        if pin.version is not None:
            raise _without_versions(pin.uri)
        with _translated(pin.uri):
            file = self._open(pin.uri)
            try:
                before = os.fstat(file)
                start, length = _bounds(pin, span, before.st_size)
                os.lseek(file, start, os.SEEK_SET)
                while length > 0 and (chunk := os.read(file, min(length, _CHUNK_SIZE))):
                    length -= len(chunk)
                    yield chunk
                if before.st_size == 0 and os.read(file, 1):
                    message = f"`{pin.uri}` has bytes although its size is 0"
                    hint = "it may be made up when it is read; lock a copy of it"
                    raise StoreError(message, uri=str(pin.uri), hint=hint)
                if length > 0 or _state(os.fstat(file)) != _state(before):
                    message = f"`{pin.uri}` changed while it was read"
                    raise StoreUnavailableError(message, uri=str(pin.uri))
            finally:
                os.close(file)

    def _path(self, uri: Uri) -> Path:
        """Return the path as the URI spells it."""
        return (self._project or Path()) / uri.local_path

    def _locate(self, uri: Uri) -> Path:
        """Return where a file or folder really is.

        Raises:
            PolicyError: It is outside of what was declared, is reached by a link that is
                not followed, or is no file of a disk.
            OSError: There is nothing, or it cannot be known.
        """
        real = self._followed(uri)
        if any(real.is_relative_to(folder) for folder in _MADE_UP):
            message = f"`{uri}` is made up by the kernel when it is read"
            raise PolicyError(message, hint="lock a copy of it in a file of its own")
        return real

    def _followed(self, uri: Uri) -> Path:
        path = self._path(uri)
        if path == self._root:
            return _real(path)
        if not path.is_relative_to(self._root):
            message = f"`{uri}` is outside of what was declared"
            raise PolicyError(message)
        root = _real(self._root)
        spelled = root / path.relative_to(self._root)
        try:
            real = _real(path)
        except FileNotFoundError:
            if path.is_symlink():
                raise _link_error(uri, "leads to nothing") from None
            raise
        if real == spelled:
            return real
        if _real(path.parent) != spelled.parent:
            raise _link_error(uri, "is on its way")
        if not real.is_relative_to(root):
            raise _link_error(uri, "leads out of the artifact")
        if real.is_dir():
            raise _link_error(uri, "leads to a folder")
        return real

    def _open(self, uri: Uri) -> int:
        """Open a regular file without following any link below the declared path.

        ``_locate`` has followed and judged the links; each segment of what it found is then
        opened below the one before, so that a link that comes meanwhile is not followed.
        """
        real = self._locate(uri)
        if os.open not in os.supports_dir_fd:
            _check_kind(real.lstat(), uri)
            return os.open(real, _FILE)
        root = _real(self._root)
        if real == root:
            root = real.parent
        *folders, name = real.relative_to(root).parts or (".",)
        folder = os.open(root, _FOLDER)
        try:
            for segment in folders:
                below = os.open(segment, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = below
            # Looked at before it is opened: to open a device may do something.
            _check_kind(os.stat(name, dir_fd=folder, follow_symlinks=False), uri)
            file = os.open(name, _FILE, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            _check_kind(os.fstat(file), uri)
        except ArtlockError:
            os.close(file)
            raise
        return file

    def _described_link(self, uri: Uri) -> ObjectInfo:
        with suppress(PolicyError, OSError):
            found = self._locate(uri).lstat()
            if stat.S_ISREG(found.st_mode):
                return _described(uri, found)
        with suppress(OSError):
            if self._path(uri).is_dir():
                # A pattern may name files behind it, and then nothing else would be said.
                self._notice(f"`{uri}` is a link to a folder and is not followed")
        return ObjectInfo(uri=uri, size=None)


def _real(path: Path) -> Path:
    # Not `Path.resolve`, whose error for links in a circle is no OSError before 3.13.
    return Path(os.path.realpath(path, strict=True))


@contextmanager
def _translated(uri: Uri) -> Iterator[None]:
    """Let only our errors out."""
    try:
        yield
    except ValueError as error:  # a NUL
        message = f"`{uri}` cannot be a path: {error}"
        raise StoreError(message, uri=str(uri)) from error
    except OSError as error:
        raise _translate(error, uri) from error


def _translate(error: OSError, uri: Uri) -> ArtlockError:
    why = os.strerror(error.errno) if error.errno else str(error)
    match error:
        case FileNotFoundError() | NotADirectoryError() | IsADirectoryError():
            kind = "folder" if uri.is_tree else "file"
            hint = "see whether its file system is mounted" if uri.is_tree else None
            message = f"there is no {kind} `{uri}`"
            return ObjectNotFoundError(message, uri=str(uri), hint=hint)
        case PermissionError():
            message = f"`{uri}` may not be read ({why})"
            hint = "ask its owner for the permission to read it"
            return AccessDeniedError(message, uri=str(uri), hint=hint)
        case _ if error.errno == errno.ELOOP:
            return _link_error(uri, "leads nowhere, or has just come")
        case _ if error.errno in _PASSING:
            message = f"reading `{uri}` failed: {why}"
            return StoreUnavailableError(message, uri=str(uri))
        case _:
            return StoreError(f"reading `{uri}` failed: {why}", uri=str(uri))


def _link_error(uri: Uri, what: str) -> PolicyError:
    message = f"`{uri}` is not read: a symlink {what}"
    hint = "name it in `exclude`, or put the file itself in its place"
    return PolicyError(message, hint=hint)


def _without_versions(uri: Uri) -> StoreError:
    message = f"files keep no versions, so the past of `{uri}` cannot be read"
    hint = "leave out `version` and `as-of`"
    return StoreError(message, uri=str(uri), hint=hint)


def _check_kind(found: os.stat_result, uri: Uri) -> None:
    if stat.S_ISDIR(found.st_mode):
        message = f"`{uri}` is a folder"
        raise ObjectNotFoundError(message, uri=str(uri), hint="end it in `/`")
    if stat.S_ISLNK(found.st_mode):
        raise _link_error(uri, "has just come")
    if not stat.S_ISREG(found.st_mode):
        message = f"`{uri}` is no regular file"
        raise StoreError(message, uri=str(uri))


def _text(name: str, folder: Uri) -> str:
    """Return a name that a lockfile can hold: names of files are bytes (hazard 2.10)."""
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode(errors="backslashreplace")
        message = f"the name `{shown}` below `{folder}` is not UTF-8"
        raise StoreError(message, uri=str(folder), hint="rename the file") from None
    return name


def _stat(entry: os.DirEntry[str], uri: Uri) -> os.stat_result:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        message = f"`{uri}` vanished while its folder was listed"
        raise StoreUnavailableError(message, uri=str(uri)) from None


def _described(uri: Uri, found: os.stat_result) -> ObjectInfo:
    return ObjectInfo(uri=uri, size=found.st_size)


def _state(found: os.stat_result) -> tuple[int, int]:
    # Not the ctime: a link or a change of permissions is no change of bytes.
    return found.st_size, found.st_mtime_ns


def _bounds(pin: Pin, span: Span | None, size: int) -> tuple[int, int]:
    """Return where to start and how many bytes to read."""
    uri = str(pin.uri)
    if pin.size is not None and pin.size != size:
        difference = f"it has {size} bytes instead of {pin.size}"
        message = f"`{uri}` is not what was locked: {difference}"
        hint = "if the change is wanted, run `artlock update`"
        raise ObjectChangedError(message, uri=uri, hint=hint)
    if span is None:
        return 0, size
    if span.start + span.length > size:
        message = f"`{uri}` ends at byte {size}, before the range that was asked for"
        raise StoreError(message, uri=uri)
    return span.start, span.length
