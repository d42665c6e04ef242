"""Names of temporary files."""

from __future__ import annotations

import os
import sys

import pytest

from artlock.fs.temporary import GRACE_S, Names, is_abandoned


@pytest.mark.skipif(sys.platform == "win32", reason="there are no forks")
def test_a_fork_makes_other_names_which_live_as_long_as_its_parent() -> None:
    names = Names()
    names.next()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, " ".join(names.next() for _ in range(3)).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    theirs = os.read(reading, 1000).decode().split()
    os.close(reading)
    os.close(writing)
    ours = [names.next() for _ in range(3)]
    assert len({*ours, *theirs}) == 6
    assert not any(is_abandoned(name, 1000 * GRACE_S) for name in theirs)
