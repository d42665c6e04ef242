"""Write runs that ``wandb sync`` sends, where the user has set W&B's client to offline.

::

    WANDB_DIR, or the base folder/
        wandb/
            .gitignore                      `*`, where artlock made the folder
            offline-run-20261126_210000-artlock-5f3a…/
                run-artlock-5f3a….wandb     what is sent
                artlock.json                written last: the run is whole
            artlock/artifacts/staging/      the files that the run sends, unless
                                            WANDB_DATA_DIR says where

A run is named after its project, name and digest: so it is found again, and written once.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec
from blake3 import blake3

from artlock.errors import ConfigError, TrackerUnavailableError, TrackingError
from artlock.fs.atomic import replace_file
from artlock.model.registration import Labels, Outcome
from artlock.tracking.wandb.artifact import build
from artlock.tracking.wandb.client import Folders, open_client
from artlock.tracking.wandb.plan import check_limits, label_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artlock.model.lock import Lockfile
    from artlock.model.refs import Ref
    from artlock.model.registration import Lineage, Registration, Run, TrackerVersion
    from artlock.tracking.base import TrackerContext
    from artlock.tracking.wandb.client import Address

_JOB = "artlock-push"
_NOTE = "artlock.json"
_ID_LENGTH = 24


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """``artlock.json``: what a run that is whole has registered.

    Attributes:
        links: As in ``Outcome``; ``warnings`` too.
    """

    name: str
    digest: str
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    meta: tuple[tuple[str, str], ...] = ()
    links: int = 0
    warnings: tuple[str, ...] = ()


class OfflineWandb:
    """A project of W&B whose runs wait in a folder, as ``Tracker`` that only registers."""

    def __init__(self, address: Address, context: TrackerContext) -> None:
        self._address = address
        self._context = context
        environ = context.environ
        runs = context.base / environ.get("WANDB_DIR", "")
        data = environ.get("WANDB_DATA_DIR")
        self._folders = Folders(
            runs=runs,
            data=context.base / data if data else runs / "wandb" / "artlock",
            cache=context.scratch / "wandb" / "cache",
        )

    def register(self, registration: Registration) -> Outcome:
        """Write a run with the lock, or find that it is written; see ``Tracker.register``.

        Nothing is sent: the outcome has no version, but the command that sends it.
        """
        check_limits(registration, self._address.url)
        run_id = self._run_id(registration)
        found = self._written(run_id, registration)
        if found is not None:
            folder, note = found
            return Outcome(
                version=None,
                created=False,
                queued=_command(folder),
                links=note.links,
                warnings=(*note.warnings, *_lost(note, registration.labels)),
            )
        note = self._write(run_id, registration)
        written = self._written(run_id, registration)
        if written is None:
            message = f"`{self._folders.runs}` does not hold the run that was written there"
            raise TrackingError(message, tracker=self._address.url)
        return Outcome(
            version=None,
            created=True,
            queued=_command(written[0]),
            links=note.links,
            warnings=note.warnings,
        )

    def _write(self, run_id: str, registration: Registration) -> Note:
        labels = registration.labels
        label = label_of(registration.digest)
        before = self._runs(run_id)
        self._make_folder()
        with open_client(
            self._address, self._context, self._folders, offline=True
        ) as client:
            built = build(client.wandb, registration, self._context.scratch)
            run = client.start_run(run_id, job=_JOB, offline=True)
            run.log_artifact(
                built.artifact,
                aliases=[label, *labels.aliases],
                tags=[label, *labels.tags],
            )
            run.finish()
        note = Note(
            name=registration.name,
            digest=registration.digest,
            aliases=labels.aliases,
            tags=labels.tags,
            meta=labels.meta,
            links=built.links,
            warnings=built.warnings,
        )
        # Only now: the client's service has ended, and with it the run's last record.
        for folder in self._runs(run_id) - before:
            replace_file(folder / _NOTE, msgspec.json.encode(note))
        return note

    def _make_folder(self) -> None:
        """Make ``wandb/``, and let git ignore it; one that is there is left alone."""
        folder = self._folders.runs / "wandb"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            return
        except OSError as error:
            message = f"`{folder}`, for W&B's client, cannot be made: {error.strerror}"
            raise ConfigError(message) from error
        replace_file(folder / ".gitignore", b"*\n")

    def _run_id(self, registration: Registration) -> str:
        parts = (self._address.path(registration.name), registration.digest)
        digest = blake3("\n".join(parts).encode()).hexdigest()
        return f"artlock-{digest[:_ID_LENGTH]}"

    def _runs(self, run_id: str) -> set[Path]:
        """Return the folders of a run; those of a push that was killed are among them."""
        return set((self._folders.runs / "wandb").glob(f"offline-run-*-{run_id}"))

    def _written(self, run_id: str, registration: Registration) -> tuple[Path, Note] | None:
        for folder in sorted(self._runs(run_id)):
            try:
                note = msgspec.json.decode((folder / _NOTE).read_bytes(), type=Note)
            except (FileNotFoundError, msgspec.DecodeError):
                continue  # of a push that was killed: it is written again
            except OSError as error:
                message = f"`{folder}` cannot be read: {error.strerror}"
                raise TrackingError(message, tracker=self._address.url) from error
            if (note.name, note.digest) == (registration.name, registration.digest):
                return folder, note
        return None

    def names(self) -> Sequence[str]:
        """Raise: there is nobody to ask."""
        self._refuse()

    def versions(self, name: str, *, limit: int | None = None) -> Sequence[TrackerVersion]:
        """Raise: there is nobody to ask."""
        del name, limit
        self._refuse()

    def find(self, ref: Ref) -> TrackerVersion:
        """Raise: there is nobody to ask."""
        del ref
        self._refuse()

    def fetch(self, version: TrackerVersion) -> bytes | Lockfile:
        """Raise: there is nobody to ask."""
        del version
        self._refuse()

    def record_input(self, version: TrackerVersion, run: Run) -> None:
        """Raise: W&B's client cannot write that down."""
        del version, run
        self._refuse()

    def lineage(self, version: TrackerVersion) -> Lineage:
        """Raise: there is nobody to ask."""
        del version
        self._refuse()

    def close(self) -> None:
        """See ``Tracker.close``: every call has ended what it began."""

    def _refuse(self) -> NoReturn:
        message = f"`{self._address.url}` is not asked: `WANDB_MODE` says offline"
        raise TrackerUnavailableError(
            message, tracker=self._address.url, hint="unset `WANDB_MODE`"
        )


def _command(folder: Path) -> str:
    return f"wandb sync {shlex.quote(str(folder))}"


def _lost(note: Note, labels: Labels) -> tuple[str, ...]:
    """Say which labels a run that is written already will not bring."""
    lost = [
        *sorted({*labels.aliases, *labels.tags} - {*note.aliases, *note.tags}),
        *sorted(key for key, _ in set(labels.meta) - set(note.meta)),
    ]
    if not lost:
        return ()
    names = ", ".join(f"`{one}`" for one in lost)
    return (f"the run that waits was written without {names}; push again when online",)
