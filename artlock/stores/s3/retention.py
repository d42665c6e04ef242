"""Ask a bucket how long it keeps what lies in it: three requests.

Source: S3 GetBucketVersioning, GetBucketLifecycleConfiguration and
GetObjectLockConfiguration. Each takes a permission of its own, and none of them is needed
for anything else, so a refusal is an answer too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from artlock.errors import StoreError
from artlock.model.retention import Phase, Retention, Rule, Unread, Versioning
from artlock.stores.s3.failures import (
    Action,
    ForbiddenError,
    code_of,
    status_of,
    translate,
    translated,
)
from artlock.stores.s3.scan import ARCHIVED_CLASSES, is_directory_bucket

if TYPE_CHECKING:
    from artlock.model.uri import Uri
    from artlock.stores.s3.session import Connection

_NONE_SET = frozenset(
    {"NoSuchLifecycleConfiguration", "ObjectLockConfigurationNotFoundError"}
)
_NOT_SPOKEN = frozenset({405, 501})
"""What servers answer that do not know the request."""
_SMALL = 128 * 1024
"""Smaller objects are not moved unless a rule speaks of sizes, where S3 says so."""

Answer = Mapping[str, Any]


def read_retention(connection: Connection, uri: Uri) -> Retention:
    """Return the settings of the bucket of ``uri``; see ``TellsRetention.retention``."""
    client, bucket = connection.client, uri.authority or ""
    unread: list[Unread] = []

    def ask(action: Action, call: Callable[..., Answer]) -> Answer | None:
        """Return an answer; an empty one where nothing is set, ``None`` if unread."""
        with translated(uri, action):
            try:
                return call(Bucket=bucket)
            except ClientError as error:
                if code_of(error) in _NONE_SET:
                    return {}
                unread.append(_unread(error, uri, action))
                return None

    versioning = Versioning.OFF
    lock: Answer | None = {}
    if not is_directory_bucket(uri):  # it has neither (hazard 1.19)
        versioning = _versioning(ask(Action.VERSIONING, client.get_bucket_versioning))
        if versioning is not Versioning.OFF:  # S3 locks objects by their versions only
            lock = ask(Action.OBJECT_LOCK, client.get_object_lock_configuration)
    rules = ask(Action.LIFECYCLE, client.get_bucket_lifecycle_configuration)
    try:
        return Retention(
            versioning=versioning,
            rules=tuple(rules_of(rules or {})),
            protects=_locks(lock),
            unread=tuple(unread),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"the settings of `{uri.authority}` are not to be believed"
        raise StoreError(message, uri=str(uri)) from error


def rules_of(answer: Answer) -> Iterator[Rule]:
    """Yield what the rules in force do, from an answer of botocore; a rule may do much.

    Delete markers and parts of uploads that never ended are nobody's rows, so what removes
    them is left out.
    """
    by_size = answer.get("TransitionDefaultMinimumObjectSize") == "all_storage_classes_128K"
    for place, rule in enumerate(answer.get("Rules", ()), 1):
        if rule["Status"] != "Enabled":
            continue
        selection = {"name": rule.get("ID") or f"#{place}", **_selection(rule)}
        expiration = rule.get("Expiration", {})
        if "Days" in expiration or "Date" in expiration:
            yield Rule(phase=Phase.CURRENT, **selection, **_when(expiration))
        noncurrent = rule.get("NoncurrentVersionExpiration")
        if noncurrent is not None:
            yield Rule(phase=Phase.NONCURRENT, **selection, **_when_noncurrent(noncurrent))
        if by_size and not {"more_than", "less_than"} & selection.keys():
            selection["more_than"] = _SMALL - 1
        for moved in rule.get("Transitions", ()):
            if moved["StorageClass"] in ARCHIVED_CLASSES:
                yield Rule(
                    phase=Phase.CURRENT,
                    archives_to=moved["StorageClass"],
                    **selection,
                    **_when(moved),
                )
        for moved in rule.get("NoncurrentVersionTransitions", ()):
            if moved["StorageClass"] in ARCHIVED_CLASSES:
                yield Rule(
                    phase=Phase.NONCURRENT,
                    archives_to=moved["StorageClass"],
                    **selection,
                    **_when_noncurrent(moved),
                )


def _selection(rule: Answer) -> dict[str, Any]:
    """Return which objects a rule is about, as arguments of ``Rule``.

    The filter has one condition, or several below ``And``; old rules have a prefix of their
    own in its place.
    """
    whole = rule.get("Filter", {})
    part = whole.get("And", whole)
    prefix = part.get("Prefix") or rule.get("Prefix")
    tags = [*part.get("Tags", ()), *([part["Tag"]] if "Tag" in part else [])]
    found: dict[str, Any] = {}
    if prefix:
        found["prefixes"] = (prefix,)
    if "ObjectSizeGreaterThan" in part:
        found["more_than"] = part["ObjectSizeGreaterThan"]
    if "ObjectSizeLessThan" in part:
        found["less_than"] = part["ObjectSizeLessThan"]
    if tags:
        found["provided"] = tuple(f"has the tag `{t['Key']}={t['Value']}`" for t in tags)
    return found


def _when(action: Answer) -> dict[str, Any]:
    date: datetime | None = action.get("Date")
    if date is not None:
        return {"date": date.astimezone(UTC)}
    return {"days_written": action.get("Days", 0)}


def _when_noncurrent(action: Answer) -> dict[str, Any]:
    kept = action.get("NewerNoncurrentVersions", 0)
    return {
        "days_replaced": action.get("NoncurrentDays", 0),
        # S3 counts the noncurrent ones only; one that is current is newer still.
        "newer": kept + 1 if kept else 0,
    }


def _versioning(answer: Answer | None) -> Versioning:
    if answer is None:
        return Versioning.UNKNOWN
    status = answer.get("Status")
    if status == "Enabled":
        return Versioning.ON
    return Versioning.SUSPENDED if status == "Suspended" else Versioning.OFF


def _locks(answer: Answer | None) -> bool:
    settings: Answer = (answer or {}).get("ObjectLockConfiguration", {})
    return settings.get("ObjectLockEnabled") == "Enabled"


def _unread(error: ClientError, uri: Uri, action: Action) -> Unread:
    """Return what a refusal means for one setting.

    Raises:
        StoreError: It is no refusal of this one setting.
    """
    found = translate(error, uri, action)
    if isinstance(found, ForbiddenError):
        hint = f"ask for the permission `{action.permission}`"
    elif status_of(error) in _NOT_SPOKEN:
        hint = "this server does not tell it: ask whoever runs it"
    else:
        raise found from error
    setting = action.verb.removeprefix("reading ").removesuffix(" of")
    return Unread(setting, hint, only_protects=action is Action.OBJECT_LOCK)
