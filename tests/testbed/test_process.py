import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testbed.ports import free_ports
from testbed.process import ServerProcess, StartError, started

CHATTY = "import os; print('home', os.environ['HOME'], len(os.environ), flush=True);"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
SLEEP = "import time; time.sleep(60)"


def python(code: str, name: str = "sleeper", **options: float) -> ServerProcess:
    def is_ready() -> bool:
        return "home" in server.log.read_text()

    server = ServerProcess(
        name, lambda _: [sys.executable, "-c", code], is_ready=is_ready, **options
    )
    return server


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_ports_are_free_and_different() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20


def test_a_server_lives_in_its_folder_and_leaves_nothing() -> None:
    with python(CHATTY + SLEEP) as server:
        pid, folder = server.pid, server.folder
        assert pid is not None
        assert os.getsid(pid) == pid
        assert server.log.read_text().startswith(f"home {folder} ")
        assert is_alive(pid)
    assert server.pid is None
    assert not is_alive(pid)
    assert not folder.exists()


def test_a_server_that_ends_shows_its_log() -> None:
    server = python("print('no such flag'); raise SystemExit(3)")
    with pytest.raises(StartError, match=r"(?s)sleeper ended with status 3.*no such flag"):
        server.start()
    assert not server.folder.exists()


def test_a_server_that_is_never_ready_is_ended() -> None:
    with pytest.raises(StartError, match=r"was not ready after 0\.3 s"):
        python(SLEEP, timeout_s=0.3).start()


def test_another_attempt_is_made() -> None:
    codes = iter(["raise SystemExit(1)", CHATTY + SLEEP])
    server = started(lambda: python(next(codes)))
    try:
        assert server.pid is not None
    finally:
        server.stop()


def test_children_and_the_deaf_are_ended_too() -> None:
    child = f"subprocess.Popen([sys.executable, '-c', {STUBBORN + SLEEP!r}])"
    code = f"import subprocess, sys; {STUBBORN} print({child}.pid, flush=True); "
    with python(code + CHATTY + SLEEP, patience_s=0.3) as server:
        pid = server.pid
        child_pid = int(server.log.read_text().split()[0])
        assert pid is not None
    assert not is_alive(pid)
    # An orphan is collected by init, in its own time.
    deadline = time.monotonic() + 5
    while _is_running(child_pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _is_running(child_pid)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("end", ["pass", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_servers_do_not_outlive_the_interpreter(tmp_path: Path, end: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal, sys\n"
        "from testbed.process import ServerProcess\n"
        "command = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "server = ServerProcess('left', lambda _: command, is_ready=lambda: True)\n"
        "server.start()\n"
        "print(server.pid, server.folder, flush=True)\n" + end
    )
    ended = subprocess.run(
        [sys.executable, str(script)],
        check=False,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    pid, folder = ended.stdout.decode().split()
    deadline = time.monotonic() + 5
    while _is_running(int(pid)) or Path(folder).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
