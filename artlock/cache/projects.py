"""The projects that use a cache, so that nothing is removed that one of them needs.

One small file for each, named by the path and holding it: adding one needs no mutex. A
project that is not there, perhaps because its disk is not, is still known for a while
(hazards 3.16, 3.17).
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from artlock.cache.layout import CacheLayout
from artlock.errors import CacheError
from artlock.fs.problems import raising

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownProject:
    """A project that used the cache.

    Attributes:
        path: Of its folder; absolute.
        exists: Whether it is there now.
        seen_s: When it was last registered, in seconds since the epoch.
    """

    path: Path
    exists: bool
    seen_s: float


def register(layout: CacheLayout, project: Path) -> None:
    """Remember that a project uses the cache, and when.

    Raises:
        CacheError: The cache cannot be written.
    """
    text = os.fsencode(project.absolute())
    entry = _entry(layout, text)
    with raising(CacheError, f"cannot register `{project}` with the cache"):
        try:
            fd = os.open(entry, _CREATE, 0o600)
        except FileExistsError:
            if entry.read_bytes() == text:
                os.utime(entry)
                return
            # Cut short by a crash: written again.
            fd = os.open(entry, os.O_WRONLY | os.O_TRUNC)
        with open(fd, "wb") as file:
            file.write(text)


def forget(layout: CacheLayout, project: Path) -> None:
    """Forget a project; nothing happens if it is not known.

    Raises:
        CacheError: The cache cannot be written.
    """
    entry = _entry(layout, os.fsencode(project.absolute()))
    with raising(CacheError, f"cannot forget `{project}`"):
        entry.unlink(missing_ok=True)


def known_projects(layout: CacheLayout) -> tuple[KnownProject, ...]:
    """Return every project that used the cache, sorted by path.

    Raises:
        CacheError: The cache cannot be read.
    """
    found = []
    with raising(CacheError, "cannot read which projects use the cache"):
        for entry in layout.projects.iterdir():
            with suppress(FileNotFoundError):  # forgotten meanwhile
                text = entry.read_bytes()
                if _entry(layout, text) != entry:
                    continue  # cut short by a crash: it says nothing
                path = Path(os.fsdecode(text))
                seen_s = entry.stat().st_mtime
                found.append(KnownProject(path=path, exists=path.is_dir(), seen_s=seen_s))
    return tuple(sorted(found, key=lambda project: project.path))


def _entry(layout: CacheLayout, text: bytes) -> Path:
    return layout.projects / blake3(text).hexdigest(length=16)
