"""The registry as a tracker: names, versions, labels, runs and the locks themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from artlock.errors import ConfigError, RefNotFoundError, RegistrationRefusedError
from artlock.model.lock import MAX_SIZE
from artlock.model.refs import LATEST, MAX_NUMBER, Ref, problem_with_registered_name
from artlock.model.registration import Labels, Lineage, Outcome, Provenance
from artlock.tracking.registry.failures import OvertakenError
from artlock.tracking.registry.outbox import Outbox
from artlock.tracking.registry.runs import Role, record_edge, runs_of
from artlock.tracking.registry.snapshots import (
    Snapshots,
    TextError,
    is_whole,
    prepare_snapshot,
    store_snapshot,
)
from artlock.tracking.registry.survey import problems_of
from artlock.tracking.registry.texts import (
    ODD,
    problem_with_keys,
    problem_with_text,
    words_of,
)
from artlock.tracking.registry.versions import (
    artifact_of,
    attach,
    has_labels,
    held_artifact,
    insert_version,
    names_with_versions,
    newest_digest,
    newest_number,
    number_of_alias,
    number_of_digest,
    version_of,
    versions_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from artlock.model.registration import Registration, Run, TrackerVersion
    from artlock.tracking.registry.database import Database
    from artlock.tracking.registry.snapshots import NewSnapshot

_TRIES = 5
"""How often a registration is begun anew if others write the same at that moment."""


class Registry:
    """artlock's own tracker; holds to ``artlock.tracking.base.Tracker``.

    A registration is one transaction: whoever is killed leaves all of it or nothing. A
    file that is not there is an empty registry, and only writing makes it.

    Args:
        database: Connects when it is first used; closed by ``close``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def url(self) -> str:
        """Where it is, for people."""
        return self._database.url

    @property
    def outbox(self) -> Outbox:
        """The outbox in the same database, over the same connection."""
        return Outbox(self._database)

    def register(self, registration: Registration) -> Outcome:
        """Register a lock; see ``Tracker.register``.

        A run that is given is noted as one that made the version, also where the version
        was there. What is damaged of a lock that is there is stored again.

        Raises:
            IntegrityError: What is damaged cannot be mended by storing it again.
        """
        self._check(registration)
        for _ in range(_TRIES - 1):
            try:
                return self._register(registration)
            except OvertakenError:
                continue  # what the other wrote is there now
        return self._register(registration)

    def names(self) -> Sequence[str]:
        """Return the names that have a version, sorted."""
        if self._database.is_absent:
            return []
        with self._database.reading() as connection:
            return sorted(names_with_versions(connection))

    def versions(self, name: str, *, limit: int | None = None) -> Sequence[TrackerVersion]:
        """Return the versions of a name, the newest first; see ``Tracker.versions``.

        Raises:
            ConfigError: ``limit`` is negative.
        """
        ref = Ref(name=name)
        if limit is not None and limit < 0:
            message = f"`{limit}` versions cannot be shown"
            raise ConfigError(message, hint="give a number from 0 on")
        if limit is not None:
            limit = min(limit, MAX_NUMBER)
        if self._database.is_absent or ODD.search(name):
            raise self._not_found(ref)
        with self._database.reading() as connection:
            artifact = self._artifact(connection, ref)
            return versions_of(self._database, connection, artifact, name, limit)

    def find(self, ref: Ref) -> TrackerVersion:
        """Return the version that a ref names; see ``Tracker.find``."""
        if self._database.is_absent or ODD.search(f"{ref.name}{ref.alias}"):
            raise self._not_found(ref)
        with self._database.reading() as connection:
            artifact = self._artifact(connection, ref)
            if ref.number is not None:
                # There is none beyond, and databases have an end to integers.
                number = ref.number if 0 < ref.number <= MAX_NUMBER else None
            elif ref.alias in {None, LATEST}:
                number = newest_number(connection, artifact)
            else:
                number = number_of_alias(connection, artifact, ref.alias or "")
            found = None
            if number is not None:
                found = version_of(self._database, connection, artifact, ref.name, number)
            if found is None:
                raise self._not_found(ref, name_is_there=True)
            return found

    def fetch(self, version: TrackerVersion) -> bytes:
        """Return the canonical text of a version's lock.

        Raises:
            RefNotFoundError: There is no such version.
            IntegrityError: What is there is damaged; never wrong text.
        """
        self._refuse_absent(version)
        with self._database.reading() as connection:
            self._known(connection, version)
            return Snapshots(connection, self.url).text(version.digest)

    def record_input(self, version: TrackerVersion, run: Run) -> None:
        """Record that a run used a version; a second time changes nothing.

        Raises:
            RefNotFoundError: There is no such version.
        """
        self._refuse_absent(version)
        self._refuse_odd_text(Provenance(time=""), Labels(), run)
        with self._database.reading() as connection:
            artifact = self._known(connection, version)
            if run in runs_of(connection, artifact, version.number, Role.CONSUMED):
                return
        with self._database.writing() as connection:
            record_edge(
                self._database,
                connection,
                artifact=artifact,
                number=version.number,
                role=Role.CONSUMED,
                run=run,
                time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            )

    def lineage(self, version: TrackerVersion) -> Lineage:
        """Return who made and who used a version.

        Raises:
            RefNotFoundError: There is no such version.
        """
        self._refuse_absent(version)
        with self._database.reading() as connection:
            artifact = self._known(connection, version)
            return Lineage(
                version=version,
                produced=runs_of(connection, artifact, version.number, Role.PRODUCED),
                consumed=runs_of(connection, artifact, version.number, Role.CONSUMED),
            )

    def verify(self) -> Sequence[str]:
        """Read everything, and return what is not as it should be; nothing is changed.

        Each lock is read back and held against its digest, so this takes as long as
        fetching all versions.

        Returns:
            One phrase a problem; none if all is well, or if there is no registry.
        """
        if self._database.is_absent:
            return []
        with self._database.reading() as connection:
            return list(problems_of(connection, self.url))

    def close(self) -> None:
        """Give back the connection; may be called twice."""
        self._database.close()

    def _register(self, registration: Registration) -> Outcome:
        prepared = self._prepared(registration)
        if isinstance(prepared, Outcome):
            return prepared
        with self._database.writing() as connection:
            artifact = held_artifact(self._database, connection, registration.name)
            # Again, now that nobody else can give a number.
            number = number_of_digest(connection, artifact, registration.digest)
            created = number is None
            if prepared is not None:  # also where it is registered, and damaged
                store_snapshot(self._database, connection, prepared)
            if number is None:
                number = (newest_number(connection, artifact) or 0) + 1
                insert_version(connection, artifact, number, registration)
            attach(self._database, connection, artifact, number, registration.labels)
            if registration.run is not None:
                record_edge(
                    self._database,
                    connection,
                    artifact=artifact,
                    number=number,
                    role=Role.PRODUCED,
                    run=registration.run,
                    time=registration.provenance.time,
                )
        version = self.find(Ref(name=registration.name, number=number))
        return Outcome(version=version, created=created)

    def _prepared(self, registration: Registration) -> NewSnapshot | Outcome | None:
        """Do what needs no transaction.

        Returns:
            The snapshot to be stored; ``None`` if it is there and whole; the outcome if
            there is nothing to do at all, so that nothing is written.
        """
        with self._database.reading() as connection:
            digest = registration.digest
            is_there = is_whole(connection, url=self.url, digest=digest)
            artifact = artifact_of(connection, registration.name)
            number = (
                None if artifact is None else number_of_digest(connection, artifact, digest)
            )
            if artifact is not None and number is not None and is_there:
                version = version_of(
                    self._database, connection, artifact, registration.name, number
                )
                run = registration.run
                if (
                    version is not None
                    and has_labels(version, registration.labels)
                    and (
                        run is None
                        or run in runs_of(connection, artifact, number, Role.PRODUCED)
                    )
                ):
                    return Outcome(version=version, created=False)
            if is_there:
                return None
            try:
                return prepare_snapshot(
                    connection,
                    url=self.url,
                    digest=digest,
                    text=registration.text,
                    like=newest_digest(connection, registration.name),
                )
            except TextError as error:
                raise self._refused(str(error)) from error

    def _check(self, registration: Registration) -> None:
        """Refuse what the tables cannot hold."""
        if problem := problem_with_registered_name(registration.name):
            reason = f"`{registration.name}` {problem}"
            raise self._refused(reason)
        if registration.lock.size > MAX_SIZE:
            reason = "all objects together have more than 2^63 - 1 bytes"
            raise self._refused(reason)
        self._refuse_odd_text(
            registration.provenance, registration.labels, registration.run
        )

    def _refuse_odd_text(
        self, provenance: Provenance, labels: Labels, run: Run | None
    ) -> None:
        problem = problem_with_text(*words_of(provenance, labels, run))
        if problem := problem or problem_with_keys(labels, run):
            raise self._refused(problem)

    def _refused(self, reason: str) -> RegistrationRefusedError:
        return RegistrationRefusedError(
            f"the registry cannot take this: {reason}", tracker=self.url
        )

    def _artifact(self, connection: Connection, ref: Ref) -> int:
        artifact = artifact_of(connection, ref.name)
        if artifact is None:
            raise self._not_found(ref)
        return artifact

    def _known(self, connection: Connection, version: TrackerVersion) -> int:
        """Return the key of a version's name; the version is there with that digest."""
        ref = Ref(name=version.name, number=version.number)
        artifact = self._artifact(connection, ref)
        if number_of_digest(connection, artifact, version.digest) != version.number:
            raise self._not_found(ref, name_is_there=True)
        return artifact

    def _refuse_absent(self, version: TrackerVersion) -> None:
        if self._database.is_absent or ODD.search(f"{version.name}{version.digest}"):
            raise self._not_found(Ref(name=version.name, number=version.number))

    def _not_found(self, ref: Ref, *, name_is_there: bool = False) -> RefNotFoundError:
        hint = (
            f"`artlock versions {ref.name}` shows what there is"
            if name_is_there
            else "`artlock versions` shows what there is"
        )
        message = f"the registry `{self.url}` has no `{ref}`"
        return RefNotFoundError(message, ref=str(ref), hint=hint)
