"""artlock in a fork of a process that has imported everything: a run costs some ms.

::

    python -m torture.launcher FLAG...        flags of torture.altered

    request, a line of JSON   {"folder": ..., "arguments": [...], "said": ..., "fork": true}
    answer, a line            the number of a process that has stopped itself
    answer, a line            how it ended: its exit code, or minus the signal

So each call to the system that such a process makes is one of the command, and none of an
import; and what watches it can be attached before it goes on. A request without a fork is
done by the launcher itself, so that it imports whatever that takes.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_PR_SET_PTRACER = 0x59616D61
_PR_SET_PTRACER_ANY = ctypes.c_ulong(-1)


class Launcher:
    """Starts commands; a context manager. Not for use by several threads.

    Args:
        environment: Of every command.
        scratch: A file that it may write.
        altered: Flags of ``torture.altered`` for every command.
    """

    def __init__(
        self, environment: Mapping[str, str], scratch: Path, altered: Sequence[str] = ()
    ) -> None:
        self._said = scratch
        self._process = subprocess.Popen(
            [sys.executable, "-m", "torture.launcher", *altered],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def warm(self, folder: Path, *arguments: str) -> None:
        """Let the launcher itself run a command, and so import what that takes."""
        self._ask(folder, arguments, fork=False)
        self._line()

    def run(
        self,
        folder: Path,
        *arguments: str,
        watch: Callable[[int], None] = lambda pid: os.kill(pid, signal.SIGCONT),
    ) -> tuple[int, str]:
        """Run a command; return its exit code, or minus a signal, and what it said.

        Args:
            folder: Where.
            arguments: Of artlock.
            watch: Is given the number of the stopped process, and lets it go on.
        """
        self._ask(folder, arguments, fork=True)
        watch(int(self._line()))
        code = int(self._line())
        return code, self._said.read_text("utf-8", "replace")

    def _ask(self, folder: Path, arguments: Sequence[str], *, fork: bool) -> None:
        request = {
            "folder": str(folder),
            "arguments": arguments,
            "said": str(self._said),
            "fork": fork,
        }
        assert self._process.stdin is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            message = "the launcher has ended"
            raise RuntimeError(message)
        return line.strip()


def _serve() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        if not request["fork"]:
            os.chdir(request["folder"])
            print(_run_here(request), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            _become(request)
        os.waitpid(pid, os.WUNTRACED)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _run_here(request: Mapping[str, object]) -> int:
    from artlock.cli.main import run  # noqa: PLC0415 - after it was altered

    arguments = request["arguments"]
    assert isinstance(arguments, list)
    with open(str(request["said"]), "w") as said:
        keep, sys.stdout, sys.stderr = (sys.stdout, sys.stderr), said, said
        try:
            return run(arguments)
        finally:
            sys.stdout, sys.stderr = keep


def _become(request: Mapping[str, object]) -> None:
    """Run the command in this fork, and end with its exit code."""
    from artlock.cli.main import main  # noqa: PLC0415 - after it was altered

    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _PR_SET_PTRACER_ANY, 0, 0, 0)
    fd = os.open(str(request["said"]), os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    for number in (1, 2):
        os.dup2(fd, number)
    os.close(fd)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(str(request["folder"]))
    arguments = request["arguments"]
    assert isinstance(arguments, list)
    sys.argv[1:] = arguments
    os.kill(os.getpid(), signal.SIGSTOP)
    code = 1
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        os._exit(code)


if __name__ == "__main__":
    from torture.altered import alter

    alter(sys.argv[1:])
    _serve()
