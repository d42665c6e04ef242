"""What a sync is told and what it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from artlock.model.plan import SyncPlan
    from artlock.model.settings import LinkMode


class SyncOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may choose.

    Attributes:
        groups: Also the artifacts of these groups.
        frozen: Do not compare the lockfile with the manifest.
        exact: Move files that nothing locks out of the artifacts' folders.
        force: Move files that would be lost into the trash instead of stopping.
        write: Do it; else only plan.
        link_mode: ``None`` means the user's setting.
    """

    groups: tuple[str, ...] = ()
    frozen: bool = False
    exact: bool = False
    force: bool = False
    write: bool = True
    link_mode: LinkMode | None = None


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync would ask of its sources; the same content counts once.

    Attributes:
        objects: How many are not in the cache.
        size: Their bytes.
        requests: Reads, if none has to be repeated: large objects are read in ranges.
    """

    objects: int = 0
    size: int = 0
    requests: int = 0


class SyncReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync did, or would do.

    Attributes:
        artifacts: How many were chosen.
        links: How many of them are links, which are never downloaded.
        fetched: Objects that came from a store.
        fetched_size: Their bytes.
        weak: Rows whose bytes nothing proves: no digest, no checksum.
        trashed: Where files were moved to, relative to the project.
        download: What would be asked for; only where nothing was to be written.
    """

    plan: SyncPlan
    artifacts: int
    links: int
    fetched: int = 0
    fetched_size: int = 0
    weak: int = 0
    trashed: tuple[str, ...] = ()
    download: Download = msgspec.field(default_factory=Download)
