"""The tracker of the tests themselves: what they learn with it holds for the others."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from artlock.model.registration import Run
from artlock.tracking.base import Tracker
from tests.contract.tracker_contract import TrackerContract
from tests.memory_tracker import MemoryTracker


class _Place:
    def __init__(self) -> None:
        self._tracker = MemoryTracker()

    @contextmanager
    def open(self) -> Iterator[Tracker]:
        yield self._tracker

    def run(self, name: str) -> Run:
        return Run(id=name)


class TestMemory(TrackerContract):
    @pytest.fixture
    def place(self) -> _Place:
        return _Place()
