"""Programs on the path of what starts them by name, such as git, and shells.

``artlock`` of this checkout, ``b3sum`` in Python, and what ``make tools`` installed.
"""

import os
import shlex
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
TOOLS = REPOSITORY / "build" / "tools" / "bin"
"""Programs that would not fit into the environment of artlock."""
_B3SUM = """\
import sys
from blake3 import blake3
print(blake3(sys.stdin.buffer.read()).hexdigest() + "  -")
"""


def path_with_artlock(folder: Path) -> str:
    """Put ``artlock`` and ``b3sum`` into a folder; return a ``PATH`` that begins there.

    Args:
        folder: Made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "artlock"
    python = shlex.quote(sys.executable)
    paths = f"{shlex.quote(str(REPOSITORY))}${{PYTHONPATH:+:$PYTHONPATH}}"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={paths} exec {python} -P -m artlock "$@"\n')
    program.chmod(0o755)
    b3sum = folder / "b3sum"
    b3sum.write_text(f"#!{sys.executable}\n{_B3SUM}")
    b3sum.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def tool(name: str) -> Path:
    """Return a program that ``make tools`` installed; skip the test if it did not."""
    program = TOOLS / name
    if not program.exists():
        pytest.skip(f"`make tools` would install `{name}`")
    return program
