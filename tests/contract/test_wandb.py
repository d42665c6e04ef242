"""W&B, through its real client and a stand-in for its server."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from artlock.model.registration import Run
from artlock.model.uri import Uri
from artlock.tracking.base import Tracker, TrackerContext
from artlock.tracking.wandb import open_tracker
from testbed.wandb import API_KEY, WandbServer
from tests.contract.tracker_contract import TrackerContract

URL = Uri.parse("wandb://team/vision")


class WandbPlace:
    def __init__(self, server: WandbServer, folder: Path) -> None:
        self.server = server
        self.folder = folder

    def context(self, **more: str) -> TrackerContext:
        environ = {"WANDB_BASE_URL": self.server.endpoint, "WANDB_API_KEY": API_KEY, **more}
        scratch = Path(tempfile.mkdtemp(dir=self.folder))
        return TrackerContext(
            environ=environ, base=self.folder, scratch=scratch, deadline_s=30
        )

    @contextmanager
    def open(self) -> Iterator[Tracker]:
        tracker = open_tracker(URL, self.context())
        try:
            yield tracker
        finally:
            tracker.close()

    def run(self, name: str) -> Run:
        self.server.add_run("team", "vision", name)
        return Run(id=name, service="wandb")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[WandbPlace]:
    with WandbServer() as server:
        yield WandbPlace(server, tmp_path)


class TestWandb(TrackerContract):
    together = 3
