"""Make the workspace what the lockfile says: plan, fetch, materialize, remove."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from artlock.errors import CacheError, StaleLockfileError, WorkspaceError
from artlock.fs.problems import raising
from artlock.model.plan import SyncPlan
from artlock.ops.memory import load_index, settled
from artlock.ops.project import stale_reasons
from artlock.ops.sources import Sources
from artlock.ops.sync_values import SyncOptions, SyncReport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from artlock.fs.root import Root
    from artlock.model.lock import Lockfile
    from artlock.model.manifest import Artifact
    from artlock.model.plan import FileState
    from artlock.ops.project import Project
    from artlock.ops.sync_run import SyncRun
    from artlock.ops.vault import Vault

__all__ = [
    "SyncOptions",
    "SyncReport",
    "prepared",
    "settled_report",
    "survey_only",
    "sync",
]

Run = TypeVar("Run", bound="SyncRun")


def sync(
    project: Project, names: Sequence[str] = (), options: SyncOptions | None = None
) -> SyncReport:
    """Make the workspace what the lockfile says; the lockfile is only read.

    In two phases: first every missing byte comes into the cache and is verified, then the
    workspace is touched. If anything fails in the first, the workspace is as it was and the
    cache keeps what was verified. A run that was killed at any moment is completed by the
    next one.

    Args:
        project: The manifest and where it lies.
        names: Only these artifacts; all if empty.
        options: What a person may choose.

    Raises:
        StaleLockfileError: The lockfile does not answer the manifest.
        ConflictError: Files that a person changed would be lost; nothing was written.
        ManyErrors: Several objects could not be fetched; the workspace is as it was.
        IntegrityError: An object is not what was locked; the workspace is as it was.
        StoreError: An object could not be fetched; the workspace is as it was.
        WorkspaceError: The workspace cannot be written.
        CacheError: The cache cannot be written.
    """
    options = options or SyncOptions()
    if not (names or options.groups or options.exact) and (
        known := settled_report(project)
    ):
        if options.write:
            _stay_known(project)
        return known
    from artlock.ops.sync_run import SyncRun  # noqa: PLC0415 - not for one with nothing to do

    with prepared(SyncRun, project, names, options) as run:
        report = run.report()
        return run.carry_out(report) if options.write else run.estimated(report)


def settled_report(project: Project) -> SyncReport | None:
    """Return the report of a sync that certainly has nothing to do."""
    with Sources(project) as sources, project.files() as root:
        counts = settled(project, sources, root, load_index(project))
    if counts is None:
        return None
    return SyncReport(
        plan=SyncPlan.nothing_for(counts.files),
        artifacts=counts.artifacts,
        links=counts.links,
        weak=counts.weak,
    )


def _stay_known(project: Project) -> None:
    """Tell the cache of a project that has nothing to do: it may have forgotten it."""
    from artlock.cache.layout import CacheLayout  # noqa: PLC0415 - not for `status`
    from artlock.cache.projects import register, remember_needs  # noqa: PLC0415 - likewise

    layout = CacheLayout(project.runtime.cache_root)
    if not layout.home.is_dir():
        return
    with suppress(CacheError):  # whoever uses the cache says what is wrong with it
        layout.prepare()  # or refused, if others could have put something there
        if register(layout, project.root):
            # Of a settled workspace the index has every file.
            remember_needs(layout, project.root, load_index(project).digests())


def survey_only(
    project: Project, names: Sequence[str], options: SyncOptions
) -> tuple[SyncPlan, Mapping[str, FileState]]:
    """Return what a sync would do, and what stands at each target; nothing is written."""
    from artlock.ops.sync_run import SyncRun  # noqa: PLC0415 - not for one with nothing to do

    with prepared(SyncRun, project, names, options) as run:
        return run.report().plan, run.states


@contextmanager
def prepared(
    kind: type[Run], project: Project, names: Sequence[str], options: SyncOptions
) -> Iterator[Run]:
    """Open what a run needs, and hold the mutexes of workspace and cache if it writes.

    Raises:
        ArtlockError: As ``sync``, before anything is written.
    """
    # Not for a sync that has nothing to do, which is not to load them.
    from artlock.cache.projects import (  # noqa: PLC0415 - see above
        needs_of,
        register,
        remember_needs,
    )
    from artlock.formats.lockfile import parse_lockfile  # noqa: PLC0415 - see above
    from artlock.ops.placements import (  # noqa: PLC0415 - see above
        placements_of,
        refuse_overlap,
    )
    from artlock.ops.sync_run import locked_digests  # noqa: PLC0415 - see above
    from artlock.ops.vault import Vault  # noqa: PLC0415 - see above

    saved: Sequence[str] = ()
    # Opening the cache may make it, and that is to be in nobody's place.
    for artifact in project.chosen(names, options.groups):
        refuse_overlap(project, artifact)
    with ExitStack() as stack:
        vault = stack.enter_context(Vault.open(project.runtime))
        if options.write:
            # Shared: it keeps `gc` from removing what this run counts on. Everybody takes
            # the mutex of the cache first, so that no two wait for each other.
            stack.enter_context(vault.layout.mutex(purpose="sync"))
            stack.enter_context(project.mutex("sync"))
        # Read once, and not before the mutex is held: another command may be writing it.
        text = project.locked_text()
        lock = parse_lockfile(text.data)
        artifacts = _to_sync(project, lock, names, options)
        placements = placements_of(project, lock, artifacts)
        root = stack.enter_context(project.files())
        if options.write:
            register(vault.layout, project.root)
            # Before anything is fetched: this run may be killed, and its folder unmounted.
            before = needs_of(vault.layout, project.root) or frozenset()
            remember_needs(vault.layout, project.root, before | locked_digests(lock))
            saved = _sweep(vault, root)
        sources = stack.enter_context(Sources(project))
        yield kind(
            project,
            lock,
            vault,
            root,
            sources,
            options,
            artifacts=artifacts,
            placements=placements,
            lockfile_key=text.key,
            whole=not names and not options.groups,
            saved=saved,
        )


def _sweep(vault: Vault, root: Root) -> list[str]:
    """Remove what runs that were killed left behind, in the cache and in the workspace.

    Returns:
        Paths of files among it that a person saved.
    """
    from artlock.cache.sweep import sweep  # noqa: PLC0415 - not for a sync with nothing to do

    now_s = time.time()
    sweep(vault.layout, now_s=now_s)
    with raising(WorkspaceError, "cannot remove what an earlier run left"):
        return root.staging.sweep(now_s)


def _to_sync(
    project: Project, lock: Lockfile, names: Sequence[str], options: SyncOptions
) -> list[Artifact]:
    from artlock.ops.policy import refuse_outside  # noqa: PLC0415 - as in `prepared`

    stale = stale_reasons(project.manifest, lock)
    if stale and not options.frozen:
        first, why = stale[0]
        more = f", and {len(stale) - 1} more" if len(stale) > 1 else ""
        message = f"`artifacts.lock` is stale: `{first}` is {why}{more}"
        raise StaleLockfileError(
            message,
            hint="run `artlock resolve`, or sync what is locked with `--frozen`",
        )
    chosen = [a for a in project.chosen(names, options.groups) if lock.get(a.name)]
    refuse_outside(project.manifest.policy, lock, chosen)
    return chosen
