"""What artlock remembers of a workspace: the stat index, read and brought up to date."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

from artlock.cache.pins import KEY_LENGTH
from artlock.cache.records import Stamp
from artlock.cache.statindex import Entry, WorkspaceIndex
from artlock.engine.forks import all_hold
from artlock.errors import WorkspaceError
from artlock.formats.settings import user_file
from artlock.fs.clock import settle
from artlock.fs.walk import stat_batches, stat_many
from artlock.ops.names import STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from artlock.fs.root import Root
    from artlock.model.digest import Digest
    from artlock.model.plan import Placement
    from artlock.ops.project import Project
    from artlock.ops.sources import Sources

NO_PIN = bytes(KEY_LENGTH)
"""Of a file whose row names its digest, or of which nothing can be learnt."""
_SECRET_LENGTH = 32
_SETTLED = "settled"
_STAMP_LENGTH = 32
_WORTH_A_FORK = 10_000
"""Files whose stats cost more than a process."""
_PIECE = 2_000
"""Files that one process takes at a time; some milliseconds."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose bytes are known.

    Attributes:
        pin: Of the row that it satisfies; ``None`` where none can be.
        before: How it looked before it was read, or when it got its name. If it looks
            different after, somebody changed it meanwhile, and nothing is known of it.
        since_ns: From when on its bytes are known, by the monotonic clock: when they were
            read, or when the file was staged and had not got its name.
        is_ours: Whether artlock wrote it, so that it may be replaced and removed.
        is_new: Whether it was staged: the time of its inode is then that of a rename.
    """

    placement: Placement
    digest: Digest
    pin: bytes | None
    before: Stamp
    since_ns: int
    is_ours: bool
    is_new: bool


class _Horizon(msgspec.Struct, frozen=True, kw_only=True):
    """What has older time stamps was not changed since it was looked at.

    Attributes:
        before_ns: By the clock of the file system.
        since_ns: When that was so, by the monotonic clock of this machine.
    """

    before_ns: int
    since_ns: int


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace that was as locked, with nothing more to do: counts for the report."""

    artifacts: int
    links: int
    weak: int
    files: int


def index_path(state: Path) -> Path:
    """Return where the stat index of a project is, below its state folder."""
    return state / "index"


def index_secret(environ: Mapping[str, str]) -> bytes:
    """Return what this user's stat indexes and cache are sealed with, making it once.

    Without a place to keep it, it is another one each time: files are then read each time.
    """
    path = user_file(environ, "XDG_STATE_HOME", ".local/state", "index.key")
    fresh = os.urandom(_SECRET_LENGTH)
    with suppress(OSError):
        known = path.read_bytes() if path.exists() else b""
        if len(known) == _SECRET_LENGTH:
            return known
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f"index.key-{os.urandom(4).hex()}")
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(fresh)
        temporary.replace(path)
    return fresh


def load_index(project: Project) -> WorkspaceIndex:
    """Return what is remembered; nothing if there is no index or it is damaged."""
    secret = index_secret(project.runtime.environ)
    return WorkspaceIndex.load(index_path(project.state), secret=secret)


def stamp_of(project: Project, sources: Sources, lockfile_key: bytes) -> bytes:
    """Return what a settled workspace depends on, beside its files: 32 bytes.

    The lockfile, the manifest, and the services that answer for its sources.

    Args:
        project: Whose manifest.
        sources: Which services.
        lockfile_key: Of the very text that was synced, not of what may lie there by now.
    """
    services = [(a.name, sources.identity(a)) for a in project.manifest.artifacts]
    hasher = blake3(project.manifest_text.encode())
    hasher.update(json.dumps(services).encode() + b"\0")
    hasher.update(lockfile_key)
    return hasher.digest(length=_STAMP_LENGTH)


def settled(
    project: Project, sources: Sources, root: Root, index: WorkspaceIndex
) -> Settled | None:
    """Return the counts of a workspace in which there is certainly nothing to do.

    The last sync left everything as locked, lockfile and manifest are byte for byte those
    of then, and no file changed since. This spares reading the rows: at 100,000 of them a
    no-op costs little more than a stat for each.

    Returns:
        ``None`` where the workspace has to be looked at row by row.
    """
    record = index.stamps.get(_SETTLED, b"")

    def is_stamped() -> bool:
        key = project.lock_files.key() or b""
        return record[:_STAMP_LENGTH] == stamp_of(project, sources, key)

    try:
        if not record or not _is_unchanged(
            root, index, is_stamped, may_fork=project.runtime.may_fork
        ):
            return None
    except OSError:
        return None  # whoever looks row by row says what is wrong
    try:
        return msgspec.json.decode(record[_STAMP_LENGTH:], type=Settled)
    except msgspec.DecodeError:
        return None  # another version of artlock counted other things


