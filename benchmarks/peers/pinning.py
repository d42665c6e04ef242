"""Peers that pin what they found, as artlock does: DVC, W&B and Comet.

Each pins when it is asked for here; whoever calls changes the objects only after that. What
keeps a peer from pinning is why it is absent.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.data import DataSet
from benchmarks.ground import Ground
from benchmarks.peers.environments import program
from benchmarks.timing import Contender, RunError

_HERE = Path(__file__).parent


def pinning_peers(ground: Ground, data: DataSet) -> list[Contender]:
    """Let each of them pin the objects, and return how it gets them."""
    return [dvc_pull(ground, data), _wandb(ground, data), _comet(ground, data)]


def dvc_pull(ground: Ground, data: DataSet) -> Contender:
    """Let DVC pin the objects, and return how it pulls them."""
    folder = ground.folder / f"dvc-{data.bucket}"
    folder.mkdir()
    pin = folder / "data.dvc"
    dvc = (program("dvc", "python"), program("dvc", "dvc"))
    environ = {
        "PYTHONPATH": "",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(folder / "site"),
    }

    def do_pin() -> None:
        for arguments in (
            ("init", "--no-scm", "--quiet"),
            ("config", "core.check_update", "false"),
            ("import-url", "--version-aware", "--no-download", data.uri[:-1], "data"),
        ):
            ground.do(*dvc, *arguments, folder=folder, environ=environ)
        shutil.copyfile(pin, folder / "pinned")

    def prepare() -> None:
        ground.put_aside(
            *(folder / "data", folder / "site"),
            *(folder / ".dvc" / "cache", folder / ".dvc" / "tmp"),
        )
        shutil.copyfile(folder / "pinned", pin)

    return Contender(
        name="dvc pull",
        command=(*dvc, "pull"),
        folder=folder,
        prepare=prepare,
        environ=environ,
        delivers=folder / "data",
        absent=ground.absence("dvc") or _failure(do_pin),
    )


def _wandb(ground: Ground, data: DataSet) -> Contender:
    cache = ground.folder / "wandb-cache"
    environ = {
        "WANDB_MODE": "offline",
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_CACHE_DIR": str(cache),
        "WANDB_DATA_DIR": str(ground.folder / "wandb-data"),
    }
    return _client(ground, data, "wandb", "wandb, reference artifact", environ, cache)


def _comet(ground: Ground, data: DataSet) -> Contender:
    environ = {"COMET_DISABLE_AUTO_LOGGING": "1", "COMET_LOGGING_CONSOLE": "ERROR"}
    return _client(ground, data, "comet", "comet_ml, remote artifact", environ)


def _client(
    ground: Ground,
    data: DataSet,
    peer: str,
    name: str,
    environ: dict[str, str],
    *caches: Path,
) -> Contender:
    """Return a peer whose client is driven by a program beside this module."""
    pin, goal = ground.folder / f"{peer}-{data.bucket}.json", ground.folder / peer
    client = (program(peer, "python"), str(_HERE / f"{peer}_client.py"))
    environ = {"PYTHONPATH": "", **environ}

    def do_pin() -> None:
        command = (*client, "pin", data.uri, str(pin))
        ground.do(*command, folder=ground.folder, environ=environ)

    return Contender(
        name=name,
        command=(*client, "download", str(pin), str(goal)),
        folder=ground.folder,
        prepare=lambda: ground.put_aside(goal, *caches),
        environ=environ,
        delivers=goal,
        absent=ground.absence(peer) or _failure(do_pin),
    )


def _failure(pin: Callable[[], None]) -> str:
    """Pin; return why that failed, in one line, or nothing."""
    try:
        pin()
    except RunError as error:
        return f"could not pin: {str(error).strip().splitlines()[-1]}"
    return ""
