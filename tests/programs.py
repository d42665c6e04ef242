"""``artlock`` as a program on the path, for what starts it by its name: git, and shells."""

import os
import shlex
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def path_with_artlock(folder: Path) -> str:
    """Put ``artlock`` of this checkout into a folder; return a ``PATH`` that begins there.

    Args:
        folder: Made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "artlock"
    python = shlex.quote(sys.executable)
    paths = f"{shlex.quote(str(REPOSITORY))}${{PYTHONPATH:+:$PYTHONPATH}}"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={paths} exec {python} -P -m artlock "$@"\n')
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
