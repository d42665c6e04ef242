"""A bucket's settings as ``Retention``, and an object's holds as ``Protection``.

Source: JSON API, Buckets and Objects resources. All classes of storage are read without a
restore, so a change of class ends nothing. A rule that deletes a live object of a bucket
with versioning makes it noncurrent; if the rule is about those too, it then deletes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from artlock.model.objects import Protection
from artlock.model.retention import Phase, Retention, Rule, Unread, Versioning

Resource = Mapping[str, Any]
_DAY_S = 86_400
_HARMLESS = frozenset({"SetStorageClass", "AbortIncompleteMultipartUpload"})
_UNDERSTOOD = frozenset(
    {
        "age",
        "daysSinceNoncurrentTime",
        "isLive",
        "matchesPrefix",
        "matchesSuffix",
        "numNewerVersions",
    }
)
_UNTOLD = {
    "createdBefore": "was written before {}",
    "noncurrentTimeBefore": "was replaced before {}",
    "matchesStorageClass": "has the storage class {}",
    "customTimeBefore": "has a custom time before {}",
    "daysSinceCustomTime": "has a custom time {} days ago",
}
"""Conditions about what a lockfile does not hold, as the end of "if it ..."."""


def retention_of(bucket: Resource) -> Retention:
    """Return what the settings of a bucket come to.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is no description of a bucket.
    """
    is_versioned = bucket.get("versioning", {}).get("enabled", False)
    rules = list(enumerate(bucket.get("lifecycle", {}).get("rule", ()), 1))
    policy = int(bucket.get("retentionPolicy", {}).get("retentionPeriod", 0))
    deleted = int(bucket.get("softDeletePolicy", {}).get("retentionDurationSeconds", 0))
    return Retention(
        versioning=Versioning.ON if is_versioned else Versioning.OFF,
        rules=tuple(rule for place, item in rules for rule in _rules(place, item)),
        least_days=policy // _DAY_S,
        restorable_days=deleted // _DAY_S,
        protects=bool(
            policy or bucket.get("defaultEventBasedHold") or bucket.get("objectRetention")
        ),
        unread=tuple(
            Unread(
                f"lifecycle rule `#{place}`, which is to `{item['action']['type']}`,",
                "look at the rule; a later artlock may know it",
            )
            for place, item in rules
            if item["action"]["type"] not in {"Delete", *_HARMLESS}
        ),
    )


def protection_of(item: Resource) -> Protection | None:
    """Return what keeps an object: holds, its own retention, or its bucket's policy.

    Raises:
        ValueError: A time cannot be read.
    """
    is_held = bool(item.get("temporaryHold") or item.get("eventBasedHold"))
    ends = [
        datetime.fromisoformat(text).astimezone(UTC)
        for text in (
            item.get("retentionExpirationTime"),
            item.get("retention", {}).get("retainUntilTime"),
        )
        if text
    ]
    if not ends and not is_held:
        return None
    return Protection(until=max(ends, default=None), is_held=is_held)


def _rules(place: int, item: Resource) -> Iterator[Rule]:
    if item["action"]["type"] != "Delete":
        return
    condition = item["condition"]
    newer = int(condition.get("numNewerVersions", 0))
    is_live = condition.get("isLive")
    # These are true of noncurrent versions only, whatever `isLive` says.
    is_noncurrent = bool(newer) or any(
        key in condition for key in ("daysSinceNoncurrentTime", "noncurrentTimeBefore")
    )
    if is_live and is_noncurrent:
        return  # never true of any object
    phase = Phase.CURRENT if is_live else Phase.EITHER
    if is_noncurrent or is_live is False:
        phase = Phase.NONCURRENT
    yield Rule(
        name=f"#{place}",
        phase=phase,
        prefixes=tuple(condition.get("matchesPrefix", ())),
        suffixes=tuple(condition.get("matchesSuffix", ())),
        days_written=int(condition.get("age", 0)),
        days_replaced=int(condition.get("daysSinceNoncurrentTime", 0)),
        newer=newer,
        provided=tuple(_provided(condition)),
    )


def _provided(condition: Resource) -> Iterator[str]:
    """Yield what a lockfile does not tell; conditions that are new to artlock too."""
    for key, value in condition.items():
        if key in _UNTOLD:
            told = " or ".join(value) if isinstance(value, list) else value
            yield _UNTOLD[key].format(told)
        elif key not in _UNDERSTOOD:
            yield f"meets the condition `{key}`"
