"""MLflow: a push is a run, and its artifacts are inputs of that run.

::

    mlflow+http://host:5000/experiment           a tracking server
    mlflow+https://host/prefix/team%2Fdata       below a prefix; the experiment `team/data`
    mlflow+sqlite:///mlflow.db/experiment        a file, relative to the project; no server
    mlflow+sqlite:////srv/mlflow.db/experiment   the same, absolute

Credentials are those of MLflow's own conventions: ``MLFLOW_TRACKING_USERNAME`` and
``MLFLOW_TRACKING_PASSWORD``, ``MLFLOW_TRACKING_TOKEN``, ``~/.mlflow/credentials``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import ConfigError, TrackerUnavailableError
from artlock.tracking.mlflow.address import Address

if TYPE_CHECKING:
    from artlock.model.uri import Uri
    from artlock.tracking.base import Tracker, TrackerContext


def problem_with(url: Uri) -> str | None:
    """Return why ``url`` does not address an MLflow experiment, or ``None``; no network."""
    try:
        Address.parse(url)
    except ValueError as error:
        return str(error)
    return None


def open_tracker(url: Uri, context: TrackerContext) -> Tracker:
    """Return the tracker at ``url``; connects when it is first asked something.

    Raises:
        ConfigError: MLflow's client is not installed, or ``url`` is no such address.
        TrackerUnavailableError: Another thread uses it, and for longer than the deadline.
    """
    try:
        address = Address.parse(url)
    except ValueError as error:
        message = f"`{url}` is no MLflow tracker: {error}"
        raise ConfigError(message) from error
    from artlock.tracking.mlflow.settings import quiet  # noqa: PLC0415 - with its user

    # Where it would send what it learns of its users is decided when it is imported.
    try:
        with quiet(context.environ, timeout_s=context.deadline_s):
            from artlock.tracking.mlflow.tracker import MlflowTracker  # noqa: PLC0415 - 2 s
    except ImportError as error:
        message = f"MLflow's client cannot be loaded: {error}"
        hint = "install it: `pip install 'artlock[mlflow]'`"
        raise ConfigError(message, hint=hint) from error
    except TimeoutError as error:
        message = f"`{url}` has to wait: {error}"
        raise TrackerUnavailableError(message, tracker=str(url)) from error
    return MlflowTracker(address, context)
