"""Run one command, and tell what it took: seconds, seconds of CPU, bytes of memory.

``timing`` starts it as ``python -I -S launcher.py DESCRIPTOR COMMAND...``. It is a process
of its own, and a small one, because Linux takes the memory of whoever starts a program for
the first peak of that program.
"""

import json
import os
import sys
import time

# The kernel's unit of ru_maxrss.
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


def main() -> None:
    """Write one JSON object to the descriptor when the command has ended."""
    descriptor, command = int(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - by position only
    started = time.perf_counter()
    try:
        child = os.posix_spawnp(command[0], command, os.environ)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - started
    report = {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * _PEAK_UNIT,
        "exit": os.waitstatus_to_exitcode(status),
    }
    os.write(descriptor, json.dumps(report).encode())


if __name__ == "__main__":
    main()
