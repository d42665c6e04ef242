"""Pushes locks to MLflow in a process of its own: for tests with several, and with kills.

``python -m tests.contract.mlflow_pusher URL FOLDER VERSION...`` prints a line a version.
"""

import sys
import tempfile
from pathlib import Path

from artlock.model.uri import Uri
from artlock.tracking.base import TrackerContext
from artlock.tracking.mlflow import open_tracker
from tests.registrations import registration, simple_lock


def main(url: str, folder: str, *versions: str) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        context = TrackerContext(environ={}, base=Path(folder), scratch=Path(scratch))
        tracker = open_tracker(Uri.parse(url), context)
        for version in versions:
            found = tracker.register(registration(simple_lock(version))).version
            assert found is not None
            sys.stdout.write(f"{version} {found.number}\n")
            sys.stdout.flush()
        tracker.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
