"""Say what this machine can do for this project, and what stands in the way."""

from __future__ import annotations

import platform
import stat
import sys
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.cache.layout import CacheLayout
from artlock.errors import (
    EXIT_INCOMPLETE,
    EXIT_OK,
    ArtlockError,
    GitError,
    ObjectNotFoundError,
    StoreUnavailableError,
    WorkspaceError,
)
from artlock.fs.problems import raising
from artlock.fs.root import Root
from artlock.fs.space import free_space
from artlock.fs.walk import stat_many
from artlock.gitio.repository import is_ignored, is_tracked, repository_root
from artlock.gitio.trees import is_merged_by
from artlock.model.secrets import redact, secrets_of
from artlock.ops.names import LOCKFILE, MANIFEST, PARTS, STATE
from artlock.ops.placements import placements_of
from artlock.ops.sources import Sources
from artlock.ops.trackers import Trackers, registry_path
from artlock.ops.trusting import refuse_foreign, trust_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from artlock.model.manifest import Artifact
    from artlock.ops.project import Project
    from artlock.ops.runtime import Runtime


class Health(StrEnum):
    """How well something is."""

    OK = "ok"
    NOTE = "note"
    FAIL = "fail"


class Diagnosis(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        subject: What: ``cache``, ``git``, or an artifact's name.
        text: What was found.
        hint: The next deed, or ``None``.
    """

    health: Health
    subject: str
    text: str
    hint: str | None = None


def exit_code_of(diagnoses: tuple[Diagnosis, ...]) -> int:
    """Return 3 if something failed, else 0."""
    failed = any(d.health is Health.FAIL for d in diagnoses)
    return EXIT_INCOMPLETE if failed else EXIT_OK


def diagnose(runtime: Runtime, project: Project | None) -> tuple[Diagnosis, ...]:
    """Look at the machine, and at the project if there is one.

    Sources are asked for one object each; no bytes of objects are read, nothing is written
    but the cache's folder.
    """
    looks: list[Callable[[], Iterator[Diagnosis]]] = [
        lambda: _machine(runtime),
        lambda: _registry(runtime),
    ]
    if project is not None:
        here = project
        looks += [lambda: _git(here), lambda: _trust(here)]
        looks += [lambda: _links(here), lambda: _sources(here)]
    found: list[Diagnosis] = []
    for look in looks:
        try:
            found += look()
        except ArtlockError as error:
            found.append(_failure(error.code, error))
    secrets = secrets_of(runtime.environ)
    return tuple(replace(one, text=redact(one.text, secrets)) for one in found)


def _failure(subject: str, error: ArtlockError) -> Diagnosis:
    # What speaks here is the doctor itself.
    again = error.hint == StoreUnavailableError.TRY_AGAIN
    hint = "try again" if again else error.hint
    return Diagnosis(Health.FAIL, subject, error.message, hint)


def _machine(runtime: Runtime) -> Iterator[Diagnosis]:
    python = f"Python {platform.python_version()} on {sys.platform}"
    yield Diagnosis(Health.OK, "python", python)
    CacheLayout(runtime.cache_root).prepare()
    free = free_space(runtime.cache_root).size
    yield Diagnosis(Health.OK, "cache", f"{runtime.cache_root}: {free / 1e9:.1f} GB free")
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "STORAGE_EMULATOR_HOST"):
        if runtime.environ.get(name):
            text = f"requests are sent to `{runtime.environ[name]}`"
            yield Diagnosis(Health.NOTE, name, text)


def _registry(runtime: Runtime) -> Iterator[Diagnosis]:
    """Look at the user's own registry, if anything was ever pushed."""
    path = registry_path(runtime.environ)
    if not path.exists():
        return
    with Trackers(runtime, runtime.directory.absolute()) as trackers:
        names = len(trackers.local().names())
        left = trackers.outbox().waiting()
    text = f"{path}: {names:,} names"
    if not left:
        yield Diagnosis(Health.OK, "registry", f"{text}, nothing waits to be sent")
        return
    hint = "`artlock push --outbox` sends it; with `--dry-run` it says why it waits"
    text = f"{text}, {len(left):,} in the outbox"
    yield Diagnosis(Health.NOTE, "registry", text, hint)


def _git(project: Project) -> Iterator[Diagnosis]:
    try:
        root = repository_root(project.root)
    except GitError as error:
        # Only `diff` needs git, and git in this folder.
        yield Diagnosis(Health.NOTE, "git", error.message, error.hint)
        return
    if root is None:
        text = "the project is in no git repository"
        yield Diagnosis(Health.NOTE, "git", text, "run `git init`")
        return
    yield Diagnosis(Health.OK, "git", f"repository at {root}")
    for name in (MANIFEST, LOCKFILE, PARTS):
        path = (project.root / name).relative_to(root).as_posix()
        if (project.root / name).exists() and not is_tracked(root, path):
            hint = f"run `git add {name}`"
            yield Diagnosis(Health.NOTE, "git", f"`{name}` is not in git", hint)
    if (project.root / PARTS).exists():
        part = (project.root / PARTS / "x").relative_to(root).as_posix()
        if not is_merged_by(root, [part], "artlock"):
            text = f"`.gitattributes` does not say how git is to treat `{PARTS}/`"
            yield Diagnosis(Health.NOTE, "git", text, "run `artlock git install`")
    state = (project.root / STATE / "x").relative_to(root).as_posix()
    if not is_ignored(root, state):
        text = f"`{STATE}/` is not ignored by git"
        yield Diagnosis(Health.NOTE, "git", text, f"add `/{STATE}/` to .gitignore")


def _trust(project: Project) -> Iterator[Diagnosis]:
    report = trust_report(project)
    covered = report.trusted or len(report.by_environment) == len(report.settings)
    if not report.settings:
        return
    if covered:
        yield Diagnosis(Health.OK, "trust", "endpoints and identities are trusted")
    else:
        text = "settings of artifacts.toml are not trusted, and so not in force"
        yield Diagnosis(Health.NOTE, "trust", text, "run `artlock trust`")


def _links(project: Project) -> Iterator[Diagnosis]:
    """Find files that are links to blobs which are not there any more (hazard 2.19)."""
    if project.lock_files.frame() is None:
        return
    lock = project.read_lockfile()
    placements = placements_of(project, lock, project.manifest.artifacts)
    targets = [placement.target for placement in placements]
    with (
        raising(WorkspaceError, "cannot look at the workspace"),
        Root(project.root) as root,
    ):
        links = [
            target
            for target, found in zip(targets, stat_many(root, targets), strict=True)
            if found is not None and stat.S_ISLNK(found.st_mode)
        ]
        dangling = [t for t in links if not (project.root / t).exists()]
    if dangling:
        more = f", and {len(dangling) - 1} more" if len(dangling) > 1 else ""
        text = f"`{dangling[0]}` is a link that leads nowhere{more}"
        yield Diagnosis(Health.FAIL, "workspace", text, "run `artlock sync`")


def _sources(project: Project) -> Iterator[Diagnosis]:
    refuse_foreign(project)
    with Sources(project) as sources:
        for artifact in project.manifest.artifacts:
            if artifact.is_link:
                text = f"link to `{artifact.uri}`"
                yield Diagnosis(Health.OK, artifact.name, text)
                continue
            try:
                yield _source(sources, artifact)
            except ArtlockError as error:
                yield _failure(artifact.name, error)


def _source(sources: Sources, artifact: Artifact) -> Diagnosis:
    store = sources.store(artifact)
    at = f"`{artifact.uri}` ({store.identity})"
    if not artifact.uri.is_tree:
        try:
            store.head(artifact.uri)
        except ObjectNotFoundError:
            if artifact.uri.scheme in {"http", "https"}:
                raise
        else:
            return Diagnosis(Health.OK, artifact.name, f"{at} can be read about")
    if next(islice(store.scan(artifact.uri.as_tree()), 1), None) is None:
        return Diagnosis(Health.FAIL, artifact.name, f"{at} holds nothing")
    return Diagnosis(Health.OK, artifact.name, f"{at} can be listed")
