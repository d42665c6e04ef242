"""A stand-in for Comet's backend, and trackers that reach it through the real SDK."""

import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from artlock.model.registration import Run
from artlock.model.uri import Uri
from artlock.tracking.base import Tracker, TrackerContext
from artlock.tracking.comet import open_tracker
from testbed.comet import CometServer
from testbed.faults import Fault, Matches

WORKSPACE, PROJECT = "team", "vision"
URL = Uri.parse(f"comet://{WORKSPACE}/{PROJECT}")


def to(ending: str) -> Matches:
    def matches(method: str, path: str, query: str) -> bool:
        del method, query
        return path.endswith(ending)

    return matches


def refusal(
    ending: str,
    status: int,
    *,
    code: int | None = None,
    text: str = "no",
    times: int | None = None,
) -> Fault:
    """Return the fault that a path answers with a status, as Comet says it."""
    body = json.dumps({"msg": text, "code": status, "sdk_error_code": code}).encode()
    headers = {"Content-Type": "application/json"}
    return Fault(
        kind="status",
        matches=to(ending),
        status=status,
        body=body,
        headers=headers,
        times=times,
    )


class CometPlace:
    """A backend, and trackers that share nothing but its address.

    The SDK takes most of a second to load. So a tracker that a test is done with serves
    the next test, with the process that it has; within one test none is given out twice.
    """

    def __init__(self, server: CometServer, scratch: Path) -> None:
        self.server = server
        self.scratch = scratch
        self._mutex = threading.Lock()
        self._idle: list[tuple[float, Tracker]] = []
        self._used: list[tuple[float, Tracker]] = []

    @contextmanager
    def open(self, *, deadline_s: float = 60.0) -> Iterator[Tracker]:
        """Open a tracker; one with a short deadline waits for no other push for long."""
        with self._mutex:
            fitting = [pair for pair in self._idle if pair[0] == deadline_s]
            if fitting:
                self._idle.remove(fitting[0])
        pair = fitting[0] if fitting else (deadline_s, self.tracker(deadline_s=deadline_s))
        try:
            yield pair[1]
        finally:
            with self._mutex:
                self._used.append(pair)

    def tracker(
        self,
        *,
        url: Uri = URL,
        deadline_s: float = 60.0,
        environ: Mapping[str, str] | None = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> Tracker:
        """Return a new tracker, for whoever needs one of other settings; close it.

        Args:
            url: Where at Comet.
            deadline_s: How long a call may take.
            environ: In place of the variables that lead to the backend.
            notice: Takes remarks.

        """
        context = self.context(environ=environ, deadline_s=deadline_s, notice=notice)
        return open_tracker(url, context)

    def context(
        self,
        *,
        environ: Mapping[str, str] | None = None,
        deadline_s: float = 60.0,
        notice: Callable[[str], None] = lambda _: None,
    ) -> TrackerContext:
        """Return what such a tracker gets from this machine."""
        return TrackerContext(
            environ={**os.environ, **(self.server.environ if environ is None else environ)},
            base=self.scratch,
            scratch=self.scratch,
            deadline_s=deadline_s,
            notice=notice,
        )

    def run(self, name: str) -> Run:
        del name  # Comet's keys are not chosen
        key = secrets.token_hex(16)
        self.server.backend.add_experiment(key, WORKSPACE, PROJECT)
        return Run(id=key, service="comet")

    def start_anew(self) -> None:
        """Begin another test."""
        self.server.reset()
        self._idle += self._used
        self._used.clear()

    def close(self) -> None:
        """End all processes."""
        for _, tracker in (*self._idle, *self._used):
            tracker.close()
