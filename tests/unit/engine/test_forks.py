"""Two questions at once."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from artlock.engine.forks import both

_LINUX = sys.platform == "linux"


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_is_true_only_if_both_hold(first: bool, second: bool) -> None:  # noqa: FBT001 - answers
    assert both(lambda: first, lambda: second) is (first and second)


def _fails() -> bool:
    raise RuntimeError


def test_an_error_of_the_second_means_no_and_ends_nothing_here() -> None:
    assert both(lambda: True, _fails) is False


def test_an_error_of_the_first_is_raised_and_leaves_no_process() -> None:
    before = _children()
    with pytest.raises(RuntimeError):
        both(_fails, lambda: True)
    assert _children() == before


def _children() -> str:
    """Return the processes that this one has started and not collected."""
    return Path("/proc/thread-self/children").read_text() if _LINUX else ""


@pytest.mark.skipif(not _LINUX, reason="forks on Linux only")
@pytest.mark.skipif(_LINUX and len(os.sched_getaffinity(0)) == 1, reason="one core")
def test_the_second_is_asked_elsewhere_unless_threads_run() -> None:
    here = os.getpid()
    assert both(lambda: os.getpid() == here, lambda: os.getpid() != here)
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait)
    thread.start()
    try:
        assert both(lambda: True, lambda: os.getpid() == here)
        assert not both(lambda: True, _fails)
    finally:
        gate.set()
        thread.join()
