"""Why a resolve writes nothing: several failures, a source that is gone, a shrinking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import ArtlockError, ManyErrors, ObjectNotFoundError, PolicyError

if TYPE_CHECKING:
    from artlock.model.lock import LockedArtifact

_SHRINK_FROM = 10
_SHRINK_TO = 0.5
"""An artifact of at least ten objects that loses more than half of them needs a yes."""


def together(errors: list[ArtlockError]) -> ArtlockError:
    """Return one error for the failures of artifacts; of one alone its own."""
    if len(errors) == 1:
        return errors[0]
    return ManyErrors(
        f"{len(errors)} artifacts could not be resolved; `artifacts.lock` is as it was",
        errors,
    )


def source_is_gone(old: LockedArtifact, error: ObjectNotFoundError) -> ObjectNotFoundError:
    """Say what is left of an artifact that was locked and whose source is gone."""
    rest = (
        "what is locked may still be fetched by version; "
        if any(row.version for row in old.objects)
        else "what is locked is only where it was fetched before; "
    )
    return type(error)(
        f"the source of `{old.name}` is gone now: {error.message}",
        uri=error.uri,
        hint=f"{rest}run `artlock rm {old.name}`, or move the others by name: "
        "`artlock update OTHER...`",
    )


def refuse_shrinking(
    old: LockedArtifact | None, new: LockedArtifact, *, allowed: bool
) -> None:
    """Guard against a listing that lost keys without an error (hazard 1.11).

    Raises:
        PolicyError: Most objects would go.
    """
    if allowed or old is None or old.declared != new.declared:
        return
    before, after = len(old.objects), len(new.objects)
    if before >= _SHRINK_FROM and after < before * _SHRINK_TO and old.kind is new.kind:
        message = f"`{new.name}` would shrink from {before:,} to {after:,} objects"
        raise PolicyError(
            message,
            hint="if the data was removed on purpose, add `--allow-shrink`",
        )
