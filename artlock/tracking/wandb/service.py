"""The process that W&B's client starts: bounded in time, and ended for certain."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from artlock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FAREWELL_S = 5.0
"""How long the service may take to end after something went wrong."""
_LEAST_FAREWELL_S = 1.0


class Service:
    """W&B's service, and the library's one state for a process, for one call.

    Attributes:
        is_late: Whether the time was over before the call was.
        runs: What has been started, so that it is ended before the service.
    """

    def __init__(self, url: str, ends: float) -> None:
        """Describe a service; nothing starts.

        Args:
            url: Of the tracker, for messages.
            ends: When the call has to be over, by ``time.monotonic``.
        """
        self._url = url
        self._ends = ends
        self._setup: Any = None
        self._aside: Any = None
        self.is_late = False
        self.runs: list[Any] = []

    @property
    def left_s(self) -> float:
        """Seconds until the call has to be over; never quite none."""
        return max(0.1, self._ends - time.monotonic())

    def begin(self) -> None:
        """Take the library for this call.

        Raises:
            ConfigError: This process records a run of its own, or did; its service is not
                for this, and not to be ended.
        """
        from wandb.sdk import wandb_setup  # noqa: PLC0415 - it takes seconds

        before = wandb_setup._singleton  # noqa: SLF001 - nothing else tells
        if getattr(before, "_connection", None) is not None:
            message = f"`{self._url}`: this process uses W&B's client itself"
            hint = "run artlock as a command, or call `wandb.teardown()` before"
            raise ConfigError(message, hint=hint)
        # Somebody's settings, without a service: they are put aside.
        self._setup, self._aside = wandb_setup, before
        wandb_setup._singleton = None  # noqa: SLF001 - as above

    @contextmanager
    def running(self) -> Iterator[None]:
        """End the service with the block, or when the time is over: then it is late."""
        alarm = threading.Timer(self.left_s, self._kill_late)
        alarm.daemon = True
        alarm.start()
        try:
            yield
        except BaseException:
            self._end(min(_FAREWELL_S, max(_LEAST_FAREWELL_S, self.left_s)))
            raise
        else:
            self._end(max(_FAREWELL_S, self.left_s))
        finally:
            alarm.cancel()

    def _end(self, within_s: float) -> None:
        if self._setup is None:
            return
        process = self._process()
        impatience = threading.Timer(within_s, _kill, (process,))
        impatience.daemon = True
        impatience.start()
        try:
            # All that counts was read back by now, or has failed already. A run has threads
            # that would complain if the service went first; and the library ends the whole
            # program if its service did not end well.
            for run in self.runs:
                with suppress(Exception, SystemExit):
                    run.finish(exit_code=1)
            with suppress(Exception, SystemExit):
                self._setup.teardown()
        finally:
            impatience.cancel()
            _kill(process)
            self._setup._singleton = self._aside  # noqa: SLF001 - as in ``begin``

    def _kill_late(self) -> None:
        self.is_late = True
        _kill(self._process())

    def _process(self) -> Any:  # noqa: ANN401 - a `Popen` that this library may not name
        """Return the service's process, or ``None`` if none was started."""
        singleton = getattr(self._setup, "_singleton", None)
        connection = getattr(singleton, "_connection", None)
        return getattr(getattr(connection, "_proc", None), "_process", None)


def _kill(process: Any) -> None:  # noqa: ANN401 - as in ``Service._process``
    """End a process for certain, and collect it; no matter if it has ended."""
    if process is not None:
        if process.poll() is None:
            process.kill()  # it does not heed SIGTERM
        process.wait()
