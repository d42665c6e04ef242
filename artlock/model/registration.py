"""What ``push`` sends to a tracker, and what a tracker holds, as values.

The **lock digest** is BLAKE3 over the canonical text of what is registered: of the whole
lockfile, or with ``--each`` of one that has a single artifact. Equal digests are equal
locks, heads included: it says whether something is registered already, and a lock that
comes back is the one that was sent if it has the same digest (decision record 0035).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

if TYPE_CHECKING:
    from artlock.model.lock import Lockfile
    from artlock.model.tokens import Trust


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where a lock came from, and when.

    Attributes:
        commit: The git commit, 40 or 64 hex digits; ``None`` outside of git.
        dirty: Whether the lockfile or the manifest differed from that commit.
        remote: URL of the git remote, without credentials; ``None`` if there is none.
        author: Who pushed, as git or the machine knows them.
        time: When it was pushed: RFC 3339 in UTC, ``2026-11-26T21:00:00Z``.
    """

    time: str
    commit: str | None = None
    dirty: bool = False
    remote: str | None = None
    author: str | None = None


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What people attach to a version. Aliases move; tags and metadata only grow.

    Attributes:
        aliases: Each points to one version of a name; sorted, no two equal.
        tags: Sorted, no two equal.
        meta: ``(key, text)``; sorted by key, no two equal.
    """

    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    meta: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.aliases or self.tags or self.meta)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's run that made or used a version.

    Attributes:
        id: As the service that knows the run calls it.
        service: ``comet``, ``mlflow``, ``wandb``; empty for a name that a person gave.
    """

    id: str
    service: str = ""

    def __str__(self) -> str:
        return f"{self.service}:{self.id}" if self.service else self.id


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """One lock on its way to a tracker.

    Attributes:
        name: Under which it is registered.
        digest: The lock digest, ``blake3:<64 hex>``.
        lock: What is registered.
        text: The same, canonical; what ``digest`` is of.
        each: Whether this is one artifact by itself (``--each``): its objects stand at
            ``<path>`` then, and at ``<artifact>/<path>`` otherwise.
        trust: Of the weakest row; of a lock without rows the weakest of all.
        run: What made it, or ``None``.
    """

    name: str
    digest: str
    lock: Lockfile
    text: bytes
    each: bool
    trust: Trust
    provenance: Provenance
    labels: Labels = Labels()
    run: Run | None = None

    @property
    def short(self) -> str:
        """The first 12 hex digits of the digest; for labels, never to compare."""
        return self.digest.partition(":")[2][:12]


class TrackerVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version as a tracker holds it; immutable, but for its labels.

    Attributes:
        name: Under which it is registered.
        number: From 1 on, in the order of registration.
        digest: The lock digest, in full.
        each: As in ``Registration``.
        objects: How many rows it has.
        size: Bytes of all objects together.
        trust: Of the weakest row.
        parent: Number of the version that was the newest when this one came.
        native: What the tracker itself calls it, ``team/labels:3.0.0``; empty where that
            is the ref.
        url: A page that shows it, or empty.
    """

    name: str
    number: int
    digest: str
    each: bool
    objects: int
    size: int
    trust: Trust
    provenance: Provenance
    labels: Labels = Labels()
    parent: int | None = None
    native: str = ""
    url: str = ""

    @property
    def ref(self) -> str:
        """The ref, without the tracker."""
        return f"{self.name}:v{self.number}"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a tracker made of a registration; only what was read back counts.

    Attributes:
        version: As it was read back; ``None`` where ``queued`` says what comes first.
        created: Whether it was not there before.
        queued: The command that sends it on, where the tracker's own client is set to work
            offline and has only written it down; else empty.
        links: Rows that went as a plain link, because the tracker's own client could not
            fetch them as they are pinned.
        warnings: One sentence each, for the person.
    """

    version: TrackerVersion | None
    created: bool
    queued: str = ""
    links: int = 0
    warnings: tuple[str, ...] = ()


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Who made a version and who used it, as far as a tracker knows.

    Attributes:
        version: Which one.
        produced: Runs that made it, oldest first.
        consumed: Runs that used it, oldest first.
    """

    version: TrackerVersion
    produced: tuple[Run, ...] = ()
    consumed: tuple[Run, ...] = ()


def lock_digest(text: bytes) -> str:
    """Return the lock digest of a lockfile's canonical text, parts joined."""
    # By one thread: BLAKE3's own would not be there in a fork of this process.
    return f"blake3:{blake3(text).hexdigest()}"
