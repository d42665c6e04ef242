"""What trackers know: names, versions, who made them and who used them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from artlock.errors import ConfigError, RefNotFoundError
from artlock.model.refs import Ref, problem_with_registered_name
from artlock.ops.pull import parsed_ref
from artlock.ops.trackers import opened, target_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artlock.model.registration import Lineage, TrackerVersion
    from artlock.ops.project import Project
    from artlock.ops.runtime import Runtime
    from artlock.ops.trackers import Target


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Versions of one name, or the newest of every name.

    Attributes:
        name: Empty where every name was asked for.
        versions: Newest first; of every name, sorted by name.
    """

    target: Target
    name: str
    versions: tuple[TrackerVersion, ...]


def versions(
    runtime: Runtime,
    project: Project | None,
    text: str | None,
    *,
    to: str | None = None,
    every: bool = False,
    limit: int | None = None,
) -> Listing:
    """Return the versions of a name, newest first.

    Args:
        runtime: Settings.
        project: Whose trackers and name count.
        text: ``name`` or ``TRACKER#name``; ``None`` means the project's, and every name
            outside of a project.
        to: Name or URL of the tracker.
        every: Return the newest version of every name instead.
        limit: At most so many of a name.

    Raises:
        RefNotFoundError: There is no such name; not for the project's own.
        TrackingError: The tracker cannot be asked.
        ConfigError: There is no such tracker, or ``text`` is no name.
    """
    name = text or own_name(project)
    if every or not name:
        target = target_of(runtime, project, Ref(name="-"), to)
        with opened(runtime, project, target) as tracker:
            newest = (tracker.versions(known, limit=1) for known in tracker.names())
            found: Sequence[TrackerVersion] = [version for few in newest for version in few]
        return Listing(target=target, name="", versions=tuple(found))
    ref = parsed_ref(name)
    target = target_of(runtime, project, ref, to)
    with opened(runtime, project, target) as tracker:
        try:
            if ref.number is None and ref.alias is None:
                found = tracker.versions(ref.name, limit=limit)
            else:
                found = (tracker.find(ref),)
        except RefNotFoundError:
            if text is not None:
                raise
            found = ()  # nobody asked for that name: it was not pushed yet
    return Listing(target=target, name=ref.name, versions=tuple(found))


def own_name(project: Project | None) -> str:
    """Return what a project is registered under; empty where there is no such name."""
    if project is None:
        return ""
    name = project.manifest.name or project.root.name
    return "" if problem_with_registered_name(name) else name


def lineage(
    runtime: Runtime, project: Project | None, text: str | None, *, to: str | None = None
) -> tuple[Target, Lineage]:
    """Return who made and who used a version, as far as its tracker knows.

    Raises:
        RefNotFoundError: There is no such name, version or alias.
        TrackingError: The tracker cannot be asked.
        ConfigError: There is no such tracker, or ``text`` is no ref.
    """
    name = text or own_name(project)
    if not name:
        message = "there is no project here whose versions are meant"
        raise ConfigError(message, hint="name one: `artlock lineage name:v3`")
    ref = parsed_ref(name)
    target = target_of(runtime, project, ref, to)
    with opened(runtime, project, target) as tracker:
        return target, tracker.lineage(tracker.find(ref))
