"""Peers whose dependencies conflict with ours: each in an environment of its own.

``NAME.in`` says what is wanted, ``NAME.txt`` pins all of it with hashes (``make
constraints``), and the environment is made in ``build/peers/NAME``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_ENVIRONMENTS = _ROOT / "build" / "peers"
_PINS = Path(__file__).parent
_PACKAGES = {"awscli": "awscli", "dvc": "dvc", "wandb": "wandb", "comet": "comet-ml"}
NAMES = tuple(_PACKAGES)


def program(peer: str, name: str) -> str:
    """Return the path of a program in a peer's environment."""
    return str(_ENVIRONMENTS / peer / "bin" / name)


def absence(peer: str) -> str:
    """Return why a peer cannot run, or nothing if it can."""
    return "" if _is_made(peer) else "not installed"


def pinned_version(peer: str) -> str:
    """Return which version of a peer is pinned."""
    text = (_PINS / f"{peer}.txt").read_text("utf-8")
    found = re.search(rf"^{_PACKAGES[peer]}(?:\[.*\])?==(\S+)", text, re.MULTILINE)
    return found[1] if found else "none"


def make_environments() -> None:
    """Install the peers whose environment is not as it is pinned; tell those that fail."""
    missing = [peer for peer in NAMES if not _is_made(peer)]
    if missing:
        folder = _ENVIRONMENTS.relative_to(_ROOT)
        print(f"installing {', '.join(missing)} into {folder} ...", flush=True)
    # Half of it is waiting, for the network and for the disk.
    with ThreadPoolExecutor(len(NAMES)) as pool:
        for problem in filter(None, pool.map(_problem_with, missing)):
            print(problem, flush=True)


def _problem_with(peer: str) -> str:
    """Install a peer; return why that failed, or nothing."""
    try:
        _make(peer)
    except subprocess.CalledProcessError as error:
        tail = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return f"{peer} could not be installed: {''.join(tail)}"
    return ""


def _make(peer: str) -> None:
    folder, pins = _ENVIRONMENTS / peer, _PINS / f"{peer}.txt"
    for command in (
        (sys.executable, "-m", "venv", "--clear", str(folder)),
        (
            *(
                program(peer, "python"),
                "-m",
                "pip",
                "--disable-pip-version-check",
                "install",
            ),
            *("--quiet", "--require-hashes", "--only-binary", ":all:", "--no-deps"),
            *("--requirement", str(pins)),
        ),
    ):
        subprocess.run(command, check=True, capture_output=True)
    shutil.copyfile(pins, folder / "pins.txt")


def _is_made(peer: str) -> bool:
    made = _ENVIRONMENTS / peer / "pins.txt"
    return made.exists() and made.read_bytes() == (_PINS / f"{peer}.txt").read_bytes()
