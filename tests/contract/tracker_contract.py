"""What ``artlock.tracking.base.Tracker`` promises, as tests that every tracker runs.

A tracker's file subclasses ``TrackerContract``, gives the fixture ``place``, and says by
class attributes what its service lacks. Nothing else may differ.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import ClassVar, Protocol

import pytest

from artlock.errors import RefNotFoundError
from artlock.model.lock import Lockfile
from artlock.model.refs import Ref
from artlock.model.registration import Labels, Outcome, Registration, Run, TrackerVersion
from artlock.model.tokens import Trust
from artlock.tracking.base import Tracker
from tests.registrations import (
    PROVENANCE,
    lockfile,
    odd_tree,
    registration,
    row,
    simple_lock,
    text_of,
    tree,
)

PRODUCER = Run(id="train-1")
CONSUMER = Run(id="eval-7")


class Place(Protocol):
    """A service that starts empty for each test."""

    def open(self) -> AbstractContextManager[Tracker]:
        """Open a client of its own, as another process on another machine would have."""
        ...

    def run(self, name: str) -> Run:
        """Return a run that the service knows, or that it takes as it is."""
        ...


class TrackerContract:
    knows_consumers: ClassVar[bool] = True
    """Whether it tells which runs used a version."""
    keeps_provenance: ClassVar[bool] = True
    """Whether author and remote come back too, and not only the commit."""
    together: ClassVar[int] = 4
    """How many push at once in the tests of that; a client may be slow to start."""

    def test_what_was_sent_is_read_back(self, place: Place) -> None:
        sent = registration(
            simple_lock(), labels=Labels(tags=("nightly",), meta=(("note", "x"),))
        )
        with place.open() as tracker:
            outcome = tracker.register(sent)
        version = version_in(outcome)
        assert outcome.created
        assert (version.name, version.number, version.parent) == ("data", 1, None)
        assert version.digest == sent.digest
        assert (version.objects, version.size) == (sent.lock.count(), sent.lock.size)
        assert version.trust is Trust.ETAG
        assert version.provenance.commit == PROVENANCE.commit
        assert version.labels.tags == ("nightly",)
        assert version.labels.meta == (("note", "x"),)
        if self.keeps_provenance:
            assert version.provenance == PROVENANCE

    def test_another_client_finds_it(self, place: Place) -> None:
        with place.open() as tracker:
            sent = version_in(tracker.register(registration(simple_lock())))
        with place.open() as other:
            assert other.find(Ref(name="data")) == sent
            assert other.find(Ref(name="data", number=1)) == sent
            assert other.find(Ref(name="data", alias="latest")) == sent
            assert list(other.versions("data")) == [sent]
            assert "data" in other.names()

    def test_a_digest_is_registered_once(self, place: Place) -> None:
        sent = registration(simple_lock())
        with place.open() as tracker:
            first = tracker.register(sent)
            again = tracker.register(sent)
        with place.open() as other:
            later = other.register(sent)
            assert len(other.versions("data")) == 1
        assert first.created
        assert not again.created
        assert not later.created
        assert version_in(again) == version_in(later) == version_in(first)

    def test_another_digest_is_the_next_version(self, place: Place) -> None:
        with place.open() as tracker:
            versions = [
                version_in(tracker.register(registration(simple_lock(f"v-{number}"))))
                for number in (1, 2, 3)
            ]
            assert [v.number for v in versions] == [1, 2, 3]
            assert [v.parent for v in versions] == [None, 1, 2]
            assert [v.number for v in tracker.versions("data")] == [3, 2, 1]
            assert [v.number for v in tracker.versions("data", limit=2)] == [3, 2]
            assert tracker.find(Ref(name="data")).number == 3
            # An older lock is no newer version (hazard 5.10).
            assert (
                version_in(tracker.register(registration(simple_lock("v-1")))).number == 1
            )

    def test_one_row_another_place_or_another_head_is_another_version(
        self, place: Place
    ) -> None:
        base = tree("val", row("a.txt", version="1"))
        with place.open() as tracker:
            for lock in (
                lockfile(base),
                lockfile(tree("val", row("a.txt", version="2"))),
                lockfile(tree("val", row("a.txt", version="1"), uri="s3://elsewhere/val/")),
                lockfile(tree("val", row("a.txt", version="1"), row("b.txt"))),
            ):
                assert tracker.register(registration(lock)).created

    def test_names_are_apart(self, place: Place) -> None:
        with place.open() as tracker:
            for name in ("data", "Other.name_1"):
                assert (
                    version_in(tracker.register(registration(simple_lock(), name))).number
                    == 1
                )
            assert {"data", "Other.name_1"} <= set(tracker.names())

    def test_what_is_not_there_is_said(self, place: Place) -> None:
        with place.open() as tracker:
            with pytest.raises(RefNotFoundError):
                tracker.versions("data")
            tracker.register(registration(simple_lock()))
            for ref in ("nothing", "nothing:v1", "nothing@prod", "data:v2", "data@prod"):
                with pytest.raises(RefNotFoundError) as caught:
                    tracker.find(Ref.parse(ref))
                assert caught.value.ref == ref

    def test_aliases_move_and_tags_grow(self, place: Place) -> None:
        def labelled(version: str, *tags: str) -> Registration:
            labels = Labels(aliases=("prod",), tags=tags)
            return registration(simple_lock(version), labels=labels)

        with place.open() as tracker:
            tracker.register(labelled("v-1", "a"))
            assert tracker.find(Ref.parse("data@prod")).number == 1
            tracker.register(labelled("v-2"))
            assert tracker.find(Ref.parse("data@prod")).number == 2
            assert tracker.find(Ref.parse("data:v1")).labels.aliases == ()
            back = tracker.register(labelled("v-1", "b"))
            assert not back.created
            assert version_in(back).labels == Labels(aliases=("prod",), tags=("a", "b"))
            assert tracker.find(Ref.parse("data@prod")).number == 1
            assert tracker.find(Ref.parse("data:v2")).labels.aliases == ()

    def test_the_exact_lock_comes_back(self, place: Place) -> None:
        sent = registration(simple_lock())
        with place.open() as tracker:
            tracker.register(sent)
        with place.open() as other:
            assert text_of(other.fetch(other.find(Ref(name="data")))) == sent.text

    def test_one_artifact_by_itself_comes_back(self, place: Place) -> None:
        sent = registration(lockfile(odd_tree("val")), "val", each=True)
        with place.open() as tracker:
            version = version_in(tracker.register(sent))
            assert version.each
            assert text_of(tracker.fetch(version)) == sent.text

    def test_a_lock_without_rows_comes_back(self, place: Place) -> None:
        for lock in (Lockfile(), lockfile(tree("empty"))):
            sent = registration(lock, f"empty-{len(lock.artifacts)}")
            with place.open() as tracker:
                version = version_in(tracker.register(sent))
                assert version.trust is Trust.NONE
                assert text_of(tracker.fetch(version)) == sent.text

    def test_the_run_that_made_it_is_known(self, place: Place) -> None:
        run = place.run("train-1")
        with place.open() as tracker:
            version = version_in(tracker.register(registration(simple_lock(), run=run)))
            assert run in tracker.lineage(version).produced

    def test_an_input_is_recorded_once(self, place: Place) -> None:
        run = place.run("eval-7")
        with place.open() as tracker:
            version = version_in(tracker.register(registration(simple_lock())))
            tracker.record_input(version, run)
            tracker.record_input(version, run)
            if self.knows_consumers:
                assert tracker.lineage(version).consumed == (run,)

    def test_one_digest_from_many_at_once_is_one_version(self, place: Place) -> None:
        sent = registration(simple_lock())
        outcomes = self._at_once(place, [sent] * self.together)
        assert {version_in(outcome).number for outcome in outcomes} == {1}
        with place.open() as tracker:
            assert len(tracker.versions("data")) == 1

    def test_many_digests_at_once_are_as_many_versions(self, place: Place) -> None:
        sent = [registration(simple_lock(f"v-{number}")) for number in range(self.together)]
        outcomes = self._at_once(place, sent)
        numbers = sorted(version_in(outcome).number for outcome in outcomes)
        assert numbers == list(range(1, self.together + 1))
        with place.open() as tracker:
            for outcome, registered in zip(outcomes, sent, strict=True):
                version = tracker.find(Ref(name="data", number=version_in(outcome).number))
                assert version.digest == registered.digest
                assert text_of(tracker.fetch(version)) == registered.text

    def _at_once(self, place: Place, sent: Sequence[Registration]) -> list[Outcome]:
        """Register, each with a client of its own; overridden where one needs a process."""

        def register(one: Registration) -> Outcome:
            with place.open() as tracker:
                return tracker.register(one)

        work: Callable[[Registration], Outcome] = register
        with ThreadPoolExecutor(len(sent)) as threads:
            return list(threads.map(work, sent))


def version_in(outcome: Outcome) -> TrackerVersion:
    """Return what was read back."""
    assert outcome.version is not None
    return outcome.version
