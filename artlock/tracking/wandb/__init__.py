"""Weights & Biases: locks as versions of reference artifacts, through W&B's own client.

::

    wandb://ENTITY/PROJECT

``plan.py`` says what is sent, ``artifact.py`` makes W&B's objects of it, ``client.py`` and
``service.py`` run the client and end it, ``online.py`` talks to a server, ``offline.py``
writes runs that ``wandb sync`` sends. ``failures.py`` is the seam: nothing of W&B's leaves
this package.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from artlock.errors import ConfigError

if TYPE_CHECKING:
    from artlock.model.uri import Uri
    from artlock.tracking.base import Tracker, TrackerContext

SCHEME = "wandb"
_NAME = re.compile(r"[^/\\#?%:\s]{1,128}")
_REGISTRY = "wandb-registry-"
_OFFLINE = frozenset({"offline", "dryrun"})
_DISABLED = frozenset({"disabled"})


def problem_with(url: Uri) -> str | None:
    """Return why ``url`` does not address a project of W&B, or ``None``; no network."""
    if url.scheme != SCHEME:
        return "is not `wandb://ENTITY/PROJECT`"
    entity, project = url.authority or "", url.key.removesuffix("/")
    if not _NAME.fullmatch(entity) or not _NAME.fullmatch(project):
        return "is not `wandb://ENTITY/PROJECT`"
    if project.startswith(_REGISTRY):
        return "is a registry of W&B, which takes links only; name a project"
    return None


def open_tracker(url: Uri, context: TrackerContext) -> Tracker:
    """Return the tracker at ``url``; connects when it is first asked something.

    Where ``WANDB_MODE`` says ``offline``, it is one that writes runs for ``wandb sync``.

    Raises:
        ConfigError: The client library is not installed; or ``url`` is no project's, or
            ``WANDB_MODE`` switches W&B off.
    """
    if problem := problem_with(url):
        message = f"`{url}` {problem}"
        raise ConfigError(message)
    # Imported here because most commands have no use for this tracker's modules.
    from artlock.tracking.wandb.client import Address, load_library  # noqa: PLC0415 - see above
    from artlock.tracking.wandb.offline import OfflineWandb  # noqa: PLC0415 - see above
    from artlock.tracking.wandb.online import OnlineWandb  # noqa: PLC0415 - see above

    mode = context.environ.get("WANDB_MODE", "")
    address = Address(
        url=str(url), entity=url.authority or "", project=url.key.removesuffix("/")
    )
    if mode in _DISABLED or context.environ.get("WANDB_DISABLED", "") in {"true", "1"}:
        message = f"`{url}` is switched off by `WANDB_MODE` or `WANDB_DISABLED`"
        raise ConfigError(message, hint="unset it, or push elsewhere with `--to`")
    load_library(address)
    if mode in _OFFLINE:
        return OfflineWandb(address, context)
    return OnlineWandb(address, context)
