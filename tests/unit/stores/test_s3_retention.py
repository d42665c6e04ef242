"""What lifecycle rules of S3 become; ``contract/test_s3_own.py`` asks a server for them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from artlock.model.retention import Phase, Rule
from artlock.stores.s3.retention import rules_of

EASTERN = timezone(timedelta(hours=-5))
KIB = 1024


def rules(*listed: Mapping[str, Any], **more: str) -> list[Rule]:
    known = [{"ID": "r", "Status": "Enabled", **rule} for rule in listed]
    return list(rules_of({"Rules": known, **more}))


def rule(phase: str, **more: Any) -> Rule:  # noqa: ANN401 - fields of a rule
    return Rule(**{"name": "r", "phase": Phase(phase), **more})


@pytest.mark.parametrize(
    ("listed", "wanted"),
    [
        ({"Expiration": {"Days": 30}}, [rule("current", days_written=30)]),
        (
            {"Expiration": {"Date": datetime(2029, 12, 31, 19, tzinfo=EASTERN)}},
            [rule("current", date=datetime(2030, 1, 1, tzinfo=UTC))],
        ),
        ({"Expiration": {"ExpiredObjectDeleteMarker": True}}, []),
        ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}, []),
        (
            {"NoncurrentVersionExpiration": {"NoncurrentDays": 7}},
            [rule("noncurrent", days_replaced=7)],
        ),
        (
            {
                "NoncurrentVersionExpiration": {
                    "NoncurrentDays": 7,
                    "NewerNoncurrentVersions": 3,
                }
            },
            [rule("noncurrent", days_replaced=7, newer=4)],
        ),
        (
            {
                "Expiration": {"Days": 30},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
            },
            [rule("current", days_written=30), rule("noncurrent", days_replaced=7)],
        ),
        ({"Status": "Disabled", "Expiration": {"Days": 30}}, []),
    ],
)
def test_1_15_what_a_rule_does_is_told(
    listed: Mapping[str, Any], wanted: list[Rule]
) -> None:
    assert rules(listed) == wanted


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        ({}, {}),
        ({"Prefix": ""}, {}),
        ({"Prefix": "old/"}, {"prefixes": ("old/",)}),
        ({"Filter": {}}, {}),
        ({"Filter": {"Prefix": ""}}, {}),
        ({"Filter": {"Prefix": "p/"}}, {"prefixes": ("p/",)}),
        ({"Filter": {"ObjectSizeGreaterThan": 0}}, {"more_than": 0}),
        ({"Filter": {"ObjectSizeLessThan": 9}}, {"less_than": 9}),
        (
            {"Filter": {"Tag": {"Key": "k", "Value": "v"}}},
            {"provided": ("has the tag `k=v`",)},
        ),
        (
            {
                "Filter": {
                    "And": {
                        "Prefix": "p/",
                        "Tags": [{"Key": "k", "Value": "v"}, {"Key": "a", "Value": ""}],
                        "ObjectSizeGreaterThan": 5,
                        "ObjectSizeLessThan": 9,
                    }
                }
            },
            {
                "prefixes": ("p/",),
                "more_than": 5,
                "less_than": 9,
                "provided": ("has the tag `k=v`", "has the tag `a=`"),
            },
        ),
    ],
)
def test_1_15_what_a_rule_is_about_is_told(
    selection: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
    assert rules({**selection, "Expiration": {"Days": 1}}) == [
        rule("current", days_written=1, **wanted)
    ]


def test_1_15_a_rule_without_a_name_is_called_by_its_place() -> None:
    found = rules(
        {"ID": "a", "Expiration": {"Days": 1}}, {"ID": "", "Expiration": {"Days": 1}}
    )
    assert [r.name for r in found] == ["a", "#2"]
    assert list(rules_of({})) == []


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_1_17_moves_to_an_archive_are_told(storage_class: str) -> None:
    found = rules(
        {
            "Transitions": [
                {"Days": 30, "StorageClass": "STANDARD_IA"},
                {"Days": 90, "StorageClass": storage_class},
                {"Date": datetime(2030, 1, 1, tzinfo=UTC), "StorageClass": storage_class},
            ],
            "NoncurrentVersionTransitions": [
                {"NoncurrentDays": 1, "StorageClass": "GLACIER_IR"},
                {
                    "NoncurrentDays": 5,
                    "NewerNoncurrentVersions": 2,
                    "StorageClass": storage_class,
                },
            ],
        }
    )
    to = {"archives_to": storage_class}
    assert found == [
        rule("current", days_written=90, **to),
        rule("current", date=datetime(2030, 1, 1, tzinfo=UTC), **to),
        rule("noncurrent", days_replaced=5, newer=3, **to),
    ]


def test_1_17_small_objects_are_not_moved_unless_the_rule_speaks_of_sizes() -> None:
    moves = {"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}
    both = {**moves, "Expiration": {"Days": 5}}
    sized = {**moves, "Filter": {"ObjectSizeLessThan": 7}}
    told = {"TransitionDefaultMinimumObjectSize": "all_storage_classes_128K"}
    (expires, moved) = rules(both, **told)
    assert expires.covers("k", 1)
    assert not moved.covers("k", 128 * KIB - 1)
    assert moved.covers("k", 128 * KIB)
    (moved,) = rules(sized, **told)
    assert moved.covers("k", 1)
    (moved,) = rules(moves)
    assert moved.covers("k", 1)
