"""Move single objects to versions that a person names: ``NAME@VERSION``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import msgspec
from msgspec.structs import replace

from artlock.errors import ConfigError
from artlock.model.lock import Kind
from artlock.model.objects import VersionId
from artlock.model.paths import problem_with
from artlock.ops.observe import Observed, head_at
from artlock.ops.rows import row_of, same_state

if TYPE_CHECKING:
    from collections.abc import Iterable

    from artlock.model.lock import LockedArtifact, LockedObject
    from artlock.model.manifest import Artifact
    from artlock.ops.sources import Sources
    from artlock.stores.base import Store

_FORM = "write NAME@VERSION, or NAME/PATH@VERSION for an object of a tree"
_NULL = "null"


class Precise(msgspec.Struct, frozen=True, kw_only=True):
    """One object and the version it is to have.

    Attributes:
        artifact: The artifact's name.
        path: Of the row; ``None`` for an artifact that is a single object.
        version: S3 version ID or GCS generation.
    """

    artifact: str
    path: str | None
    version: VersionId

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a person typed; a path may have an ``@``, a version has none.

        Raises:
            ConfigError: It has another form, or a version that pins nothing.
        """
        place, at, version = text.rpartition("@")
        name, slash, path = place.partition("/")
        if not at or not name or not version or (slash and not path):
            message = f"`--precise {text}` names no artifact and version"
            raise ConfigError(message, hint=_FORM)
        if version == _NULL:
            # S3: the `null` version is overwritten in place (hazard 1.13).
            message = f"`--precise {text}` pins nothing: `null` may be replaced at any time"
            raise ConfigError(message, hint="name a version that the bucket made")
        return cls(artifact=name, path=path or None, version=VersionId(version))

    def __str__(self) -> str:
        path = "" if self.path is None else f"/{self.path}"
        return f"{self.artifact}{path}@{self.version}"


def by_artifact(wanted: Iterable[Precise]) -> dict[str, tuple[Precise, ...]]:
    """Return them by the artifacts that they are about.

    Raises:
        ConfigError: One object is to have two versions.
    """
    found: dict[str, dict[str | None, Precise]] = {}
    for one in wanted:
        other = found.setdefault(one.artifact, {}).setdefault(one.path, one)
        if other.version != one.version:
            message = f"`{other}` and `{one}` are one object and two versions"
            raise ConfigError(message, hint="keep one of them")
    return {name: tuple(rows.values()) for name, rows in found.items()}


def moved_precisely(
    artifact: Artifact,
    locked: LockedArtifact | None,
    wanted: Iterable[Precise],
    sources: Sources,
) -> LockedArtifact:
    """Return the artifact with some rows at the versions that are wanted.

    A row that has its version already stays as it is. One that is not locked comes in, if
    the declaration means it: so an object that was deleted comes back.

    Raises:
        ConfigError: There is nothing here that could be moved so.
        ObjectNotFoundError: There is no such version.
        StoreError: The source refused or failed, or answered with another version.
    """
    if locked is None or not locked.answers(artifact):
        message = f"`{artifact.name}` is not locked as it is declared"
        raise ConfigError(message, hint=f"run `artlock resolve {artifact.name}` first")
    _refuse(artifact, locked)
    store = sources.store(artifact)
    rows = {row.path: row for row in locked.objects}
    for one in wanted:
        path = _path_of(one, locked)
        rows[path] = _row_at(locked, rows.get(path), path, one.version, store)
    return replace(locked, objects=tuple(rows[path] for path in sorted(rows)))


def _refuse(artifact: Artifact, locked: LockedArtifact) -> None:
    declared = artifact.declared
    for key, value in (("version", declared.version), ("as-of", declared.as_of)):
        if value is not None:
            message = f"`{artifact.name}` is declared with `{key}`, which decides about it"
            raise ConfigError(message, hint="change it in `artifacts.toml`")
    if locked.kind is Kind.LINK or artifact.uri.scheme not in {"s3", "gs"}:
        message = f"`{artifact.name}` has no versions: `{artifact.uri}` is in no bucket"
        raise ConfigError(message, hint="`artlock update` takes what is there now")


def _path_of(one: Precise, locked: LockedArtifact) -> str:
    if locked.kind is Kind.FILE:
        (row,) = locked.objects
        if one.path not in {None, row.path}:
            message = f"`{one}`: `{one.artifact}` is a single object, `{row.path}`"
            raise ConfigError(message, hint=_FORM)
        return row.path
    if one.path is None:
        message = f"`{one}`: `{one.artifact}` is a tree, and a version is of one object"
        raise ConfigError(message, hint=f"{_FORM}; `resolve --as-of` takes a tree back")
    problem = problem_with(one.path, portable=locked.declared.portable)
    if problem is not None:
        message = f"`{one}`: `{one.path}` cannot be a file: {problem}"
        raise ConfigError(message, hint=f"`artlock ls {one.artifact}` lists its paths")
    return one.path


def _row_at(
    locked: LockedArtifact,
    old: LockedObject | None,
    path: str,
    version: VersionId,
    store: Store,
) -> LockedObject:
    if locked.declared.uri.scheme == "gs" and not version.isdecimal():
        message = f"`{version}` is not a generation, which is a number"
        raise ConfigError(message, hint="`gcloud storage ls --all-versions` lists them")
    root = locked.root
    keys = {renamed: key for key, renamed in locked.declared.rename}
    uri = root if locked.kind is Kind.FILE else root.child(keys.get(path, path))
    info = head_at(store, uri, version)
    if old is not None and same_state(old, info):
        return old
    return row_of(Observed(path, info))
