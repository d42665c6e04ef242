from datetime import UTC, datetime, timedelta

import pytest

from artlock.model.deletions import may_have_deleted
from artlock.model.retention import Phase, Retention, Rule, Versioning

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OLD = {"name": "old", "phase": Phase.NONCURRENT, "days_replaced": 30}


@pytest.mark.parametrize(
    ("changes", "days_ago", "expected"),
    [
        ({}, 31, True),
        ({}, 30, True),
        ({}, 29, False),
        ({"phase": Phase.EITHER}, 31, True),
        ({"phase": Phase.CURRENT}, 31, False),  # a marker, beside which it stays
        ({"archives_to": "GLACIER"}, 31, False),
        ({"prefixes": ("a/",)}, 31, True),
        ({"prefixes": ("a/b/c",)}, 31, True),
        ({"prefixes": ("x/", "a/b2")}, 31, False),
        ({"date": NOW + timedelta(days=1)}, 31, False),
        ({"date": NOW}, 31, True),
    ],
)
def test_a_rule_may_have_deleted_what_was_replaced_long_enough_ago(
    changes: dict[str, object],
    days_ago: int,
    expected: bool,  # noqa: FBT001 - a case
) -> None:
    rule = Rule(**{**OLD, **changes})  # type: ignore[arg-type] # cases name its fields
    retention = Retention(versioning=Versioning.ON, rules=(rule,))
    moment = NOW - timedelta(days=days_ago)
    found = may_have_deleted(retention, "a/b/", moment=moment, now=NOW)
    assert found == (("old",) if expected else ())
