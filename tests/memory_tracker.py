"""A tracker in memory that can be told to fail; it holds to the contract."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from artlock.errors import ArtlockError, RefNotFoundError
from artlock.model.refs import Ref
from artlock.model.registration import (
    Labels,
    Lineage,
    Outcome,
    Registration,
    Run,
    TrackerVersion,
)


@dataclass
class MemoryTracker:
    """What it holds outlives its clients: ``close`` does nothing.

    Attributes:
        failures: Raised by the next calls of ``register`` and ``record_input``, in order;
            ``None`` lets one pass.
        asked: ``register NAME DIGEST`` and ``input NAME RUN`` of each such call.
    """

    failures: list[BaseException | None] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    _held: dict[str, list[tuple[TrackerVersion, bytes]]] = field(default_factory=dict)
    _runs: dict[tuple[str, int, str], list[Run]] = field(default_factory=dict)
    _mutex: threading.RLock = field(default_factory=threading.RLock)

    def register(self, registration: Registration) -> Outcome:
        with self._mutex:
            self.asked.append(f"register {registration.name} {registration.digest}")
            self._fail()
            held = self._held.setdefault(registration.name, [])
            number = next(
                (v.number for v, _ in held if v.digest == registration.digest), None
            )
            created = number is None
            if number is None:
                number = len(held) + 1
                held.append((_version(registration, number), registration.text))
            self._attach(registration, number)
            if registration.run is not None:
                self._record(registration.name, number, "made", registration.run)
            return Outcome(version=held[number - 1][0], created=created)

    def names(self) -> Sequence[str]:
        return sorted(self._held)

    def versions(self, name: str, *, limit: int | None = None) -> Sequence[TrackerVersion]:
        if not self._held.get(name):
            raise _missing(Ref(name=name))
        newest = [version for version, _ in reversed(self._held[name])]
        return newest[:limit]

    def find(self, ref: Ref) -> TrackerVersion:
        for version in (self._held.get(ref.name) and self.versions(ref.name)) or ():
            is_newest = ref.number is None and ref.alias in {None, "latest"}
            is_aliased = ref.alias is not None and ref.alias in version.labels.aliases
            if is_newest or is_aliased or version.number == ref.number:
                return version
        raise _missing(ref)

    def fetch(self, version: TrackerVersion) -> bytes:
        return self._held[version.name][version.number - 1][1]

    def record_input(self, version: TrackerVersion, run: Run) -> None:
        self.asked.append(f"input {version.name} {run}")
        self._fail()
        self._record(version.name, version.number, "used", run)

    def lineage(self, version: TrackerVersion) -> Lineage:
        key = version.name, version.number
        return Lineage(
            version=version,
            produced=tuple(self._runs.get((*key, "made"), ())),
            consumed=tuple(self._runs.get((*key, "used"), ())),
        )

    def close(self) -> None:
        pass

    def _fail(self) -> None:
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure

    def _record(self, name: str, number: int, role: str, run: Run) -> None:
        runs = self._runs.setdefault((name, number, role), [])
        if run not in runs:
            runs.append(run)

    def _attach(self, registration: Registration, number: int) -> None:
        given = registration.labels
        held = self._held[registration.name]
        for place, (version, text) in enumerate(held):
            labels = version.labels
            kept = set(labels.aliases) - set(given.aliases)
            if version.number == number:
                labels = Labels(
                    aliases=tuple(sorted(kept | set(given.aliases))),
                    tags=tuple(sorted({*labels.tags, *given.tags})),
                    meta=tuple(sorted((dict(labels.meta) | dict(given.meta)).items())),
                )
            else:
                labels = replace(labels, aliases=tuple(sorted(kept)))
            held[place] = replace(version, labels=labels), text


def _version(registration: Registration, number: int) -> TrackerVersion:
    return TrackerVersion(
        name=registration.name,
        number=number,
        digest=registration.digest,
        each=registration.each,
        objects=registration.lock.count(),
        size=registration.lock.size,
        trust=registration.trust,
        provenance=registration.provenance,
        parent=number - 1 or None,
    )


def _missing(ref: Ref) -> ArtlockError:
    return RefNotFoundError(f"there is no `{ref}`", ref=str(ref))
