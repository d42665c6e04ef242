import errno
import fcntl
import json
import os
import signal
import time
from pathlib import Path

import pytest

from artlock.errors import CacheError, WorkspaceError
from artlock.fs.mutex import Mutex, holder_of


def test_the_holder_is_named_to_who_waits_in_vain(tmp_path: Path) -> None:
    path = tmp_path / "mutex"
    with Mutex(path, purpose="sync"):
        started = time.monotonic()
        with (
            pytest.raises(WorkspaceError, match=rf"process {os.getpid()} on .* \(sync\)"),
            Mutex(path, purpose="resolve", wait_s=0.1),
        ):
            pass
        assert 0.1 <= time.monotonic() - started < 5


def test_the_file_stays_and_says_nothing_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "mutex"
    with Mutex(path, purpose="sync"):
        assert holder_of(path) is not None
    assert path.exists()
    assert holder_of(path) is None
    with Mutex(path, purpose="sync", wait_s=0):
        pass


def test_who_shares_does_not_keep_others_who_share_away(tmp_path: Path) -> None:
    path = tmp_path / "mutex"
    with (
        Mutex(path, purpose="sync", shared=True),
        Mutex(path, purpose="sync", shared=True, wait_s=0),
        pytest.raises(WorkspaceError, match="another process"),
        Mutex(path, purpose="gc", wait_s=0),
    ):
        pass


def _child_that_holds(path: Path, *, for_s: float) -> int:
    """Start a process that takes the mutex; return its id when it has it."""
    held = path.with_name("held")
    child = os.fork()
    if not child:  # pragma: no cover - the child
        with Mutex(path, purpose="sync"):
            held.touch()
            time.sleep(for_s)
        os._exit(0)
    while not held.exists():
        time.sleep(0.005)
    return child


def test_3_11_a_holder_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mutex"
    child = _child_that_holds(path, for_s=60)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert holder_of(path) is not None  # its note is left
    with Mutex(path, purpose="sync", wait_s=5):
        pass


def test_the_one_who_waits_gets_it_when_the_holder_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "mutex"
    child = _child_that_holds(path, for_s=0.2)
    with Mutex(path, purpose="sync", wait_s=10):
        pass
    os.waitpid(child, 0)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mutex").symlink_to("elsewhere")
    mutex = Mutex(tmp_path / "mutex", purpose="x")
    with pytest.raises(WorkspaceError, match="symbolic"), mutex:
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"pid": 1}'])
def test_a_note_that_says_nothing_is_no_error(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "mutex").write_bytes(text)
    assert holder_of(tmp_path / "mutex") is None


def test_3_10_where_nothing_can_be_locked_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_fd: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with Mutex(tmp_path / "mutex", purpose="x", wait_s=0):
        pass


def test_another_failure_to_lock_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_fd: int, _how: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    mutex = Mutex(tmp_path / "mutex", purpose="x", kind=CacheError)
    with pytest.raises(CacheError, match="input/output"), mutex:
        pass


def test_a_file_that_cannot_be_opened_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "mutex").mkdir()
    for kind in (CacheError, WorkspaceError):
        mutex = Mutex(tmp_path / "mutex", purpose="x", kind=kind)
        with pytest.raises(kind, match=r"mutex`: is a directory"), mutex:
            pass


def test_3_11_a_holder_that_was_stopped_is_waited_for_only_so_long_and_named(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mutex"
    child = _child_that_holds(path, for_s=60)
    os.kill(child, signal.SIGSTOP)
    try:
        with (
            pytest.raises(WorkspaceError, match=rf"process {child} on .* \(sync\)"),
            Mutex(path, purpose="sync", wait_s=0.1),
        ):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_3_11_the_number_of_an_ended_holder_may_be_anybodys_now(tmp_path: Path) -> None:
    path = tmp_path / "mutex"
    path.write_text(json.dumps({"pid": os.getppid(), "host": "h", "purpose": "sync"}))
    with Mutex(path, purpose="sync", wait_s=0):
        pass


def test_3_6_a_note_that_cannot_be_wiped_lets_go_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "mutex"
    with Mutex(path, purpose="sync") as mutex:
        os.close(mutex._fd)  # so that neither wiping nor closing can succeed
    with Mutex(path, purpose="sync", wait_s=0):
        pass


def test_3_16_a_mutex_tells_whether_it_keeps_anybody_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Mutex(tmp_path / "mutex", purpose="gc") as mutex:
        assert mutex.excludes()
        with (
            pytest.raises(WorkspaceError),
            Mutex(tmp_path / "mutex", purpose="x", wait_s=0),
        ):
            pass

    def refuse(_fd: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    for answer in (refuse, lambda _fd, _how: None):
        monkeypatch.setattr(fcntl, "flock", answer)
        with Mutex(tmp_path / "mutex", purpose="gc") as mutex:
            assert not mutex.excludes()
