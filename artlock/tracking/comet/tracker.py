"""``Tracker`` over Comet's client: find, create, send, finish, read back.

Comet has no compare-and-swap but one: a version whose number is taken is refused. So the
number is chosen here, and whoever is refused looks again. A version counts once it is
closed; one that is not was cut off, and is left behind.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

from artlock.errors import (
    RefNotFoundError,
    RegistrationRefusedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.model.refs import LATEST, MAX_NUMBER
from artlock.model.registration import Lineage, Outcome, Run
from artlock.tracking.comet import messages
from artlock.tracking.comet.address import (
    Address,
    experiment_of,
    problem_with_comet_name,
)
from artlock.tracking.comet.comparing import are_as_planned, lock_in
from artlock.tracking.comet.plan import Unversioned, plan_of
from artlock.tracking.comet.process import ClientProcess, Clock
from artlock.tracking.comet.versions import (
    OURS,
    Entry,
    entries_of,
    labels_of,
    lock_tag,
    metadata_of,
    native_number,
    next_number,
    tracker_version,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from artlock.model.lock import Lockfile
    from artlock.model.refs import Ref
    from artlock.model.registration import Registration, TrackerVersion
    from artlock.tracking.base import TrackerContext
    from artlock.tracking.comet.plan import Plan

_TRIES = 5
"""How often a number may turn out to be taken."""
_PATIENCE_S = 20.0
_ROWS_PER_S = 1000
"""How long an unfinished version of the same lock is waited for; then it was cut off."""
_SHARE = 4
"""Which part of the time that is left goes by in waiting, at most."""
_LOOK_AGAIN_S = 0.5
_FOR_READING_S = 15.0
"""Of the time of a call, what is kept for ending the experiment and reading back."""
_CLOSED = "closed"


class CometTracker:
    """Versions of artifacts in one workspace of Comet."""

    def __init__(self, url: str, address: Address, context: TrackerContext) -> None:
        """Connect to nothing yet.

        Args:
            url: What errors call the tracker.
            address: Where at Comet.
            context: What there is of this machine.
        """
        self._url = url
        self._address = address
        self._context = context
        self._client = ClientProcess(context, url)
        self._closed: set[str] = set()
        """IDs of versions that were seen closed where the list does not tell; for good."""
        self._cut_off: set[str] = set()
        """IDs of versions that were waited for in vain; nobody waits for them again."""
        self._is_sound: dict[str, bool] = {}
        """By ID of a finished version: whether its files are those of its lock."""
        self._seems_whole: dict[str, bool] = {}
        """The same, where there is no lock at hand to compare them with."""
        self._passed_over: list[str] = []
        """Warnings of this call."""

    def register(self, registration: Registration) -> Outcome:
        """Register a lock; see ``Tracker``."""
        self._check(registration)
        self._passed_over.clear()
        clock = self._clock()
        plan = plan_of(
            registration.lock,
            each=registration.each,
            unversioned=self._address.unversioned,
        )
        found = self._find(registration, clock)
        created = False
        if found is None:
            found, created = self._create(registration, plan, clock)
        self._label(found, registration, clock)
        return Outcome(
            version=self._read(registration.name, found.number, clock),
            created=created,
            links=plan.links,
            warnings=(*plan.warnings, *self._passed_over),
        )

    def names(self) -> Sequence[str]:
        """Return the names that have a finished version; see ``Tracker``."""
        clock = self._clock()
        listed = self._client.ask(
            messages.ListNames(workspace=self._address.workspace), messages.Names, clock
        )
        return sorted(
            name for name in set(listed.names) if any(self._tracker_versions(name, clock))
        )

    def versions(self, name: str, *, limit: int | None = None) -> Sequence[TrackerVersion]:
        """Return the finished versions of a name; see ``Tracker``."""
        found = list(islice(self._tracker_versions(name, self._clock()), limit))
        if not found and limit != 0:
            raise self._not_found(name)
        return found

    def find(self, ref: Ref) -> TrackerVersion:
        """Return the version that a ref names; see ``Tracker``."""
        is_newest = ref.number is None and ref.alias in {None, LATEST}

        def is_meant(entry: Entry) -> bool:
            return is_newest or ref.alias in labels_of(entry).aliases

        found = self._tracker_versions(ref.name, self._clock(), is_meant, number=ref.number)
        version = next(found, None)
        if version is None:
            raise self._not_found(str(ref))
        return version

    def fetch(self, version: TrackerVersion) -> Lockfile:
        """Return the lock, rebuilt of its rows; see ``Tracker``."""
        clock = self._clock()
        entry = self._entry(version, clock)
        try:
            return lock_in(self._files(version.name, entry, clock), entry.metadata)
        except ValueError as error:
            reason = f"`{version.native}` is not what artlock registered: {error}"
            raise TrackingError(reason, tracker=self._url) from error

    def record_input(self, version: TrackerVersion, run: Run) -> None:
        """Record that an experiment used a version; see ``Tracker``."""
        key = experiment_of(run)
        if key is None:
            reason = (
                f"`{run}` is no experiment of Comet, whose keys are 32 to 50 letters and "
                "digits"
            )
            raise RegistrationRefusedError(reason, tracker=self._url)
        request = messages.RecordInput(
            workspace=self._address.workspace,
            name=version.name,
            version=native_number(version.number),
            run=key,
        )
        self._client.ask(request, messages.Done, self._clock())

    def lineage(self, version: TrackerVersion) -> Lineage:
        """Return who made a version; see ``Tracker``.

        Who used it is recorded there and shown on Comet's pages, but its client has no
        question for it.
        """
        clock = self._clock()
        metadata = self._entry(version, clock).metadata
        produced = []
        if metadata.run_id is not None:
            produced.append(Run(id=metadata.run_id, service=metadata.run_service))
        described = self._describe(version.name, native_number(version.number), clock)
        if described.experiment is not None:
            produced.append(Run(id=described.experiment, service="comet"))
        return Lineage(version=version, produced=tuple(produced))

    def close(self) -> None:
        """End the client."""
        self._client.close()

    def _clock(self) -> Clock:
        return Clock(self._context.deadline_s)

    def _check(self, registration: Registration) -> None:
        """Check limits before anything is asked.

        Raises:
            RegistrationRefusedError: One is exceeded.
        """
        problem = problem_with_comet_name(registration.name)
        if problem is not None:
            reason = f"`{registration.name}`: {problem}"
            raise RegistrationRefusedError(reason, tracker=self._url)
        keys = [key for key, _ in registration.labels.meta if key.startswith(OURS)]
        if keys:
            reason = f"the key `{keys[0]}` is artlock's own"
            raise RegistrationRefusedError(reason, tracker=self._url)

    def _find(self, registration: Registration, clock: Clock) -> Entry | None:
        """Return the finished version of the same lock, or ``None``.

        One that another is just about to finish is waited for; one that does not come to
        its end was cut off. One that is not what it says it is counts for nothing.
        """
        name = registration.name
        waiting = Clock(patience_s(registration.lock.count(), clock.left_s))
        while True:
            unfinished = []
            for entry in reversed(entries_of(self._list(name, clock) or ())):
                if (entry.digest, entry.metadata.each) != (
                    registration.digest,
                    registration.each,
                ):
                    continue
                if not self._is_closed(name, entry, clock):
                    unfinished.append(entry)
                elif self._compares(registration, entry, clock):
                    return entry
            awaited = {
                entry.native.id for entry in unfinished if not _has_failed(entry)
            } - self._cut_off
            if not awaited:
                return None
            if not waiting.left_s:
                self._cut_off |= awaited
                return None
            time.sleep(min(_LOOK_AGAIN_S, waiting.left_s))

    def _compares(self, registration: Registration, entry: Entry, clock: Clock) -> bool:
        """Tell whether a finished version is of the lock that it says; if not, warn."""
        version_id, name = entry.native.id, registration.name
        if version_id not in self._is_sound:
            files = self._files(name, entry, clock)
            # It may have been pushed with the other choice in the tracker's URL.
            self._is_sound[version_id] = any(
                are_as_planned(
                    files,
                    plan_of(registration.lock, each=registration.each, unversioned=choice),
                )
                for choice in Unversioned
            )
        if self._is_sound[version_id]:
            return True
        warning = (
            f"`{name}:{entry.native.version}` at Comet says that it is the same lock, but "
            "its files are others; it is passed over"
        )
        if warning not in self._passed_over:
            self._passed_over.append(warning)
        return False

    def _create(
        self, registration: Registration, plan: Plan, clock: Clock
    ) -> tuple[Entry, bool]:
        """Make and finish a version; return it, and whether it is of this call.

        Raises:
            TrackerUnavailableError: Others took every number first.
        """
        try:
            tried = self._make(registration, plan, clock)
        except TrackingError:
            self._end_run(clock)
            raise
        # Another may have finished the same lock at the same time: the first one counts.
        found = self._find(registration, clock)
        if found is None:
            reason = f"`{registration.name}:{tried}.0.0` is gone"
            raise TrackingError(reason, tracker=self._url)
        return found, found.number == tried

    def _make(self, registration: Registration, plan: Plan, clock: Clock) -> int:
        """Make and finish a version, unless another finishes the same lock; return which.

        Raises:
            RegistrationRefusedError: There is no number left.
            TrackerUnavailableError: Others took every number first.
        """
        tried = 0
        for _ in range(_TRIES):
            listed = self._list(registration.name, clock) or ()
            tried = max(next_number(listed), tried + 1)
            is_there = any(v.version == native_number(tried) for v in listed)
            if tried > MAX_NUMBER or is_there:
                reason = f"`{registration.name}` has no number left for another version"
                raise RegistrationRefusedError(reason, tracker=self._url)
            sent = self._send(registration, plan, tried, clock)
            if not sent.taken:
                if sent.is_stuck:
                    self._client.close()
                self._end_run(clock)
                self._prove(registration, plan, tried, sent, clock)
                return tried
            found = self._find(registration, clock)
            if found is not None:
                self._end_run(clock)
                return 0
        reason = f"others registered versions of `{registration.name}` meanwhile"
        raise TrackerUnavailableError(reason, tracker=self._url, hint="push again")

    def _send(
        self,
        registration: Registration,
        plan: Plan,
        number: int,
        clock: Clock,
    ) -> messages.Sent:
        labels, made_by = registration.labels, registration.run
        is_foreign = made_by is not None and experiment_of(made_by) is None
        request = messages.Send(
            workspace=self._address.workspace,
            project=self._address.project,
            run=self._run(registration),
            run_name=f"artlock push {registration.name} {registration.short}",
            name=registration.name,
            version=native_number(number),
            metadata=metadata_of(registration, made_by if is_foreign else None),
            tags=(lock_tag(registration.digest), *labels.tags),
            assets=plan.assets,
            wait_s=max(clock.left_s - _FOR_READING_S, clock.left_s / 2),
        )
        return self._client.ask(request, messages.Sent, clock)

    def _run(self, registration: Registration) -> str | None:
        """Return the key of the experiment that made the lock, if Comet has one."""
        variable = self._context.environ.get("COMET_EXPERIMENT_KEY", "")
        run = registration.run or Run(id=variable)
        key = experiment_of(run)
        if key is None and variable and run.id == variable:
            self._context.notice(
                "`COMET_EXPERIMENT_KEY` is no key of an experiment, which are 32 to 50 "
                "letters and digits; the push makes an experiment of its own"
            )
        return key

    def _end_run(self, clock: Clock) -> None:
        """End the experiment of a push, as far as that is possible."""
        if not self._client.is_running:
            return
        try:
            self._client.ask(messages.EndRun(), messages.Done, clock)
        except TrackingError as error:
            # Not the judge of the push: what is read back is.
            self._context.notice(f"Comet's client did not end its run: {error.message}")

    def _prove(
        self,
        registration: Registration,
        plan: Plan,
        number: int,
        sent: messages.Sent,
        clock: Clock,
    ) -> None:
        """Read back what was sent, with a fresh client; nothing else is a success.

        Raises:
            TrackingError: It is not finished, or not what was sent.
        """
        name = registration.name
        listed = entries_of(self._list(name, clock) or ())
        entry = next((entry for entry in listed if entry.number == number), None)
        if entry is None or not self._is_closed(name, entry, clock):
            if sent.failure is not None:
                raise self._client.error_of(sent.failure)
            reason = f"Comet did not finish `{name}:{native_number(number)}`"
            raise TrackingError(reason, tracker=self._url)
        is_sound = entry.digest == registration.digest and are_as_planned(
            self._files(name, entry, clock), plan
        )
        self._is_sound[entry.native.id] = is_sound
        if not is_sound:
            reason = f"`{name}:{native_number(number)}` is not what was sent"
            raise TrackingError(reason, tracker=self._url)

    def _label(self, entry: Entry, registration: Registration, clock: Clock) -> None:
        """Attach labels to a version, and take its aliases from all others."""
        wanted = registration.labels
        name = registration.name
        metadata = {**entry.raw, **dict(wanted.meta)}
        aliases = _with(entry.native.aliases, wanted.aliases)
        tags = _with(entry.native.tags, (lock_tag(entry.digest), *wanted.tags))
        if (metadata, aliases, tags) != (
            entry.raw,
            entry.native.aliases,
            entry.native.tags,
        ):
            self._set_labels(entry, metadata, aliases, tags, clock)
        if not wanted.aliases:
            return
        for other in entries_of(self._list(name, clock) or ()):
            kept = tuple(a for a in other.native.aliases if a not in wanted.aliases)
            if other.number != entry.number and kept != other.native.aliases:
                self._set_labels(other, other.raw, kept, other.native.tags, clock)

    def _set_labels(
        self,
        entry: Entry,
        metadata: dict[str, object],
        aliases: tuple[str, ...],
        tags: tuple[str, ...],
        clock: Clock,
    ) -> None:
        request = messages.SetLabels(
            id=entry.native.id, metadata=metadata, aliases=aliases, tags=tags
        )
        self._client.ask(request, messages.Done, clock)

    def _read(self, name: str, number: int, clock: Clock) -> TrackerVersion:
        found = self._tracker_versions(name, clock, lambda _: False, number=number)
        version = next(found, None)
        if version is None:
            reason = f"`{name}:{native_number(number)}` is gone"
            raise TrackingError(reason, tracker=self._url)
        return version

    def _tracker_versions(
        self,
        name: str,
        clock: Clock,
        wanted: Callable[[Entry], bool] = lambda _: True,
        *,
        number: int | None = None,
    ) -> Iterator[TrackerVersion]:
        """Yield finished versions of a name, the newest first; none of no name.

        Of each lock only the first that is whole: two pushes that did not see each other
        may both have come to an end, and one may have failed at its end. But what is asked
        for by its number is there. Whether a version is finished may be a question for
        each; so it is asked for those that are wanted, and the one before each.
        """
        entries = entries_of(self._list(name, clock) or ())
        same: dict[tuple[str, bool], list[Entry]] = {}
        for entry in reversed(entries):
            same.setdefault((entry.digest, entry.metadata.each), []).append(entry)

        def counts(entry: Entry) -> bool:
            if not self._is_closed(name, entry, clock):
                return False
            others = same[entry.digest, entry.metadata.each]
            closed = [e for e in others if self._is_closed(name, e, clock)]
            if len(closed) == 1:
                return True
            whole = (e for e in closed if self._is_whole(name, e, clock))
            return next(whole, closed[0]) is entry

        for index, entry in enumerate(entries, 1):
            if (entry.number == number and self._is_closed(name, entry, clock)) or (
                wanted(entry) and counts(entry)
            ):
                before = filter(counts, islice(entries, index, None))
                yield tracker_version(
                    entry,
                    workspace=self._address.workspace,
                    name=name,
                    parent=next((other.number for other in before), None),
                )

    def _is_whole(self, name: str, entry: Entry, clock: Clock) -> bool:
        """Tell whether the files of a finished version are those that it tells of."""
        version_id = entry.native.id
        if version_id in self._is_sound:
            return self._is_sound[version_id]
        if version_id not in self._seems_whole:
            files = self._files(name, entry, clock)
            try:
                lock_in(files, entry.metadata)
            except ValueError:  # that is the answer
                self._seems_whole[version_id] = False
            else:
                self._seems_whole[version_id] = True
        return self._seems_whole[version_id]

    def _is_closed(self, name: str, entry: Entry, clock: Clock) -> bool:
        if entry.native.state is not None:
            return entry.native.state.lower() == _CLOSED
        if entry.native.id not in self._closed:
            if not self._describe(name, entry.native.version, clock).is_closed:
                return False
            self._closed.add(entry.native.id)
        return True

    def _entry(self, version: TrackerVersion, clock: Clock) -> Entry:
        for entry in entries_of(self._list(version.name, clock) or ()):
            is_same = (entry.number, entry.digest) == (version.number, version.digest)
            if is_same and self._is_closed(version.name, entry, clock):
                return entry
        raise self._not_found(version.ref)

    def _list(self, name: str, clock: Clock) -> tuple[messages.NativeVersion, ...] | None:
        if problem_with_comet_name(name) is not None:
            return None  # it cannot be there, nor be asked for
        request = messages.ListVersions(workspace=self._address.workspace, name=name)
        return self._client.ask(request, messages.NativeVersions, clock).versions

    def _describe(self, name: str, version: str, clock: Clock) -> messages.Description:
        request = messages.Describe(
            workspace=self._address.workspace, name=name, version=version
        )
        return self._client.ask(request, messages.Description, clock)

    def _files(
        self, name: str, entry: Entry, clock: Clock
    ) -> tuple[messages.NativeFile, ...]:
        request = messages.ListFiles(
            workspace=self._address.workspace,
            name=name,
            version=entry.native.version,
            expected=entry.metadata.objects + len(entry.metadata.heads),
        )
        return self._client.ask(request, messages.Files, clock).files

    def _not_found(self, ref: str) -> RefNotFoundError:
        reason = f"`{self._url}` has no `{ref}`"
        return RefNotFoundError(reason, ref=ref)


def patience_s(rows: int, left_s: float) -> float:
    """Return how long an unfinished version of the same lock is waited for, in seconds.

    Args:
        rows: Of the lock.
        left_s: What is left of the time of the call; most of it is for the push.
    """
    return min(_PATIENCE_S + rows / _ROWS_PER_S, left_s / _SHARE)


def _has_failed(entry: Entry) -> bool:
    """Tell whether Comet says that a version will not be finished."""
    return (entry.native.state or "").upper() == "ERROR"


def _with(there: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    """Return what is there, and what is missing of ``more``."""
    return (*there, *(label for label in more if label not in there))
