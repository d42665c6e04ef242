"""What a branch is measured by: the commit in which it began, and what it shall go into.

Whoever makes a branch chooses where it begins, and in which folder a project lies. So what
holds at the tip of the other branch holds as well as what held at the beginning, and where
neither knows the project, but knows others, there is no answer instead of a weaker one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from artlock.errors import ArtlockError, GitError, ManifestError
from artlock.formats.manifest import parse_manifest
from artlock.gitio.repository import commit_of, files_named, merge_base, read_at, work_tree
from artlock.ops.names import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

    from artlock.model.manifest import Policy
    from artlock.ops.project import Project


class Rule(msgspec.Struct, frozen=True):
    """A policy that a branch has to keep beside its own.

    Attributes:
        since: Whose it is, as the end of a phrase.
        hint: The way out for a branch that cannot keep it.
    """

    policy: Policy
    since: str
    hint: str


class Yardstick(msgspec.Struct, frozen=True, kw_only=True):
    """What held before a branch, and holds for it.

    Attributes:
        base: The commit in which the branch began.
        locked: The revisions whose lockfiles say what was locked, the base first.
        rules: The policies to keep; none where no project was in the repository yet.
    """

    base: str
    locked: tuple[str, ...]
    rules: tuple[Rule, ...]


def yardstick_of(project: Project, revision: str) -> Yardstick:
    """Find what a branch is measured by that is to be merged into ``revision``.

    Raises:
        GitError: There is no git or no such revision, the two have no common commit, or
            other projects are there, but not this one.
        ManifestError: The manifest of ``revision`` cannot be read, and so not its policy.
    """
    top = work_tree(project.root)
    path = _path_in(top, project)
    tip, base = commit_of(top, revision), merge_base(top, revision)
    rules = []
    now = _policy_at(top, tip, path, revision)
    if now is not None:
        hint = f"change `[policy]` in a branch of its own, and merge it into `{revision}`"
        rules.append(Rule(now, f"as of `{revision}`", hint))
    try:
        then = now if base == tip else _policy_at(top, base, path, base)
    except ManifestError:
        if now is None:
            raise
        then = now  # what nobody could read then, somebody has mended since
    if then is not None and then != now:
        since = f"as of the commit in which the branch left `{revision}`"
        rules.append(Rule(then, since, f"merge `{revision}` into the branch"))
    if now is None:
        _refuse_unknown(top, path, (tip,) if rules else (tip, base), revision)
    locked = (base,) if base == tip else (base, revision)
    return Yardstick(base=base, locked=locked, rules=tuple(rules))


def _path_in(top: Path, project: Project) -> str:
    """Return the path of the manifest from the top of the repository."""
    path = project.root / MANIFEST
    if not path.is_relative_to(top):
        message = f"`{path}` is outside of the work tree `{top}`"
        raise GitError(message, hint="run it in the work tree itself, not through a link")
    return path.relative_to(top).as_posix()


def _policy_at(top: Path, commit: str, path: str, name: str) -> Policy | None:
    """Return the policy of a commit; ``None`` where the project was not there."""
    data = read_at(top, commit, path)
    if data is None:
        return None
    try:
        return parse_manifest(data.decode()).policy
    except (ArtlockError, UnicodeDecodeError) as error:
        not_text = f"`{MANIFEST}` is not UTF-8"
        text = error.message if isinstance(error, ArtlockError) else not_text
        # It is not the file of the work tree, at which nobody is to look.
        reason = text.replace(f"`{MANIFEST}", f"`{name}:{path}")
        message = f"the policy of `{name}` is not known: {reason}"
        hint = "mend it there first, in a branch that somebody looks at"
        raise ManifestError(message, hint=hint) from error


def _refuse_unknown(top: Path, path: str, commits: tuple[str, ...], revision: str) -> None:
    """Refuse a project that is not where it would have a past, if others have one."""
    others = [other for commit in commits for other in files_named(top, commit, MANIFEST)]
    if others:
        message = (
            f"`{revision}` has no file `{path}`, but `{others[0]}`: no policy and no past "
            "is known of this project"
        )
        hint = (
            f"somebody looks at it and merges the new place into `{revision}` without this "
            "check; if the folder is a link, give the folder itself"
        )
        raise GitError(message, hint=hint)
