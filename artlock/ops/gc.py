"""Drop what no project needs from the cache; ``cache prune`` is the same with one scope."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from artlock.cache.collect import (
    GRACE_S,
    Choice,
    choose,
    delete,
    discard,
    discarded,
    missed,
    old_in_quarantine,
    put_back,
    size_of,
)
from artlock.cache.evidence import clear_evidence
from artlock.cache.projects import forget, known_projects
from artlock.cache.sweep import sweep
from artlock.errors import CacheError, ConfigError
from artlock.ops.roots import Keep, Roots, find_roots, note_roots
from artlock.ops.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from artlock.ops.runtime import Runtime


class GcOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may choose.

    Attributes:
        keep: Whose needs count.
        max_size: Stop as soon as the blobs take no more bytes; ``None`` removes all that
            may go.
        grace_s: What was used so lately stays.
        forget: Folders of projects that count no more.
        quarantine: Also remove damaged blobs that were put aside before the grace.
        dry_run: Only tell.
        alone: Nobody else uses the cache; asked for where mutexes keep nobody away.
    """

    keep: Keep = Keep.WORKSPACES
    max_size: int | None = None
    grace_s: float = GRACE_S
    forget: Sequence[Path] = ()
    quarantine: bool = False
    dry_run: bool = False
    alone: bool = False


class GcReport(msgspec.Struct, frozen=True, kw_only=True):
    """What went, or would go.

    Attributes:
        choice: The blobs.
        swept: Bytes that ended processes had left, and remains of interrupted removals.
        quarantined: Damaged blobs that went.
        quarantine_size: Their bytes.
        forgotten: Projects that count no more.
    """

    choice: Choice
    swept: int
    quarantined: int = 0
    quarantine_size: int = 0
    roots: Roots
    forgotten: tuple[Path, ...] = msgspec.field(default=())

    @property
    def size(self) -> int:
        """All bytes that went."""
        return self.choice.size + self.swept + self.quarantine_size


def collect(runtime: Runtime, options: GcOptions) -> GcReport:
    """Remove the blobs that nobody needs, and what dead processes left.

    With ``dry_run`` nothing is changed, and the report is that of a run at this moment.

    May be killed at any moment: a blob is there, or on its way out, where the next run
    finds it. Syncs that run meanwhile are waited for; those that begin wait until blobs are
    out of the way, not until they are deleted. A blob that does not look as it did when it
    was last hashed is read before it goes, and they wait for that too.

    Raises:
        CacheError: The cache cannot be read or written; or nobody knows what a project
            needs; or nothing keeps other processes away. No blob was removed.
        ConfigError: A project to forget is not known.
        GitError: git is needed, and cannot tell what older lockfiles there are.
        WorkspaceError: Somebody else did not let the mutex go.
    """
    now_s = time.time()
    with Vault.open(runtime) as vault:
        layout = vault.layout
        forgotten = _to_forget(vault, options)

        def find() -> Roots:
            return find_roots(
                vault, runtime, options.keep, now_s=now_s, forgotten=forgotten
            )

        with layout.mutex(purpose="gc", shared=options.dry_run) as mutex:
            if not (options.dry_run or options.alone or mutex.excludes()):
                message = (
                    f"nothing keeps other processes away from the cache `{layout.root}`: "
                    "mutexes do not work on its file system"
                )
                raise CacheError(
                    message, hint="when nobody else uses the cache, say so: `--alone`"
                )
            roots = find()
            choice = choose(
                layout,
                keep=roots.needed,
                now_s=now_s,
                max_size=options.max_size,
                grace_s=options.grace_s,
            )
            old = (
                old_in_quarantine(layout, now_s=now_s, grace_s=options.grace_s)
                if options.quarantine
                else []
            )
            # What somebody wrote into through a link is no blob, but their work: it is put
            # aside and stays (hazard 2.15).
            is_unwritten = partial(vault.blobs.is_unwritten, quarantine=not options.dry_run)
            choice = choice.sparing(is_unwritten)
            if not options.dry_run:
                discard(layout, choice.removed)
                # Once more: whoever is kept away by nothing may have begun meanwhile, and
                # a lockfile may be another one by now.
                choice = choice.without(put_back(layout, lambda: find().needed))
                note_roots(vault, roots)
                for path in forgotten:
                    forget(layout, path)
            remains = discarded(layout)
            if options.dry_run:
                back = missed(layout, remains, roots.needed).values()
                remains = [path for path in remains if path not in back]
        quarantine_size = size_of(old)
        swept = size_of(remains) - (0 if options.dry_run else choice.size)
        if not options.dry_run:
            vault.forget(blob.digest for blob in (*choice.removed, *choice.aside))
            delete([*remains, *old])
        swept += sweep(layout, now_s=now_s, dry_run=options.dry_run)
        swept += clear_evidence(layout, dry_run=options.dry_run)
    return GcReport(
        choice=choice,
        swept=swept,
        quarantined=len(old),
        quarantine_size=quarantine_size,
        roots=roots,
        forgotten=(*forgotten, *roots.gone),
    )


def _to_forget(vault: Vault, options: GcOptions) -> tuple[Path, ...]:
    """Return the known projects that are to be forgotten, by the paths they are known by.

    Raises:
        ConfigError: One is not known.
    """
    known = {project.path for project in known_projects(vault.layout)}
    found = []
    for path in options.forget:
        names = {path.absolute(), path.resolve()} & known
        if not names:
            message = f"no project in `{path}` is known to have used this cache"
            raise ConfigError(message, hint="`artlock gc --dry-run` lists those that are")
        found += sorted(names)
    return tuple(found)
