"""Run a server as a child process that is certainly ended."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Protocol, Self

_POLL_S = 0.05
_LOG_TAIL = 3000
_running: "set[ServerProcess]" = set()

# Its input ends when the process that holds the other end does, in whatever way.
_WATCH = 'cat >/dev/null; kill -s KILL -- "-$1"; sleep 1; rm -rf -- "$2"'


class StartError(RuntimeError):
    """A server ended, or did not answer in time; the message shows its log."""


class ServerProcess:
    """A server process in its own session, with a temporary folder and a log file.

    The folder holds whatever the server writes, is its HOME and working directory, and
    is deleted when the process has ended. The environment has only HOME, PATH and
    TMPDIR: neither credentials nor proxies of this machine reach the server. What is
    still running when the interpreter exits is ended then, and also if it was killed.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[Path], Sequence[str]],
        *,
        is_ready: Callable[[], bool],
        timeout_s: float = 30.0,
        patience_s: float = 5.0,
    ) -> None:
        """Describe a process; nothing is started yet.

        Args:
            name: For messages and the name of the folder.
            command: From the folder to the command line; may write into the folder.
            is_ready: Whether the server answers; an OSError counts as no.
            timeout_s: How long to wait for that, in seconds.
            patience_s: How long it may take to end before it is killed, in seconds.

        """
        self.folder = Path(tempfile.mkdtemp(prefix=f"artlock-{name}-"))
        self._name = name
        self._command = command
        self._is_ready = is_ready
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or None while nothing runs."""
        return None if self._process is None else self._process.pid

    @property
    def log(self) -> Path:
        """The file with the server's standard output and standard error."""
        return self.folder / "server.log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            StartError: It did not; it was ended and its folder deleted.

        """
        _running.add(self)
        try:
            arguments = list(self._command(self.folder))
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.folder,
                    env=self._environment(),
                    start_new_session=True,
                )
            self._watch = _watch(self._process.pid, self.folder)
            self._await_ready(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server and delete its folder; may be called again."""
        process, self._process = self._process, None
        if process is not None:
            _end(process, self._patience_s)
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.kill()  # before its input ends, so that it does nothing
            watch.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)
        _running.discard(self)

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "PATH": os.environ.get("PATH", os.defpath),
            "TMPDIR": str(self.folder),
        }

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self._timeout_s
        while True:
            ready = self._answers()
            # Looked at after the answer: another server may own the port and answer,
            # while ours has ended because it could not bind it.
            if process.poll() is not None:
                self._fail(f"ended with status {process.returncode}")
            if ready:
                return
            if time.monotonic() > deadline:
                self._fail(f"was not ready after {self._timeout_s:g} s")
            time.sleep(_POLL_S)

    def _fail(self, what: str) -> NoReturn:
        tail = self.log.read_bytes()[-_LOG_TAIL:].decode(errors="replace")
        message = f"{self._name} {what}; the end of its log:\n{tail}"
        raise StartError(message)

    def _answers(self) -> bool:
        try:
            return self._is_ready()
        except OSError:
            return False


class Closable(Protocol):
    """A client that holds connections."""

    def close(self) -> None:
        """Give them back."""


class EmbeddedServer(ABC):
    """A server with its clients, from ``with`` to the end of its block.

    Attributes:
        endpoint: The base of its URLs, without a slash at the end; set by ``_describe``.
    """

    def __init__(self) -> None:
        """Describe a server; nothing is started yet."""
        self.endpoint = ""
        self._process: ServerProcess | None = None
        self._clients: list[Closable] = []

    def __enter__(self) -> Self:
        self._process = started(self._describe)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for client in self._clients:
            client.close()
        self._clients.clear()
        if self._process is not None:
            self._process.stop()

    @abstractmethod
    def _describe(self) -> ServerProcess:
        """Choose ports, set the endpoint, and return the process."""


def started(make: Callable[[], ServerProcess], *, attempts: int = 3) -> ServerProcess:
    """Start what ``make`` gives; if it does not start, try another.

    Args:
        make: Describes the process, each time with ports chosen anew.
        attempts: How many times; at least 1.

    Raises:
        StartError: The last one did not start either.

    """
    for _ in range(attempts - 1):
        process = make()
        try:
            process.start()
        except StartError:
            continue  # most likely a port was taken in between
        return process
    process = make()
    process.start()
    return process


def _watch(pid: int, folder: Path) -> subprocess.Popen[bytes]:
    """Start a process that ends a server's group if nobody is left to do it."""
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCH, "watch", str(pid), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes], patience_s: float) -> None:
    # start_new_session made the process id the id of its group too. It is not given to
    # another before wait() has collected the process, so the group is signalled first.
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    # The group lives on while a child does, and its id with it.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@atexit.register
def _end_all() -> None:
    for server in tuple(_running):
        server.stop()
