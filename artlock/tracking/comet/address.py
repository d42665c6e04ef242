"""Which addresses and names mean something at Comet.

::

    comet://workspace/project
    comet://workspace/my%20project?unversioned=head
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from artlock.tracking.comet.plan import Unversioned

if TYPE_CHECKING:
    from artlock.model.registration import Run
    from artlock.model.uri import Uri

_WORKSPACE = re.compile(r"[A-Za-z0-9._-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_EXPERIMENT = re.compile(r"[A-Za-z0-9]{32,50}")
_OPTION = "unversioned="


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where at Comet.

    Attributes:
        workspace: Whose artifacts these are.
        project: Where a push makes its experiment.
        unversioned: What becomes of objects that are pinned without a version.
    """

    workspace: str
    project: str
    unversioned: Unversioned = Unversioned.LINK


def address_of(url: Uri) -> Address:
    """Read the URL of a tracker.

    Raises:
        ValueError: It addresses nothing at Comet; the message says why.
    """
    workspace, (path, mark, option) = url.authority or "", url.key.partition("?")
    project = unquote(path.removesuffix("/"))
    if url.scheme != "comet" or not _WORKSPACE.fullmatch(workspace):
        message = "write `comet://workspace/project`"
        raise ValueError(message)
    if not project or "/" in project or _CONTROL.search(project) or "#" in url.key:
        message = "names no project; write `comet://workspace/project`"
        raise ValueError(message)
    choices = {f"{_OPTION}{choice}": choice for choice in Unversioned}
    if mark and option not in choices:
        message = f"the only options are `?{'` and `?'.join(choices)}`"
        raise ValueError(message)
    return Address(
        workspace=workspace,
        project=project,
        unversioned=choices.get(option, Unversioned.LINK),
    )


def problem_with_comet_name(name: str) -> str | None:
    """Return why Comet cannot hold an artifact of that name, or ``None``."""
    if _NAME.fullmatch(name):
        return None
    return "a name at Comet has letters, digits, `.`, `_` and `-`, at most 100"


def experiment_of(run: Run) -> str | None:
    """Return the key of the experiment that a run is, or ``None`` if it is none."""
    if run.service in {"", "comet"} and _EXPERIMENT.fullmatch(run.id):
        return run.id
    return None
