"""Questions and work, shared with a fork."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from artlock.engine.forks import all_hold, share_out

if TYPE_CHECKING:
    from collections.abc import Callable

_LINUX = sys.platform == "linux"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count no threads that libraries left behind in other tests of this process."""
    count = threading.active_count
    others = count() - 1
    monkeypatch.setattr(threading, "active_count", lambda: count() - others)


@pytest.mark.parametrize("refused", [None, 0, 7, 199])
def test_all_hold_only_if_each_does(refused: int | None) -> None:
    questions = [partial(_differ, number, refused) for number in range(200)]
    before, files = _children(), _open_files()
    assert all_hold(questions) is (refused is None)
    assert (_children(), _open_files()) == (before, files)


def test_no_question_is_no_refusal() -> None:
    assert all_hold([]) is True


def _differ(number: int, other: int | None) -> bool:
    time.sleep(0.0005)
    return number != other


def _fails() -> bool:
    raise RuntimeError


@pytest.mark.parametrize("where", [0, 100, 199])
def test_an_error_of_a_question_is_raised_and_leaves_no_process(where: int) -> None:
    questions: list[Callable[[], bool]] = [partial(_differ, n, None) for n in range(200)]
    questions[where] = _fails
    before = _children()
    with pytest.raises(RuntimeError):
        all_hold(questions)
    assert _children() == before


def test_whoever_heard_a_no_asks_no_more(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def ask(number: int) -> bool:
        with log.open("a") as file:
            file.write(f"{number} {os.getpid()}\n")
        return _differ(number, 3)

    assert not all_hold([partial(ask, number) for number in range(200)])
    asked = [line.split() for line in log.read_text().splitlines()]
    (refuser,) = (process for number, process in asked if number == "3")
    assert [number for number, process in asked if process == refuser][-1] == "3"


def _children() -> str:
    """Return the processes that this one has started and not collected."""
    return Path("/proc/thread-self/children").read_text() if _LINUX else ""


@pytest.mark.skipif(not _LINUX, reason="forks on Linux only")
def test_where_children_are_forgotten_the_answer_is_not() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert all_hold([partial(_differ, n, None) for n in range(200)])
        assert not all_hold([partial(_differ, n, 150) for n in range(200)])
    finally:
        signal.signal(signal.SIGCHLD, before)


def _no_process() -> int:
    raise BlockingIOError


_ITEMS = range(200)
needs_fork = pytest.mark.skipif(
    not _LINUX or len(os.sched_getaffinity(0)) == 1, reason="forks on Linux, with two cores"
)


class Taken:
    """Takes results, and compares them with what they should be."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.processes: set[int] = set()

    def __call__(self, item: int, result: bytes) -> None:
        number, process = result.split()
        assert int(number) == item
        self.items.append(item)
        self.processes.add(int(process))


def _work(item: int) -> bytes:
    time.sleep(0.001)
    return f"{item} {os.getpid()}".encode()


def _interrupt() -> None:
    """Send Ctrl-C to this thread: others, of the test runner, hold nothing back."""
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if _LINUX else 0


@needs_fork
def test_work_is_shared_and_each_item_is_done_once() -> None:
    before, files = _children(), _open_files()
    taken = Taken()
    share_out(_work, _ITEMS, taken)
    assert sorted(taken.items) == list(_ITEMS)
    assert len(taken.processes) == 2
    assert (_children(), _open_files()) == (before, files)


@needs_fork
def test_results_of_any_length_arrive() -> None:
    results: dict[int, bytes] = {}

    def work(item: int) -> bytes:
        time.sleep(0.001)
        return bytes([item]) * (0 if item % 3 else 100_000)

    share_out(work, _ITEMS, results.__setitem__)
    assert results == {item: work(item) for item in _ITEMS}


def test_without_a_fork_all_is_done_here() -> None:
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait)
    thread.start()
    taken = Taken()
    try:
        share_out(_work, _ITEMS, taken)
    finally:
        gate.set()
        thread.join()
    assert taken.items == list(_ITEMS)
    assert taken.processes == {os.getpid()}


@needs_fork
def test_what_fails_in_the_fork_is_done_here() -> None:
    here = os.getpid()

    def work(item: int) -> bytes:
        if os.getpid() != here:
            raise RuntimeError
        return _work(item)

    taken = Taken()
    share_out(work, _ITEMS, taken)
    assert sorted(taken.items) == list(_ITEMS)


@needs_fork
def test_what_a_killed_fork_had_in_hand_is_done_here() -> None:
    here = os.getpid()

    def work(item: int) -> bytes:
        if os.getpid() != here and item > 20:
            os.kill(os.getpid(), signal.SIGKILL)
        return _work(item)

    taken = Taken()
    share_out(work, _ITEMS, taken)
    assert sorted(taken.items) == list(_ITEMS)


@needs_fork
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_all_that_was_done_is_told_when_an_error_ends_it(
    tmp_path: Path, error: type[BaseException]
) -> None:
    here = os.getpid()
    log = tmp_path / "log"

    def work(item: int) -> bytes:
        if os.getpid() == here and item > 20:
            raise error
        result = _work(item)
        with log.open("a") as file:
            file.write(f"{item}\n")
        return result

    taken = Taken()
    before, files = _children(), _open_files()
    with pytest.raises(error):
        share_out(work, _ITEMS, taken)
    done = sorted(map(int, log.read_text().split()))
    assert done == sorted(taken.items)
    # All but the one that failed, if the fork were not told to stop.
    assert 20 < len(done) < len(_ITEMS) - 1
    assert (_children(), _open_files()) == (before, files)


@needs_fork
def test_a_signal_to_all_is_raised_here_and_the_fork_ends_in_order(tmp_path: Path) -> None:
    here = os.getpid()
    log = tmp_path / "log"
    sent: list[int] = []
    before = _children()

    def work(item: int) -> bytes:
        with log.open("a") as file:
            file.write(f"{item} {os.getpid()}\n")
        if item > 20 and not sent:
            sent.append(item)
            _interrupt()
        return _work(item)

    taken = Taken()
    with pytest.raises(KeyboardInterrupt):
        share_out(work, _ITEMS, taken)
    begun = {
        int(item): int(pid) for item, pid in map(str.split, log.read_text().splitlines())
    }
    # What this process had in hand when the signal came is its own to undo.
    assert {begun[item] for item in begun.keys() - taken.items} <= {here}
    assert set(begun.values()) > {here}
    assert _children() == before


@needs_fork
def test_without_a_process_left_all_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fork", _no_process)
    taken = Taken()
    share_out(_work, _ITEMS, taken)
    assert taken.items == list(_ITEMS)


@needs_fork
def test_more_items_than_the_queue_holds_are_each_done_once() -> None:
    taken: list[int] = []
    share_out(lambda _: b"", range(20_000), lambda item, _: taken.append(item))
    assert sorted(taken) == list(range(20_000))


@needs_fork
def test_an_interruption_right_at_the_fork_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fork = os.fork

    def interrupted() -> int:
        pid = fork()
        _interrupt()
        return pid

    monkeypatch.setattr(os, "fork", interrupted)
    before, files = _children(), _open_files()
    taken = Taken()
    with pytest.raises(KeyboardInterrupt):
        share_out(_work, _ITEMS, taken)
    assert (_children(), _open_files()) == (before, files)
    assert os.getpid() not in taken.processes
