"""Whether what an artifact's rows say may be believed: on reading, and freshly resolved.

A lockfile is somebody else's word: a row must neither place a file where it does harm nor
point outside of what its artifact declares (hazards 2.1 to 2.9, 5.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import PolicyError, UnsafePathError
from artlock.model.globs import selector
from artlock.model.lock import Kind
from artlock.model.paths import Span, collisions, problems_with_all, span_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artlock.model.lock import LockedArtifact
    from artlock.model.manifest import Declaration

_MAX_TOLD = 5
"""More paths than these are counted, not told; all are in the error's ``paths``."""


def check_artifact(artifact: LockedArtifact) -> None:
    """Check every row; a million rows of plain paths take about a second.

    Raises:
        UnsafePathError: A path cannot be a file that is safe everywhere, or two paths
            cannot both be files.
        PolicyError: A row points outside of its declaration.
    """
    paths = [row.path for row in artifact.objects]
    _check_names(artifact, paths)
    check_collisions(artifact, paths)
    _check_declared(artifact, paths)


def check_part(artifact: LockedArtifact) -> Span | None:
    """Check some of an artifact's rows for all that can be told without the others.

    Parts whose spans follow each other are together what ``check_artifact`` accepts.

    Args:
        artifact: With at least one row, and not all that it has.

    Returns:
        ``None`` where it takes all rows to tell whether two collide.

    Raises:
        ArtlockError: ``check_artifact`` refuses the artifact.
    """
    paths = [row.path for row in artifact.objects]
    _check_names(artifact, paths)
    _check_declared(artifact, paths)
    return span_of(paths)


def _check_declared(artifact: LockedArtifact, paths: Sequence[str]) -> None:
    if artifact.kind is Kind.TREE:
        _check_tree(artifact, paths)
    else:
        _check_single(artifact, paths)


def _check_names(artifact: LockedArtifact, paths: Sequence[str]) -> None:
    if problems := problems_with_all(paths, portable=artifact.declared.portable):
        told = _told([f"`{path}`: {problem}" for path, problem in problems])
        message = f"artifact `{artifact.name}` has keys that cannot be file names: {told}"
        paths = sorted(path for path, _ in problems)
        raise UnsafePathError(message, paths=paths, hint=_way_out(artifact))


def check_collisions(artifact: LockedArtifact, paths: Sequence[str]) -> None:
    """Check that all paths of an artifact can be files side by side.

    Raises:
        UnsafePathError: Two cannot.
    """
    if pairs := collisions(paths):
        told = _told([f"`{one}` and `{other}`" for one, other in pairs])
        message = f"artifact `{artifact.name}` has keys that cannot be side by side: {told}"
        paths = sorted({path for pair in pairs for path in pair})
        raise UnsafePathError(message, paths=paths, hint=_way_out(artifact))


def _way_out(artifact: LockedArtifact) -> str:
    return (
        f"in `[artifacts.{artifact.name}]`, `exclude` the keys, "
        "or give them other paths with `rename`"
    )


def _check_tree(artifact: LockedArtifact, paths: Sequence[str]) -> None:
    declared = artifact.declared
    outside: list[str] = []
    keys = _keys_of(declared, paths, outside) if declared.rename else paths
    if declared.include or declared.exclude:
        selects = selector(declared.include, declared.exclude)
        outside += [path for path, key in zip(paths, keys, strict=True) if not selects(key)]
    if outside:
        raise _outside(artifact, [f"`{path}`" for path in sorted(set(outside))])


def _keys_of(
    declared: Declaration, paths: Sequence[str], outside: list[str]
) -> Sequence[str]:
    """Return the key of each path; those that no key can have become ``outside``."""
    renamed = dict(declared.rename)
    key_of = {path: key for key, path in declared.rename}
    outside += [path for path in paths if path in renamed and path not in key_of]
    # A file system would resolve such a key, and leave the root.
    outside += [
        path
        for path in paths
        if not {".", ".."}.isdisjoint(key_of.get(path, "").split("/"))
    ]
    return [key_of.get(path, path) for path in paths]


def _check_single(artifact: LockedArtifact, paths: Sequence[str]) -> None:
    if artifact.kind is Kind.LINK:
        wanted: list[str] = []
    else:
        name = artifact.declared.uri.file_name
        wanted = [dict(artifact.declared.rename).get(name, name)]
    if unwanted := sorted(set(paths) - set(wanted)):
        raise _outside(artifact, [f"`{path}`" for path in unwanted])
    pinned = artifact.declared.version
    for row in artifact.objects:
        # S3's `null` names what has no version; rows never write it.
        if pinned is not None and row.version != ("" if pinned == "null" else pinned):
            raise _outside(artifact, [f"`{row.path}` of version `{row.version}`"])


def _outside(artifact: LockedArtifact, rows: Sequence[str]) -> PolicyError:
    return PolicyError(
        f"artifact `{artifact.name}` has rows that point outside of its declaration: "
        f"{_told(rows)}",
        hint="somebody edited the lockfile by hand; look at who did, then run "
        f"`artlock resolve --regenerate {artifact.name}`",
    )


def _told(items: Sequence[str]) -> str:
    more = len(items) - _MAX_TOLD
    return "; ".join(items[:_MAX_TOLD]) + (f"; and {more} more" if more > 0 else "")
