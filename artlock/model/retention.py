"""How long a store keeps what is locked: a bucket's settings, and what they come to.

Pure: stores read settings (``Retention``), ``fates`` tells what their rules do to one row.
A version is *current* until another one is written in its place or it is deleted, and
*noncurrent* from then on; a bucket that keeps no versions has current ones only.

Sources: S3 lifecycle rules and GCS Object Lifecycle Management. Both look once a day or
less often, so a deadline says when an object *may* be deleted.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime


class Versioning(StrEnum):
    """What becomes of an object that is overwritten or deleted.

    ``ON``: its version stays, noncurrent. ``SUSPENDED``: so do the versions that there are,
    but what is written now has none. ``OFF``: it is lost. ``UNKNOWN``: nobody would tell.
    """

    ON = "on"
    SUSPENDED = "suspended"
    OFF = "off"
    UNKNOWN = "unknown"


class Phase(StrEnum):
    """Which versions a rule acts on."""

    CURRENT = "current"
    NONCURRENT = "noncurrent"
    EITHER = "either"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One deed of a lifecycle rule that is in force; all of its conditions must hold.

    Attributes:
        name: As its owner named it, or ``#`` and its place in the list.
        phase: Which versions it acts on.
        archives_to: The class that it moves to, if objects must be restored from there
            before they can be read; ``None`` if it deletes. To delete a current version
            makes it noncurrent where versions are kept.
        prefixes: Keys begin with one of them; none is every key.
        suffixes: Keys end with one of them; none is every key.
        more_than: Objects have more bytes than this.
        less_than: Objects have fewer bytes than this.
        days_written: So many days after the version was written.
        days_replaced: So many days after the version became noncurrent.
        date: From this moment on.
        newer: At least so many newer versions of the key must exist.
        provided: What else must hold and no lockfile tells, each as the end of "if it ...".
    """

    name: str
    phase: Phase
    archives_to: str | None = None
    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    more_than: int | None = None
    less_than: int | None = None
    days_written: int = 0
    days_replaced: int = 0
    date: datetime | None = None
    newer: int = 0
    provided: tuple[str, ...] = ()

    def covers(self, key: str, size: int) -> bool:
        """Tell whether an object of this key and size may be one that it is about."""
        return (
            (not self.prefixes or key.startswith(self.prefixes))
            and (not self.suffixes or key.endswith(self.suffixes))
            and (self.more_than is None or size > self.more_than)
            and (self.less_than is None or size < self.less_than)
        )


class Unread(msgspec.Struct, frozen=True):
    """A setting that the store would not tell.

    Attributes:
        setting: What it is, for a message: ``the lifecycle rules``.
        hint: What would help: as a rule a permission.
        only_protects: Whether it can only tell that versions are protected, so that it
            matters only where some may be lost.
    """

    setting: str
    hint: str
    only_protects: bool = False


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """What a bucket's settings say about how long its objects stay.

    Attributes:
        versioning: What becomes of an object that is overwritten or deleted.
        rules: Those in force, in the order of the bucket.
        least_days: Nothing is deleted or overwritten before it is so old (GCS's retention
            policy; whole days, rounded down).
        restorable_days: So long what was deleted can be brought back as another version
            (GCS's soft delete).
        protects: Whether single versions may be protected, so that a head tells it.
        unread: What could not be found out.
    """

    versioning: Versioning
    rules: tuple[Rule, ...] = ()
    least_days: int = 0
    restorable_days: int = 0
    protects: bool = False
    unread: tuple[Unread, ...] = ()

    def keeps(self, *, has_version: bool) -> bool:
        """Tell whether a row can still be had after its object was overwritten."""
        return has_version and self.versioning is not Versioning.OFF

    def covering(self, key: str, size: int) -> tuple[int, ...]:
        """Return the places of the rules that cover an object: few rows differ in them."""
        return tuple(n for n, rule in enumerate(self.rules) if rule.covers(key, size))


