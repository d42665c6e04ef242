"""comet.memory: how much the client's process may take."""

import subprocess
import sys

import pytest

_TAKE = """
import mmap
from artlock.tracking.comet import messages
from artlock.tracking.comet.memory import Memory

memory = Memory()
for expected, size_mib in (0, 512), (0, 1100), (100_000, 1100), (0, 1100), (10**10, 16_000):
    memory.make_room(
        messages.ListFiles(workspace="w", name="n", version="1.0.0", expected=expected)
    )
    try:
        mmap.mmap(-1, size_mib << 20).close()  # addresses, which nothing touches
    except OSError:
        print("refused")
    else:
        print("taken")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces it")
def test_a_process_takes_a_gibibyte_and_some_for_each_file() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _TAKE],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == ["taken", "refused", "taken", "taken", "refused"]
