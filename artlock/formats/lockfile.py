"""``artifacts.lock``: text to values and back.

``docs/reference/lockfile.md`` draws the text and is the promise to other programs; tests
read that drawing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.formats.lockfile_read import Reading, read_lockfile
from artlock.formats.lockfile_write import format_lockfile

if TYPE_CHECKING:
    from artlock.model.lock import Lockfile

__all__ = [
    "Reading",
    "format_lockfile",
    "is_canonical",
    "parse_lockfile",
    "read_lockfile",
]


def parse_lockfile(data: bytes, *, name: str = "artifacts.lock") -> Lockfile:
    """Read a lockfile; ``read_lockfile`` also tells whether the text is canonical.

    Raises:
        LockfileError: The text is not a lockfile, or of a later format.
        UnsafePathError: A row's path cannot be a file that is safe everywhere.
        PolicyError: A URI has a credential, or a row points outside of its declaration.
    """
    return read_lockfile(data, name=name).lock


def is_canonical(data: bytes) -> bool:
    """Tell whether ``data`` is byte for byte what artlock writes.

    Raises:
        ArtlockError: As ``parse_lockfile``.
    """
    return read_lockfile(data).is_canonical
