"""What lifecycle rules may have taken out of a bucket's past."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from artlock.model.retention import Phase

if TYPE_CHECKING:
    from datetime import datetime

    from artlock.model.retention import Retention, Rule


def may_have_deleted(
    retention: Retention, prefix: str, *, moment: datetime, now: datetime
) -> tuple[str, ...]:
    """Return the names of rules that may have deleted what was current at a moment.

    By ``now``, of keys that begin with ``prefix``. What was current then has been
    noncurrent since that moment at the longest.
    """
    return tuple(
        rule.name
        for rule in retention.rules
        if rule.archives_to is None
        and rule.phase is not Phase.CURRENT
        and moment + timedelta(days=rule.days_replaced) <= now
        and (rule.date is None or rule.date <= now)
        and _may_cover(rule, prefix)
    )


def _may_cover(rule: Rule, prefix: str) -> bool:
    """Tell whether a rule covers some key that begins with ``prefix``."""
    return not rule.prefixes or any(
        covered.startswith(prefix) or prefix.startswith(covered)
        for covered in rule.prefixes
    )
