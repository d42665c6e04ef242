"""The projects that use a cache, so that nothing is removed that one of them needs.

::

    projects/<32 hex>           the path; the name is its hash
    projects/<32 hex>.needs     BLAKE3 of the rest (32 bytes), digests of blobs (32 each)
    projects/<32 hex>.missed    empty; written when the project was first not found

Small files, one set a project: adding one needs no mutex. What a project needed last is
kept here too, because a project that is not there, perhaps because its disk is not, cannot
be asked; it still counts for a while (hazards 3.16, 3.17).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
from blake3 import blake3

from artlock.cache.layout import CacheLayout
from artlock.errors import CacheError
from artlock.fs.durability import sync_file
from artlock.fs.problems import raising
from artlock.fs.temporary import Names

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_CREATE |= getattr(os, "O_BINARY", 0)
_NAME = re.compile(r"[0-9a-f]{32}")
_LENGTH = 32
"""Of a digest, and of the check value before them, in bytes."""


class KnownProject(msgspec.Struct, frozen=True, kw_only=True):
    """A project that used the cache.

    Attributes:
        path: Of its folder; absolute.
        seen_s: When it was last registered, in seconds since the epoch.
        missed_s: When it was first not found, likewise; ``None`` if it was there when
            somebody last looked.
    """

    path: Path
    seen_s: float
    missed_s: float | None


def register(layout: CacheLayout, project: Path) -> bool:
    """Remember that a project uses the cache, and when.

    Returns:
        Whether it was not known.

    Raises:
        CacheError: The cache cannot be written.
    """
    text = os.fsencode(project.absolute())
    entry = _entry(layout, text)
    with raising(CacheError, f"cannot register `{project}` with the cache"):
        _missed(entry).unlink(missing_ok=True)
        try:
            fd = os.open(entry, _CREATE, 0o600)
        except FileExistsError:
            if entry.read_bytes() == text:
                os.utime(entry)
                return False
            # Cut short by a crash: written again.
            fd = os.open(entry, os.O_WRONLY | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0))
        with open(fd, "wb") as file:
            file.write(text)
            # Once for each project: one that is cut short by a power cut would be unknown,
            # and what it needs removed.
            file.flush()
            sync_file(file.fileno())
    return True


def remember_needs(layout: CacheLayout, project: Path, digests: Iterable[bytes]) -> None:
    """Remember which blobs a project needs, in place of what was remembered.

    Args:
        layout: Which cache.
        project: Of whom.
        digests: BLAKE3, 32 bytes each, in any order.

    Raises:
        CacheError: The cache cannot be written; what was remembered stays.
    """
    needs = _needs(_entry(layout, os.fsencode(project.absolute())))
    payload = b"".join(sorted(set(digests)))
    data = blake3(payload).digest() + payload
    with raising(CacheError, f"cannot remember what `{project}` needs"):
        with suppress(FileNotFoundError):
            if needs.stat().st_size == len(data) and needs.read_bytes() == data:
                return
        temporary = layout.temporary / Names().next()
        try:
            with open(os.open(temporary, _CREATE, 0o600), "wb") as file:
                file.write(data)
            temporary.replace(needs)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def needs_of(layout: CacheLayout, project: Path) -> frozenset[bytes] | None:
    """Return the digests of the blobs that a project needed when it was last synced.

    Returns:
        ``None`` if that is not known: it never synced, or a crash cut the record short.

    Raises:
        CacheError: The cache cannot be read.
    """
    needs = _needs(_entry(layout, os.fsencode(project.absolute())))
    with raising(CacheError, f"cannot read what `{project}` needs"):
        try:
            data = needs.read_bytes()
        except FileNotFoundError:
            return None
    payload = data[_LENGTH:]
    if len(payload) % _LENGTH or blake3(payload).digest() != data[:_LENGTH]:
        return None
    starts = range(0, len(payload), _LENGTH)
    return frozenset(payload[start : start + _LENGTH] for start in starts)


def note_missed(layout: CacheLayout, project: Path, *, is_there: bool) -> None:
    """Remember since when a project has not been found, or that it is there again.

    Raises:
        CacheError: The cache cannot be written.
    """
    missed = _missed(_entry(layout, os.fsencode(project.absolute())))
    with raising(CacheError, f"cannot remember whether `{project}` was there"):
        if is_there:
            missed.unlink(missing_ok=True)
        elif not missed.exists():
            missed.touch(mode=0o600)


def forget(layout: CacheLayout, project: Path) -> bool:
    """Forget a project; tell whether it was known.

    Raises:
        CacheError: The cache cannot be written.
    """
    entry = _entry(layout, os.fsencode(project.absolute()))
    with raising(CacheError, f"cannot forget `{project}`"):
        try:
            entry.unlink()
        except FileNotFoundError:
            return False
        # After it: what is known of nobody says nothing, whatever happens in between.
        _needs(entry).unlink(missing_ok=True)
        _missed(entry).unlink(missing_ok=True)
    return True


def known_projects(layout: CacheLayout) -> tuple[KnownProject, ...]:
    """Return every project that used the cache, sorted by path.

    Raises:
        CacheError: The cache cannot be read.
    """
    found = []
    with raising(CacheError, "cannot read which projects use the cache"):
        for entry in layout.projects.iterdir():
            if not _NAME.fullmatch(entry.name):
                continue
            with suppress(FileNotFoundError):  # forgotten meanwhile
                text = entry.read_bytes()
                if _entry(layout, text) != entry:
                    continue  # cut short by a crash: it says nothing
                found.append(
                    KnownProject(
                        path=Path(os.fsdecode(text)),
                        seen_s=entry.stat().st_mtime,
                        missed_s=_time_of(_missed(entry)),
                    )
                )
    return tuple(sorted(found, key=lambda project: project.path))


def _entry(layout: CacheLayout, text: bytes) -> Path:
    return layout.projects / blake3(text).hexdigest(length=16)


def _needs(entry: Path) -> Path:
    return entry.with_name(f"{entry.name}.needs")


def _missed(entry: Path) -> Path:
    return entry.with_name(f"{entry.name}.missed")


def _time_of(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None
