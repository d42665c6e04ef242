"""Where the W&B tracker is tested; light to import, for processes that only push."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from artlock.model.registration import Outcome, Registration, Run
from artlock.model.uri import Uri
from artlock.tracking.base import Tracker, TrackerContext
from artlock.tracking.wandb import open_tracker
from testbed.wandb import API_KEY, WandbServer

URL = Uri.parse("wandb://team/vision")


def context_at(endpoint: str, folder: Path, **more: str) -> TrackerContext:
    environ = {"WANDB_BASE_URL": endpoint, "WANDB_API_KEY": API_KEY, **more}
    return TrackerContext(
        environ={name: text for name, text in environ.items() if text},
        base=folder,
        scratch=Path(tempfile.mkdtemp(dir=folder)),
        deadline_s=30,
    )


def push(endpoint: str, folder: Path, sent: Registration) -> Outcome:
    tracker = open_tracker(URL, context_at(endpoint, folder))
    try:
        return tracker.register(sent)
    finally:
        tracker.close()


class WandbPlace:
    def __init__(
        self, server: WandbServer, folder: Path, pool: ProcessPoolExecutor
    ) -> None:
        self.server = server
        self.folder = folder
        self.pool = pool

    def context(self, **more: str) -> TrackerContext:
        return context_at(self.server.endpoint, self.folder, **more)

    def tracker(self, **more: str) -> Tracker:
        return open_tracker(URL, self.context(**more))

    @contextmanager
    def open(self) -> Iterator[Tracker]:
        tracker = self.tracker()
        try:
            yield tracker
        finally:
            tracker.close()

    def run(self, name: str) -> Run:
        self.server.add_run("team", "vision", name)
        return Run(id=name, service="wandb")
