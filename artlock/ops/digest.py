"""The two digests of a lockfile, computed on demand and never stored in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from artlock.model.lock import content_digest, pin_digest

if TYPE_CHECKING:
    from artlock.ops.project import Project


class Digests(msgspec.Struct, frozen=True, kw_only=True):
    """Both digests as ``blake3:<hex>``.

    Attributes:
        content: What the data is; ``None`` if a row has no digest.
        pin: What the data is and where it lies.
        weak: How many rows have no digest.
    """

    content: str | None
    pin: str
    weak: int


def digests(project: Project) -> Digests:
    """Compute both digests.

    Raises:
        LockfileError: There is no lockfile, or it is not valid.
    """
    lock = project.read_lockfile()
    weak = sum(1 for a in lock.artifacts for row in a.objects if row.trust != "strong")
    return Digests(content=content_digest(lock), pin=pin_digest(lock), weak=weak)
