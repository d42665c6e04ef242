"""artlock's own registry, in SQLite and in PostgreSQL."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from artlock.model.registration import Run
from artlock.model.uri import Uri
from artlock.tracking.base import Tracker, TrackerContext
from artlock.tracking.registry import Registry, open_tracker
from testbed.postgresql import PostgreSQL
from tests.contract.tracker_contract import TrackerContract


class RegistryPlace:
    """A registry that starts empty."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = Uri.parse(url)
        self._folder = folder

    @contextmanager
    def open(self) -> Iterator[Registry]:
        context = TrackerContext(
            environ=dict(os.environ), base=self._folder, scratch=self._folder
        )
        registry = open_tracker(self._url, context)
        tracker: Tracker = registry  # it is one, says the type checker
        assert isinstance(tracker, Tracker)
        try:
            yield registry
        finally:
            registry.close()

    def run(self, name: str) -> Run:
        return Run(id=name, service="comet")


class TestSQLite(TrackerContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> RegistryPlace:
        return RegistryPlace("sqlite:///data/registry.db", tmp_path)


class TestPostgreSQL(TrackerContract):
    @pytest.fixture
    def place(self, postgresql: PostgreSQL, tmp_path: Path) -> RegistryPlace:
        return RegistryPlace(postgresql.create_database(), tmp_path)
