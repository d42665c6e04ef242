"""Which module speaks to the tracker at a URL; each is imported when it is first needed.

=============================================  ============================================
``sqlite:///FILE``, ``postgresql://HOST/DB``   a registry of artlock's own
``comet://WORKSPACE/PROJECT``                  Comet
``mlflow+https://HOST/EXPERIMENT``             an MLflow server; also ``mlflow+http``
``mlflow+sqlite:///FILE/EXPERIMENT``           MLflow's database, without a server
``wandb://ENTITY/PROJECT``                     Weights & Biases
=============================================  ============================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import ConfigError

if TYPE_CHECKING:
    from artlock.model.uri import Uri
    from artlock.tracking.base import Tracker, TrackerContext, TrackerScheme

SCHEMES = (
    "sqlite",
    "postgresql",
    "comet",
    "mlflow+http",
    "mlflow+https",
    "mlflow+sqlite",
    "wandb",
)


def open_tracker(url: Uri, context: TrackerContext) -> Tracker:
    """Return the tracker at ``url``; it connects when it is first asked something.

    Raises:
        ConfigError: No tracker has such a URL, or its client library is not installed.
    """
    return scheme_of(url).open_tracker(url, context)


def scheme_of(url: Uri) -> TrackerScheme:
    """Return the module of a tracker's URL.

    Raises:
        ConfigError: No tracker has such a URL.
    """
    module = _module(url.scheme)
    if module is None:
        message = f"`{url}` is no tracker: `{url.scheme}` is not known"
        known = ", ".join(f"`{scheme}`" for scheme in SCHEMES)
        raise ConfigError(message, hint=f"artlock knows {known}")
    if problem := module.problem_with(url):
        message = f"`{url}` is no tracker: {problem}"
        raise ConfigError(message)
    return module


def _module(scheme: str) -> TrackerScheme | None:
    match scheme:
        case "sqlite" | "postgresql":
            from artlock.tracking import registry

            return registry
        case "comet":
            from artlock.tracking import comet

            return comet
        case "mlflow+http" | "mlflow+https" | "mlflow+sqlite":
            from artlock.tracking import mlflow

            return mlflow
        case "wandb":
            from artlock.tracking import wandb

            return wandb
        case _:
            return None
