"""The digests of a lockfile, computed on demand and never stored in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from artlock.formats.lockfile import format_lockfile
from artlock.model.lock import content_digest, pin_digest
from artlock.model.registration import lock_digest

if TYPE_CHECKING:
    from artlock.ops.project import Project


class Digests(msgspec.Struct, frozen=True, kw_only=True):
    """The digests, each as ``blake3:<hex>``.

    Attributes:
        content: What the data is; ``None`` if a row has no digest.
        pin: What the data is and where it lies.
        lock: Of the canonical text; by it a registered version is known.
        weak: How many rows have no digest.
    """

    content: str | None
    pin: str
    lock: str
    weak: int


def digests(project: Project) -> Digests:
    """Compute all digests.

    Raises:
        LockfileError: There is no lockfile, or it is not valid.
    """
    lock = project.read_lockfile()
    weak = sum(1 for a in lock.artifacts for row in a.objects if row.trust != "strong")
    return Digests(
        content=content_digest(lock),
        pin=pin_digest(lock),
        lock=lock_digest(format_lockfile(lock)),
        weak=weak,
    )