class Since(StrEnum):
    """What the days of a fate are counted from."""

    WRITTEN = "written"
    REPLACED = "replaced"
    DATE = "date"


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a locked version ends; equal ones are told together.

    Attributes:
        rules: Names of the rules that do it: where there are two, the first makes the
            version noncurrent and the second deletes it.
        archives_to: See ``Rule``; ``None`` if it is deleted.
        since: What ``days`` are counted from. ``REPLACED`` takes somebody who writes or
            deletes; the others come by themselves, unless newer versions must exist.
        days: When it ends.
        date: With ``Since.DATE``: the moment.
        least_days: It does not end before it is so old.
        newer: It does not end before there are so many newer versions.
        provided: It only ends if that holds too; see ``Rule``.
    """

    rules: tuple[str, ...]
    archives_to: str | None = None
    since: Since = Since.WRITTEN
    days: int = 0
    date: datetime | None = None
    least_days: int = 0
    newer: int = 0
    provided: tuple[str, ...] = ()


def fates(
    retention: Retention, covering: Iterable[int], *, has_version: bool
) -> tuple[Fate, ...]:
    """Return what the rules of its bucket do to a row, in the order of the rules.

    Where versions are kept, a row with a version outlives its replacement, and only what
    deletes noncurrent versions ends it. A row without a version is the current state and
    ends with it. What never comes first is left out.

    Args:
        retention: The bucket's settings.
        covering: Places of the rules that cover the row; see ``Retention.covering``.
        has_version: Whether the row names a version.
    """
    is_kept = retention.keeps(has_version=has_version)
    rules = [retention.rules[place] for place in covering]
    archiving = [rule for rule in rules if rule.archives_to is not None]
    deleting = [rule for rule in rules if rule.archives_to is None]
    # Where nothing is kept, a rule that acts on current versions ends them for good;
    # where it is, such a rule only hides them, and leaves them to the others.
    expiring = [rule for rule in deleting if rule.phase is not Phase.NONCURRENT]
    found: list[Fate] = []
    for rule in archiving:
        if rule.phase is not Phase.NONCURRENT:
            found.append(_untouched(rule))
        elif is_kept:
            found.append(_replaced(rule))
    if not is_kept:
        found += [_untouched(rule, least=retention.least_days) for rule in expiring]
    for rule in deleting if is_kept else ():
        if rule.phase is Phase.CURRENT:
            continue
        found.append(_replaced(rule, least=retention.least_days))
        found += [_in_turn(first, rule, least=retention.least_days) for first in expiring]
    return tuple(_earliest(found))


def _earliest(found: list[Fate]) -> Iterator[Fate]:
    """Yield what may come first; of what always comes together, the first."""
    for place, fate in enumerate(found):
        before = any(_comes_first(other, fate) for other in found[:place])
        after = any(
            _comes_first(other, fate) and not _comes_first(fate, other)
            for other in found[place + 1 :]
        )
        if not before and not after:
            yield fate


def _untouched(rule: Rule, *, least: int = 0) -> Fate:
    """Return what a rule does to a current version that nobody replaces."""
    return Fate(
        rules=(rule.name,),
        archives_to=rule.archives_to,
        since=Since.WRITTEN if rule.date is None else Since.DATE,
        days=max(rule.days_written, least) if rule.date is None else 0,
        date=rule.date,
        least_days=0 if rule.date is None else least,
        provided=rule.provided,
    )


def _replaced(rule: Rule, *, least: int = 0) -> Fate:
    """Return what a rule does to a version that somebody replaced or deleted."""
    return Fate(
        rules=(rule.name,),
        archives_to=rule.archives_to,
        since=Since.REPLACED,
        days=rule.days_replaced,
        least_days=max(rule.days_written, least),
        newer=rule.newer,
        provided=rule.provided,
    )


def _in_turn(first: Rule, last: Rule, *, least: int) -> Fate:
    """Return how a version ends that one rule makes noncurrent and the next deletes."""
    least = max(last.days_written, least)
    days = last.days_replaced
    return Fate(
        rules=tuple(dict.fromkeys((first.name, last.name))),
        since=Since.WRITTEN if first.date is None else Since.DATE,
        days=max(first.days_written + days, least) if first.date is None else days,
        date=first.date,
        least_days=0 if first.date is None else least,
        newer=last.newer,
        provided=tuple(dict.fromkeys((*first.provided, *last.provided))),
    )


def _comes_first(one: Fate, other: Fate) -> bool:
    """Tell whether ``one`` ends a version no later than ``other``, whatever happens."""
    if (
        one.archives_to != other.archives_to
        or one.newer > other.newer
        or not {*one.provided} <= {*other.provided}
    ):
        return False
    if one.since is Since.WRITTEN:
        ends = other.days if other.since is Since.WRITTEN else other.least_days
        return one.days <= ends
    if one.since is not other.since or one.least_days > other.least_days:
        return False
    if one.date is not None and other.date is not None:
        return (one.date, one.days) <= (other.date, other.days) and one.days <= other.days
    return one.days <= other.days
