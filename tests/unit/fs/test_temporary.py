"""Names of temporary files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from artlock.fs.temporary import GRACE_S, Names, is_abandoned, mark_of, unmarked


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


def test_a_mark_tells_files_apart_and_comes_off(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.touch()
    marks = [mark_of(None), mark_of(tmp_path.stat())]
    for time_ns in (-5, 0, 1 << 60):
        os.utime(path, ns=(time_ns, time_ns))
        marks.append(mark_of(path.stat()))
    assert len(set(marks)) == 4
    name = Names().next()
    assert [unmarked(name + mark) for mark in marks] == [(name, mark) for mark in marks]
    assert unmarked(name) == (name, "")
    assert unmarked(".artlock-notes") == (".artlock-notes", "")
