"""``[policy]`` of the manifest: what may be locked, and how well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.errors import PolicyError
from artlock.model.lock import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from artlock.model.lock import LockedArtifact, Lockfile
    from artlock.model.manifest import Artifact, Policy
    from artlock.model.tally import Tally
    from artlock.model.tokens import Trust

_VERSIONING = "switch on versioning at the source and run `artlock update`, or drop the key"


class Shortfall(msgspec.Struct, frozen=True, kw_only=True):
    """In what the rows of an artifact fall short of the policy.

    Attributes:
        text: How many rows, and in what.
        hint: The way out.
        path: Of the first of these rows.
    """

    text: str
    hint: str
    path: str


def problem_with_source(policy: Policy, artifact: Artifact) -> str | None:
    """Return why the policy refuses an artifact's URI or a mirror's, or ``None``."""
    if not policy.allow:
        return None
    for uri in (artifact.uri, *artifact.mirrors):
        if uri.is_relative:
            continue  # in the project itself, where whoever reviews the policy sees it
        if not any(uri.is_allowed_by(prefix) for prefix in policy.allow):
            return f"`artifacts.{artifact.name}`: `{uri}` is outside of `[policy] allow`"
    return None


def refuse_outside(policy: Policy, lock: Lockfile, artifacts: Iterable[Artifact]) -> None:
    """Refuse to read what is locked from a source that the policy does not allow.

    What is locked counts, not what is declared: the lockfile says where bytes come from.

    Raises:
        PolicyError: A URI or a mirror is outside.
    """
    for artifact in artifacts:
        locked = lock.get(artifact.name)
        declared = artifact.declared if locked is None else locked.declared
        problem = problem_with_source(policy, replace(artifact, declared=declared))
        if problem is not None:
            raise PolicyError(problem, hint="change `[policy] allow`, or the `uri`")


def problems_with_rows(
    policy: Policy, locked: LockedArtifact, rows: Tally, *, require: Trust | None = None
) -> list[Shortfall]:
    """Return how an artifact falls short of the policy, with counts.

    Args:
        policy: What the manifest asks for.
        locked: What was locked.
        rows: Its rows, counted.
        require: Asked for on the command line; the stricter of the two counts.
    """
    if locked.kind is Kind.LINK:
        return []
    problems = []
    least = policy.require
    if require is not None and require.reaches(least):
        least = require
    weak, trust = rows.below(least)
    if weak.number:
        text = (
            f"`{locked.name}`: {weak.number:,} of {rows.objects:,} objects have trust "
            f"below `{least}`, such as `{weak.first}` (`{trust}`)"
        )
        hint = "run `artlock resolve --hash`"
        problems.append(Shortfall(text=text, hint=hint, path=weak.first))
    unversioned = rows.unversioned
    if policy.require_version_ids and unversioned.number:
        text = (
            f"`{locked.name}`: {unversioned.number:,} of {rows.objects:,} objects "
            f"have no version ID, such as `{unversioned.first}`"
        )
        problems.append(Shortfall(text=text, hint=_VERSIONING, path=unversioned.first))
    return problems
