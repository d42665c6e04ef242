"""What the projects of this machine need of the cache: the roots of a collection.

A project needs what its lockfile locks, what lies in its workspace, and what it needed when
it was last synced. One that is not there, perhaps because its disk is not, still needs what
it needed then, for thirty days from when it was first missed (hazard 3.17).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from artlock.cache.pins import place_key
from artlock.cache.projects import forget, known_projects, needs_of, note_missed
from artlock.cache.statindex import WorkspaceIndex
from artlock.errors import ArtlockError, CacheError, GitError, LaterFormatError
from artlock.formats.lockfile import parse_lockfile
from artlock.gitio.repository import repository_root, versions_of
from artlock.model.digest import Digest
from artlock.model.lock import Lockfile
from artlock.ops.lockfiles import LockFiles
from artlock.ops.memory import index_path, index_secret
from artlock.ops.names import LOCKFILE, MANIFEST, STATE
from artlock.ops.past import parts_beside, text_of_version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from artlock.ops.runtime import Runtime
    from artlock.ops.vault import Vault

MISSED_S = 30 * 24 * 3600.0
"""How long a project that is not there counts."""


class Keep(StrEnum):
    """Whose needs count, beside those of the workspaces as they are.

    ``BRANCHES``: also what the lockfile locks at each branch and tag of their
    repositories. ``COMMITS``: at each commit that a branch or tag leads to.
    """

    WORKSPACES = "workspaces"
    BRANCHES = "branches"
    COMMITS = "commits"


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A project that is not there.

    Attributes:
        until_s: When it counts no more, in seconds since the epoch.
    """

    path: Path
    until_s: float


class Roots(msgspec.Struct, kw_only=True):
    """What is needed, and by whom.

    Attributes:
        needed: Digests of blobs.
        projects: That are there.
        missing: That are not, and still count.
        gone: That are not, and count no more.
        unreadable: Older lockfiles in git that cannot be read: what only they need is not
            known. Each with the reason.
    """

    needed: set[Digest] = msgspec.field(default_factory=set)
    projects: list[Path] = msgspec.field(default_factory=list)
    missing: list[Missing] = msgspec.field(default_factory=list)
    gone: list[Path] = msgspec.field(default_factory=list)
    unreadable: list[str] = msgspec.field(default_factory=list)


def find_roots(
    vault: Vault,
    runtime: Runtime,
    keep: Keep,
    *,
    now_s: float,
    forgotten: Collection[Path] = (),
) -> Roots:
    """Ask every known project what it needs; nothing is written.

    Args:
        vault: The cache.
        runtime: The machine's side.
        keep: Whose needs count.
        now_s: The time, in seconds since the epoch.
        forgotten: Projects that are passed over.

    Raises:
        CacheError: The cache cannot be read, or nobody knows what a project needs.
        GitError: git is needed, and cannot tell what older lockfiles there are.
    """
    roots = Roots()
    secret = index_secret(runtime.environ)
    for known in known_projects(vault.layout):
        path = known.path
        if path in forgotten:
            continue
        needed = needs_of(vault.layout, path)
        if not is_there(path):
            missed_s = now_s if known.missed_s is None else known.missed_s
            until_s = missed_s + MISSED_S
            if now_s >= until_s:
                roots.gone.append(path)
                continue
            if needed is None:
                message = (
                    f"the project `{path}` used this cache and is not there now, and "
                    "nobody knows what it needs"
                )
                raise CacheError(
                    message,
                    hint="bring it back, or let it be forgotten with `--forget-project`",
                )
            roots.missing.append(Missing(path=path, until_s=until_s))
        else:
            roots.projects.append(path)
            roots.needed.update(_locked(path, vault))
            index = WorkspaceIndex.load(index_path(path / STATE), secret=secret)
            roots.needed.update(map(Digest.blake3, index.digests()))
            if keep is not Keep.WORKSPACES:
                roots.needed.update(_in_git(path, vault, keep, roots))
        roots.needed.update(map(Digest.blake3, needed or ()))
    return roots


def note_roots(vault: Vault, roots: Roots) -> None:
    """Remember who was there and who was missed, and forget whom nobody has seen long.

    Raises:
        CacheError: The cache cannot be written.
    """
    for path in roots.projects:
        note_missed(vault.layout, path, is_there=True)
    for item in roots.missing:
        note_missed(vault.layout, item.path, is_there=False)
    for path in roots.gone:
        forget(vault.layout, path)


def is_there(project: Path) -> bool:
    """Tell whether a project is there: an empty folder may wait for its disk."""
    try:
        return (project / MANIFEST).is_file()
    except OSError:
        return False  # it cannot be looked at, so it cannot be asked


def _locked(root: Path, vault: Vault) -> Iterator[Digest]:
    try:
        text = LockFiles(root).text()
        lock = Lockfile() if text is None else parse_lockfile(text.data)
    except ArtlockError as error:
        message = f"`{root / LOCKFILE}` cannot be read, so nobody knows what it needs"
        raise CacheError(message, hint="mend it first (`artlock check`)") from error
    yield from _needed_by(lock, vault)


def _in_git(root: Path, vault: Vault, keep: Keep, roots: Roots) -> Iterator[Digest]:
    """Yield what older lockfiles of a project need; one in no repository has none."""
    top = repository_root(root)
    if top is None:
        broken = next((f for f in (root, *root.parents) if (f / ".git").exists()), None)
        if broken is not None:
            message = f"git does not take `{broken}` for a repository, and it has a `.git`"
            raise GitError(message, hint="mend it first (`git fsck`)")
        return
    path = (root.resolve() / LOCKFILE).relative_to(top).as_posix()
    label = f"{root / LOCKFILE}"
    parts = parts_beside(path)
    for version in versions_of(top, path, parts, every_commit=keep is Keep.COMMITS):
        try:
            # One commit may have the frame without its parts, and another have both.
            text = text_of_version(
                top, version.name, version.commits, path=path, name=label
            )
            lock = parse_lockfile(text.data, name=label)
        except LaterFormatError as error:
            message = (
                f"a later artlock wrote `{root / LOCKFILE}` at some commit, so nobody here "
                "knows what it needs"
            )
            raise CacheError(message, hint="upgrade artlock") from error
        except GitError:
            raise
        except ArtlockError as error:
            # Nobody can sync from it either.
            what = f"`{LOCKFILE}` of `{root}` as git object {version.name}"
            roots.unreadable.append(f"{what}: {error.message}")
            continue
        yield from _needed_by(lock, vault)


def _needed_by(lock: Lockfile, vault: Vault) -> Iterator[Digest]:
    keys: list[bytes] = []
    for artifact in lock.artifacts:
        named = [digest for row in artifact.objects if (digest := row.blake3) is not None]
        yield from named
        if len(named) < len(artifact.objects):
            rows = ((r, uri) for r, uri in artifact.uris() if not r.has_blake3)
            keys += [place_key(str(uri), row) for row, uri in rows]
    # What satisfied rows that name no blob. Also what somebody else says: it may be proven
    # later, and costs only room.
    for learnt in (vault.seen.get_many(keys), vault.seen.claims(keys)):
        yield from map(Digest.blake3, learnt.values())
