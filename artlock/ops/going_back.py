"""Sources as they were at a moment: what can be asked, and what nobody can know any more.

A lockfile made so is one that could have been made then. The declaration is not touched, so
``resolve`` keeps its pins as it keeps all pins, and ``update`` moves them on.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from artlock.errors import ConfigError, StoreError
from artlock.formats.moments import canonical_moment
from artlock.model.deletions import may_have_deleted
from artlock.stores.base import TellsRetention

if TYPE_CHECKING:
    from collections.abc import Iterable

    from artlock.model.manifest import Artifact
    from artlock.ops.progress import Progress
    from artlock.stores.base import Store

_WITH_VERSIONS = frozenset({"s3", "gs"})


def past_moment(text: str, *, now: datetime) -> str:
    """Return a moment that a person typed, in the spelling of lockfiles.

    Raises:
        ConfigError: It is none, or it has not come yet.
    """
    try:
        moment = canonical_moment(text)
    except ValueError as error:
        message = f"`--as-of {text}` {error}"
        raise ConfigError(message, hint="write 2026-05-01T00:00:00Z") from None
    if datetime.fromisoformat(moment) > now:
        message = f"`--as-of {text}` has not come yet"
        raise ConfigError(message, hint="leave it out for what is there now")
    return moment


def refuse_without_versions(artifacts: Iterable[Artifact]) -> None:
    """Refuse artifacts whose sources have no past that can be asked for; links stay links.

    Raises:
        ConfigError: There are some.
    """
    without = [
        artifact.name
        for artifact in artifacts
        if not artifact.is_link and artifact.uri.scheme not in _WITH_VERSIONS
    ]
    if without:
        names = ", ".join(f"`{name}`" for name in without)
        message = f"the web and folders keep no versions, so {names} cannot be taken back"
        hint = "name those that can be: `artlock resolve --as-of TIME NAME...`"
        raise ConfigError(message, hint=hint)


def at(artifact: Artifact, moment: str | None) -> Artifact:
    """Return what is asked for at a moment; what is pinned in the manifest stays so."""
    declared = artifact.declared
    if moment is None or declared.version is not None or declared.as_of is not None:
        return artifact
    return replace(artifact, declared=replace(declared, as_of=moment))


def tell_what_may_be_lost(artifact: Artifact, store: Store, progress: Progress) -> None:
    """Warn where lifecycle rules may have deleted what was there at the declared moment.

    A version that is gone leaves no trace in a listing. Where settings may not be read,
    nothing is told.
    """
    moment = artifact.declared.as_of
    if moment is None or not isinstance(store, TellsRetention):
        return
    retention = None
    with suppress(StoreError):  # it takes a permission that a listing does not
        retention = store.retention(artifact.uri)
    if retention is None:
        return
    rules = may_have_deleted(
        retention,
        artifact.uri.key,
        moment=datetime.fromisoformat(moment),
        now=datetime.now(UTC),
    )
    if rules:
        names = ", ".join(f"`{name}`" for name in rules)
        progress.notice(
            f"`{artifact.name}`: lifecycle rule {names} deletes old versions, so what was "
            f"there at {moment} may be missing"
        )