def _is_unchanged(
    root: Root, index: WorkspaceIndex, is_stamped: Callable[[], bool], *, may_fork: bool
) -> bool:
    """Tell whether every file that is remembered certainly is as it was, and the stamp."""

    def holds(start: int, stop: int) -> bool:
        for found in stat_batches(root, index.paths[start:stop]):
            if index.doubtful(found, start):
                return False
            start += len(found)
        return True

    count = len(index.paths)
    if not may_fork or count < _WORTH_A_FORK:
        return is_stamped() and holds(0, count)
    # A stat costs Python as much as the kernel, so two processes are worth having.
    pieces = [
        partial(holds, start, min(start + _PIECE, count))
        for start in range(0, count, _PIECE)
    ]
    return all_hold([is_stamped, *pieces])


def update_index(
    project: Project,
    root: Root,
    index: WorkspaceIndex,
    known: Sequence[Known],
    gone: frozenset[str],
    now_settled: tuple[bytes, Settled] | None,
    *,
    is_stored: bool = True,
) -> tuple[WorkspaceIndex, bool]:
    """Remember files as they are now, and forget others.

    The index is a memory only: if it cannot be written nothing is lost but the time to read
    the files once more, so that is no error.

    Args:
        project: Whose workspace it is.
        root: Its folder.
        index: What was remembered.
        known: Files whose bytes are known now.
        gone: Paths to forget.
        now_settled: The stamp and counts if there is nothing more to do.
        is_stored: Whether the file has ``index`` already.

    Returns:
        What is remembered now, or would be if it could be written; and whether it was.
    """
    updated = index
    with suppress(OSError, WorkspaceError), root.folder(STATE, create=True) as state:
        found = stat_many(root, [item.placement.target for item in known])
        horizons = _horizons(root, state.device, known, found)
        entries = [
            Entry(
                path=item.placement.target,
                size=status.st_size,
                mtime_ns=status.st_mtime_ns,
                ctime_ns=status.st_ctime_ns,
                inode=status.st_ino,
                digest=bytes.fromhex(item.digest.hex),
                pin=item.pin or NO_PIN,
                artifact=item.placement.artifact if item.is_ours else "",
                trusted_before_ns=_trusted_before(item, status, horizons[status.st_dev]),
            )
            for item, status in zip(known, found, strict=True)
            if status is not None and _unchanged(item, status)
        ]
        stamps: dict[str, bytes] = {}
        updated = index.updated(entries, removed=gone)
        if now_settled is not None and len(updated) == now_settled[1].files:
            stamp, counts = now_settled
            stamps[_SETTLED] = stamp + msgspec.json.encode(counts)
        if entries or gone or stamps != index.stamps or not is_stored:
            is_stored = False
            updated.stamps = stamps
            secret = index_secret(project.runtime.environ)
            updated.save(index_path(project.state), secret=secret, dir_fd=state.fd)
            is_stored = True
        return updated, is_stored
    return updated, False


def _horizons(
    root: Root,
    own: int,
    known: Sequence[Known],
    found: Sequence[os.stat_result | None],
) -> dict[int, _Horizon]:
    """Return for each file system up to which time stamps its files may be trusted.

    Each is asked for its own time: an artifact's folder may be a mount (hazard 2.28).

    Args:
        root: The project's folder.
        own: The file system of the state folder, which is asked there.
        known: The files.
        found: How they look now.
    """
    newest: dict[int, int] = {}
    folders: dict[int, str] = {}
    for item, status in zip(known, found, strict=True):
        if status is not None:
            device = status.st_dev
            stamp = max(status.st_mtime_ns, status.st_ctime_ns)
            newest[device] = max(newest.get(device, 0), stamp)
            folders.setdefault(device, item.placement.target.rpartition("/")[0])
    folders |= {own: STATE} if own in folders else {}
    horizons = {}
    for device, path in folders.items():
        with root.folder(path) as folder:
            where = root.path / path
            horizon = settle(where, newest[device], dir_fd=folder.fd)
        horizons[device] = _Horizon(before_ns=horizon, since_ns=time.monotonic_ns())
    return horizons


def _trusted_before(item: Known, found: os.stat_result, horizon: _Horizon) -> int:
    """Return up to which time stamps a file may be trusted; 0 if not at all.

    What was changed after its bytes were known, and before it was looked at for the last
    time, shows only if the change had another time stamp: so the file must have been older
    than one tick when they were known (hazard 2.28). A new file has the time of its rename,
    which is later, and that of its last write, which is not.
    """
    newest = found.st_mtime_ns
    if not item.is_new:
        newest = max(newest, found.st_ctime_ns)
    elif item.before != Stamp.of(found):
        return 0  # perhaps of another name of the file, perhaps of an edit
    then = horizon.before_ns - (horizon.since_ns - item.since_ns)
    return horizon.before_ns if newest < then else 0


def _unchanged(item: Known, now: os.stat_result) -> bool:
    """Tell whether a file still is what was read or staged, as far as may be seen."""
    before, after = item.before, Stamp.of(now)
    return before.is_but_linked(after) if item.is_new else before == after
