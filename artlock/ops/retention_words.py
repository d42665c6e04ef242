"""What ``check --retention`` says: facts as phrases about each object, and ways out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.model.retention import Fate, Since, Versioning

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from artlock.model.retention import Retention

COPY = "keep a copy: `mirrors`, or a cache that is not pruned"
NOT_KEPT_HINT = (
    f"whoever owns the source can change or remove it at any time: {COPY}; "
    "`[policy] require-version-ids` refuses such sources"
)


def fate_text(fate: Fate, *, restorable_days: int = 0) -> str:
    """Return how a version ends: ``is lost 30 days after it is replaced or deleted``.

    Args:
        fate: How it ends.
        restorable_days: See ``Retention``.
    """
    end = "is lost"
    if fate.archives_to is not None:
        end = f"must be restored from {fate.archives_to} before it can be read,"
    when = _when(fate)
    if fate.least_days:
        when += f", once it is {_days(fate.least_days)} old"
    if fate.newer:
        versions = "version is" if fate.newer == 1 else "versions are"
        when += f", once {fate.newer} newer {versions} there"
    if fate.provided:
        when += f", if it {' and '.join(fate.provided)}"
    named = " and then ".join(f"`{name}`" for name in fate.rules)
    rules = "rule" if len(fate.rules) == 1 else "rules"
    text = f"{end} {when} (lifecycle {rules} {named})"
    return text if fate.archives_to is not None else text + _restorable(restorable_days)


def fate_hint(fate: Fate) -> str:
    """Return what helps against it."""
    rule = f"take these keys out of lifecycle rule `{fate.rules[-1]}`"
    if fate.archives_to is not None:
        return f"{rule}, or {COPY}"
    return f"{rule}, protect the versions in their store, or {COPY}"


def overwritable_text(retention: Retention, bucket: str) -> str:
    """Return why an overwrite or a deletion puts a row without a version out of reach."""
    why = "is out of reach when it is overwritten or deleted: its row has no version"
    if retention.versioning is Versioning.OFF:
        why = f"is lost when it is overwritten or deleted: `{bucket}` keeps no versions"
    elif retention.versioning is Versioning.SUSPENDED:
        why = f"is lost when it is overwritten or deleted: `{bucket}` keeps no versions now"
    if retention.least_days:
        least = _days(retention.least_days)
        why += f"; a retention policy forbids both for the first {least}"
    return why + _restorable(retention.restorable_days)


def overwritable_hint(retention: Retention, *, has_versions: bool) -> str:
    """Return what helps against it.

    Args:
        retention: The bucket's settings.
        has_versions: Whether the rows name versions, so that versioning alone would do.
    """
    if retention.versioning is Versioning.ON:
        deed = "write the objects once more and run `artlock update`, which locks versions"
    elif has_versions:
        deed = "switch versioning on"
    else:
        deed = (
            "switch versioning on, write the objects once more and run `artlock update`, "
            "which locks versions"
        )
    return f"{deed}, or {COPY}"


def protected_text(ends: Sequence[datetime], *, held: int) -> str:
    """Return until when single versions cannot be deleted.

    Args:
        ends: Of those with a term.
        held: How many are held without one.
    """
    if not ends:
        return "is held, so that nobody can delete it"
    text = f"cannot be deleted, the first until {min(ends):%Y-%m-%d}"
    return f"{text}; {held:,} without a term" if held else text


def unread_text(setting: str, bucket: str) -> str:
    """Return what an unread setting means."""
    return f"is kept for an unknown time: {setting} of `{bucket}` cannot be read"


def _when(fate: Fate) -> str:
    days = _days(fate.days)
    alone = "" if fate.newer else ", even if nobody touches it"
    match fate.since:
        case Since.REPLACED if not fate.days:
            return "when it is replaced or deleted"
        case Since.REPLACED:
            return f"{days} after it is replaced or deleted"
        case Since.DATE:
            after = f"{days} after " if fate.days else "on "
            return f"{after}{fate.date:%Y-%m-%d}{alone}"
        case Since.WRITTEN:
            return f"{days} after it was written{alone}"


def _restorable(days: int) -> str:
    if not days:
        return ""
    return f"; soft delete can bring it back for {_days(days)}, as another version"


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days:,} days"
