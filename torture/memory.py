"""Folders in memory, for what is done thousands of times and need not last."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHARED = Path("/dev/shm")  # noqa: S108 - only folders made by `tempfile` are used there


@contextmanager
def memory_folder() -> Iterator[Path]:
    """Lend a new folder, in memory where the system has such a place."""
    place = _SHARED if _SHARED.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="artlock-torture-", dir=place) as name:
        yield Path(name).resolve()
