"""git's hooks: put there and taken away again, and what they do when git calls them.

Those before a commit judge what is about to be committed, which need not be what lies in
the work tree. Those after a checkout tell that other data belongs to it by now: they fetch
nothing, because nobody expects a checkout to take an hour.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from artlock.errors import ArtlockError, GitError, WorkspaceError, gravest
from artlock.fs.atomic import replace_file
from artlock.fs.problems import raising
from artlock.gitio.hooks import (
    changed_between,
    export_staged,
    hooks_folder,
    is_rebasing,
    staged_changes,
)
from artlock.gitio.repository import work_tree
from artlock.model.hooks import Hook
from artlock.ops.check import check
from artlock.ops.names import LOCKFILE, MANIFEST, PARTS
from artlock.ops.project import Project
from artlock.ops.revisions import compare

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from artlock.model.diff import Change
    from artlock.ops.check import Finding
    from artlock.ops.runtime import Runtime


class Uninstalled(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken away.

    Attributes:
        hooks: The hooks that are gone.
        kept: Hooks that call artlock, but have other lines too, and stay.
    """

    hooks: tuple[Hook, ...]
    kept: tuple[Path, ...]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One project as it is about to be committed.

    Attributes:
        folder: From the top of the repository; empty for the top itself.
        findings: What is wrong with it.
        error: Why it cannot be judged; ``None`` if it was.
    """

    folder: str
    findings: tuple[Finding, ...] = ()
    error: ArtlockError | None = None

    @property
    def exit_code(self) -> int:
        """That of the error, or of the gravest finding."""
        if self.error is not None:
            return self.error.exit_code
        return gravest(finding.fault.exit_code for finding in self.findings)


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """One project whose lockfile is another one since a checkout.

    Attributes:
        folder: From the top of the repository; empty for the top itself.
        changes: What it locks otherwise.
    """

    folder: str
    changes: tuple[Change, ...]


def install_hooks(start: Path) -> tuple[Path, ...]:
    """Let git ask artlock before commits and after checkouts.

    A hook that calls artlock already counts as installed, whatever else it does, if git
    runs it. Where one is somebody's own, none is written.

    Returns:
        The hooks that were written.

    Raises:
        GitError: A hook is somebody's own, or git does not run it; the hooks are not this
            repository's alone; or there is no repository.
        WorkspaceError: A hook cannot be read or written.
    """
    folder, is_own = hooks_folder(start)
    if not is_own:
        message = (
            f"`core.hooksPath` is `{folder}`, outside of this repository or no folder for "
            "hooks alone"
        )
        hint = (
            'call `artlock git hook NAME "$@"` from the hooks there, or give this '
            "repository hooks of its own: `git config --local core.hooksPath .git/hooks`"
        )
        raise GitError(message, hint=hint)
    missing: list[Hook] = []
    foreign: list[Hook] = []
    idle: list[Hook] = []
    for hook in Hook:
        text = _text_of(folder / hook)
        if text is None:
            missing.append(hook)
        elif not hook.is_called_in(text):
            foreign.append(hook)
        elif not os.access(folder / hook, os.X_OK):
            idle.append(hook)
    if idle:
        names = " ".join(shlex.quote(str(folder / hook)) for hook in idle)
        message = f"git does not run these hooks, for they are not executable: `{names}`"
        raise GitError(message, hint=f"`chmod +x {names}`, and run it again")
    if foreign:
        names = ", ".join(f"`{folder / hook}`" for hook in foreign)
        message = f"these hooks are there already, and not artlock's: {names}"
        lines = "; ".join(f"`{hook.call}`" for hook in foreign)
        hint = (
            f"add a line to each, and run it again: {lines}; where pre-commit or prek "
            "wrote them, use its hook `artlock-check` instead"
        )
        raise GitError(message, hint=hint)
    with raising(WorkspaceError, f"`{folder}` cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
        for hook in missing:
            replace_file(folder / hook, hook.script.encode(), mode=0o777)
    return tuple(folder / hook for hook in missing)


def uninstall_hooks(start: Path) -> Uninstalled:
    """Take away the hooks of ``install_hooks``, but none that has become somebody's own.

    Raises:
        GitError: git is absent, or this is not a repository.
        WorkspaceError: A hook cannot be read or removed.
    """
    folder, is_own = hooks_folder(start)
    if not is_own:
        return Uninstalled(hooks=(), kept=())
    gone: list[Hook] = []
    kept: list[Path] = []
    for hook in Hook:
        text = _text_of(folder / hook)
        if text == hook.script:
            with raising(WorkspaceError, f"`{folder / hook}` cannot be removed"):
                (folder / hook).unlink()
            gone.append(hook)
        elif text is not None and hook.is_called_in(text):
            kept.append(folder / hook)
    return Uninstalled(hooks=tuple(gone), kept=tuple(kept))


def judge_staged(start: Path, runtime: Runtime) -> tuple[Judged, ...]:
    """Check every project of which something is about to be committed, as it is staged.

    Nothing of the work tree is looked at, no network is used. A project that cannot be
    judged keeps no other from being so.

    Raises:
        GitError: git is absent, or this is not a repository.
    """
    folders = _projects_of(staged_changes(start))
    judged: list[Judged] = []
    with tempfile.TemporaryDirectory(prefix="artlock-staged-") as name:
        target = Path(name).resolve()
        paths = [_inside(f, file) for f in folders for file in (MANIFEST, LOCKFILE, PARTS)]
        written = export_staged(start, paths, target) if folders else ()
        for folder in folders:
            if _inside(folder, MANIFEST) not in written:
                continue  # the project itself is about to go
            try:
                project = Project.open(target / folder, runtime)
                findings = check(project).findings
                judged.append(Judged(folder=folder, findings=findings))
            except ArtlockError as error:
                judged.append(Judged(folder=folder, error=error))
    return tuple(judged)


def exit_code_of(judged: Iterable[Judged]) -> int:
    """Return the gravest exit code of all projects."""
    return gravest(one.exit_code for one in judged)


def moved_projects(
    start: Path, runtime: Runtime, hook: Hook, arguments: Sequence[str]
) -> tuple[Moved, ...]:
    """Return the projects that lock something else since git moved the work tree.

    Args:
        start: Where git runs the hook: at the top of the work tree.
        runtime: The machine's side.
        hook: One that comes after.
        arguments: What git gave it (githooks(5)).

    Raises:
        GitError: git is absent, or the commits before and after are not known.
        LockfileError: A lockfile is not valid.
    """
    between = _commits_between(start, hook, arguments)
    if between is None:
        return ()
    found = []
    for folder in _projects_of(changed_between(start, *between)):
        root = work_tree(start) / folder
        if not (root / MANIFEST).is_file():
            continue  # it is no project on this side
        changes = compare(Project.open(root, runtime), *between)
        if changes:
            found.append(Moved(folder=folder, changes=changes))
    return tuple(found)


def _commits_between(
    start: Path, hook: Hook, arguments: Sequence[str]
) -> tuple[str, str] | None:
    """Return the commits before and after; ``None`` where the work tree did not move."""
    match hook, *arguments:
        case Hook.POST_CHECKOUT, old, new, "1" if old != new and set(old) != {"0"}:
            # The end of a rebase tells it once, as a whole.
            return None if is_rebasing(start) else (old, new)
        case Hook.POST_MERGE, "0":
            return "ORIG_HEAD", "HEAD"
        case Hook.POST_REWRITE, "rebase":
            return "ORIG_HEAD", "HEAD"
        case _:
            return None


def _projects_of(paths: Iterable[str]) -> list[str]:
    """Return the folders of projects of which a file is among the paths, sorted."""
    found = set()
    for path in map(PurePosixPath, paths):
        if path.name in {MANIFEST, LOCKFILE}:
            found.add(path.parent)
        elif PARTS in path.parts:
            found.add(PurePosixPath(*path.parts[: path.parts.index(PARTS)]))
    return sorted("" if folder == PurePosixPath() else str(folder) for folder in found)


def _inside(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _text_of(path: Path) -> str | None:
    """Return the text of a hook, however it is encoded; ``None`` if there is none."""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        # A link that leads nowhere is somebody's, too.
        return "" if path.is_symlink() else None
    except OSError as error:
        message = f"`{path}` cannot be read: {error.strerror}"
        raise WorkspaceError(message) from error
