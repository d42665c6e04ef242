"""Two questions at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
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


@pytest.mark.skipif(not _LINUX, reason="forks on Linux only")
def test_nobody_waits_for_the_second_once_the_first_says_no() -> None:
    started = time.monotonic()
    assert not both(lambda: False, _sleeps)
    with pytest.raises(KeyboardInterrupt):
        both(_is_interrupted, _sleeps)
    assert time.monotonic() - started < 5


@pytest.mark.skipif(not _LINUX, reason="forks on Linux only")
def test_where_children_are_forgotten_the_answer_is_not() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert both(lambda: True, lambda: True)
        with pytest.raises(KeyboardInterrupt):
            both(_is_interrupted, lambda: True)
    finally:
        signal.signal(signal.SIGCHLD, before)


@pytest.mark.skipif(not _LINUX, reason="forks on Linux only")
def test_an_interruption_of_the_child_runs_nothing_of_the_parents(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fork = os.fork

    def interrupted_fork() -> int:
        pid = fork()
        if not pid:
            os.kill(os.getpid(), signal.SIGINT)
        return pid

    monkeypatch.setattr(os, "fork", interrupted_fork)
    log = tmp_path / "log"
    try:
        assert not both(lambda: True, lambda: True)
    finally:
        with log.open("a") as file:
            file.write("cleaned up\n")
    assert log.read_text() == "cleaned up\n"


@pytest.mark.skipif(not _LINUX, reason="forks on Linux only")
def test_without_a_process_left_both_are_asked_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", fails)
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert (
        both(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, []) == masked, bool) is False
    )
    assert both(lambda: True, lambda: True)


def _sleeps() -> bool:
    time.sleep(20)
    return True


def _is_interrupted() -> bool:
    raise KeyboardInterrupt
