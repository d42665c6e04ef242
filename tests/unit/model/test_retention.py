"""What lifecycle rules do to a locked version, by table."""

from datetime import UTC, datetime

import pytest

from artlock.model.objects import Protection
from artlock.model.retention import (
    Fate,
    Phase,
    Retention,
    Rule,
    Since,
    Versioning,
    fates,
)

DAY = datetime(2030, 1, 1, tzinfo=UTC)
CURRENT, NONCURRENT, EITHER = Phase.CURRENT, Phase.NONCURRENT, Phase.EITHER
EXPIRE = Rule(name="expire", phase=CURRENT, days_written=30)
ON_DATE = Rule(name="date", phase=CURRENT, date=DAY)
OLD = Rule(name="old", phase=NONCURRENT, days_replaced=7)
MANY = Rule(name="many", phase=NONCURRENT, days_replaced=1, newer=4)
AGE = Rule(name="#1", phase=EITHER, days_written=90)
AGED = Rule(name="aged", phase=NONCURRENT, days_written=90)
TAGGED = Rule(name="tag", phase=NONCURRENT, provided=("has the tag `a=b`",))
COLD = Rule(name="cold", phase=CURRENT, archives_to="GLACIER", days_written=5)
COLD_ON = Rule(name="cold", phase=CURRENT, archives_to="GLACIER", date=DAY)
COLD_OLD = Rule(
    name="cold", phase=NONCURRENT, archives_to="DEEP_ARCHIVE", days_replaced=5, newer=2
)


def ends(
    *rules: Rule,
    versioning: Versioning = Versioning.ON,
    has_version: bool = True,
    least_days: int = 0,
) -> list[Fate]:
    retention = Retention(versioning=versioning, rules=rules, least_days=least_days)
    covering = retention.covering("k", 1)
    return list(fates(retention, covering, has_version=has_version))


def replaced(rule: Rule, days: int = 0, *, least_days: int = 0, newer: int = 0) -> Fate:
    return Fate(
        rules=(rule.name,),
        since=Since.REPLACED,
        days=days,
        provided=rule.provided,
        archives_to=rule.archives_to,
        least_days=least_days,
        newer=newer,
    )


def written(days: int, *rules: Rule, newer: int = 0) -> Fate:
    names = tuple(rule.name for rule in rules)
    return Fate(rules=names, days=days, archives_to=rules[-1].archives_to, newer=newer)


def on_date(rule: Rule, *then: Rule, days: int = 0) -> Fate:
    return Fate(
        rules=(rule.name, *(other.name for other in then)),
        archives_to=rule.archives_to,
        since=Since.DATE,
        days=days,
        date=DAY,
    )


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ([], []),
        # On a bucket that keeps versions it only hides them.
        ([EXPIRE], []),
        ([ON_DATE], []),
        ([OLD], [replaced(OLD, 7)]),
        ([MANY], [replaced(MANY, 1, newer=4)]),
        ([AGED], [replaced(AGED, least_days=90)]),
        ([TAGGED], [replaced(TAGGED)]),
        # Two rules in turn end a version that nobody touches.
        ([EXPIRE, OLD], [replaced(OLD, 7), written(37, EXPIRE, OLD)]),
        ([EXPIRE, MANY], [replaced(MANY, 1, newer=4), written(31, EXPIRE, MANY, newer=4)]),
        (
            [ON_DATE, OLD],
            [replaced(OLD, 7), on_date(ON_DATE, OLD, days=7)],
        ),
        # What acts on both phases ends by age, whoever replaces what.
        ([AGE], [written(90, AGE)]),
        ([AGE, OLD], [written(90, AGE), replaced(OLD, 7)]),
        ([COLD], [written(5, COLD)]),
        ([COLD_ON], [on_date(COLD_ON)]),
        ([COLD_OLD], [replaced(COLD_OLD, 5, newer=2)]),
    ],
)  # fmt: skip
def test_1_15_the_ends_of_a_version_that_is_kept(
    rules: list[Rule], wanted: list[Fate]
) -> None:
    assert ends(*rules) == wanted
    assert ends(*rules, versioning=Versioning.SUSPENDED) == wanted
    assert ends(*rules, versioning=Versioning.UNKNOWN) == wanted


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ([], []),
        ([EXPIRE], [written(30, EXPIRE)]),
        ([ON_DATE], [on_date(ON_DATE)]),
        ([AGE], [written(90, AGE)]),
        ([OLD, MANY, AGED, TAGGED, COLD_OLD], []),
        ([EXPIRE, OLD], [written(30, EXPIRE)]),
        ([COLD], [written(5, COLD)]),
    ],
)
def test_1_13_the_ends_of_a_row_without_a_version(
    rules: list[Rule], wanted: list[Fate]
) -> None:
    for versioning in Versioning:
        assert ends(*rules, versioning=versioning, has_version=False) == wanted
    assert ends(*rules, versioning=Versioning.OFF) == wanted


