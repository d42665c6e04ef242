"""Whether the files of a version are what was registered; without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.model.lock import LockedObject, Lockfile
from artlock.tracking import wire
from artlock.tracking.comet.messages import AssetMetadata
from artlock.tracking.comet.plan import row_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artlock.tracking.comet.messages import NativeFile
    from artlock.tracking.comet.plan import Plan
    from artlock.tracking.comet.versions import Metadata


def are_as_planned(files: Sequence[NativeFile], plan: Plan) -> bool:
    """Tell whether the files of a version are the assets of a plan, each once.

    Why an asset is a plain link does not count: another artlock may word it otherwise.
    """
    if len(files) != len(plan.assets):
        return False  # a batch that was sent again may have come twice
    try:
        there = {file.place: (file.link, _compared(_metadata(file))) for file in files}
    except ValueError:
        return False
    return there == {
        asset.place: (asset.link, _compared(asset.metadata)) for asset in plan.assets
    }


def lock_in(files: Sequence[NativeFile], metadata: Metadata) -> Lockfile:
    """Return the lock that a version is of.

    Raises:
        ValueError: Its files are not those of a lock, or not those that its metadata tells
            of; the message says why.
    """
    outline, each = metadata.outline, metadata.each
    rows: dict[str, list[LockedObject]] = {}
    try:
        for file in files:
            name, path = wire.artifact_and_path(file.place, outline, each=each)
            if path:
                row = LockedObject(*row_of(file.place, _metadata(file)))
                rows.setdefault(name, []).append(
                    LockedObject(path, row.size, row.checksum, row.version)
                )
        lock = wire.lock_of(outline, rows)
        links = {item.place: str(item.uri) for item in wire.items_of(lock, each=each)}
    except RecursionError as error:
        message = "what it has is nested too deeply"
        raise ValueError(message) from error
    if (lock.count(), lock.size) != (metadata.objects, metadata.bytes):
        message = (
            f"it has {lock.count()} rows of {lock.size} bytes, and tells of "
            f"{metadata.objects} of {metadata.bytes}"
        )
        raise ValueError(message)
    if len(files) != len(links):
        message = f"it has {len(files)} files at {len(links)} places"
        raise ValueError(message)
    for file in files:
        if links.get(file.place) != file.link:
            message = f"`{file.place}` does not link to where its row is"
            raise ValueError(message)
    return lock


def _metadata(file: NativeFile) -> AssetMetadata:
    """Return the metadata of a file.

    Raises:
        ValueError: It is not as artlock writes it.
    """
    try:
        return msgspec.json.decode(file.metadata or "{}", type=AssetMetadata)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        message = f"the metadata of `{file.place}` is not artlock's"
        raise ValueError(message) from error


def _compared(metadata: AssetMetadata) -> AssetMetadata:
    if metadata.artlock_reason is None:
        return metadata
    return replace(metadata, artlock_reason=None)
