"""MLflow's settings while it works for artlock.

Its client takes them from the environment at each request, and from nowhere else: how long
to wait, how often to try again, whether to tell its makers. So the environment says what
artlock wants for as long as a request takes, and then again what it said before.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_FAMILY = "MLFLOW_"
_NOT_OURS = frozenset(
    {
        "MLFLOW_TRACKING_URI",  # the tracker's URL says it
        "MLFLOW_REGISTRY_URI",
        "MLFLOW_RUN_ID",  # what it names is somebody's run, not the push
        "MLFLOW_EXPERIMENT_ID",
        "MLFLOW_EXPERIMENT_NAME",
    }
)
_OURS: Mapping[str, str] = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # By default it tries for minutes, waits as long as a server asks for, and repeats what
    # creates; `Session.ask` knows what may be repeated, and the time that is left. Who
    # does not try again does not wait either.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_SILENT = logging.CRITICAL + 1
_mutex = threading.RLock()


@contextmanager
def quiet(environ: Mapping[str, str], *, timeout_s: float = 120.0) -> Iterator[None]:
    """Let MLflow see ``environ`` and artlock's settings, and log nothing, in this block.

    One thread at a time is in such a block: others wait, so that each has its own settings.

    Args:
        environ: Where MLflow's variables come from; those of this process do not count.
        timeout_s: How long it may wait for its turn, then for an answer, or the next piece
            of one.

    Raises:
        TimeoutError: It was not its turn in that time.
    """
    wanted = {
        name: value
        for name, value in environ.items()
        if name == "HOME" or (name.startswith(_FAMILY) and name not in _NOT_OURS)
    }
    wanted |= _OURS
    wanted["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(max(1, math.ceil(timeout_s)))
    logger = logging.getLogger("mlflow")
    with _held(timeout_s):
        before = {
            name: os.environ.get(name)
            for name in (*wanted, *(n for n in os.environ if n.startswith(_FAMILY)))
        }
        level = logger.level
        try:
            for name in before:
                _set(name, wanted.get(name))
            # What goes wrong comes out as an error of ours; people are not told twice.
            logger.setLevel(_SILENT)
            yield
        finally:
            logger.setLevel(level)
            for name, value in before.items():
                _set(name, value)


@contextmanager
def _held(timeout_s: float) -> Iterator[None]:
    if not _mutex.acquire(timeout=max(0.0, timeout_s)):
        message = f"another thread has used MLflow's client for {timeout_s:g} s"
        raise TimeoutError(message)
    try:
        yield
    finally:
        _mutex.release()


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    elif os.environ.get(name) != value:
        os.environ[name] = value