def test_1_38_a_retention_policy_puts_every_end_off() -> None:
    assert ends(OLD, least_days=50) == [replaced(OLD, 7, least_days=50)]
    assert ends(EXPIRE, OLD, least_days=50) == [written(50, EXPIRE, OLD)]
    assert ends(AGE, least_days=100) == [written(100, AGE)]
    assert ends(EXPIRE, has_version=False, least_days=50) == [written(50, EXPIRE)]
    (fate,) = ends(ON_DATE, has_version=False, least_days=50)
    assert (fate.since, fate.least_days) == (Since.DATE, 50)


def test_1_15_what_never_comes_first_is_left_out() -> None:
    sooner = Rule(name="sooner", phase=NONCURRENT, days_replaced=3)
    assert ends(OLD, sooner, MANY) == [
        replaced(sooner, 3),
        replaced(MANY, 1, newer=4),
    ]
    assert ends(OLD, OLD) == [replaced(OLD, 7)]
    later = Rule(name="later", phase=CURRENT, days_written=31)
    assert ends(later, EXPIRE, has_version=False) == [written(30, EXPIRE)]
    tagged = Rule(name="t", phase=CURRENT, days_written=29, provided=("is blue",))
    assert len(ends(tagged, EXPIRE, has_version=False)) == 2
    assert len(ends(COLD, COLD_ON, COLD_OLD)) == 3


@pytest.mark.parametrize(
    ("rule", "key", "size", "covers"),
    [
        ({}, "any", 0, True),
        ({"prefixes": ("p/",)}, "p/k", 1, True),
        ({"prefixes": ("p/",)}, "p", 1, False),
        ({"prefixes": ("p/", "q")}, "qk", 1, True),
        ({"suffixes": (".bin",)}, "a.bin", 1, True),
        ({"suffixes": (".bin",)}, "a.bin.txt", 1, False),
        ({"prefixes": ("p/",), "suffixes": (".bin",)}, "p/a.bin", 1, True),
        ({"prefixes": ("p/",), "suffixes": (".bin",)}, "q/a.bin", 1, False),
        ({"more_than": 5}, "k", 5, False),
        ({"more_than": 5}, "k", 6, True),
        ({"less_than": 5}, "k", 5, False),
        ({"less_than": 5}, "k", 4, True),
    ],
)
def test_1_15_which_objects_a_rule_covers(
    rule: dict[str, object],
    key: str,
    size: int,
    covers: bool,  # noqa: FBT001 - a column
) -> None:
    made = Rule(name="r", phase=CURRENT, **rule)  # type: ignore[arg-type] # fields of a rule
    assert made.covers(key, size) == covers
    retention = Retention(versioning=Versioning.ON, rules=(made, EXPIRE))
    assert retention.covering(key, size) == ((0, 1) if covers else (1,))


@pytest.mark.parametrize(
    ("protection", "lasts"),
    [
        (Protection(), False),
        (Protection(until=datetime(2029, 12, 31, tzinfo=UTC)), False),
        (Protection(until=datetime(2030, 1, 2, tzinfo=UTC)), True),
        (Protection(until=datetime(2029, 12, 31, tzinfo=UTC), is_held=True), True),
    ],
)
def test_1_16_a_protection_lasts_until_its_end(
    protection: Protection,
    lasts: bool,  # noqa: FBT001 - a column
) -> None:
    assert protection.lasts(DAY) == lasts
