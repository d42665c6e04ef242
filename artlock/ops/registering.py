"""From a project's lockfile to what is sent to trackers; it is judged here, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.errors import ConfigError, LockfileError, PolicyError, StaleLockfileError
from artlock.formats.lockfile import format_lockfile, read_lockfile
from artlock.model.refs import problem_with_label, problem_with_registered_name
from artlock.model.registration import Labels, Registration, Run, lock_digest
from artlock.model.secrets import is_secret_parameter, redact
from artlock.model.tally import Tally
from artlock.ops.names import LOCKFILE, MANIFEST
from artlock.ops.policy import problems_with_rows, refuse_outside
from artlock.ops.project import stale_reasons
from artlock.ops.provenance import provenance_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artlock.model.lock import Lockfile
    from artlock.model.registration import Provenance
    from artlock.ops.project import Project

_RUN_VARIABLES = (
    ("COMET_EXPERIMENT_KEY", "comet"),
    ("MLFLOW_RUN_ID", "mlflow"),
    ("WANDB_RUN_ID", "wandb"),
)
"""What a tracker sets where one of its runs is going on, and its name."""
_MOST_RUN = 200
_MOST_META = 2000
"""Characters of a run's name, and of the text of one key of metadata."""


class PushOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may choose.

    Attributes:
        to: Names or URLs of trackers; without any all that are named.
        each: Register every artifact by itself.
        labels: Attached to what is registered.
        run: What made the data; ``None`` means what the environment says.
        allow_dirty: Also what is not committed.
    """

    to: tuple[str, ...] = ()
    each: bool = False
    labels: Labels = Labels()
    run: str | None = None
    allow_dirty: bool = False


def registrations_of(project: Project, options: PushOptions) -> list[Registration]:
    """Return what a project's lockfile registers: one, or one for each artifact.

    Raises:
        StaleLockfileError: The lockfile does not answer the manifest.
        DirtyLockfileError: It is not what git has committed.
        LockfileError: There is none, it is not valid, or not as artlock writes it.
        PolicyError: A row falls short of ``[policy]``, or an unsafe path.
        ConfigError: A name or a label is none.
    """
    _check_labels(options.labels)
    text = project.locked_text().data
    reading = read_lockfile(text)
    if not reading.is_canonical:
        message = f"`{LOCKFILE}` is not as artlock writes it"
        raise LockfileError(message, hint="run `artlock fmt`, and commit what it wrote")
    _refuse_stale(project, reading.lock)
    _refuse_below_policy(project, reading.lock)
    provenance = provenance_of(project, allow_dirty=options.allow_dirty)
    run = run_of(project.runtime.environ, options.run)
    if not options.each:
        name = _whole_name(project)
        return [_registration(name, reading.lock, text, options, provenance, run)]
    for artifact in reading.lock.artifacts:
        if problem := problem_with_registered_name(artifact.name):
            message = f"`{artifact.name[:80]}` {problem}"
            raise ConfigError(message, hint="give the artifact another name")
    alone = [replace(reading.lock, artifacts=(a,)) for a in reading.lock.artifacts]
    return [
        _registration(
            lock.artifacts[0].name, lock, format_lockfile(lock), options, provenance, run
        )
        for lock in alone
    ]


def run_of(environ: Mapping[str, str], told: str | None) -> Run | None:
    """Return the run that is named, or that a tracker's own variable names, or ``None``.

    A named one may say whose it is: ``comet:KEY``, ``mlflow:ID``, ``wandb:ID``.

    Raises:
        ConfigError: It is no name.
    """
    if told is None:
        found = next(
            (
                Run(id=environ[variable], service=service)
                for variable, service in _RUN_VARIABLES
                if environ.get(variable)
            ),
            None,
        )
        return None if found is None else _checked(found)
    service, colon, name = told.partition(":")
    is_ones = bool(colon) and service in {service for _, service in _RUN_VARIABLES}
    return _checked(Run(id=name, service=service) if is_ones else Run(id=told))


def _checked(run: Run) -> Run:
    if not run.id.strip() or not run.id.isprintable() or len(run.id) > _MOST_RUN:
        message = f"`{run.id[:80]!a}` names no run"
        raise ConfigError(message, hint="give what your tracker or scheduler calls it")
    return run


def _check_labels(labels: Labels) -> None:
    for what, given in (("alias", labels.aliases), ("tag", labels.tags)):
        for label in given:
            if problem := problem_with_label(label):
                message = f"`{label}` can be no {what}: {problem}"
                raise ConfigError(message)
    for key, text in labels.meta:
        if problem := problem_with_label(key, reserved=()):
            message = f"`{key}` can be no key of metadata: {problem}"
            raise ConfigError(message)
        if "\0" in text or not _is_unicode(text):
            message = f"metadata `{key}` has a character that is none"
            raise ConfigError(message)
        if len(text) > _MOST_META:
            message = f"metadata `{key}` has {len(text):,} characters; {_MOST_META:,} fit"
            raise ConfigError(message)
        if is_secret_parameter(key) or redact(text) != text:
            message = f"metadata `{key}` looks like a credential"
            raise PolicyError(message, hint="what is registered is seen by others")


def _is_unicode(text: str) -> bool:
    """Tell whether a text has no half of a pair, as bytes that are no UTF-8 become."""
    return text == text.encode("utf-8", "replace").decode("utf-8")


def _refuse_stale(project: Project, lock: Lockfile) -> None:
    stale = stale_reasons(project.manifest, lock)
    if stale:
        first, why = stale[0]
        more = f", and {len(stale) - 1} more" if len(stale) > 1 else ""
        message = f"`{LOCKFILE}` is stale: `{first}` is {why}{more}"
        raise StaleLockfileError(message, hint="run `artlock resolve`, and commit")


def _refuse_below_policy(project: Project, lock: Lockfile) -> None:
    policy = project.manifest.policy
    refuse_outside(policy, lock, project.manifest.artifacts)
    for locked in lock.artifacts:
        for short in problems_with_rows(policy, locked, Tally.of(locked.objects)):
            raise PolicyError(short.text, hint=short.hint)


def _whole_name(project: Project) -> str:
    name = project.manifest.name
    if name is not None:
        return name
    folder = project.root.name
    if problem := problem_with_registered_name(folder):
        message = f"the folder's name `{folder}` {problem}"
        raise ConfigError(message, hint=f"set `name` in `[artlock]` of `{MANIFEST}`")
    return folder


def _registration(
    name: str,
    lock: Lockfile,
    text: bytes,
    options: PushOptions,
    provenance: Provenance,
    run: Run | None,
) -> Registration:
    return Registration(
        name=name,
        digest=lock_digest(text),
        lock=lock,
        text=text,
        each=options.each,
        trust=lock.trust,
        provenance=provenance,
        labels=options.labels,
        run=run,
    )
